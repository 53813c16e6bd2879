//! Channels: asking Google to push, and to stop.

use http::Method;
use serde::Deserialize;
use serde_json::json;
use tidings_core::clock::Timestamp;
use url::Url;

use super::address;
use super::error::{Call, reasons, refused, unreadable};
use crate::error::ProviderError;
use crate::http::{Request, Response};
use crate::settings::GoogleSettings;

/// What we ask for. There is no renewal: shortly before its end a second channel takes over, and then
/// the first is stopped. Google has no list of channels: what is forgotten pushes until it ends.
#[derive(Clone, Copy, Debug)]
pub struct Channel<'a> {
    /// Ours, unique for ever, at most 64 characters. It must be stored before Google is asked: the
    /// first push may come before the answer.
    pub id: &'a str,
    /// Random, at most 256 characters; every push repeats it.
    pub token: &'a str,
    /// Where pushes go: `https`, with a certificate that the world trusts.
    pub address: &'a Url,
    /// When it should end. Google may choose an earlier end.
    pub expires_at: Timestamp,
}

/// A channel that pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Google's name of what is watched: needed to stop, repeated by every push.
    pub resource_id: String,
    /// When it ends: Google's word, which counts.
    pub expires_at: Timestamp,
}

/// Asks for pushes of a calendar's events.
pub fn watch_events_request(
    settings: &GoogleSettings,
    calendar: &str,
    channel: &Channel<'_>,
) -> Request {
    let url = address(settings, &["calendars", calendar, "events", "watch"], &[]);
    watch(url, channel)
}

/// Asks for pushes of the account's list of calendars.
pub fn watch_calendars_request(settings: &GoogleSettings, channel: &Channel<'_>) -> Request {
    watch(address(settings, &["users", "me", "calendarList", "watch"], &[]), channel)
}

fn watch(url: Url, channel: &Channel<'_>) -> Request {
    // 64-bit numbers are texts in Google's JSON.
    let body = json!({
        "id": channel.id,
        "type": "web_hook",
        "address": channel.address.as_str(),
        "token": channel.token,
        "expiration": channel.expires_at.0.to_string(),
    });
    Request::json(Method::POST, url, &body)
}

/// Reads the answer to a request for pushes.
///
/// # Errors
/// [`ProviderError::Permanent`]: the operator must act on the push address, so no calendar can be
/// watched. [`ProviderError::Forbidden`]: this calendar is never pushed. [`ProviderError::Conflict`]:
/// take another channel id. In all three cases the text is the reason why it is only polled. Else by
/// what must be done.
pub fn parse_watch(response: &Response) -> Result<Watched, ProviderError> {
    const WHAT: &str = "watching a calendar";
    if !response.status.is_success() {
        return Err(named(response).unwrap_or_else(|| refused(response, WHAT, Call::Read)));
    }
    let answer: Answer = response.read().ok_or_else(|| unreadable(WHAT))?;
    let expires_at = answer.expiration.parse().map_err(|_| unreadable(WHAT))?;
    Ok(Watched { resource_id: answer.resource_id, expires_at: Timestamp(expires_at) })
}

fn named(response: &Response) -> Option<ProviderError> {
    let reasons = reasons(response)?;
    let reason = reasons.first()?;
    let why = |text: &str| format!("google does not push ({reason}): {text}");
    Some(match reason.as_str() {
        "push.webhookUrlNotHttps" => {
            ProviderError::Permanent { why: why("the public address must be https") }
        }
        "push.webhookUrlUnauthorized" => ProviderError::Permanent {
            why: why("verify the public address' domain in the Google Cloud project"),
        },
        "channelIdNotUnique" => ProviderError::Conflict { why: why("the channel id is used") },
        "pushNotSupportedForRequestedResource" => {
            ProviderError::Forbidden { why: why("this calendar is never pushed") }
        }
        _ => return None,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    resource_id: String,
    expiration: String,
}

/// Ends a channel. It needs a token of the account, so it comes before that is revoked.
pub fn stop_request(settings: &GoogleSettings, id: &str, resource_id: &str) -> Request {
    let url = address(settings, &["channels", "stop"], &[]);
    Request::json(Method::POST, url, &json!({ "id": id, "resourceId": resource_id }))
}

/// Reads the answer to [`stop_request`]; a channel that is gone already is stopped.
///
/// # Errors
/// By what must be done about it.
pub fn parse_stop(response: &Response) -> Result<(), ProviderError> {
    match response.status.as_u16() {
        200..=299 | 404 | 410 => Ok(()),
        _ => Err(refused(response, "stopping a channel", Call::Read)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::google::testing::{reaction, refusal, reply, settings};
    use crate::http::answer;

    #[test]
    fn a_channel_is_asked_for_with_numbers_as_texts() {
        let address = Url::parse("https://t.example/providers/google/notifications").unwrap();
        let channel = Channel {
            id: "c1",
            token: "s",
            address: &address,
            expires_at: Timestamp(1_795_000_000_000),
        };
        let request = watch_events_request(&settings(), "a#b@x.org", &channel);
        assert_eq!(
            request.url.as_str(),
            "http://127.0.0.1:9/calendar/v3/calendars/a%23b@x.org/events/watch"
        );
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(
            body,
            json!({ "id": "c1", "type": "web_hook", "address": address.as_str(), "token": "s",
                    "expiration": "1795000000000" })
        );
        let request = watch_calendars_request(&settings(), &channel);
        assert_eq!(request.url.path(), "/calendar/v3/users/me/calendarList/watch");
    }

    #[test]
    fn the_end_is_googles_word() {
        let body = json!({ "kind": "api#channel", "id": "c1", "resourceId": "r", "token": "s",
                           "resourceUri": "https://x", "expiration": "1794000000000" });
        let watched = parse_watch(&reply(200, &body)).unwrap();
        assert_eq!(watched.expires_at, Timestamp(1_794_000_000_000));
        assert_eq!(watched.resource_id, "r");
    }

    #[test]
    fn why_a_calendar_is_only_polled_has_a_name() {
        for (status, reason, expected) in [
            (400, "push.webhookUrlNotHttps", "permanent"),
            (401, "push.webhookUrlUnauthorized", "permanent"),
            (400, "channelIdNotUnique", "conflict"),
            (400, "pushNotSupportedForRequestedResource", "forbidden"),
            (401, "authError", "reauthorise"),
            (403, "rateLimitExceeded", "retry"),
            (404, "notFound", "gone"),
        ] {
            let error = parse_watch(&refusal(status, "global", reason)).unwrap_err();
            assert_eq!(reaction(&error), expected, "{reason}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn a_channel_that_is_gone_is_stopped() {
        let request = stop_request(&settings(), "c1", "r");
        assert_eq!(request.url.path(), "/calendar/v3/channels/stop");
        for status in [204, 404, 410] {
            assert_eq!(parse_stop(&answer(status, "")), Ok(()), "{status}");
        }
        assert_eq!(reaction(&parse_stop(&answer(503, "")).unwrap_err()), "retry");
    }
}
