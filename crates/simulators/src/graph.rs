//! Microsoft Graph v1.0 as far as calendars go: mailboxes, `calendarView/delta`, subscriptions with their
//! validation, notifications and lifecycle notifications.
//!
//! Sources: the pages of Microsoft Graph v1.0 on calendars, events, delta query, change notifications
//! and immutable ids; where they are silent, the field reports named in the tests.

mod calendars;
mod delta;
mod error;
mod event;
mod events;
mod id;
mod links;
mod mailbox;
mod notices;
mod preferences;
mod recurrence;
mod site;
mod subscriptions;
mod switches;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use url::Url;

pub use self::error::{refused, throttled};
pub use self::notices::Lifecycle;
pub use self::switches::{Resync, Switches};
use self::world::World;
use crate::oauth::{Manners, OAuth, Person};
use crate::pushes::Pushes;
use crate::server::{Faults, Log, Recorded, Server, Setup, lock};

/// Who lives in a new simulator.
pub const ADA: &str = "ada@contoso.example";
/// The client that may sign people in: id and secret.
pub const CLIENT: (&str, &str) = ("tidings-at-microsoft", "microsoft-secret");

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Graph {
    server: Server,
    oauth: OAuth,
    pushes: Pushes,
    world: Arc<Mutex<World>>,
}

/// What one calendar holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Events, series and exceptions by their immutable id: `title`, `type`, `start` and `end` in UTC,
    /// `cancelled` days of a series, `series` and `day` of an exception.
    pub events: BTreeMap<String, Value>,
}

impl Graph {
    /// Starts one with [`ADA`] and her default calendar.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn start(setup: &Setup) -> io::Result<Self> {
        let ada = Person { id: "48d31887-5fad-4d73-a9f5-3c356e68a038".into(), ..Person::new(ADA) };
        let mut world = World::new(setup.clock.clone());
        world.add_mailbox(&ada.id, &ada.email, &ada.name);
        let world = Arc::new(Mutex::new(world));
        let oauth = OAuth::new(Manners::Microsoft, setup, CLIENT, ada);
        // Graph tries again whatever was not 2xx, for up to four hours.
        let pushes = Pushes::seeded(setup.seed, |status| {
            status.is_none_or(|status| !(200..300).contains(&status))
        });
        let desk =
            site::Desk { world: Arc::clone(&world), oauth: oauth.clone(), pushes: pushes.clone() };
        let server = Server::start(setup, Arc::new(desk)).await?;
        Ok(Self { server, oauth, pushes, world })
    }

    /// Where it listens.
    pub fn url(&self) -> Url {
        self.server.url()
    }

    /// The base address of the API, ending with `/v1.0/`.
    ///
    /// # Panics
    /// Never.
    pub fn api(&self) -> Url {
        self.url().join("v1.0/").expect("a path joins")
    }

    /// The authorization endpoint of a tenant.
    ///
    /// # Panics
    /// When `tenant` is no part of a path.
    pub fn authorize_url(&self, tenant: &str) -> Url {
        self.url().join(&format!("{tenant}/oauth2/v2.0/authorize")).expect("a path joins")
    }

    /// The token endpoint of a tenant.
    ///
    /// # Panics
    /// When `tenant` is no part of a path.
    pub fn token_url(&self, tenant: &str) -> Url {
        self.url().join(&format!("{tenant}/oauth2/v2.0/token")).expect("a path joins")
    }

    /// Every request that it received.
    pub fn log(&self) -> &Log {
        self.server.log()
    }

    /// Every request that it received, as a list.
    pub fn requests(&self) -> Vec<Recorded> {
        self.log().all()
    }

    /// What goes wrong with requests; [`throttled`] and [`refused`] make the answers.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// Sign-in and tokens.
    pub fn oauth(&self) -> &OAuth {
        &self.oauth
    }

    /// The notifications and what happens on their way.
    pub fn pushes(&self) -> &Pushes {
        &self.pushes
    }

    /// Changes how it behaves.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.world().switches);
    }

    /// Somebody else, who has a default calendar and can sign in.
    pub fn add_person(&self, email: &str) {
        let person = Person::new(email);
        self.world().add_mailbox(&person.id, &person.email, &person.name);
        self.oauth.add_person(person);
    }

    /// An access token and a refresh token of a person, with all scopes that Tidings asks for.
    pub fn tokens_for(&self, email: &str) -> (String, String) {
        let scopes = ["openid", "profile", "offline_access", "User.Read", "Calendars.ReadWrite"];
        self.oauth.tokens_for(email, &scopes)
    }

    /// The person's default calendar.
    ///
    /// # Panics
    /// When nobody has this address.
    pub fn default_calendar(&self, email: &str) -> String {
        let world = self.world();
        let owner = world.owner(email).expect("a person of the simulator");
        world.mailboxes[owner].calendars[0].id.clone()
    }

    /// A new calendar; returns its id.
    ///
    /// # Panics
    /// When nobody has this address.
    pub fn add_calendar(&self, email: &str, name: &str) -> String {
        self.edit(email, |world, owner| world.add_calendar(owner, name))
    }

    /// Gives a calendar another name.
    ///
    /// # Panics
    /// When there is no such person or calendar.
    pub fn rename_calendar(&self, email: &str, calendar: &str, name: &str) {
        self.edit(email, |world, owner| {
            let mailbox = &mut world.mailboxes[owner];
            let version = mailbox.bump();
            let found = mailbox.calendars.iter_mut().find(|one| one.id == calendar);
            let found = found.expect("a calendar of the person");
            name.clone_into(&mut found.name);
            found.version = version;
        });
    }

    /// Takes the right to write in a calendar, or gives it back.
    ///
    /// # Panics
    /// When there is no such person or calendar.
    pub fn set_writable(&self, email: &str, calendar: &str, writable: bool) {
        self.edit(email, |world, owner| {
            let found = world.mailboxes[owner].calendars.iter_mut().find(|one| one.id == calendar);
            found.expect("a calendar of the person").writable = writable;
        });
    }

    /// Removes a calendar with everything in it.
    ///
    /// # Panics
    /// When nobody has this address.
    pub fn remove_calendar(&self, email: &str, calendar: &str) {
        self.edit(email, |world, owner| world.remove_calendar(owner, calendar));
    }

    /// Somebody makes an event, in the JSON of Graph; returns its immutable id.
    ///
    /// # Panics
    /// When Graph would refuse it.
    pub fn create_event(&self, email: &str, calendar: &str, event: Value) -> String {
        let fields = event::accept(Some(event)).expect("an event that Graph accepts");
        event::check(&fields).expect("an event that Graph accepts");
        self.edit(email, |world, owner| {
            let key = world.create(owner, calendar, fields);
            id::outward(&key, true, calendar)
        })
    }

    /// Somebody changes an event, or one day of a series (see [`Graph::occurrence`]).
    ///
    /// # Panics
    /// When there is none, or Graph would refuse the change.
    pub fn edit_event(&self, email: &str, event: &str, change: Value) {
        let fields = event::accept(Some(change)).expect("a change that Graph accepts");
        self.edit(email, |world, owner| {
            let found = id::inward(event).and_then(|key| world.mailboxes[owner].find(key));
            let found = found.expect("an event of the person");
            world.change(owner, &found, fields).expect("a change that Graph accepts");
        });
    }

    /// Somebody deletes an event, or one day of a series.
    ///
    /// # Panics
    /// When there is none.
    pub fn delete_event(&self, email: &str, event: &str) {
        self.edit(email, |world, owner| {
            let found = id::inward(event).and_then(|key| world.mailboxes[owner].find(key));
            world.remove(owner, &found.expect("an event of the person"));
        });
    }

    /// Somebody moves an event to another calendar.
    ///
    /// # Panics
    /// When there is no such event.
    pub fn move_event(&self, email: &str, event: &str, to: &str) {
        self.edit(email, |world, owner| {
            let key = id::inward(event).expect("an id").to_owned();
            world.relocate(owner, &key, to);
        });
    }

    /// The id of what takes place on one day (`2026-12-09`) of a series.
    ///
    /// # Panics
    /// When `day` is none, or `series` no id.
    pub fn occurrence(&self, series: &str, day: &str) -> String {
        let master = id::inward(series).expect("an id");
        let day = day.parse().expect("a date");
        id::outward(&id::occurrence(master, day), true, "")
    }

    /// What every calendar of a person holds.
    ///
    /// # Panics
    /// When nobody has this address.
    pub fn truth(&self, email: &str) -> Vec<Truth> {
        let world = self.world();
        let mailbox = &world.mailboxes[world.owner(email).expect("a person of the simulator")];
        let told = mailbox.calendars.iter().map(|calendar| Truth {
            id: calendar.id.clone(),
            name: calendar.name.clone(),
            events: mailbox.truth(&calendar.id).into_iter().collect(),
        });
        told.collect()
    }

    /// The ids of the subscriptions that live, oldest first.
    pub fn subscriptions(&self) -> Vec<String> {
        let world = self.world();
        let now = world.clock.now();
        let live = world.subscriptions.iter().filter(|one| one.expires_at > now);
        live.map(|one| one.id.clone()).collect()
    }

    /// Tells a subscription about itself.
    pub fn lifecycle(&self, subscription: &str, what: Lifecycle) {
        let mut world = self.world();
        world.lifecycle(subscription, what);
        self.sent(&mut world);
    }

    /// Sends the notifications that were held.
    pub fn flush(&self) {
        self.world().flush(&self.pushes);
    }

    /// Forgets every delta token: they are refused as [`Switches::resync`] says.
    pub fn forget_deltas(&self) {
        self.world().epoch += 1;
    }

    /// Deltas show nothing that happens from now on until [`Graph::release_replication`], though it is
    /// notified: the replication lags.
    pub fn hold_replication(&self) {
        let mut world = self.world();
        let seen = world.mailboxes.iter().map(|mailbox| (mailbox.email.clone(), mailbox.seq));
        let seen = seen.collect();
        world.held = Some(seen);
    }

    /// Deltas show everything again.
    pub fn release_replication(&self) {
        self.world().held = None;
    }

    fn edit<T>(&self, email: &str, change: impl FnOnce(&mut World, usize) -> T) -> T {
        let mut world = self.world();
        let owner = world.owner(email).expect("a person of the simulator");
        let done = change(&mut world, owner);
        self.sent(&mut world);
        done
    }

    fn sent(&self, world: &mut World) {
        if !world.switches.hold_notifications {
            world.flush(&self.pushes);
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}
