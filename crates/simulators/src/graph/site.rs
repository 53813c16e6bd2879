//! Which path leads where.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::World;
use super::{error, subscriptions};
use crate::oauth::OAuth;
use crate::pushes::Pushes;
use crate::server::{Answer, Call, Site, lock};

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) oauth: OAuth,
    pub(super) pushes: Pushes,
}

impl Site for Desk {
    async fn answer(&self, call: &Call) -> Answer {
        let segments = call.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (call.method.as_str(), parts.as_slice()) {
            ("GET", [_, "oauth2", "v2.0", "authorize"]) => self.oauth.authorize(call),
            ("POST", [_, "oauth2", "v2.0", "token"]) => self.oauth.token(call),
            (_, ["v1.0", rest @ ..]) => self.graph(call, rest).await,
            _ => error::refused(404, "ResourceNotFound", "There is nothing at this address."),
        }
    }
}

impl Desk {
    async fn graph(&self, call: &Call, path: &[&str]) -> Answer {
        let Ok((person, scopes)) = self.oauth.bearer(call) else { return error::unauthorised() };
        let (owner, latency) = {
            let mut world = lock(&self.world);
            let owner = world
                .owner(&person.email)
                .unwrap_or_else(|| world.add_mailbox(&person.id, &person.email, &person.name));
            if world.mailboxes[owner].busy >= world.switches.concurrency {
                return error::throttled(429, "MailboxConcurrency", 1);
            }
            world.mailboxes[owner].busy += 1;
            (owner, world.switches.latency_ms)
        };
        let busy = Busy(&self.world, owner);
        if latency > 0 {
            tokio::time::sleep(Duration::from_millis(latency)).await;
        }
        let answer = match allowed(call, path, &scopes) {
            false => error::refused(403, "ErrorAccessDenied", "Access is denied."),
            true if call.method == "POST" && path == ["subscriptions"] => {
                subscriptions::create(&self.world, &self.pushes, owner, call).await
            }
            true => lock(&self.world).route(owner, call, path),
        };
        drop(busy);
        let mut world = lock(&self.world);
        if !world.switches.hold_notifications {
            world.flush(&self.pushes);
        }
        answer
    }
}

/// A request in a mailbox; also one whose client went away ends.
struct Busy<'a>(&'a Mutex<World>, usize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        lock(self.0).mailboxes[self.1].busy -= 1;
    }
}

impl World {
    fn route(&mut self, owner: usize, call: &Call, path: &[&str]) -> Answer {
        let verb = call.method.as_str();
        match path {
            ["subscriptions"] if verb == "GET" => self.list_subscriptions(owner, call),
            ["subscriptions", id] => self.subscription(owner, id, verb, call),
            ["subscriptions", id, "reauthorize"] if verb == "POST" => {
                self.subscription(owner, id, "reauthorize", call)
            }
            ["me", rest @ ..] => self.mine(owner, call, verb, rest),
            ["users", user, rest @ ..] => match self.owner(user) == Some(owner) {
                true => self.mine(owner, call, verb, rest),
                false => error::refused(403, "ErrorAccessDenied", "Access is denied."),
            },
            _ => error::refused(400, "BadRequest", "Resource not found for the segment."),
        }
    }

    fn mine(&mut self, owner: usize, call: &Call, verb: &str, path: &[&str]) -> Answer {
        let default = self.mailboxes[owner].calendars.iter().find(|calendar| calendar.default);
        let default = default.map(|calendar| calendar.id.clone()).unwrap_or_default();
        match path {
            [] => self.me(owner),
            ["calendars"] if verb == "GET" => self.list_calendars(owner, call),
            ["calendars"] if verb == "POST" => self.post_calendar(owner, call),
            ["calendars", id, rest @ ..] => self.in_calendar(owner, id, call, verb, rest),
            ["calendar", rest @ ..] => self.in_calendar(owner, &default, call, verb, rest),
            ["events", id, "instances"] => self.instances(owner, id, call),
            ["events", id, "cancel"] if verb == "POST" => self.cancel_event(owner, id),
            ["events", id] => self.event(owner, None, id, call),
            ["events" | "calendarView", ..] => self.in_calendar(owner, &default, call, verb, path),
            _ => error::refused(400, "BadRequest", "Resource not found for the segment."),
        }
    }

    fn in_calendar(
        &mut self,
        owner: usize,
        calendar: &str,
        call: &Call,
        verb: &str,
        path: &[&str],
    ) -> Answer {
        if self.mailboxes[owner].calendar(calendar).is_none() {
            return error::not_found();
        }
        match path {
            [] => self.calendar(owner, calendar, call),
            ["events"] if verb == "GET" => self.list_events(owner, calendar, call),
            ["events"] if verb == "POST" => self.post_event(owner, calendar, call),
            ["events", id, "instances"] => self.instances(owner, id, call),
            ["events", id] => self.event(owner, Some(calendar), id, call),
            ["calendarView"] => {
                let calendar = calendar.to_owned();
                self.view(owner, call, |item| item.calendar == calendar)
            }
            ["calendarView", "delta" | "delta()"] => self.delta(owner, calendar, call),
            _ => error::refused(400, "BadRequest", "Resource not found for the segment."),
        }
    }
}

/// Whether these scopes, however they are written, let somebody do this.
fn allowed(call: &Call, path: &[&str], scopes: &[String]) -> bool {
    let has = |wanted: &str| {
        scopes.iter().any(|scope| {
            let name = scope.rsplit('/').next().unwrap_or_default();
            name.eq_ignore_ascii_case(wanted)
        })
    };
    let writes = call.method != "GET" && path.first() != Some(&"subscriptions");
    path == ["me"] || has("Calendars.ReadWrite") || (!writes && has("Calendars.Read"))
}
