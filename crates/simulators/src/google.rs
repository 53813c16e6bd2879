//! Google: sign-in and Calendar v3, as far as the vendor's discovery document describes what Tidings uses.

mod calendars;
mod channels;
mod events;
mod query;
mod refusal;
mod resource;
mod series;
mod site;
mod when;
mod world;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tidings_core::clock::Timestamp;
use url::Url;

pub use self::channels::{Channel, Watched};
pub use self::refusal::refusal;
pub use self::world::{Role, Switches, SyncMessage};

use self::query::Query;
use self::site::GoogleSite;
use self::world::World;
use self::write::Write;
use crate::oauth::{Manners, OAuth, Person};
use crate::pushes::Pushes;
use crate::server::{Faults, Log, Recorded, Server, Setup, lock};

/// The client id of the simulator's only client.
pub const CLIENT_ID: &str = "tidings.apps.example";
/// Its secret, which is none.
pub const CLIENT_SECRET: &str = "google-simulator-secret";
/// Who can sign in to begin with.
pub const PERSON: &str = "ada@example.com";

/// A Google that listens on loopback. It ends when it is dropped.
#[derive(Debug)]
pub struct Google {
    server: Server,
    site: Arc<GoogleSite>,
}

impl Google {
    /// Starts one, where [`PERSON`] has an empty primary calendar.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn start(setup: &Setup) -> io::Result<Self> {
        let person = Person::new(PERSON);
        let site = Arc::new(GoogleSite {
            world: Mutex::new(World::new(setup, &person)),
            oauth: OAuth::new(Manners::Google, setup, (CLIENT_ID, CLIENT_SECRET), person),
            pushes: Pushes::seeded(setup.seed, retry_on),
        });
        let server = Server::start(setup, Arc::clone(&site)).await?;
        lock(&site.world).base = server.url().into();
        Ok(Self { server, site })
    }

    /// Where it listens; ends with a slash.
    pub fn url(&self) -> Url {
        self.server.url()
    }

    /// The base of Calendar v3; ends with a slash.
    pub fn api_url(&self) -> Url {
        self.at("calendar/v3/")
    }

    /// The authorization endpoint.
    pub fn authorize_url(&self) -> Url {
        self.at("o/oauth2/v2/auth")
    }

    /// The token endpoint.
    pub fn token_url(&self) -> Url {
        self.at("token")
    }

    /// The revocation endpoint.
    pub fn revoke_url(&self) -> Url {
        self.at("revoke")
    }

    fn at(&self, path: &str) -> Url {
        self.url().join(path).expect("a path makes a URL")
    }

    /// The authorization server.
    pub fn oauth(&self) -> &OAuth {
        &self.site.oauth
    }

    /// What goes wrong with requests; [`refusal`] makes Google's errors.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// What happens to pushes.
    pub fn pushes(&self) -> &Pushes {
        &self.site.pushes
    }

    /// Every request received.
    pub fn log(&self) -> &Log {
        self.server.log()
    }

    /// Every request received, as a list.
    pub fn requests(&self) -> Vec<Recorded> {
        self.log().all()
    }

    /// Changes how Google behaves.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut lock(&self.site.world).switches);
    }

    /// Works on the world, then sends the pushes that this caused.
    fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let worked = work(&mut lock(&self.site.world));
        self.site.flush();
        worked
    }

    /// Somebody else, with a primary calendar; signs in with `login_hint`.
    pub fn add_person(&self, email: &str) {
        let person = Person::new(email);
        self.site.oauth.add_person(person.clone());
        self.with(|world| world.add_person(&person));
    }

    /// A new calendar in the owner's list; returns its id.
    pub fn create_calendar(&self, owner: &str, summary: &str) -> String {
        self.with(|world| {
            let id = format!("c_{}@group.calendar.google.com", world.name());
            world.add_calendar(owner, summary, id.clone());
            world.enlist(owner, &id, Role::Owner, false);
            id
        })
    }

    /// Gives it another title. No list tells of it.
    ///
    /// # Panics
    /// When there is no such calendar.
    pub fn rename_calendar(&self, id: &str, summary: &str) {
        let body = serde_json::json!({ "summary": summary });
        self.with(|world| world.set_properties(id, &body)).expect("a calendar of this Google");
    }

    /// Deletes it for everybody.
    pub fn delete_calendar(&self, id: &str) {
        self.with(|world| world.delete_calendar(id));
    }

    /// Puts it into somebody's list.
    pub fn share(&self, calendar: &str, with: &str, role: Role) {
        self.with(|world| world.enlist(with, calendar, role, false));
    }

    /// Takes it out of somebody's list, and what they may do with it.
    pub fn unshare(&self, calendar: &str, with: &str) {
        self.with(|world| world.unlist(with, calendar));
    }

    /// Hides it in somebody's list, or shows it again.
    ///
    /// # Panics
    /// When it is not in the list.
    pub fn hide(&self, calendar: &str, of: &str, hidden: bool) {
        let (person, body) = (Person::new(of), serde_json::json!({ "hidden": hidden }));
        let changed = self.with(|world| world.change_list(&person, calendar, &body));
        changed.expect("a calendar in this list");
    }

    /// Refuses to watch the calendar, as with holidays and imports.
    pub fn make_unwatchable(&self, calendar: &str) {
        self.with(|world| {
            if let Some(calendar) = world.calendars.get_mut(calendar) {
                calendar.watchable = false;
            }
        });
    }

    /// Somebody adds an event, a body of `events.insert`; returns the event.
    ///
    /// # Panics
    /// When Google would refuse it.
    pub fn create_event(&self, calendar: &str, event: &Value) -> Value {
        self.write(calendar, event, World::insert_event)
    }

    /// Somebody changes an event, or one instance of a series: a body of `events.patch`.
    ///
    /// # Panics
    /// When Google would refuse it.
    pub fn edit_event(&self, calendar: &str, id: &str, patch: &Value) -> Value {
        self.write(calendar, patch, |world, write| world.change_event(write, id, false))
    }

    /// Somebody deletes an event, a series, or one instance of it.
    ///
    /// # Panics
    /// When Google would refuse it.
    pub fn delete_event(&self, calendar: &str, id: &str) {
        self.write(calendar, &Value::Null, |world, write| world.delete_event(write, id));
    }

    fn write<T>(
        &self,
        calendar: &str,
        body: &Value,
        work: impl FnOnce(&mut World, &Write<'_>) -> refusal::Outcome<T>,
    ) -> T {
        let outcome = self.with(|world| {
            let owner = world.calendars.get(calendar).map(|calendar| calendar.owner.clone());
            let person = Person::new(&owner.expect("a calendar of this Google"));
            let query = Query::none();
            work(world, &Write { person: &person, calendar, query: &query, if_match: None, body })
        });
        outcome.unwrap_or_else(|refusal| panic!("{calendar}: {refusal:?}: {body}"))
    }

    /// Refuses every sync token for the calendar's events that was given so far.
    pub fn expire_sync_tokens(&self, calendar: &str) {
        self.with(|world| {
            let now = world.next().0;
            if let Some(calendar) = world.calendars.get_mut(calendar) {
                calendar.tokens_from = now;
            }
        });
    }

    /// Refuses every sync token for somebody's list that was given so far.
    pub fn expire_list_tokens(&self, of: &str) {
        self.with(|world| {
            let now = world.next().0;
            if let Some(list) = world.lists.get_mut(of) {
                list.tokens_from = now;
            }
        });
    }

    /// Pushes although nothing has changed.
    pub fn push(&self, calendar: &str) {
        self.with(|world| world.announce_events(calendar));
    }

    /// Every channel that was ever opened.
    pub fn channels(&self) -> Vec<Channel> {
        lock(&self.site.world).channels.values().cloned().collect()
    }

    /// Those that push.
    pub fn live_channels(&self) -> Vec<Channel> {
        let world = lock(&self.site.world);
        let now: Timestamp = world.clock.now();
        world.channels.values().filter(|channel| channel.is_live(now)).cloned().collect()
    }

    /// What every calendar holds: events by calendar and id. Deleted ones are not there; exceptions are.
    pub fn truth(&self) -> BTreeMap<String, BTreeMap<String, Value>> {
        let world = lock(&self.site.world);
        let calendars = world.calendars.values().filter(|calendar| !calendar.deleted);
        let events = |calendar: &world::Calendar| {
            let live = calendar.events.iter().filter(|(_, stored)| !stored.is_cancelled());
            live.map(|(id, stored)| (id.clone(), Value::Object(stored.resource.clone()))).collect()
        };
        calendars.map(|calendar| (calendar.id.clone(), events(calendar))).collect()
    }

    /// The titles of the calendars in somebody's list, by id.
    pub fn calendars_of(&self, email: &str) -> BTreeMap<String, String> {
        let world = lock(&self.site.world);
        let entries = world.lists.get(email).into_iter().flat_map(|list| list.entries.values());
        let entries = entries.filter(|entry| !entry.deleted);
        let title = |entry: &world::Entry| world.calendars[&entry.calendar].summary.clone();
        entries.map(|entry| (entry.calendar.clone(), title(entry))).collect()
    }
}

/// 500, 502, 503 and 504 are tried again; every other answer is taken or lost.
fn retry_on(status: Option<u16>) -> bool {
    status.is_none_or(|status| matches!(status, 500 | 502 | 503 | 504))
}

#[cfg(test)]
mod tests;
