//! Zoom's meetings, as Zoom prints them.

use axum::body::Body;
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::{Calendar, CalendarEvent, EventQuery, PageInput};

use crate::calendars::{ACCOUNT, need_account};
use crate::draft;
use crate::events::list::moment;
use crate::events::{find, notify, writing};
use crate::refusal::{Fault, Refusal};
use crate::request::{Answer, Asked, Fields, Provider, Query, checked, done};

/// Meetings on a page unless `maxResults` says otherwise, and the most that it may say: those of Zoom.
const LIMIT: usize = 30;
const LARGEST: usize = 300;
/// How long a page token works, as at Zoom.
const TOKEN_MS: i64 = 15 * 60 * 1_000;

/// `GET /zoom/meetings?accountId&startDate&endDate&type&maxResults&nextPageToken&pageNumber`.
pub(crate) async fn list(asked: Asked) -> Answer {
    of_zoom(&asked)?;
    let query = &asked.query;
    let mut faults = Vec::new();
    let account = need_account(query, &mut faults);
    let limit = number(query, "maxResults", LARGEST, &mut faults).unwrap_or(LIMIT);
    let number = number(query, "pageNumber", 10_000, &mut faults);
    let range = range(query, &mut faults);
    let now = asked.service.now();
    let wanted = kind(query, &mut faults);
    let token = query.get("nextPageToken").map(|text| Token::parse(text, now));
    if token == Some(None) {
        faults.push(query.fault("nextPageToken", "the token is none of this list, or too old"));
    }
    checked(faults)?;
    let meetings = all(&asked, &account, range).await?;
    let mut fitting: Vec<(String, Value)> =
        meetings.into_iter().filter_map(|event| shown(&event, wanted, now)).collect();
    fitting.sort_by(|(one, _), (other, _)| one.cmp(other));
    let total = fitting.len();
    let skip = match (token.flatten(), number) {
        (Some(token), _) => token.skip,
        (None, number) => number.unwrap_or(1).saturating_sub(1).saturating_mul(limit),
    };
    let page: Vec<Value> =
        fitting.into_iter().skip(skip).take(limit).map(|(_, meeting)| meeting).collect();
    let reached = skip.saturating_add(page.len());
    let next = if reached < total && !page.is_empty() {
        Token { skip: reached, until: now.0 + TOKEN_MS }.to_string()
    } else {
        String::new()
    };
    Ok(done(json!({ "success": true, "data": {
        "page_size": limit, "total_records": total, "next_page_token": next, "meetings": page,
    }})))
}

/// `GET /zoom/meetings/{id}?accountId`.
pub(crate) async fn get(asked: Asked) -> Answer {
    of_zoom(&asked)?;
    let mut faults = Vec::new();
    let account = need_account(&asked.query, &mut faults);
    checked(faults)?;
    let calendar = calendar(&asked, &account).await?;
    let event = find(&asked, &calendar, &asked.id).await?;
    Ok(done(json!({ "success": true, "meeting": object(&event) })))
}

/// `POST /zoom/meetings` with `{accountId, meetingData}`.
pub(crate) async fn create(asked: Asked, body: Body) -> Answer {
    of_zoom(&asked)?;
    let fields = Fields::read(&asked.headers, body, &Query::default()).await?;
    let mut faults = Vec::new();
    let account = fields.need("accountId", ACCOUNT, &mut faults);
    let data = draft::meeting_data(&fields, true, &mut faults);
    let notify = notify(&fields, &mut faults);
    checked(faults)?;
    let calendar = calendar(&asked, &account).await?;
    let made = asked.service.create_event(&asked.caller, calendar.id, &data, notify, None).await?;
    Ok(done(json!({ "success": true, "meeting": object(&made.event) })))
}

/// `PUT` or `PATCH /zoom/meetings/{id}` with `{accountId, meetingData}`.
pub(crate) async fn update(asked: Asked, body: Body) -> Answer {
    of_zoom(&asked)?;
    let fields = Fields::read(&asked.headers, body, &asked.query).await?;
    let mut faults = Vec::new();
    let account = fields.need("accountId", ACCOUNT, &mut faults);
    let data = draft::meeting_data(&fields, false, &mut faults);
    let notify = notify(&fields, &mut faults);
    checked(faults)?;
    let calendar = calendar(&asked, &account).await?;
    let event = find(&asked, &calendar, &asked.id).await?;
    let how = writing(&event, notify);
    let updated =
        asked.service.update_event(&asked.caller, calendar.id, &event.id, &data, how).await?;
    Ok(done(json!({ "success": true, "meeting": object(&updated) })))
}

/// `DELETE /zoom/meetings/{id}?accountId`, which may stand in a body instead.
pub(crate) async fn delete(asked: Asked, body: Body) -> Answer {
    of_zoom(&asked)?;
    let fields = Fields::read(&asked.headers, body, &asked.query).await?;
    let mut faults = Vec::new();
    let account = fields.need("accountId", ACCOUNT, &mut faults);
    let notify = notify(&fields, &mut faults);
    checked(faults)?;
    let calendar = calendar(&asked, &account).await?;
    let event = find(&asked, &calendar, &asked.id).await?;
    let how = writing(&event, notify);
    asked.service.delete_event(&asked.caller, calendar.id, &event.id, how).await?;
    Ok(done(json!({ "success": true })))
}

fn of_zoom(asked: &Asked) -> Result<(), Refusal> {
    if asked.provider == Provider::Zoom { Ok(()) } else { Err(Refusal::not_found()) }
}

/// The one calendar of an account at Zoom. Not found until its first sync has begun.
async fn calendar(asked: &Asked, account: &str) -> Result<Calendar, Refusal> {
    let account = asked.account(account).await?;
    let calendars = asked.service.calendars(&asked.caller, account.id).await?;
    calendars.into_iter().next().ok_or_else(Refusal::not_found)
}

/// Every meeting of a range. A host has few: Zoom itself keeps half a year of them.
async fn all(
    asked: &Asked,
    account: &str,
    query: EventQuery,
) -> Result<Vec<CalendarEvent>, Refusal> {
    let calendar = calendar(asked, account).await?;
    let mut input = PageInput { cursor: None, limit: Some(limits::PAGE_MAX) };
    let mut meetings = Vec::new();
    loop {
        let page = asked.service.events(&asked.caller, calendar.id, query, &input).await?;
        // What differs in an occurrence is a part of its series.
        meetings.extend(page.items.into_iter().filter(|event| event.series.is_none()));
        input.cursor = page.next;
        if input.cursor.is_none() {
            return Ok(meetings);
        }
    }
}

/// Which meetings are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Every,
    Upcoming,
    Previous,
}

fn kind(query: &Query, faults: &mut Vec<Fault>) -> Kind {
    match query.get("type") {
        None | Some("scheduled") => Kind::Every,
        Some("upcoming" | "upcoming_meetings") => Kind::Upcoming,
        Some("previous_meetings") => Kind::Previous,
        Some("live") => {
            let msg = "live is not supported here: who is in a meeting is not mirrored";
            faults.push(query.fault("type", msg));
            Kind::Every
        }
        Some(_) => {
            let msg = "type must be scheduled, upcoming, upcoming_meetings or previous_meetings";
            faults.push(query.fault("type", msg));
            Kind::Every
        }
    }
}

/// A meeting by its start. A series counts by its rule: it is not over before its last occurrence.
fn shown(event: &CalendarEvent, wanted: Kind, now: Timestamp) -> Option<(String, Value)> {
    let body: Value = serde_json::from_slice(&event.event).unwrap_or_default();
    let start = body["start"].as_str().unwrap_or_default().to_owned();
    let end = body["end"].as_str().and_then(Timestamp::parse);
    let is_series = !body["recurrence"].is_null();
    let is_over = !is_series && end.is_some_and(|end| end <= now);
    let fits = match wanted {
        Kind::Every => true,
        Kind::Upcoming => !is_over,
        Kind::Previous => is_over,
    };
    fits.then(|| (start, object(event)))
}

fn object(event: &CalendarEvent) -> Value {
    let mut body: Value = serde_json::from_slice(&event.event).unwrap_or_default();
    body["original"].take()
}

fn range(query: &Query, faults: &mut Vec<Fault>) -> EventQuery {
    let mut date = |name: &str| {
        let text = query.get(name)?;
        let at = moment(text);
        if at.is_none() {
            faults.push(query.fault(name, format!("{name} must be a date or a timestamp")));
        }
        at
    };
    let (from, to) = (date("startDate"), date("endDate"));
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        faults.push(query.fault("endDate", "endDate must be after startDate"));
    }
    EventQuery { from, to, expand: false }
}

fn number(query: &Query, name: &str, max: usize, faults: &mut Vec<Fault>) -> Option<usize> {
    let text = query.get(name)?;
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    if number.is_none() {
        faults.push(query.fault(name, format!("{name} must be an integer from 1 to {max}")));
    }
    number
}

/// Where the next page begins, and until when that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    skip: usize,
    until: i64,
}

impl Token {
    fn parse(text: &str, now: Timestamp) -> Option<Self> {
        let (skip, until) = text.split_once('-')?;
        let token = Self { skip: skip.parse().ok()?, until: until.parse().ok()? };
        (token.until > now.0).then_some(token)
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.skip, self.until)
    }
}
