//! Zoom's pushes: one secret, every subscriber gets all of them.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tidings_core::clock::Clock;

use super::ACCOUNT;
use super::occurrence::utc;
use super::world::Made;
use crate::oauth::Person;
use crate::pushes::{Push, Pushes};
use crate::server::{Setup, lock};

/// The subscribers and the way to them.
#[derive(Debug)]
pub(super) struct Webhook {
    clock: Clock,
    secret: &'static str,
    pushes: Pushes,
    subscribers: Mutex<Vec<String>>,
    sent: AtomicU64,
}

impl Webhook {
    pub(super) fn new(setup: &Setup, secret: &'static str, pushes: Pushes) -> Self {
        Self {
            clock: setup.clock.clone(),
            secret,
            pushes,
            subscribers: Mutex::new(Vec::new()),
            sent: AtomicU64::new(0),
        }
    }

    pub(super) fn pushes(&self) -> &Pushes {
        &self.pushes
    }

    pub(super) fn subscribe(&self, url: &str) {
        lock(&self.subscribers).push(url.to_owned());
    }

    /// Whether the subscriber answers the challenge as only one who knows the secret can.
    pub(super) async fn validate(&self, url: &str) -> bool {
        let token = format!("plain-{}", self.sent.load(Ordering::Relaxed));
        let expected = self.mac(token.as_bytes());
        let push = self.signed(url, "endpoint.url_validation", &json!({ "plainToken": token }));
        let Some(reply) = self.pushes.deliver(push).await else { return false };
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        reply.status == 200
            && reply.content_type.starts_with("application/json")
            && answer["plainToken"] == token.as_str()
            && answer["encryptedToken"] == expected.as_str()
    }

    /// Tells what happened to a meeting. An update names only its id and what changed.
    pub(super) fn meeting(&self, operator: &Person, made: &Made, name_host: bool) {
        let scope = if made.single { "single" } else { "all" };
        let mut payload = json!({
            "account_id": ACCOUNT,
            "operator": operator.email,
            "operator_id": operator.id,
        });
        match &made.old {
            Some(old) => {
                let (mut now, before) = (differing(&made.new, old), differing(old, &made.new));
                if name_host {
                    now["host_id"] = made.host.id.as_str().into();
                }
                payload["scope"] = scope.into();
                payload["object"] = now;
                payload["old_object"] = before;
                payload["time_stamp"] = self.clock.now().0.into();
            }
            None => {
                payload["operation"] = scope.into();
                payload["object"] = made.new.clone();
                let object = payload["object"].as_object_mut().expect("a meeting is an object");
                if let Some(occurrences) = &made.occurrences {
                    object.insert("occurrences".into(), occurrences.clone());
                }
                let unsaid: &[&str] = match made.event {
                    "meeting.created" => &["agenda"],
                    _ if made.single => &["agenda", "join_url", "settings", "recurrence"],
                    _ => &["agenda", "join_url", "settings", "recurrence", "occurrences"],
                };
                object.retain(|name, _| !unsaid.contains(&name.as_str()));
            }
        }
        self.send(made.event, &payload);
    }

    pub(super) fn user(&self, event: &str, user: &Person) {
        let object = json!({ "id": user.id, "first_name": user.name, "last_name": "",
                             "email": user.email, "type": 2 });
        let payload = json!({ "account_id": ACCOUNT, "operator": "admin@example.com",
                              "operator_id": "admin", "object": object });
        self.send(event, &payload);
    }

    pub(super) fn deauthorized(&self, user: &Person, client_id: &str) {
        let payload = json!({
            "user_id": user.id, "account_id": ACCOUNT, "client_id": client_id,
            "deauthorization_time": utc(self.clock.now()), "signature": "unused",
        });
        self.send("app_deauthorized", &payload);
    }

    pub(super) fn send(&self, event: &str, payload: &Value) {
        for url in lock(&self.subscribers).iter() {
            self.pushes.send(self.signed(url, event, payload));
        }
    }

    /// The JSON is compact, as Zoom sends it: its own receiver signs what it has parsed and printed anew.
    fn signed(&self, url: &str, event: &str, payload: &Value) -> Push {
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let now = self.clock.now();
        let mut body = json!({ "event": event, "payload": payload });
        // Where Zoom's types have it.
        match event {
            "app_deauthorized" => body["payload"]["event_ts"] = now.0.into(),
            _ => body["event_ts"] = now.0.into(),
        }
        let body = body.to_string();
        let timestamp = now.unix_seconds().to_string();
        let signature = self.mac(format!("v0:{timestamp}:{body}").as_bytes());
        let header = |name: &str, value: String| (name.to_owned(), value);
        let headers = vec![
            header("content-type", "application/json; charset=utf-8".into()),
            header("user-agent", "Zoom Marketplace/1.0a".into()),
            header("x-zm-signature", format!("v0={signature}")),
            header("x-zm-request-timestamp", timestamp),
            header("x-zm-trackingid", format!("simulator_{number}")),
        ];
        Push { url: url.to_owned(), headers, body: body.into() }
    }

    fn mac(&self, text: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("any length");
        mac.update(text);
        mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes everything");
            hex
        })
    }
}

/// The id, and the members of `one` that are not as in `other`.
fn differing(one: &Value, other: &Value) -> Value {
    let members = one.as_object().expect("a meeting is an object");
    let differs = |(name, value): &(&String, &Value)| {
        name.as_str() == "id" || other.get(name.as_str()) != Some(*value)
    };
    let kept = members.iter().filter(differs);
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}
