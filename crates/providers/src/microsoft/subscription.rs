//! Asking Graph for pushes: one subscription for each calendar.
//!
//! While a subscription is created Graph calls both addresses with a validation token ([`super::push`]),
//! so whoever answers those must not wait for the answer to this. Calendars as such cannot be subscribed
//! to.
//!
//! Source: <https://learn.microsoft.com/graph/api/subscription-post-subscriptions>.

use serde::Deserialize;
use serde_json::json;
use tidings_core::clock::Timestamp;
use tidings_core::limits::{GRAPH_SUBSCRIPTION_MS, GRAPH_SUBSCRIPTION_SHORT_MS};
use url::Url;

use super::error::{expect, read};
use super::preferring;
use crate::error::ProviderError;
use crate::http::{Request, Response, below};
use crate::settings::MicrosoftSettings;

/// How long a subscription is asked for. Graph's own answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Just under seven days: to be tried first.
    Usual,
    /// 4,230 minutes: to be tried when the other was answered with [`ProviderError::Invalid`].
    Short,
}

/// What to ask for.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// The calendar's id.
    pub calendar: &'a str,
    /// Where changes are to be pushed.
    pub notification_url: &'a Url,
    /// Where the subscription's own troubles are to be told. Can be given at its creation only.
    pub lifecycle_url: &'a Url,
    /// A secret that every push repeats; up to 128 characters.
    pub client_state: &'a str,
    /// When it is to end.
    pub expires_at: Timestamp,
}

/// A subscription as Graph tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id at Graph.
    pub id: String,
    /// What it watches.
    pub resource: String,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
    /// Where it pushes to: tells ours from those of others when we sweep.
    pub notification_url: Option<String>,
}

/// Some of our subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those on this page.
    pub subscriptions: Vec<Subscription>,
    /// Where the next page is; see [`super::follow`].
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct List {
    value: Vec<Told>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    id: String,
    #[serde(default)]
    resource: String,
    expiration_date_time: String,
    notification_url: Option<String>,
}

impl Lifetime {
    /// The end of a subscription that is asked for at `now`.
    pub fn from(self, now: Timestamp) -> Timestamp {
        now.plus_ms(match self {
            Self::Usual => GRAPH_SUBSCRIPTION_MS,
            Self::Short => GRAPH_SUBSCRIPTION_SHORT_MS,
        })
    }
}

impl TryFrom<Told> for Subscription {
    type Error = ProviderError;

    fn try_from(told: Told) -> Result<Self, ProviderError> {
        let expires_at = Timestamp::parse(&told.expiration_date_time).ok_or_else(|| {
            ProviderError::retry("microsoft graph's subscription has no time to end at")
        })?;
        let Told { id, resource, notification_url, .. } = told;
        Ok(Self { id, resource, expires_at, notification_url })
    }
}

/// What a subscription to that calendar is about. Undocumented for calendars other than the main one,
/// and what everyone uses.
pub fn resource(calendar: &str) -> String {
    format!("/me/calendars/{calendar}/events")
}

/// Creates a subscription.
pub fn create_request(settings: &MicrosoftSettings, watch: &Watch<'_>) -> Request {
    let document = json!({
        "changeType": "created,updated,deleted",
        "notificationUrl": watch.notification_url.as_str(),
        "lifecycleNotificationUrl": watch.lifecycle_url.as_str(),
        "resource": resource(watch.calendar),
        "expirationDateTime": watch.expires_at.to_string(),
        "clientState": watch.client_state,
    });
    let url = below(&settings.api, &["subscriptions"]);
    preferring(Request::json(http::Method::POST, url, &document))
}

/// Reads the answer to [`create_request`] or [`renew_request`].
///
/// # Errors
/// To a creation: [`ProviderError::Invalid`] when the lifetime may be too long ([`Lifetime::Short`]),
/// [`ProviderError::Conflict`] when there is such a subscription already (find it with
/// [`list_request`]), [`ProviderError::Retry`] also when Graph did not get its validation token back,
/// [`ProviderError::Forbidden`] when this calendar cannot be watched. To a renewal:
/// [`ProviderError::Gone`] when it must be created anew, and a delta read. Others: see
/// [`ProviderError`].
pub fn parse(response: &Response) -> Result<Subscription, ProviderError> {
    let what = "subscribing to a calendar";
    if let Err(refusal) = expect(response, what) {
        let text = String::from_utf8_lossy(&response.body).to_ascii_lowercase();
        let unreachable = response.status.as_u16() == 400
            && (text.contains("validation request") || text.contains("\"validationerror\""));
        return Err(match unreachable {
            true => ProviderError::retry(format!(
                "{}; it could not reach us at public_url",
                refusal.why()
            )),
            false => refusal,
        });
    }
    read::<Told>(response, what)?.try_into()
}

/// Moves the end of a subscription; also what `reauthorizationRequired` asks for.
pub fn renew_request(settings: &MicrosoftSettings, id: &str, expires_at: Timestamp) -> Request {
    let document = json!({ "expirationDateTime": expires_at.to_string() });
    let url = below(&settings.api, &["subscriptions", id]);
    preferring(Request::json(http::Method::PATCH, url, &document))
}

/// Ends a subscription.
pub fn delete_request(settings: &MicrosoftSettings, id: &str) -> Request {
    let url = below(&settings.api, &["subscriptions", id]);
    preferring(Request::bare(http::Method::DELETE, url))
}

/// Reads the answer to [`delete_request`]. One that is gone already is ended.
///
/// # Errors
/// See [`ProviderError`].
pub fn parse_deleted(response: &Response) -> Result<(), ProviderError> {
    match expect(response, "ending a subscription") {
        Err(ProviderError::Gone { .. }) => Ok(()),
        other => other,
    }
}

/// Asks for our subscriptions in this mailbox.
pub fn list_request(settings: &MicrosoftSettings) -> Request {
    preferring(Request::get(below(&settings.api, &["subscriptions"])))
}

/// Reads a page of our subscriptions.
///
/// # Errors
/// See [`ProviderError`].
pub fn parse_list(response: &Response) -> Result<Page, ProviderError> {
    let list: List = read(response, "listing our subscriptions")?;
    let subscriptions =
        list.value.into_iter().map(Subscription::try_from).collect::<Result<_, _>>();
    Ok(Page { subscriptions: subscriptions?, next: list.next })
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;
    use crate::http::answer;
    use serde_json::Value;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-21T11:00:00Z").unwrap()
    }

    #[test]
    fn a_subscription_is_for_one_calendar_with_immutable_ids() {
        let notification_url = Url::parse("https://t.example/providers/microsoft/n").unwrap();
        let watch = Watch {
            calendar: "AAMk=",
            notification_url: &notification_url,
            lifecycle_url: &notification_url,
            client_state: "s3cret",
            expires_at: Lifetime::Usual.from(now()),
        };
        let request = create_request(&settings(), &watch);
        let document: Value = serde_json::from_slice(&request.body).unwrap();
        let expected = json!({
            "changeType": "created,updated,deleted",
            "notificationUrl": "https://t.example/providers/microsoft/n",
            "lifecycleNotificationUrl": "https://t.example/providers/microsoft/n",
            "resource": "/me/calendars/AAMk=/events",
            "expirationDateTime": "2026-11-28T10:00:00.000Z",
            "clientState": "s3cret",
        });
        assert_eq!(document, expected);
        assert!(request.headers["prefer"].to_str().unwrap().contains("ImmutableId"));
        assert_eq!(request.method, http::Method::POST);
    }

    #[test]
    fn a_lifetime_stays_below_the_limit_and_has_a_shorter_second_choice() {
        let minutes = |lifetime: Lifetime| (lifetime.from(now()).0 - now().0) / 60_000;
        assert_eq!((minutes(Lifetime::Usual), minutes(Lifetime::Short)), (10_020, 4_230));
    }

    #[test]
    fn graph_s_own_end_counts() {
        let body = r#"{"id":"s1","resource":"/me/calendars/c/events","clientState":"x",
            "expirationDateTime":"2026-11-24T09:30:00.0000000Z","notificationUrl":"https://t/n"}"#;
        let subscription = parse(&answer(201, body)).unwrap();
        assert_eq!(subscription.expires_at.to_string(), "2026-11-24T09:30:00.000Z");
        let page = parse_list(&answer(200, format!(r#"{{"value":[{body}]}}"#))).unwrap();
        assert_eq!(page, Page { subscriptions: vec![subscription], next: None });
    }

    #[test]
    fn a_refusal_tells_what_to_do_next() {
        let refused = |status, code: &str, message: &str| {
            let body = json!({ "error": { "code": code, "message": message } }).to_string();
            parse(&answer(status, body)).unwrap_err()
        };
        let handshake = "Subscription validation request failed. Notification endpoint must respond \
                         with 200 OK to validation request.";
        for (error, matches) in [
            (
                refused(400, "ExtensionError", "Subscription expiration can only be 4230 minutes"),
                (|error| matches!(error, ProviderError::Invalid { .. })) as fn(&_) -> bool,
            ),
            (refused(400, "ValidationError", handshake), |error| {
                matches!(error, ProviderError::Retry { .. })
            }),
            (refused(400, "InvalidRequest", handshake), |error| {
                matches!(error, ProviderError::Retry { .. })
            }),
            (refused(409, "Conflict", "duplicate"), |error| {
                matches!(error, ProviderError::Conflict { .. })
            }),
            (refused(403, "ErrorAccessDenied", ""), |error| {
                matches!(error, ProviderError::Forbidden { .. })
            }),
            (refused(404, "ResourceNotFound", ""), |error| {
                matches!(error, ProviderError::Gone { .. })
            }),
            (refused(410, "", ""), |error| matches!(error, ProviderError::Gone { .. })),
        ] {
            assert!(matches(&error), "{error:?}");
        }
    }

    #[test]
    fn a_subscription_that_is_gone_is_ended() {
        for (status, ended) in [(204, true), (404, true), (410, true), (429, false), (401, false)] {
            assert_eq!(parse_deleted(&answer(status, "")).is_ok(), ended, "{status}");
        }
        let renewal = renew_request(&settings(), "s/1", now());
        assert_eq!(renewal.method, http::Method::PATCH);
        assert_eq!(renewal.url.path(), "/v1.0/subscriptions/s%2F1");
        assert_eq!(renewal.body, r#"{"expirationDateTime":"2026-11-21T11:00:00.000Z"}"#);
        assert_eq!(delete_request(&settings(), "s1").method, http::Method::DELETE);
    }
}
