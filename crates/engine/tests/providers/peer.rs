//! Somebody's calendars at a provider, and that somebody, who edits them.

use std::collections::BTreeMap;

use tidings_core::clock::Clock;
use tidings_providers::settings::Settings;
use tidings_simulators::oauth::OAuth;
use tidings_simulators::pushes::Pushes;
use tidings_simulators::server::{Answer, Faults};

use crate::watcher::Watcher;

/// Where providers believe us to be.
pub(crate) const PUBLIC: &str = "https://tidings.test";

/// One edit by the calendars' owner. Calendars and events go by the name that they are made with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit {
    AddCalendar(&'static str),
    RenameCalendar(&'static str, &'static str),
    RemoveCalendar(&'static str),
    /// An hour on the second of December.
    Create(&'static str, &'static str),
    Retitle(&'static str, &'static str, &'static str),
    /// To a later day of December.
    Move(&'static str, &'static str, u8),
    Delete(&'static str, &'static str),
    /// Every week from the second of December, eight times.
    CreateSeries(&'static str, &'static str),
    /// Another title on one day of December only.
    RetitleDay(&'static str, &'static str, u8, &'static str),
    /// Takes one day of December out.
    CancelDay(&'static str, &'static str, u8),
}

/// What is there: everything that a change could be about, by the id that changes name it by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Truth {
    /// Names by id.
    pub(crate) calendars: BTreeMap<String, String>,
    /// Events, series and exceptions by id.
    pub(crate) events: BTreeMap<String, There>,
}

/// One event as its owner sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct There {
    /// The calendar's id.
    pub(crate) calendar: String,
    /// Absent where the provider tells none: of a cancelled day.
    pub(crate) title: Option<String>,
    /// Whatever else it says.
    pub(crate) rest: String,
}

/// How an account is connected.
pub(crate) struct Signed {
    pub(crate) server_url: Option<String>,
    /// Tokens as JSON, or a password.
    pub(crate) credential: Vec<u8>,
}

/// A provider that can be told to misbehave.
pub(crate) struct Simulated<'a> {
    pub(crate) pushes: &'a Pushes,
    pub(crate) faults: &'a Faults,
    pub(crate) oauth: &'a OAuth,
    /// A part of the address at which changes are read.
    pub(crate) listing: &'static str,
    /// Its "too many requests": come again in seven seconds.
    pub(crate) throttled: Answer,
}

/// A provider, a person who has an account there, and what can go wrong.
pub(crate) trait Peer: Sized {
    const PROVIDER: &'static str;
    /// Whether it tells by push that calendars came or went.
    const PUSHES_LISTS: bool;
    /// How long it may take until a calendar's new name is seen.
    const RENAMES_MS: i64;

    /// With the empty calendars `work` and `home`.
    async fn start(clock: &Clock) -> Self;

    /// Where it is.
    fn settings(&self) -> Settings;

    /// The owner signs in.
    fn sign_in(&self, clock: &Clock) -> Signed;

    async fn edit(&mut self, edit: Edit);

    fn truth(&self) -> Truth;

    /// What only a simulator has; a real server pushes nothing and does what it does.
    fn simulated(&self) -> Option<Simulated<'_>> {
        None
    }

    /// From now on nothing new is shown, though it is pushed; until [`Peer::catch_up`].
    fn lag(&self) {}

    fn catch_up(&self) {}

    /// Every cursor that it gave is refused from now on.
    async fn forget_cursors(&self, watcher: &Watcher);

    /// The owner takes the consent back, or changes the password. `false` where there is neither.
    fn withdraw(&self) -> bool;
}
