//! What changed in a window of one calendar (`calendarView/delta`), over pages. The window is baked into
//! the link: to roll it, begin anew and compare.
//!
//! Source: <https://learn.microsoft.com/graph/delta-query-events>.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::limits::{
    GRAPH_WINDOW_FUTURE_DAYS, GRAPH_WINDOW_LEFT_MIN_DAYS, GRAPH_WINDOW_PAST_DAYS,
};

use super::error::{code, read, refuses_token};
use super::events::object;
use super::{follow, preferring};
use crate::error::ProviderError;
use crate::http::{Request, Response, below};
use crate::item::Item;
use crate::settings::MicrosoftSettings;

const DAY_MS: i64 = 24 * 3_600_000;

/// The stretch of time of a calendar that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub from: Timestamp,
    /// The moment after its last.
    pub to: Timestamp,
}

/// Some of what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Single events, without our properties (a delta cannot show them).
    pub items: Vec<Item>,
    /// Masters of the series that something was said about: see [`super::series`].
    pub series: BTreeSet<String>,
    /// What was removed, from the calendar or only from what the delta shows. May name an event that
    /// was never shown, a series, or an occurrence: no proof of a deletion.
    pub removed: Vec<String>,
    /// Where it goes on.
    pub link: Link,
}

/// Where a delta goes on: a whole URL of Graph's making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// There is another page.
    Next(String),
    /// That was all; this is the cursor for the next time.
    Delta(String),
}

#[derive(Deserialize)]
struct Body {
    value: Vec<Value>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<String>,
}

impl Window {
    /// The window of a calendar that is looked at first, or anew, at `now`. It begins and ends with a
    /// day, so that a window that is begun again soon is the same.
    pub fn around(now: Timestamp) -> Self {
        let today = now.0.div_euclid(DAY_MS);
        let day = |days: i64| Timestamp((today + days) * DAY_MS);
        Self { from: day(-GRAPH_WINDOW_PAST_DAYS), to: day(GRAPH_WINDOW_FUTURE_DAYS) }
    }

    /// Whether too little of the future is left in it.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.to.0 - now.0 < GRAPH_WINDOW_LEFT_MIN_DAYS * DAY_MS
    }
}

/// Asks for everything in the window.
pub fn initial_request(settings: &MicrosoftSettings, calendar: &str, window: Window) -> Request {
    let mut url = below(&settings.api, &["me", "calendars", calendar, "calendarView", "delta"]);
    url.query_pairs_mut()
        .append_pair("startDateTime", &window.from.to_string())
        .append_pair("endDateTime", &window.to.to_string());
    preferring(Request::get(url))
}

/// Asks for what came since `link`, a next or delta link.
///
/// # Errors
/// When the link leads to another server than the configured one.
pub fn request(settings: &MicrosoftSettings, link: &str) -> Result<Request, ProviderError> {
    follow(settings, link)
}

/// Reads a page.
///
/// # Errors
/// [`ProviderError::TokenRefused`] when the link is no longer good: ask for everything and compare.
/// Others: see [`ProviderError`].
pub fn parse(response: &Response) -> Result<Page, ProviderError> {
    if refuses_token(response) {
        let why = format!(
            "microsoft graph gave up the delta link ({} {})",
            response.status.as_u16(),
            code(response)
        );
        return Err(ProviderError::TokenRefused { why });
    }
    let body: Body = read(response, "reading the changes of a calendar")?;
    let link = match (body.next, body.delta) {
        (Some(next), _) => Link::Next(next),
        (None, Some(delta)) => Link::Delta(delta),
        (None, None) => {
            let why = "reading the changes of a calendar: the page leads nowhere";
            return Err(ProviderError::retry(why));
        }
    };
    let mut page = Page { items: vec![], series: BTreeSet::new(), removed: vec![], link };
    for value in body.value {
        let Some(object) = object(&value) else { continue };
        if value.get("@removed").is_some() {
            page.removed.push(object.id);
        } else if let Some(series) = object.series() {
            page.series.insert(series.to_owned());
        } else if object.start.is_some() {
            page.items.push(object.item(value));
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::event;
    use super::super::tests::settings;
    use super::*;
    use crate::http::answer;
    use serde_json::json;

    fn page(values: &[Value]) -> Page {
        let body = json!({ "value": values, "@odata.deltaLink": "https://graph.microsoft.com/d" });
        parse(&answer(200, body.to_string())).unwrap()
    }

    #[test]
    fn the_first_round_names_calendar_and_window_and_no_other_parameter() {
        let window = Window { from: Timestamp(0), to: Timestamp(DAY_MS) };
        let request = initial_request(&settings(), "AAMk+/=", window);
        assert_eq!(
            request.url.as_str(),
            "https://graph.microsoft.com/v1.0/me/calendars/AAMk+%2F=/calendarView/delta\
             ?startDateTime=1970-01-01T00%3A00%3A00.000Z&endDateTime=1970-01-02T00%3A00%3A00.000Z"
        );
        assert!(request.headers.contains_key("prefer"));
    }

    #[test]
    fn a_window_is_rolled_before_the_future_runs_out() {
        let now = Timestamp::parse("2026-11-21T11:00:00Z").unwrap();
        let window = Window::around(now);
        assert_eq!(window.from.to_string(), "2026-10-21T00:00:00.000Z");
        assert!(window.to > now.plus_ms(GRAPH_WINDOW_LEFT_MIN_DAYS * DAY_MS));
        assert_eq!(window, Window::around(now.plus_ms(3_600_000)));
        assert!(!window.is_stale(now));
        let left = GRAPH_WINDOW_FUTURE_DAYS - GRAPH_WINDOW_LEFT_MIN_DAYS;
        assert!(window.is_stale(now.plus_ms((left + 1) * DAY_MS)));
    }

    #[test]
    fn pages_lead_on_and_the_last_gives_the_cursor() {
        for (links, expected) in [
            (json!({ "@odata.nextLink": "n" }), Some(Link::Next("n".into()))),
            (json!({ "@odata.deltaLink": "d" }), Some(Link::Delta("d".into()))),
            (json!({}), None),
        ] {
            let mut body = json!({ "value": [] });
            body.as_object_mut().unwrap().extend(links.as_object().unwrap().clone());
            let link = parse(&answer(200, body.to_string())).ok().map(|page| page.link);
            assert_eq!(link, expected);
        }
    }

    #[test]
    fn an_occurrence_with_next_to_no_content_names_its_series() {
        let page = page(&[
            json!({ "id": "o1", "seriesMasterId": "m1", "type": "occurrence",
                "start": { "dateTime": "2026-12-02T09:00:00.0000000", "timeZone": "UTC" } }),
            json!({ "id": "o2", "seriesMasterId": "m1" }),
            json!({ "id": "m2", "type": "seriesMaster" }),
            json!({ "id": "x3", "type": "exception", "seriesMasterId": "m3" }),
            event(),
        ]);
        let series: Vec<_> = page.series.iter().map(String::as_str).collect();
        assert_eq!(series, ["m1", "m2", "m3"]);
        assert_eq!(page.items.len(), 1);
        assert!(page.removed.is_empty());
    }

    #[test]
    fn a_tombstone_is_told_whatever_it_lacks() {
        let page = page(&[
            json!({ "id": "a", "@removed": { "reason": "deleted" } }),
            json!({ "id": "m", "type": "seriesMaster", "@removed": { "reason": "changed" } }),
            json!({ "id": "b", "@removed": null }),
            json!({ "@removed": { "reason": "deleted" } }),
        ]);
        assert_eq!(page.removed, ["a", "m", "b"]);
        assert!(page.series.is_empty() && page.items.is_empty());
    }

    #[test]
    fn every_known_refusal_of_a_link_leads_to_a_resync() {
        for (status, code) in [
            (410, ""),
            (410, "SyncStateNotFound"),
            (400, "resyncRequired"),
            (400, "SyncStateInvalid"),
            (404, "syncStateNotFound"),
            (409, "ResyncRequired"),
        ] {
            let body = format!(r#"{{"error":{{"code":"{code}"}}}}"#);
            let error = parse(&answer(status, body)).unwrap_err();
            assert!(matches!(error, ProviderError::TokenRefused { .. }), "{status} {code}");
        }
        for (status, code) in [(404, "ErrorItemNotFound"), (429, ""), (503, "resyncRequired")] {
            let body = format!(r#"{{"error":{{"code":"{code}"}}}}"#);
            let error = parse(&answer(status, body)).unwrap_err();
            assert!(!matches!(error, ProviderError::TokenRefused { .. }), "{status} {code}");
        }
    }
}
