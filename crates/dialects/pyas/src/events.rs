//! Events: read from the mirror, written at their provider, printed as it prints them.

use axum::body::Body;
use http::HeaderName;
use serde_json::{Value, json};
use tidings_service::{Calendar, CalendarEvent, Error, Notify, SeriesScope, Writing};

use crate::calendars::{ACCOUNT, need_account, with_calendars};
use crate::draft;
use crate::refusal::{Fault, Location, Refusal};
use crate::request::{Answer, Asked, Fields, checked, done, is_missing, single};
use crate::shape::{self, Shown};

pub(crate) mod list;

const CALENDAR: &str = "a calendar id is required.";
/// What the by-id call says of a missing calendar, both at once.
const CALENDAR_OF_ONE: [&str; 2] = ["calendar id is required", "calendar id must be a string"];

/// `GET /{google|microsoft}/events/{id}?accountId&calendarId`.
pub(crate) async fn get(asked: Asked) -> Answer {
    with_calendars(&asked)?;
    let mut faults = Vec::new();
    let account = need_account(&asked.query, &mut faults);
    let calendar = asked.query.need("calendarId", &CALENDAR_OF_ONE, &mut faults);
    checked(faults)?;
    let account = asked.account(&account).await?;
    let calendar = asked.calendar(&account, &calendar).await?;
    let event = find(&asked, &calendar, &asked.id).await?;
    Ok(done(json!({ "success": true, "event": shown(&asked, &calendar, &event).await?.object })))
}

/// `POST /{google|microsoft}/events` with `{accountId, calendarId, eventData}`.
pub(crate) async fn create(asked: Asked, body: Body) -> Answer {
    with_calendars(&asked)?;
    let fields = Fields::read(&asked.headers, body, &Default::default()).await?;
    let mut faults = Vec::new();
    let (account, calendar) = place(&fields, &mut faults);
    let data = draft::event_data(&fields, true, &mut faults);
    let notify = notify(&fields, &mut faults);
    checked(faults)?;
    let account = asked.account(&account).await?;
    let calendar = asked.calendar(&account, &calendar).await?;
    let once = single(&asked.headers, &HeaderName::from_static("idempotency-key"))?;
    let made = asked.service.create_event(&asked.caller, calendar.id, &data, notify, once).await?;
    let object = shown(&asked, &calendar, &made.event).await?.object;
    Ok(done(json!({ "success": true, "event": object })))
}

/// `PUT` or `PATCH /{google|microsoft}/events/{id}` with `{accountId, calendarId, eventData}`: what is
/// absent from `eventData` stays.
pub(crate) async fn update(asked: Asked, body: Body) -> Answer {
    with_calendars(&asked)?;
    let fields = Fields::read(&asked.headers, body, &asked.query).await?;
    let mut faults = Vec::new();
    let (account, calendar) = place(&fields, &mut faults);
    let data = draft::event_data(&fields, false, &mut faults);
    let notify = notify(&fields, &mut faults);
    checked(faults)?;
    let account = asked.account(&account).await?;
    let calendar = asked.calendar(&account, &calendar).await?;
    let event = find(&asked, &calendar, &asked.id).await?;
    let updated = asked
        .service
        .update_event(&asked.caller, calendar.id, &event.id, &data, writing(&event, notify))
        .await?;
    let object = shown(&asked, &calendar, &updated).await?.object;
    Ok(done(json!({ "success": true, "event": object })))
}

/// `DELETE /{google|microsoft}/events/{id}?accountId&calendarId`, which may stand in a body instead.
pub(crate) async fn delete(asked: Asked, body: Body) -> Answer {
    with_calendars(&asked)?;
    let fields = Fields::read(&asked.headers, body, &asked.query).await?;
    let mut faults = Vec::new();
    let (account, calendar) = place(&fields, &mut faults);
    let notify = notify(&fields, &mut faults);
    checked(faults)?;
    let account = asked.account(&account).await?;
    let calendar = asked.calendar(&account, &calendar).await?;
    let event = find(&asked, &calendar, &asked.id).await?;
    asked
        .service
        .delete_event(&asked.caller, calendar.id, &event.id, writing(&event, notify))
        .await?;
    Ok(done(json!({ "success": true })))
}

/// Account and calendar of a write.
fn place(fields: &Fields, faults: &mut Vec<Fault>) -> (String, String) {
    let account = fields.need("accountId", ACCOUNT, faults);
    (account, fields.need("calendarId", CALENDAR, faults))
}

/// Whom the provider tells, in Google's words.
pub(crate) fn notify(fields: &Fields, faults: &mut Vec<Fault>) -> Notify {
    match fields.text("sendUpdates") {
        None | Some("none") => Notify::None,
        Some("all") => Notify::All,
        Some("externalOnly") => Notify::External,
        Some(_) => {
            let msg = "sendUpdates must be all, externalOnly or none";
            faults.push(Fault {
                value: fields.text("sendUpdates").map(Into::into),
                msg: msg.into(),
                param: "sendUpdates".into(),
                location: Location::Body,
            });
            Notify::None
        }
    }
}

/// A series' own id means all of it, that of an occurrence this one, as at the providers.
pub(crate) fn writing(event: &CalendarEvent, notify: Notify) -> Writing {
    let scope = if event.series.is_some() { SeriesScope::This } else { SeriesScope::All };
    Writing { if_match: None, scope, notify }
}

/// An event by its id at the provider, or by that of an occurrence as [`Shown`] prints it.
pub(crate) async fn find(
    asked: &Asked,
    calendar: &Calendar,
    id: &str,
) -> Result<CalendarEvent, Refusal> {
    let find = async |id: &str| asked.service.event(&asked.caller, calendar.id, id).await;
    match (find(id).await, shape::occurrence_id(asked.provider, id)) {
        (Err(error), Some(occurrence)) if is_missing(&error) => Ok(find(&occurrence).await?),
        (found, _) => Ok(found?),
    }
}

pub(crate) async fn shown(
    asked: &Asked,
    calendar: &Calendar,
    event: &CalendarEvent,
) -> Result<Shown, Error> {
    let series = match &event.series {
        Some(series) if shape::needs_series(event) => {
            asked.service.event(&asked.caller, calendar.id, series).await.ok()
        }
        _ => None,
    };
    Ok(Shown::of(asked.provider, event, series.as_ref()))
}

/// The values of a JSON object as texts, as a query would hold them.
pub(crate) fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
