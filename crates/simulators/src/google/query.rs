//! The parameters of a list request, and the tokens that continue one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::refusal::{Outcome, Refusal};
use crate::server::Call;

/// Parameters that may differ between the requests of one sync.
const FREE: &[&str] = &[
    "alt",
    "fields",
    "key",
    "maxResults",
    "pageToken",
    "prettyPrint",
    "quotaUser",
    "showDeleted",
    "syncToken",
    "timeMax",
    "timeMin",
];

/// The parameters of a request, read strictly.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(call: &Call) -> Self {
        Self(call.parameters())
    }

    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.0.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn flag(&self, name: &str) -> Outcome<Option<bool>> {
        self.read(name, |text| text.parse().ok())
    }

    pub(super) fn time(&self, name: &str) -> Outcome<Option<Timestamp>> {
        self.read(name, |text| text.parse().ok())
    }

    /// How many on a page: as asked, at most `max`.
    pub(super) fn page_size(&self, default: usize, max: usize) -> Outcome<usize> {
        let asked = self.read("maxResults", |text| text.parse().ok().filter(|n| *n > 0))?;
        Ok(asked.unwrap_or(default).min(max))
    }

    /// One of these words.
    pub(super) fn one_of(&self, name: &str, words: &[&str]) -> Outcome<Option<&str>> {
        match self.text(name) {
            Some(text) if !words.contains(&text) => Err(Self::bad(name, text)),
            text => Ok(text),
        }
    }

    fn read<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Outcome<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| Self::bad(name, text))
    }

    fn bad(name: &str, text: &str) -> Refusal {
        Refusal::new(400, "invalidParameter", format!("Invalid value '{text}' for '{name}'"))
    }

    /// Refuses a sync token beside one of these.
    pub(super) fn no_token_with(&self, names: &[&str]) -> Outcome<()> {
        let other = names.iter().find(|name| self.text(name).is_some());
        match (self.text("syncToken"), other) {
            (Some(_), Some(_)) => {
                Err(Refusal::invalid("Sync token cannot be used with query restrictions."))
            }
            _ => Ok(()),
        }
    }

    /// What must stay the same from the first list to the last delta.
    fn fingerprint(&self, of_page: bool) -> String {
        let binds = |name: &str| {
            !FREE.contains(&name)
                || (of_page && ["timeMin", "timeMax", "showDeleted"].contains(&name))
        };
        let mut bound: Vec<_> = self.0.iter().filter(|(name, _)| binds(name)).collect();
        bound.sort();
        let text = format!("{bound:?}");
        URL_SAFE_NO_PAD.encode(&Sha256::digest(text.as_bytes())[..9])
    }
}

/// Where a listing stands: changes after `since`, seen up to `upto`, shown up to `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) since: u64,
    pub(super) upto: u64,
    pub(super) after: String,
}

/// What a list request lists: `of` names the thing and who asks.
pub(super) struct Listing<'a> {
    pub(super) query: &'a Query,
    pub(super) of: String,
    pub(super) revision: u64,
    /// Tokens from before are refused.
    pub(super) tokens_from: u64,
}

impl Listing<'_> {
    /// Where this request goes on.
    pub(super) fn position(&self) -> Outcome<Position> {
        if let Some(token) = self.query.text("pageToken") {
            let bad = || Query::bad("pageToken", token);
            let page = self.open(token, "page").ok_or_else(bad)?;
            if page["query"] != self.query.fingerprint(true) {
                return Err(bad());
            }
            let number = |name: &str| page[name].as_u64().unwrap_or_default();
            let after = page["after"].as_str().unwrap_or_default().to_owned();
            return Ok(Position { since: number("since"), upto: number("upto"), after });
        }
        let since = self.query.text("syncToken").map(|token| self.since(token)).transpose()?;
        Ok(Position { since: since.unwrap_or(0), upto: self.revision, after: String::new() })
    }

    fn since(&self, token: &str) -> Outcome<u64> {
        let stale = || {
            let message = "Sync token is no longer valid, a full sync is required.";
            Refusal::new(410, "fullSyncRequired", message)
        };
        let sync = self.open(token, "sync").ok_or_else(stale)?;
        let upto = sync["upto"].as_u64().ok_or_else(stale)?;
        if upto < self.tokens_from || upto > self.revision {
            return Err(stale());
        }
        if sync["query"] != self.query.fingerprint(false) {
            let message = "The parameters are not those of the initial synchronization.";
            return Err(Refusal::invalid(message));
        }
        Ok(upto)
    }

    pub(super) fn page_token(&self, position: &Position) -> String {
        seal(&json!({
            "kind": "page", "of": self.of, "query": self.query.fingerprint(true),
            "since": position.since, "upto": position.upto, "after": position.after,
        }))
    }

    pub(super) fn sync_token(&self, upto: u64) -> String {
        let query = self.query.fingerprint(false);
        seal(&json!({ "kind": "sync", "of": self.of, "query": query, "upto": upto }))
    }

    fn open(&self, token: &str, kind: &str) -> Option<Value> {
        let text = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?;
        let token: Value = serde_json::from_slice(&text).ok()?;
        (token["kind"] == kind && token["of"] == self.of.as_str()).then_some(token)
    }
}

fn seal(token: &Value) -> String {
    // Google's end with an equals sign, which must be escaped in a query.
    format!("{}=", URL_SAFE_NO_PAD.encode(token.to_string()))
}
