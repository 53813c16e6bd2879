//! A webhook as its receiver sees it.

use std::fmt;

use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::sign::{self, Secret};
use tidings_service::InboxRequest;

/// What arrived, read and checked.
pub(super) struct Webhook {
    /// `event.created`, …; in the format pyas a header says it.
    pub(super) kind: String,
    /// The header `webhook-id`.
    pub(super) id: String,
    /// Whether the signature is right.
    pub(super) verified: bool,
    /// The UID of the event that it is about.
    pub(super) uid: Option<String>,
    headers: Vec<(String, String)>,
    body: String,
}

impl Webhook {
    /// Reads a request and checks its signature.
    pub(super) fn read(request: InboxRequest, secret: &Secret, now: Timestamp) -> Self {
        let header = |name: &str| {
            let mut headers = request.headers.iter();
            let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let signature = header("webhook-signature");
        let verified = sign::verify(secret, id, timestamp, signature, &request.body, now);
        let document: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = |pointer| document.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: text("/type").unwrap_or_else(|| header("x-pyas-webhook-event").to_owned()),
            id: id.to_owned(),
            verified,
            uid: text("/data/event/uid"),
            body: match document {
                Value::Null => String::from_utf8_lossy(&request.body).into_owned(),
                document => format!("{document:#}"),
            },
            headers: request.headers,
        }
    }
}

/// For people: type, headers, body, and whether the signature is right.
impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "--- webhook: {}", self.kind)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        writeln!(f, "\n{}\n", self.body)?;
        f.write_str(if self.verified { "signature: verified" } else { "signature: WRONG" })
    }
}

#[cfg(test)]
mod tests {
    use tidings_core::id::Ids;

    use super::*;

    #[test]
    fn only_what_was_signed_with_the_secret_is_verified() {
        let now = Timestamp(1_790_000_000_000);
        let secret = Secret::generate(&Ids::seeded(1));
        let body = r#"{"type":"event.created","data":{"event":{"uid":"u1"}}}"#;
        let signature = secret.sign("dlv_1", now.unix_seconds(), body.as_bytes());
        for (sent, good) in [(body, true), (r#"{"type":"event.created"}"#, false)] {
            let headers = [
                ("webhook-id", "dlv_1".to_owned()),
                ("webhook-timestamp", now.unix_seconds().to_string()),
                ("webhook-signature", signature.clone()),
            ];
            let request = InboxRequest {
                received_at: now,
                method: "POST".into(),
                target: "/inbox/x".into(),
                headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
                body: sent.into(),
            };
            let webhook = Webhook::read(request, &secret, now);
            assert_eq!((webhook.verified, webhook.kind.as_str()), (good, "event.created"));
            assert_eq!(webhook.uid.as_deref(), good.then_some("u1"));
            let ending = if good { "signature: verified" } else { "signature: WRONG" };
            assert!(webhook.to_string().ends_with(ending));
        }
    }
}
