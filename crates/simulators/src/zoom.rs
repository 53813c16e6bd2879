//! Zoom: meetings over its API, signed pushes, single-use refresh tokens.
//!
//! As far as Zoom's own types (npm `@zoom/rivet`) describe it; its receiver judges our pushes.

mod meeting;
mod occurrence;
mod site;
mod webhook;
mod world;

use std::io;
use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use crate::oauth::{Manners, OAuth, Person};
use crate::pushes::Pushes;
use crate::server::{Faults, Log, Server, Setup};
use site::Site;
use webhook::Webhook;
use world::World;

pub use world::Switches;

const CLIENT: (&str, &str) = ("zoom-client", "zoom-client-secret");
const WEBHOOK_SECRET: &str = "zoom-webhook-secret";
/// The Zoom account that all its users belong to.
pub const ACCOUNT: &str = "zoom-account";

/// A Zoom that listens on loopback. It stops when it is dropped.
#[derive(Debug)]
pub struct Zoom {
    server: Server,
    site: Arc<Site>,
}

/// What happens to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// `user.deactivated`.
    Deactivated,
    /// `user.deleted`.
    Deleted,
    /// `user.disassociated`.
    Disassociated,
}

impl Zoom {
    /// Starts one with one user, `host@example.com`.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn start(setup: &Setup) -> io::Result<Self> {
        let host = Person::new("host@example.com");
        let pushes = Pushes::seeded(setup.seed, |status| !matches!(status, Some(200..=299)));
        let site = Arc::new(Site {
            oauth: OAuth::new(Manners::Zoom, setup, CLIENT, host),
            world: World::new(setup),
            webhook: Webhook::new(setup, WEBHOOK_SECRET, pushes),
        });
        let server = Server::start(setup, Arc::clone(&site)).await?;
        Ok(Self { server, site })
    }

    /// Where it listens; ends with a slash.
    pub fn url(&self) -> Url {
        self.server.url()
    }

    /// The base of its API: `…/v2`.
    pub fn api_url(&self) -> Url {
        self.at("v2")
    }

    /// The authorization endpoint.
    pub fn authorize_url(&self) -> Url {
        self.at("oauth/authorize")
    }

    /// The token endpoint.
    pub fn token_url(&self) -> Url {
        self.at("oauth/token")
    }

    /// The revocation endpoint.
    pub fn revoke_url(&self) -> Url {
        self.at("oauth/revoke")
    }

    /// Its authorization server.
    pub fn oauth(&self) -> &OAuth {
        &self.site.oauth
    }

    /// What goes wrong with requests.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// Every request that it received.
    pub fn log(&self) -> &Log {
        self.server.log()
    }

    /// The way of its pushes.
    pub fn pushes(&self) -> &Pushes {
        self.site.webhook.pushes()
    }

    /// What its pushes are signed with.
    pub fn webhook_secret(&self) -> &'static str {
        WEBHOOK_SECRET
    }

    /// Changes how it behaves.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        self.site.world.switches(change);
    }

    /// Asks `url` to prove that it knows the secret (`endpoint.url_validation`).
    pub async fn validate(&self, url: &str) -> bool {
        self.site.webhook.validate(url).await
    }

    /// As [`Zoom::validate`]; from then on `url` gets the pushes.
    pub async fn subscribe(&self, url: &str) -> bool {
        let proved = self.validate(url).await;
        if proved {
            self.site.webhook.subscribe(url);
        }
        proved
    }

    /// Creates a meeting of a user as Zoom's app would: members as in the API, which cannot make
    /// those of types 1 and 4.
    ///
    /// # Panics
    /// When nobody has this address, or Zoom would refuse the meeting.
    pub fn create(&self, email: &str, meeting: &Value) -> u64 {
        let host = self.person(email);
        let made = self.site.world.create(&host, meeting).expect("Zoom takes the meeting");
        self.site.tell(&host, &made);
        made.id
    }

    /// Changes a meeting: members as in the API.
    ///
    /// # Panics
    /// When it is not there, or Zoom would refuse the change.
    pub fn edit(&self, id: u64, changes: &Value) {
        self.edit_as(None, id, None, changes);
    }

    /// Changes one occurrence.
    ///
    /// # Panics
    /// When it is not there, or Zoom would refuse the change.
    pub fn edit_occurrence(&self, id: u64, occurrence: &str, changes: &Value) {
        self.edit_as(None, id, Some(occurrence), changes);
    }

    /// Changes a meeting by somebody other than its host: an administrator or scheduler.
    ///
    /// # Panics
    /// When it is not there, nobody has this address, or Zoom would refuse the change.
    pub fn edit_as(&self, email: Option<&str>, id: u64, occurrence: Option<&str>, changes: &Value) {
        let made = self.site.world.update(id, occurrence, changes).expect("Zoom takes the change");
        let operator = email.map_or_else(|| made.host.clone(), |email| self.person(email));
        self.site.tell(&operator, &made);
    }

    /// Deletes a meeting; it can be recovered.
    ///
    /// # Panics
    /// When it is not there.
    pub fn delete(&self, id: u64) {
        let made = self.site.world.delete(id, None).expect("the meeting is there");
        self.site.tell(&made.host, &made);
    }

    /// Deletes one occurrence.
    ///
    /// # Panics
    /// When it is not there.
    pub fn delete_occurrence(&self, id: u64, occurrence: &str) {
        let made = self.site.world.delete(id, Some(occurrence)).expect("the occurrence is there");
        self.site.tell(&made.host, &made);
    }

    /// Brings a deleted meeting back.
    ///
    /// # Panics
    /// When it was not deleted.
    pub fn recover(&self, id: u64) {
        let made = self.site.world.recover(id).expect("the meeting was deleted");
        self.site.tell(&made.host, &made);
    }

    /// Empties the trash of a deleted meeting.
    ///
    /// # Panics
    /// When it was not deleted.
    pub fn purge(&self, id: u64) {
        let made = self.site.world.purge(id).expect("the meeting was deleted");
        self.site.tell(&made.host, &made);
    }

    /// The meeting begins: another uuid, another status, no push that would concern a calendar.
    ///
    /// # Panics
    /// When it is not there.
    pub fn begin(&self, id: u64) {
        self.site.world.begin(id).expect("the meeting is there");
    }

    /// Every meeting of the user that an upcoming listing is about, as the API shows it.
    ///
    /// # Panics
    /// When nobody has this address.
    pub fn truth(&self, email: &str) -> Vec<Value> {
        self.site.world.truth(&self.person(email))
    }

    /// The meeting as the API shows it; `None` when it is not there.
    pub fn meeting(&self, id: u64) -> Option<Value> {
        self.site.world.meeting(id)
    }

    /// The user takes the app's permission back.
    ///
    /// # Panics
    /// When nobody has this address.
    pub fn deauthorize(&self, email: &str) {
        let user = self.person(email);
        self.site.oauth.withdraw(email);
        self.site.webhook.deauthorized(&user, CLIENT.0);
    }

    /// The user leaves: tokens end, and the API knows nobody of that id.
    ///
    /// # Panics
    /// When nobody has this address.
    pub fn depart(&self, email: &str, how: Departure) {
        let user = self.person(email);
        self.site.oauth.withdraw(email);
        let event = match how {
            Departure::Deactivated => "user.deactivated",
            Departure::Deleted => "user.deleted",
            Departure::Disassociated => "user.disassociated",
        };
        self.site.webhook.user(event, &user);
    }

    /// A genuine push of any event, such as one that is not of meetings.
    pub fn push(&self, event: &str, payload: &Value) {
        self.site.webhook.send(event, payload);
    }

    fn person(&self, email: &str) -> Person {
        let found = self.site.oauth.people().into_iter().find(|person| person.email == email);
        found.expect("a person of the simulator")
    }

    fn at(&self, path: &str) -> Url {
        self.url().join(path).expect("a path joins")
    }
}

/// An error as Zoom says it: `{code, message}`.
#[derive(Debug)]
struct Problem {
    status: u16,
    code: u32,
    message: String,
}

impl Problem {
    fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, code: 300, message: message.into() }
    }

    fn no_meeting(id: u64) -> Self {
        Self { status: 404, code: 3001, message: format!("Meeting does not exist: {id}.") }
    }

    fn document(&self) -> Value {
        json!({ "code": self.code, "message": self.message })
    }
}
