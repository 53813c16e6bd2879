//! `GET /events`: events of the user, of all calendars, by their start, page by page.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::{CalendarChoice, ConnectAccess, ConnectQuery, EventPlace, Service};
use url::form_urlencoded;

use crate::event::{told, told_opaque};
use crate::moment;
use crate::refusal::Refusal;
use crate::request::caller;

/// Events on a page that asks for no number (documented).
const PAGE_DEFAULT: usize = 250;

/// The end of the year 9999, ms since the Unix epoch.
const LATEST_MS: u64 = 253_402_300_800_000;

/// What a page token holds: what the first request asked for, and where its page ended. The
/// documentation's own second request repeats nothing but `pageSize`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Token {
    start: i64,
    end: i64,
    single_events: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calendar_ids: Option<Value>,
    /// Start, provider, calendar and id of the last event.
    after: (i64, String, String, String),
}

/// What a request asks for.
#[derive(Debug)]
struct Asked {
    page_size: usize,
    start: Timestamp,
    end: Timestamp,
    single_events: bool,
    calendar_ids: Option<Value>,
    calendars: CalendarChoice,
    after: Option<EventPlace>,
}

pub(crate) async fn list(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let is_opaque = service.connect_access(&caller)? == ConnectAccess::FreeBusy;
    let asked = read(query.as_deref().unwrap_or_default(), service.clock().now())?;
    let query = ConnectQuery {
        start: asked.start,
        end: asked.end,
        calendars: asked.calendars.clone(),
        expand: asked.single_events,
        after: asked.after.clone(),
        limit: asked.page_size,
    };
    let found = service.connect_events(&caller, query).await?;
    let last = found.events.last().map(|(place, _)| place.clone());
    let events: Vec<Value> = found
        .events
        .iter()
        .map(|(place, event)| match is_opaque {
            true => told_opaque(&place.provider, &place.calendar, event),
            false => told(&place.provider, &place.calendar, event),
        })
        .collect();
    let mut answer = json!({ "events": events, "pageSize": asked.page_size });
    if let Some(last) = last.filter(|_| found.more) {
        answer["nextPageToken"] = token(asked, last).into();
    }
    Ok(Json(answer))
}

fn token(asked: Asked, EventPlace { at, provider, calendar, id }: EventPlace) -> String {
    let token = Token {
        start: asked.start.0,
        end: asked.end.0,
        single_events: asked.single_events,
        calendar_ids: asked.calendar_ids,
        after: (at, provider, calendar, id),
    };
    STANDARD.encode(serde_json::to_vec(&token).expect("a token has only plain fields"))
}

fn read(query: &str, now: Timestamp) -> Result<Asked, Refusal> {
    let given: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    let get = |name: &str| given.get(name).map(|value| value.trim()).filter(|v| !v.is_empty());
    let page_size = match get("pageSize").map(str::parse::<usize>) {
        None => PAGE_DEFAULT,
        Some(Ok(size @ 1..)) => size.min(limits::CONNECT_EVENTS_MAX),
        Some(_) => return Err(Refusal::field("pageSize", "invalid", "must be a number above 0")),
    };
    if let Some(text) = get("nextPageToken") {
        return continued(text, page_size);
    }
    let time = |name: &str| match get(name) {
        None => Ok(None),
        Some(text) => moment::parse(text).map(Some).ok_or_else(|| {
            Refusal::field(name, "invalid", "must be a time in ISO 8601, as 2025-10-01T00:00:00Z")
        }),
    };
    let (start, end) = (time("start")?, time("end")?);
    let start = start.unwrap_or_else(|| month_of(now).0);
    // The current month's end is no end of what begins after it.
    let end = end.unwrap_or_else(|| month_of(if start > now { start } else { now }).1);
    if end < start {
        return Err(Refusal::field("end", "invalid", "must not be before start"));
    }
    let single_events = match get("singleEvents") {
        None | Some("true" | "1") => true,
        Some("false" | "0") => false,
        Some(_) => return Err(Refusal::field("singleEvents", "invalid", "must be true or false")),
    };
    let calendar_ids = match get("calendarIds").map(serde_json::from_str::<Value>) {
        None => None,
        Some(Ok(value)) => Some(value),
        Some(Err(_)) => return Err(no_choice()),
    };
    Ok(Asked {
        page_size,
        start,
        // An end is the last instant, not the first behind it.
        end: end.plus_ms(1),
        single_events,
        calendars: choice(calendar_ids.as_ref())?,
        calendar_ids,
        after: None,
    })
}

/// What the first request of a list asked for, and where the page before this one ended.
fn continued(text: &str, page_size: usize) -> Result<Asked, Refusal> {
    let refused = || Refusal::field("nextPageToken", "invalid", "is not one of ours");
    if text.len() > limits::CONNECT_PAGE_TOKEN_BYTES_MAX {
        return Err(refused());
    }
    // A `+` arrives as a space, and some clients write base64 as URLs have it.
    let text = text.trim_end_matches('=').replace(' ', "+").replace('+', "-").replace('/', "_");
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    let token: Token = serde_json::from_slice(&json).map_err(|_| refused())?;
    let is_time = |ms: i64| ms.unsigned_abs() <= LATEST_MS;
    if !is_time(token.start) || !is_time(token.end) || token.end <= token.start {
        return Err(refused());
    }
    let (at, provider, calendar, id) = token.after;
    Ok(Asked {
        page_size,
        start: Timestamp(token.start),
        end: Timestamp(token.end),
        single_events: token.single_events,
        calendars: choice(token.calendar_ids.as_ref()).map_err(|_| refused())?,
        calendar_ids: token.calendar_ids,
        after: Some(EventPlace { at, provider, calendar, id }),
    })
}

/// `{"google": ["…"]}`, or the older form `["…"]`. Ids that nobody has are passed over.
fn choice(value: Option<&Value>) -> Result<CalendarChoice, Refusal> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(CalendarChoice::All);
    };
    let ids = |value: &Value| Vec::<String>::deserialize(value).map_err(|_| no_choice());
    match value {
        Value::Array(_) => Ok(CalendarChoice::Ids(ids(value)?)),
        Value::Object(providers) => {
            let each = providers.iter().map(|(name, value)| Ok((name.clone(), ids(value)?)));
            Ok(CalendarChoice::ByProvider(each.collect::<Result<_, Refusal>>()?))
        }
        _ => Err(no_choice()),
    }
}

fn no_choice() -> Refusal {
    let why = "must be JSON such as {\"google\":[\"work@company.com\"]}";
    Refusal::field("calendarIds", "invalid", why)
}

/// The first and the last instant of the month of a moment, UTC.
fn month_of(at: Timestamp) -> (Timestamp, Timestamp) {
    let text = at.to_string();
    let first = |year: &str, month: u32| moment::parse(&format!("{year}-{month:02}-01"));
    let (year, month) = (&text[..4], text[5..7].parse().unwrap_or(1));
    let next = match (month, year.parse::<u32>()) {
        (12, Ok(year)) => first(&format!("{:04}", year + 1), 1),
        _ => first(year, month + 1),
    };
    let start = first(year, month).unwrap_or(at);
    (start, next.map_or(at, |next| next.plus_ms(-1)))
}

#[cfg(test)]
mod tests;
