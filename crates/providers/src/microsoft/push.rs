//! What Graph pushes to us. A push is a wake-up: it is believed in nothing but that something may have
//! changed, and only when its client state is the one that its subscription was created with.
//!
//! Source: <https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>.

use serde::Deserialize;
use serde_json::Value;
use tidings_core::limits::{GRAPH_PUSH_ITEMS_MAX, GRAPH_VALIDATION_BYTES_MAX};

/// One item of a push. A push may mix subscriptions, tenants and kinds: check each.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// Which subscription it is about.
    pub subscription_id: String,
    /// What proves that Graph sent it; to be compared in constant time. Without one it is not believed.
    pub client_state: Option<String>,
    /// What it says.
    pub change: Change,
}

/// What a notice says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something changed. Its kind is not to be relied on: Graph says `created` for updates, too.
    Event {
        /// The event's id, when told.
        id: Option<String>,
        /// Its entity tag, when told.
        etag: Option<String>,
    },
    /// Something about the subscription itself.
    Lifecycle(Lifecycle),
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Pushes were lost: look for what changed.
    Missed,
    /// It is gone: create another one and look for what changed.
    Removed,
    /// It is paused until it is renewed; then look for what changed.
    Reauthorise,
}

/// The push is not what Graph sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a list of change notifications")]
pub struct Malformed;

#[derive(Deserialize)]
struct Body {
    value: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    subscription_id: String,
    client_state: Option<String>,
    lifecycle_event: Option<String>,
    resource_data: Option<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    id: Option<String>,
    #[serde(rename = "@odata.etag")]
    etag: Option<String>,
}

impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Notice");
        shown.field("subscription_id", &self.subscription_id).field("change", &self.change);
        shown.finish_non_exhaustive()
    }
}

/// The token of a handshake, decoded: to be answered at once with 200 and nothing else, as `text/plain`
/// and never as HTML. `query` is the query string as it was received.
pub fn validation_token(query: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "validationToken")?;
    let fits = !token.is_empty() && token.len() <= GRAPH_VALIDATION_BYTES_MAX;
    fits.then(|| token.into_owned())
}

/// Reads a push. Items that say nothing to us are left out; the rest stays.
///
/// # Errors
/// [`Malformed`] when it is no list at all.
pub fn read(body: &[u8]) -> Result<Vec<Notice>, Malformed> {
    let body: Body = serde_json::from_slice(body).map_err(|_| Malformed)?;
    Ok(body.value.into_iter().take(GRAPH_PUSH_ITEMS_MAX).filter_map(notice).collect())
}

fn notice(value: Value) -> Option<Notice> {
    let Told { subscription_id, client_state, lifecycle_event, resource_data } =
        serde_json::from_value(value).ok()?;
    let change = match lifecycle_event.as_deref() {
        None => {
            let (id, etag) = resource_data.map(|data| (data.id, data.etag)).unwrap_or_default();
            Change::Event { id, etag }
        }
        Some("missed") => Change::Lifecycle(Lifecycle::Missed),
        Some("subscriptionRemoved") => Change::Lifecycle(Lifecycle::Removed),
        Some("reauthorizationRequired") => Change::Lifecycle(Lifecycle::Reauthorise),
        Some(_) => return None,
    };
    Some(Notice { subscription_id, client_state, change })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_validation_token_is_decoded_once() {
        for (query, expected) in [
            (
                "validationToken=Validation%3a+Testing+client+application+reachability",
                Some("Validation: Testing client application reachability"),
            ),
            ("a=b&validationToken=x%2541%3Cscript%3E", Some("x%41<script>")),
            ("validationToken=", None),
            ("validationtoken=x", None),
            ("", None),
        ] {
            assert_eq!(validation_token(query).as_deref(), expected, "{query}");
        }
        let long = format!("validationToken={}", "x".repeat(GRAPH_VALIDATION_BYTES_MAX + 1));
        assert_eq!(validation_token(&long), None);
    }

    #[test]
    fn one_push_mixes_subscriptions_and_kinds_and_each_item_has_its_own_client_state() {
        let body = json!({ "value": [
            { "id": "n1", "subscriptionId": "s1", "clientState": "c1", "changeType": "updated",
              "resource": "Users/u/Events/e1", "tenantId": "t1",
              "subscriptionExpirationDateTime": "2026-11-28T10:00:00Z",
              "resourceData": { "@odata.type": "#Microsoft.Graph.Event", "id": "e1",
                  "@odata.etag": "W/\"ck1\"" } },
            { "subscriptionId": "s2", "clientState": "c2", "changeType": "deleted" },
            { "subscriptionId": "s3", "clientState": "c3", "lifecycleEvent": "missed" },
            { "subscriptionId": "s4", "clientState": "c4", "lifecycleEvent": "subscriptionRemoved" },
            { "subscriptionId": "s5", "lifecycleEvent": "reauthorizationRequired" },
            { "subscriptionId": "s6", "lifecycleEvent": "somethingNew" },
            { "changeType": "updated" },
            "nonsense",
        ]});
        let notices = read(body.to_string().as_bytes()).unwrap();
        let change = |id: Option<&str>, etag: Option<&str>| Change::Event {
            id: id.map(Into::into),
            etag: etag.map(Into::into),
        };
        let seen: Vec<_> = notices
            .iter()
            .map(|n| (n.subscription_id.as_str(), n.client_state.as_deref(), n.change.clone()))
            .collect();
        assert_eq!(
            seen,
            [
                ("s1", Some("c1"), change(Some("e1"), Some("W/\"ck1\""))),
                ("s2", Some("c2"), change(None, None)),
                ("s3", Some("c3"), Change::Lifecycle(Lifecycle::Missed)),
                ("s4", Some("c4"), Change::Lifecycle(Lifecycle::Removed)),
                ("s5", None, Change::Lifecycle(Lifecycle::Reauthorise)),
            ]
        );
        assert!(!format!("{notices:?}").contains("c1"));
    }

    #[test]
    fn a_push_of_another_shape_is_refused_and_a_flood_is_cut() {
        for body in ["", "[]", "{}", r#"{"value":{}}"#, "\u{feff}"] {
            assert_eq!(read(body.as_bytes()), Err(Malformed), "{body}");
        }
        let item = json!({ "subscriptionId": "s" });
        let flood = json!({ "value": vec![item; GRAPH_PUSH_ITEMS_MAX + 1] }).to_string();
        assert_eq!(read(flood.as_bytes()).unwrap().len(), GRAPH_PUSH_ITEMS_MAX);
    }
}
