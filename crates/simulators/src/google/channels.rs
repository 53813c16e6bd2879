//! Channels: watch, stop, and what they push.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rand::Rng;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidings_core::clock::Timestamp;

use super::refusal::{Outcome, Refusal};
use super::world::World;
use crate::oauth::Person;
use crate::pushes::Push;

/// A week, unless the request says otherwise.
const TTL_MS: i64 = 604_800_000;

/// What a channel tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// The events of this calendar.
    Events(String),
    /// The person's list of calendars.
    CalendarList,
}

/// A channel as Google keeps it. There is no request that lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The id that the client chose.
    pub id: String,
    /// The client's token, sent with each push.
    pub token: Option<String>,
    /// Where pushes go.
    pub address: String,
    /// What it tells of.
    pub watched: Watched,
    /// Whose channel it is.
    pub email: String,
    /// Google's name of the watched resource.
    pub resource_id: String,
    /// The URL of the watched resource.
    pub resource_uri: String,
    /// From then on it is silent.
    pub expires_at: Timestamp,
    /// The number of the last message.
    pub messages: u64,
    /// It was stopped.
    pub stopped: bool,
}

impl Channel {
    /// Whether it would push.
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.stopped && now < self.expires_at
    }

    fn push(&self, state: &str) -> Push {
        let mut headers: Vec<(String, String)> = [
            ("x-goog-channel-id", self.id.clone()),
            ("x-goog-message-number", self.messages.to_string()),
            ("x-goog-resource-id", self.resource_id.clone()),
            ("x-goog-resource-state", state.to_owned()),
            ("x-goog-resource-uri", self.resource_uri.clone()),
            ("x-goog-channel-expiration", http_date(self.expires_at)),
            (
                "user-agent",
                "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)".into(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if let Some(token) = &self.token {
            headers.push(("x-goog-channel-token".into(), token.clone()));
        }
        Push { url: self.address.clone(), headers, body: Bytes::new() }
    }
}

impl World {
    /// Opens a channel; returns the answer and the sync message.
    pub(super) fn watch(
        &mut self,
        person: &Person,
        watched: Watched,
        uri: String,
        body: &Value,
    ) -> Outcome<(Value, Push)> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let (id, address) = (text("id"), text("address"));
        if id.is_empty() {
            return Err(Refusal::required("entity.id is required"));
        }
        if id.len() > 64 || text("token").len() > 256 {
            return Err(Refusal::invalid("Invalid channel id or token: too long"));
        }
        if !["web_hook", "webhook"].contains(&text("type")) {
            return Err(Refusal::invalid("Unknown channel type"));
        }
        let known = address.starts_with("https://")
            || (!self.switches.https_only && address.starts_with("http://"));
        if !known {
            let message = format!("WebHook callback must be HTTPS: {address}");
            return Err(Refusal::new(400, "push.webhookUrlNotHttps", message));
        }
        if self.channels.contains_key(id) {
            let message = format!("Channel id {id} not unique");
            return Err(Refusal::new(400, "channelIdNotUnique", message));
        }
        if let Watched::Events(calendar) = &watched {
            let watchable = self.calendars.get(calendar).is_some_and(|calendar| calendar.watchable);
            if !watchable {
                let message = "Push notifications are not supported by this resource.";
                return Err(Refusal::new(400, "pushNotSupportedForRequestedResource", message));
            }
        }
        let channel = Channel {
            id: id.to_owned(),
            token: body.get("token").and_then(Value::as_str).map(str::to_owned),
            address: address.to_owned(),
            resource_id: resource_id(&watched, &person.email),
            watched,
            email: person.email.clone(),
            resource_uri: uri,
            expires_at: self.expiration(body)?,
            messages: 1,
            stopped: false,
        };
        let mut answer = json!({
            "kind": "api#channel", "id": channel.id, "resourceId": channel.resource_id,
            "resourceUri": channel.resource_uri, "expiration": channel.expires_at.0.to_string(),
        });
        if let Some(token) = &channel.token {
            answer["token"] = token.clone().into();
        }
        let sync = channel.push("sync");
        self.channels.insert(channel.id.clone(), channel);
        Ok((answer, sync))
    }

    /// When a channel ends: as asked, but not later than is allowed.
    fn expiration(&self, body: &Value) -> Outcome<Timestamp> {
        let now = self.clock.now();
        let number = |value: &Value| value.as_str().and_then(|text| text.parse::<i64>().ok());
        let asked = match (body.get("expiration"), body.pointer("/params/ttl")) {
            // A string in the discovery document; a number is taken too, as by Google's JSON reader.
            (Some(at), _) => number(at).or_else(|| at.as_i64()).map(Timestamp),
            (None, Some(ttl)) => number(ttl).map(|seconds| now.plus_ms(seconds * 1_000)),
            (None, None) => Some(now.plus_ms(TTL_MS)),
        };
        let asked = asked.ok_or_else(|| Refusal::invalid("Invalid expiration or ttl"))?;
        if asked <= now {
            return Err(Refusal::new(400, "channelExpirationInvalid", "Invalid expiration"));
        }
        Ok(asked.min(now.plus_ms(self.switches.channel_ttl_s.saturating_mul(1_000))))
    }

    /// Ends a channel of this person.
    pub(super) fn stop(&mut self, person: &Person, body: &Value) -> Outcome<()> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let now = self.clock.now();
        let channel = self.channels.get_mut(text("id")).filter(|channel| {
            channel.is_live(now)
                && channel.email == person.email
                && channel.resource_id == text("resourceId")
        });
        let missing = || {
            let message = format!("Channel '{}' not found for project 'simulator'", text("id"));
            Refusal::new(404, "notFound", message)
        };
        channel.ok_or_else(missing)?.stopped = true;
        Ok(())
    }

    /// Tells every channel of the calendar, whosever it is.
    pub(super) fn announce_events(&mut self, calendar: &str) {
        let here = Watched::Events(calendar.to_owned());
        self.announce(|channel| channel.watched == here);
    }

    /// Tells the channels of somebody's list.
    pub(super) fn announce_list(&mut self, email: &str) {
        self.announce(|channel| channel.watched == Watched::CalendarList && channel.email == email);
    }

    fn announce(&mut self, told: impl Fn(&Channel) -> bool) {
        let now = self.clock.now();
        for channel in self.channels.values_mut() {
            if channel.is_live(now) && told(channel) {
                // They grow, but not by one.
                channel.messages += self.rng.random_range(1..5_000);
                self.outbox.push(channel.push("exists"));
            }
        }
    }
}

fn resource_id(watched: &Watched, email: &str) -> String {
    let name = match watched {
        Watched::Events(calendar) => format!("events {calendar} {email}"),
        Watched::CalendarList => format!("list {email}"),
    };
    URL_SAFE_NO_PAD.encode(&Sha256::digest(name.as_bytes())[..20])
}

/// RFC 9110 section 5.6.7.
fn http_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
