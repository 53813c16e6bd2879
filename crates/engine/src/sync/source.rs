//! Where an account's calendars are: one driver for each kind of provider.
//!
//! A driver lives for one pass over one account and knows its provider's ways; it neither commits nor
//! tells. Its shape (`sync/google.rs` is the example to follow):
//!
//! ```text
//! pub(super) struct Driver<'a> { … }
//! impl<'a> Driver<'a> {
//!     /// Makes no request. The settings are `providers.google()` and so on; ask through
//!     /// `client.ask(request, parse)`, which adds the access token and refreshes it.
//!     pub(super) fn new(
//!         providers: &'a Providers,
//!         account: &'a Account,
//!         client: &'a Client<'a>,
//!     ) -> Result<Self, Stop>;
//!     /// The calendars there are: all of them when `whole`, else at least what changed since
//!     /// `account.list_token`.
//!     pub(super) async fn calendars(&mut self, whole: bool) -> Result<Calendars, Stop>;
//!     /// What changed in `pull.collection` since its `sync_token`, over all pages; everything when it
//!     /// has none or the provider refuses it. Answers `Pulled`; may look at the mirror through `pull`.
//!     pub(super) async fn pull(&self, pull: &Pull<'_>) -> Result<Pulled, Stop>;
//! }
//! ```
//!
//! Errors: `ProviderError::Gone` or `Forbidden` from `pull` means "this calendar seems lost": the pass
//! confirms it by a whole list before it tells `calendar.deleted`. `Reauthorise` ends the account's
//! watching, so only on proof. `Retry` backs off.

use tidings_core::clock::Timestamp;
use tidings_providers::item::Item;
use tidings_providers::listed::Listed;
use tidings_store::Account;

use super::Stop;
use super::client::Client;
use super::providers::Providers;
use super::pull::Pull;
use super::{caldav, google, microsoft, zoom};

/// The calendars of an account, as its provider lists them.
#[derive(Debug, Default)]
pub(super) struct Calendars {
    /// Whether these are all there are; else only what changed since the last look.
    pub(super) whole: bool,
    /// Those that are there.
    pub(super) listed: Vec<Listed>,
    /// The provider's ids of those that went, when not `whole`.
    pub(super) gone: Vec<String>,
    /// The cursor for the next look.
    pub(super) list_token: Option<String>,
    /// The calendar home, when it had to be searched for (CalDAV).
    pub(super) home: Option<String>,
}

/// What a driver found in one collection.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    /// Whether `items` is all there is: what is mirrored and not among them is gone. A driver that sees
    /// only a part of the calendar answers `false` and says itself what is `gone`.
    pub(super) whole: bool,
    /// What is there, each key once.
    pub(super) items: Vec<Item>,
    /// Keys of what went: an item, or a series with all that belongs to it. Keys that the mirror does
    /// not hold mean nothing.
    pub(super) gone: Vec<String>,
    /// Items that are there and could not be read: their mirror stays as it is, also when `whole`.
    pub(super) kept: Vec<String>,
    /// The cursor for the next look.
    pub(super) token: Option<String>,
    /// The part of time that the cursor covers; `None`: all of it, or as before.
    pub(super) window: Option<(Timestamp, Timestamp)>,
    /// Something that could not be read and is left as it was, in plain words.
    pub(super) trouble: Option<String>,
    /// The provider may know more than it shows yet: the collection stays dirty and is looked into again
    /// after this, ms.
    pub(super) again_ms: Option<i64>,
}

/// One account at its provider, for the time of a pass.
pub(super) enum Source<'a> {
    Caldav(caldav::Driver<'a>),
    Google(google::Driver<'a>),
    Microsoft(microsoft::Driver<'a>),
    Zoom(zoom::Driver<'a>),
}

impl<'a> Source<'a> {
    pub(super) fn of(
        providers: &'a Providers,
        account: &'a Account,
        client: &'a Client<'a>,
    ) -> Result<Self, Stop> {
        Ok(match account.provider.as_str() {
            "google" => Self::Google(google::Driver::new(providers, account, client)?),
            "microsoft" => Self::Microsoft(microsoft::Driver::new(providers, account, client)?),
            "zoom" => Self::Zoom(zoom::Driver::new(providers, account, client)?),
            _ => Self::Caldav(caldav::Driver::new(account, client)?),
        })
    }

    /// Whether there is no other pass than one over everything: its calendars' tags come with the list.
    pub(super) fn polls_always(&self) -> bool {
        matches!(self, Self::Caldav(_))
    }

    pub(super) async fn calendars(&mut self, whole: bool) -> Result<Calendars, Stop> {
        match self {
            Self::Caldav(driver) => driver.calendars().await,
            Self::Google(driver) => driver.calendars(whole).await,
            Self::Microsoft(driver) => driver.calendars(whole).await,
            Self::Zoom(driver) => driver.calendars(whole).await,
        }
    }

    /// Brings the mirror of one collection up to date.
    pub(super) async fn pull(&self, pull: &mut Pull<'_>) -> Result<(), Stop> {
        let pulled = match self {
            Self::Caldav(driver) => return driver.pull(pull).await,
            Self::Google(driver) => driver.pull(pull).await?,
            Self::Microsoft(driver) => driver.pull(pull).await?,
            Self::Zoom(driver) => driver.pull(pull).await?,
        };
        pull.apply(pulled).await
    }
}
