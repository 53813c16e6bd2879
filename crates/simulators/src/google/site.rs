//! Which request is which, and who may make it.

use std::sync::Mutex;

use serde_json::Value;

use super::channels::Watched;
use super::query::Query;
use super::refusal::{Outcome, Refusal};
use super::world::{SyncMessage, World};
use super::write::Write;
use crate::oauth::{OAuth, Person};
use crate::pushes::{Push, Pushes};
use crate::server::{Answer, Call, Site, lock};

const SCOPE: &str = "https://www.googleapis.com/auth/";
const READ_LIST: &[&str] =
    &["calendar", "calendar.calendarlist", "calendar.calendarlist.readonly", "calendar.readonly"];
const WRITE_LIST: &[&str] = &["calendar", "calendar.calendarlist"];
const READ_EVENTS: &[&str] = &[
    "calendar",
    "calendar.app.created",
    "calendar.events",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.readonly",
    "calendar.readonly",
];
const WRITE_EVENTS: &[&str] =
    &["calendar", "calendar.app.created", "calendar.events", "calendar.events.owned"];
const READ_CALENDARS: &[&str] = &[
    "calendar",
    "calendar.app.created",
    "calendar.calendars",
    "calendar.calendars.readonly",
    "calendar.readonly",
];
const WRITE_CALENDARS: &[&str] = &["calendar", "calendar.app.created", "calendar.calendars"];

/// Google as a server.
#[derive(Debug)]
pub(super) struct GoogleSite {
    pub(super) world: Mutex<World>,
    pub(super) oauth: OAuth,
    pub(super) pushes: Pushes,
}

/// What a request comes to.
enum Done {
    Document(Value),
    Nothing,
    Opened(Value, Push),
}

impl From<Value> for Done {
    fn from(document: Value) -> Self {
        Self::Document(document)
    }
}

impl Site for GoogleSite {
    async fn answer(&self, call: &Call) -> Answer {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/o/oauth2/v2/auth") => return self.oauth.authorize(call),
            ("POST", "/token") => return self.oauth.token(call),
            ("POST", "/revoke") => return self.oauth.revoke(call),
            ("GET", "/oauth2/v3/userinfo" | "/v1/userinfo" | "/oauth2/v2/userinfo") => {
                return self.who(call);
            }
            _ => {}
        }
        let outcome = self.api(call);
        self.flush();
        match outcome {
            Ok(Done::Document(document)) => answer(&document),
            Ok(Done::Nothing) => Answer::empty(204),
            Ok(Done::Opened(document, sync)) => {
                self.greet(sync).await;
                answer(&document)
            }
            Err(refusal) => refusal.to_answer(),
        }
    }
}

fn answer(document: &Value) -> Answer {
    let answer = Answer::json(200, document);
    match document["etag"].as_str() {
        Some(etag) => answer.with("etag", etag),
        None => answer,
    }
}

impl GoogleSite {
    /// Sends the pushes that a change caused.
    pub(super) fn flush(&self) {
        let outbox = std::mem::take(&mut lock(&self.world).outbox);
        for push in outbox {
            self.pushes.send(push);
        }
    }

    /// The sync message, which may be there before the answer to the request that opened the channel.
    async fn greet(&self, sync: Push) {
        let when = lock(&self.world).switches.sync_message;
        match when {
            SyncMessage::Before => drop(self.pushes.deliver(sync).await),
            SyncMessage::After => self.pushes.send(sync),
            SyncMessage::Never => {}
        }
    }

    fn who(&self, call: &Call) -> Answer {
        match self.oauth.bearer(call) {
            Ok((person, _)) => Answer::json(
                200,
                &serde_json::json!({
                    "sub": person.id, "id": person.id, "email": person.email,
                    "email_verified": true, "name": person.name,
                }),
            ),
            Err(_) => unauthorized().to_answer(),
        }
    }

    fn api(&self, call: &Call) -> Outcome<Done> {
        let segments = call.segments();
        let mut path: Vec<&str> = segments.iter().map(String::as_str).collect();
        if path.first_chunk() != Some(&["calendar", "v3"]) {
            return Err(Refusal::not_found());
        }
        path.drain(..2);
        let (person, scopes) = self.oauth.bearer(call).map_err(|_| unauthorized())?;
        let body = match call.body.is_empty() {
            true => Value::Null,
            false => call.json().ok_or_else(|| Refusal::new(400, "parseError", "Parse Error"))?,
        };
        let may = |needed: &[&str]| {
            let good = |scope: &String| {
                scope.strip_prefix(SCOPE).is_some_and(|scope| needed.contains(&scope))
            };
            let message = "Request had insufficient authentication scopes.";
            let refused = || Refusal::new(403, "insufficientPermissions", message);
            scopes.iter().any(good).then_some(()).ok_or_else(refused)
        };
        let mut world = lock(&self.world);
        world.count_request(&person.email)?;
        let request = Request { call, person: &person, query: &Query::of(call), body: &body };
        let method = call.method.as_str();
        match path[..] {
            ["channels", "stop"] if method == "POST" => {
                may(&[READ_EVENTS, READ_LIST].concat())?;
                world.stop(&person, &body).map(|()| Done::Nothing)
            }
            ["users", "me", "calendarList", ref rest @ ..] => {
                may(if method == "GET" || rest == ["watch"] { READ_LIST } else { WRITE_LIST })?;
                request.of_list(&mut world, rest)
            }
            ["calendars", calendar, "events", ref rest @ ..] => {
                may(if method == "GET" || rest == ["watch"] { READ_EVENTS } else { WRITE_EVENTS })?;
                request.of_events(&mut world, calendar, rest)
            }
            ["calendars", ref rest @ ..] => {
                may(if method == "GET" { READ_CALENDARS } else { WRITE_CALENDARS })?;
                request.of_calendars(&mut world, rest)
            }
            _ => Err(Refusal::not_found()),
        }
    }
}

/// A request by somebody who may make such requests.
struct Request<'a> {
    call: &'a Call,
    person: &'a Person,
    query: &'a Query,
    body: &'a Value,
}

impl Request<'_> {
    fn of_list(&self, world: &mut World, rest: &[&str]) -> Outcome<Done> {
        let Self { person, query, body, .. } = self;
        Ok(match (self.call.method.as_str(), rest) {
            ("GET", []) => world.list_calendars(person, query)?.into(),
            ("POST", []) => world.insert_entry(person, body)?.into(),
            ("POST", ["watch"]) => {
                let uri = format!("{}calendar/v3/users/me/calendarList?alt=json", world.base);
                let (answer, sync) = world.watch(person, Watched::CalendarList, uri, body)?;
                Done::Opened(answer, sync)
            }
            ("GET", [id]) => world.get_entry(person, id)?.into(),
            ("PATCH" | "PUT", [id]) => world.change_list(person, id, body)?.into(),
            ("DELETE", [id]) => world.delete_entry(person, id).map(|()| Done::Nothing)?,
            _ => return Err(Refusal::not_found()),
        })
    }

    fn of_calendars(&self, world: &mut World, rest: &[&str]) -> Outcome<Done> {
        let Self { person, body, .. } = self;
        Ok(match (self.call.method.as_str(), rest) {
            ("POST", []) => world.insert_calendar(person, body)?.into(),
            ("GET", [id]) => world.get_calendar(person, id)?.into(),
            ("PATCH" | "PUT", [id]) => world.change_calendar(person, id, body)?.into(),
            ("DELETE", [id]) => world.delete_own_calendar(person, id).map(|()| Done::Nothing)?,
            _ => return Err(Refusal::not_found()),
        })
    }

    fn of_events(&self, world: &mut World, calendar: &str, rest: &[&str]) -> Outcome<Done> {
        let Self { call, person, query, body } = self;
        let write = Write { person, calendar, query, if_match: call.header("if-match"), body };
        Ok(match (call.method.as_str(), rest) {
            ("GET", []) => world.list_events(person, calendar, query)?.into(),
            ("POST", []) => world.insert_event(&write)?.into(),
            ("POST", ["import"]) => world.import_event(&write)?.into(),
            ("POST", ["watch"]) => {
                let id = world.calendar(person, calendar)?.0.id.clone();
                let uri = format!("{}calendar/v3/calendars/{id}/events?alt=json", world.base);
                let (answer, sync) = world.watch(person, Watched::Events(id), uri, body)?;
                Done::Opened(answer, sync)
            }
            ("GET", [id]) => world.get_event(person, calendar, id)?.into(),
            ("PATCH", [id]) => world.change_event(&write, id, false)?.into(),
            ("PUT", [id]) => world.change_event(&write, id, true)?.into(),
            ("DELETE", [id]) => world.delete_event(&write, id).map(|()| Done::Nothing)?,
            ("GET", [id, "instances"]) => {
                world.list_instances(person, (calendar, id), query)?.into()
            }
            _ => return Err(Refusal::not_found()),
        })
    }
}

fn unauthorized() -> Refusal {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login \
                   cookie or other valid authentication credential.";
    Refusal::new(401, "authError", message)
}
