//! `/subscriptions`.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use url::Url;

use super::error::{self, Refused};
use super::notices;
use super::preferences::Preferences;
use super::world::World;
use crate::pushes::Pushes;
use crate::server::{Answer, Call, lock};

/// Characters of a `clientState`.
const CLIENT_STATE: usize = 128;
const MINUTE_MS: i64 = 60_000;
/// A shorter life is not granted: 45 minutes.
const SHORTEST_MS: i64 = 45 * MINUTE_MS;
/// What a body may hold.
const KNOWN: [&str; 7] = [
    "changeType",
    "notificationUrl",
    "lifecycleNotificationUrl",
    "resource",
    "expirationDateTime",
    "clientState",
    "latestSupportedTlsVersion",
];

/// A watch on one calendar.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) owner: usize,
    pub(super) calendar: String,
    /// As the client named it.
    resource: String,
    pub(super) changes: Vec<String>,
    pub(super) notification_url: String,
    pub(super) lifecycle_url: Option<String>,
    pub(super) client_state: Option<String>,
    pub(super) expires_at: Timestamp,
    /// Notifications name immutable ids.
    pub(super) immutable: bool,
    /// It has to be reauthorised first.
    pub(super) paused: bool,
}

impl Subscription {
    /// As Graph prints it; the client state only in the answer to its creation.
    fn print(&self, world: &World, with_state: bool) -> Value {
        json!({
            "id": self.id,
            "resource": self.resource,
            "applicationId": "24d3b144-21ae-4080-943f-7067b395b913",
            "changeType": self.changes.join(","),
            "clientState": self.client_state.as_ref().filter(|_| with_state),
            "notificationUrl": self.notification_url,
            "lifecycleNotificationUrl": self.lifecycle_url,
            "notificationQueryOptions": null,
            "expirationDateTime": self.expires_at,
            "creatorId": world.mailboxes[self.owner].user,
            "includeResourceData": null,
            "latestSupportedTlsVersion": "v1_2",
            "encryptionCertificate": null,
            "encryptionCertificateId": null,
            "notificationUrlAppId": null,
        })
    }
}

/// Asks both addresses, then notes the subscription. The world is not locked while they answer.
pub(super) async fn create(
    world: &Mutex<World>,
    pushes: &Pushes,
    owner: usize,
    call: &Call,
) -> Answer {
    let asked = lock(world).asked(owner, call);
    let new = match asked {
        Ok(new) => new,
        Err(refused) => return *refused,
    };
    let handshake_ms = lock(world).switches.handshake_ms;
    let mut urls = vec![new.notification_url.clone()];
    urls.extend(new.lifecycle_url.clone());
    for url in urls {
        let token = format!("Validation: Testing client application reachability <{}>", new.id);
        let asking = pushes.deliver(notices::validation(&url, &token));
        let reply = tokio::time::timeout(Duration::from_millis(handshake_ms), asking).await;
        let Ok(Some(reply)) = reply else {
            return unreachable("The operation timed out.");
        };
        let plain = reply.content_type.split(';').next() == Some("text/plain");
        if reply.status != 200 || !plain || reply.body != token.as_bytes() {
            return unreachable(
                "Notification endpoint must respond with 200 OK, text/plain and the token.",
            );
        }
    }
    let mut world = lock(world);
    if let Err(refused) = world.has_room(&new) {
        return *refused;
    }
    let printed = new.print(&world, true);
    world.subscriptions.push(new);
    Answer::json(201, &printed)
}

fn unreachable(why: &str) -> Answer {
    let message = format!("Subscription validation request failed. {why}");
    error::refused(400, "ValidationError", &message)
}

impl World {
    /// The subscription that a request asks for, before its addresses were asked.
    fn asked(&mut self, owner: usize, call: &Call) -> Result<Subscription, Refused> {
        let bad = |message: &str| Box::new(error::refused(400, "InvalidRequest", message));
        let Some(Value::Object(body)) = call.json() else {
            return Err(bad("Unable to read JSON request payload."));
        };
        if let Some(name) = body.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(bad(&format!("The property '{name}' is not known.")));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let resource = text("resource").unwrap_or_default();
        let calendar = self.watched(owner, &resource)?;
        let changes: Vec<String> = text("changeType")
            .unwrap_or_default()
            .split(',')
            .map(|one| one.trim().into())
            .collect();
        if !changes.iter().all(|one| ["created", "updated", "deleted"].contains(&one.as_str())) {
            return Err(bad("changeType is not valid."));
        }
        let notification_url = text("notificationUrl").unwrap_or_default();
        let lifecycle_url = text("lifecycleNotificationUrl");
        for url in [Some(&notification_url), lifecycle_url.as_ref()].into_iter().flatten() {
            if !is_address(url) {
                return Err(bad("Notification URLs must be https."));
            }
        }
        let client_state = text("clientState");
        if client_state.as_ref().is_some_and(|state| state.chars().count() > CLIENT_STATE) {
            return Err(bad("clientState is longer than 128 characters."));
        }
        let expires_at = self.granted(text("expirationDateTime"))?;
        let number = self.number();
        let new = Subscription {
            id: format!("7f105c7d-2dc5-4530-97cd-{number:012x}"),
            owner,
            calendar,
            resource,
            changes,
            notification_url,
            lifecycle_url,
            client_state,
            expires_at,
            immutable: Preferences::of(call).immutable,
            paused: false,
        };
        self.has_room(&new)?;
        Ok(new)
    }

    /// No twin, and not too many.
    fn has_room(&mut self, new: &Subscription) -> Result<(), Refused> {
        let now = self.clock.now();
        self.subscriptions.retain(|one| one.expires_at > now);
        let ours = || self.subscriptions.iter().filter(|one| one.owner == new.owner);
        let twin = |one: &&Subscription| one.calendar == new.calendar && one.changes == new.changes;
        if let Some(twin) = ours().find(twin) {
            let id = &twin.id;
            let message = format!("Subscription Id {id} already exists for this combination.");
            return Err(Box::new(error::refused(409, "Conflict", &message)));
        }
        match ours().count() < self.switches.max_subscriptions {
            true => Ok(()),
            false => Err(Box::new(error::refused(
                403,
                "ExtensionError",
                "Operation: Create; Exception: [Status Code: Forbidden; Reason: Maximum number of \
                 subscriptions reached]",
            ))),
        }
    }

    /// The calendar that a resource names.
    fn watched(&self, owner: usize, resource: &str) -> Result<String, Refused> {
        let mailbox = &self.mailboxes[owner];
        let parts: Vec<&str> = resource.split('/').filter(|part| !part.is_empty()).collect();
        let rest = match parts.as_slice() {
            ["me", rest @ ..] => rest,
            ["users", user, rest @ ..] if *user == mailbox.user || *user == mailbox.email => rest,
            _ => {
                let refused = error::refused(403, "ErrorAccessDenied", "Access is denied.");
                return Err(Box::new(refused));
            }
        };
        let found = match rest {
            ["events"] => mailbox.calendars.iter().find(|calendar| calendar.default),
            ["calendars", id, "events"] => mailbox.calendar(id),
            _ => {
                let message = format!("Resource '{resource}' is not supported for subscription.");
                return Err(Box::new(error::refused(400, "ExtensionError", &message)));
            }
        };
        found.map(|calendar| calendar.id.clone()).ok_or_else(|| Box::new(error::not_found()))
    }

    fn granted(&self, wish: Option<String>) -> Result<Timestamp, Refused> {
        let bad = |message: &str| Box::new(error::refused(400, "InvalidRequest", message));
        let now = self.clock.now();
        let wish = wish.and_then(|text| Timestamp::parse(&text));
        let wish = wish.ok_or_else(|| bad("expirationDateTime is not valid."))?;
        if wish <= now {
            return Err(bad("Subscription expiration must be in the future."));
        }
        let minutes = self.switches.max_minutes;
        if wish > now.plus_ms(minutes * MINUTE_MS) {
            let message =
                format!("Subscription expiration can only be {minutes} minutes in the future.");
            return Err(bad(&message));
        }
        let most = self.switches.granted_minutes.map(|minutes| now.plus_ms(minutes * MINUTE_MS));
        let granted = most.map_or(wish, |most| most.min(wish));
        Ok(if most.is_none() { granted.max(now.plus_ms(SHORTEST_MS)) } else { granted })
    }

    /// `GET /subscriptions`: those of the user and this application.
    pub(super) fn list_subscriptions(&mut self, owner: usize, call: &Call) -> Answer {
        if let Some(token) = call.parameter("$skiptoken") {
            return self.next_page(call, &token);
        }
        let now = self.clock.now();
        self.subscriptions.retain(|one| one.expires_at > now);
        let ours = self.subscriptions.iter().filter(|one| one.owner == owner);
        let printed = ours.map(|one| one.print(self, false)).collect();
        self.first_page(call, printed, Some(100), None)
    }

    /// GET, PATCH, DELETE of one subscription, and `reauthorize`.
    pub(super) fn subscription(
        &mut self,
        owner: usize,
        id: &str,
        verb: &str,
        call: &Call,
    ) -> Answer {
        let now = self.clock.now();
        let Some(place) = self
            .subscriptions
            .iter()
            .position(|one| one.id == id && one.owner == owner && one.expires_at > now)
        else {
            return error::no_subscription();
        };
        match verb {
            "GET" => Answer::json(200, &self.subscriptions[place].print(self, false)),
            "PATCH" => {
                let body = call.json().unwrap_or_default();
                let wish = body["expirationDateTime"].as_str().map(str::to_owned);
                let others = body.as_object().is_some_and(|body| body.len() > 1);
                let granted = match self.granted(wish) {
                    Ok(granted) if !others => granted,
                    Ok(_) => {
                        return error::refused(
                            400,
                            "InvalidRequest",
                            "Only the expiration changes.",
                        );
                    }
                    Err(refused) => return *refused,
                };
                self.subscriptions[place].expires_at = granted;
                self.subscriptions[place].paused = false;
                Answer::json(200, &self.subscriptions[place].print(self, false))
            }
            "DELETE" => {
                self.subscriptions.remove(place);
                Answer::empty(204)
            }
            _ => {
                self.subscriptions[place].paused = false;
                Answer::empty(204)
            }
        }
    }
}

/// https as Graph wants it, or this machine.
fn is_address(url: &str) -> bool {
    let Ok(url) = url.parse::<Url>() else { return false };
    let here = url.host_str().is_some_and(|host| host == "127.0.0.1" || host == "localhost");
    url.scheme() == "https" || (url.scheme() == "http" && here)
}
