//! `/calendars/{id}/events`: events, read and written.

use axum::Json as Out;
use axum::extract::State;
use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tidings_core::clock::Timestamp;
use tidings_core::id::CollectionId;
use tidings_service::{CalendarEvent, EventQuery, Notify, PageInput, SeriesScope, Writing};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer, page};
use crate::body::Json;
use crate::caller::{By, single};
use crate::path::{PathId, PathIds};
use crate::query::Query;

mod input;

use input::EventInput;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_events, create_event)).routes(routes!(
        get_event,
        update_event,
        delete_event
    ))
}

/// An event: a single one, a series, an exception of a series, or an occurrence of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "2k8tq7m0a1", "calendar": "col_01k4qzv6s8t2m9r3n5b0", "series": null,
    "recurrence_id": null, "etag": "\"5d41402abc4b2a76b9719d911017c592\"",
    "event": {"uid": "2k8tq7m0a1@google.com", "title": "Tea", "start": "2026-12-02T15:00:00.000Z",
        "end": "2026-12-02T16:00:00.000Z", "allDay": false, "availability": "busy",
        "privacy": "public", "original": {"id": "2k8tq7m0a1"}}}))]
pub(crate) struct EventAnswer {
    /// Its id at its provider; changes carry it as their `item`.
    id: String,
    /// Its calendar.
    #[schema(value_type = String)]
    calendar: CollectionId,
    /// On an exception or an occurrence: the id of its series.
    series: Option<String>,
    /// On an exception or an occurrence: which one of the series it is.
    recurrence_id: Option<String>,
    /// Its version, for `if-match`; also in the header `etag`. An occurrence has that of its series.
    etag: String,
    /// Its content, as in the changes `event.*`.
    #[schema(value_type = serde_json::Value)]
    event: Option<Box<RawValue>>,
}

impl From<CalendarEvent> for EventAnswer {
    fn from(event: CalendarEvent) -> Self {
        Self {
            id: event.id,
            calendar: event.calendar,
            series: event.series,
            recurrence_id: event.recurrence_id,
            etag: event.etag,
            event: serde_json::from_slice(&event.event).ok(),
        }
    }
}

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Only those that end after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that begin before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `true`: the occurrences of a series in its place. Needs `from` and `to`, at most 366 days apart.
    expand: bool,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// Whom the provider tells.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct CreateQuery {
    /// Which attendees the provider tells; `none` when absent.
    #[param(inline)]
    notify: NotifyName,
}

/// How to write.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct WriteQuery {
    /// How much of a series is meant; `this` when absent. A single event is always meant whole.
    #[param(inline)]
    scope: ScopeName,
    /// Which attendees the provider tells; `none` when absent.
    #[param(inline)]
    notify: NotifyName,
}

/// Which attendees the provider tells.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum NotifyName {
    /// Everyone.
    All,
    /// Those who do not use the same provider.
    External,
    /// No one.
    #[default]
    None,
}

/// How much of a series is meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ScopeName {
    /// The occurrence alone; of a series' own id, the series.
    #[default]
    This,
    /// The occurrence and all after it.
    Following,
    /// The whole series.
    All,
}

impl From<NotifyName> for Notify {
    fn from(name: NotifyName) -> Self {
        match name {
            NotifyName::All => Self::All,
            NotifyName::External => Self::External,
            NotifyName::None => Self::None,
        }
    }
}

impl From<ScopeName> for SeriesScope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::This => Self::This,
            ScopeName::Following => Self::Following,
            ScopeName::All => Self::All,
        }
    }
}

impl WriteQuery {
    fn with(self, headers: &HeaderMap) -> Answer<Writing> {
        let if_match = single(headers, &IF_MATCH)?.map(str::to_owned);
        Ok(Writing { if_match, scope: self.scope.into(), notify: self.notify.into() })
    }
}

/// Events of a calendar as last seen at its provider, by their ids: sort them by `start` yourself. What
/// overlaps the range in part belongs to it. Needs the scope `read` or `calendars`.
#[utoipa::path(get, path = "/calendars/{calendar_id}/events", tag = "calendars",
    params(("calendar_id" = String, Path), EventsQuery),
    responses((status = 200, description = "a page", body = PageAnswer<EventAnswer>)))]
async fn list_events(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<CollectionId>,
    Query(query): Query<EventsQuery>,
) -> Answer<Out<PageAnswer<EventAnswer>>> {
    let EventsQuery { from, to, expand, cursor, limit } = query;
    let (wanted, of) = (EventQuery { from, to, expand }, PageInput { cursor, limit });
    Ok(page(api.service.events(&caller, id, wanted, &of).await?))
}

/// Makes an event at the calendar's provider and answers what the provider made of it. The same request
/// with the same `idempotency-key` within 24 h makes no second one. Needs the scope `calendars`.
#[utoipa::path(post, path = "/calendars/{calendar_id}/events", tag = "calendars",
    request_body = EventInput,
    params(("calendar_id" = String, Path), CreateQuery,
        ("idempotency-key" = Option<String>, Header, description = "the same key within 24 h makes one event")),
    responses((status = 201, description = "made; the header `etag` has its version",
        body = EventAnswer)))]
async fn create_event(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<CollectionId>,
    Query(query): Query<CreateQuery>,
    headers: HeaderMap,
    Json(input): Json<Value>,
) -> Answer<(HeaderMap, Made<EventAnswer>)> {
    let once = single(&headers, &IDEMPOTENCY_KEY)?;
    let made = api.service.create_event(&caller, id, &input, query.notify.into(), once).await?;
    let mut told = version(&made.event);
    if made.replayed {
        told.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    let location = format!("/api/v1/calendars/{id}/events/{}", escaped(&made.event.id));
    Ok((told, Made::created(location, made.event.into())))
}

/// One event, as last seen at its provider. Percent-encode its id in the path. Needs the scope `read` or
/// `calendars`.
#[utoipa::path(get, path = "/calendars/{calendar_id}/events/{event_id}", tag = "calendars",
    params(("calendar_id" = String, Path), ("event_id" = String, Path)),
    responses((status = 200, description = "the event; the header `etag` has its version",
        body = EventAnswer)))]
async fn get_event(
    State(api): State<Api>,
    By(caller): By,
    PathIds(calendar, id): PathIds<CollectionId, String>,
) -> Answer<(HeaderMap, Out<EventAnswer>)> {
    let event = api.service.event(&caller, calendar, &id).await?;
    Ok((version(&event), Out(event.into())))
}

/// Changes an event at its provider; what is absent stays, `null` empties. With `if-match`, an event that
/// has another version by now is not changed: 412, with its current version as far as known. Needs the
/// scope `calendars`.
#[utoipa::path(patch, path = "/calendars/{calendar_id}/events/{event_id}", tag = "calendars",
    request_body(content = EventInput, example = json!({"title": "Tea and cake", "location": null})),
    params(("calendar_id" = String, Path), ("event_id" = String, Path), WriteQuery,
        ("if-match" = Option<String>, Header, description = "the version that is to be changed")),
    responses((status = 200, description = "the event; the header `etag` has its new version",
        body = EventAnswer)))]
async fn update_event(
    State(api): State<Api>,
    By(caller): By,
    PathIds(calendar, id): PathIds<CollectionId, String>,
    Query(query): Query<WriteQuery>,
    headers: HeaderMap,
    Json(changes): Json<Value>,
) -> Answer<(HeaderMap, Out<EventAnswer>)> {
    let writing = query.with(&headers)?;
    let event = api.service.update_event(&caller, calendar, &id, &changes, writing).await?;
    Ok((version(&event), Out(event.into())))
}

/// Deletes an event at its provider. With `if-match`, an event that has another version by now stays: 412.
/// Needs the scope `calendars`.
#[utoipa::path(delete, path = "/calendars/{calendar_id}/events/{event_id}", tag = "calendars",
    params(("calendar_id" = String, Path), ("event_id" = String, Path), WriteQuery,
        ("if-match" = Option<String>, Header, description = "the version that is to be deleted")),
    responses((status = 204, description = "deleted")))]
async fn delete_event(
    State(api): State<Api>,
    By(caller): By,
    PathIds(calendar, id): PathIds<CollectionId, String>,
    Query(query): Query<WriteQuery>,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    let writing = query.with(&headers)?;
    api.service.delete_event(&caller, calendar, &id, writing).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The header `etag`.
fn version(event: &CalendarEvent) -> HeaderMap {
    let etag = HeaderValue::from_str(&event.etag).ok();
    etag.into_iter().map(|etag| (ETAG, etag)).collect()
}

/// An id as one segment of a path (RFC 3986 §3.3).
fn escaped(id: &str) -> String {
    use std::fmt::Write as _;
    id.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes everything");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_segment() {
        for (id, expected) in [
            ("2k8tq7m0a1", "2k8tq7m0a1"),
            ("/ada/work/a.ics#20261203T080000Z", "%2Fada%2Fwork%2Fa.ics%2320261203T080000Z"),
            ("é %?", "%C3%A9%20%25%3F"),
        ] {
            assert_eq!(escaped(id), expected);
        }
    }
}
