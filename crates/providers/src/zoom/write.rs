//! Creating, changing and deleting meetings.
//!
//! Zoom has neither entity tags nor idempotent creates: compare versions before writing, and remember
//! here what was created. It has no events without a time, no places and no markers of busy or free:
//! a draft that asks for what Zoom cannot say is refused, never half done.

use http::Method;
use serde::Serialize;
use tidings_core::clock::Timestamp;
use tidings_core::limits::ZOOM_MEETING_MAX_MIN;

use super::Key;
use super::error::{CODE_NO_MEETING, check, code};
use super::recurrence::{Recurrence, from_rrule};
use crate::draft::{
    Availability, ConferenceDraft, EventDraft, Field, Invitee, Notify, Privacy, Scope, Status, When,
};
use crate::error::ProviderError;
use crate::event::{Event, Original};
use crate::http::{Request, Response, below};
use crate::settings::ZoomSettings;

/// What is sent: absent members stay as they are.
#[derive(Default, Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agenda: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurrence: Option<Recurrence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
}

#[derive(Default, Serialize)]
struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_invitees: Option<Vec<Invited>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_meeting: Option<bool>,
}

#[derive(Serialize)]
struct Invited {
    email: String,
}

const SCHEDULED: u8 = 2;
const SERIES: u8 = 8;
const MINUTE_MS: i64 = 60_000;
/// How far Zoom's clock and a slow answer may be apart from when we asked, ms.
const CREATED_LATELY_MS: u64 = 300_000;

/// Creates a meeting. The answer is not the whole of it: read it by [`parse_created`]'s id.
///
/// # Errors
/// [`ProviderError::Invalid`] when Zoom cannot say what the draft says.
pub fn create_request(
    settings: &ZoomSettings,
    draft: &EventDraft,
) -> Result<Request, ProviderError> {
    let mut body = body(draft, None)?;
    body.kind = Some(if body.recurrence.is_some() { SERIES } else { SCHEDULED });
    let url = below(&settings.api, &["users", "me", "meetings"]);
    Ok(Request::json(Method::POST, url, &body))
}

/// The number of the meeting that was created.
///
/// # Errors
/// What Zoom answered instead.
pub fn parse_created(response: &Response) -> Result<String, ProviderError> {
    #[derive(serde::Deserialize)]
    struct Created {
        id: u64,
    }
    check("creating a meeting", response)?;
    let created: Option<Created> = response.read();
    created.map(|created| created.id.to_string()).ok_or_else(|| {
        ProviderError::permanent("creating a meeting: Zoom's answer does not say which it is")
    })
}

/// Whether an event is what [`create_request`] for this draft made at about `asked_at`, by all that Zoom
/// tells. For when the answer was lost: Zoom takes no key that would say it.
pub fn is_made_by(draft: &EventDraft, asked_at: Timestamp, event: &Event) -> bool {
    let Original::Object(object) = &event.original else { return false };
    let created_at = object.get("created_at").and_then(|at| Timestamp::parse(at.as_str()?));
    let lately = created_at.is_some_and(|at| at.0.abs_diff(asked_at.0) <= CREATED_LATELY_MS);
    let is = |said: &Field<When>, told: &Option<String>| said.set().map(When::told) == *told;
    lately
        && draft.title.set().is_none_or(|title| *title == event.title)
        && draft.recurrence.set().is_some() == event.recurrence.is_some()
        && is(&draft.start, &event.start)
        && is(&draft.end, &event.end)
}

/// Changes the meeting or occurrence `key`, which is `current` now.
///
/// # Errors
/// [`ProviderError::Invalid`] when Zoom cannot say what the draft says, or not of that scope.
pub fn update_request(
    settings: &ZoomSettings,
    key: &str,
    scope: Scope,
    draft: &EventDraft,
    current: &Event,
) -> Result<Request, ProviderError> {
    let occurrence = occurrence(key, scope, current)?;
    if occurrence.is_some() {
        let whole = [
            (!draft.title.is_keep(), "title"),
            (!draft.attendees.is_keep(), "attendees"),
            (!draft.privacy.is_keep(), "privacy"),
            (!draft.recurrence.is_keep(), "recurrence"),
        ];
        if let Some((_, member)) = whole.iter().find(|(given, _)| *given) {
            return Err(invalid(format!(
                "Zoom has one {member} for a whole series: use scope=all"
            )));
        }
    }
    let mut body = body(draft, Some(current))?;
    body.kind = match &draft.recurrence {
        Field::Keep => None,
        Field::Clear => Some(SCHEDULED),
        Field::Set(_) => Some(SERIES),
    };
    Ok(Request::json(Method::PATCH, place(settings, key, occurrence), &body))
}

/// Whether it was changed. The answer is empty: read the meeting anew.
///
/// # Errors
/// What Zoom answered instead.
pub fn parse_updated(response: &Response) -> Result<(), ProviderError> {
    check("changing a meeting", response)
}

/// Deletes the meeting or occurrence `key`, which is `current` now.
///
/// # Errors
/// [`ProviderError::Invalid`] when Zoom has no such scope.
pub fn delete_request(
    settings: &ZoomSettings,
    key: &str,
    scope: Scope,
    notify: Notify,
    current: &Event,
) -> Result<Request, ProviderError> {
    let occurrence = occurrence(key, scope, current)?;
    let mut url = place(settings, key, occurrence);
    let tell = if notify == Notify::None { "false" } else { "true" };
    url.query_pairs_mut()
        .append_pair("schedule_for_reminder", tell)
        .append_pair("cancel_meeting_reminder", tell);
    Ok(Request::bare(Method::DELETE, url))
}

/// Whether it is deleted; one that is not there (404, 3001) is.
///
/// # Errors
/// What Zoom answered instead.
pub fn parse_deleted(response: &Response) -> Result<(), ProviderError> {
    match check("deleting a meeting", response) {
        Err(ProviderError::Gone { .. }) if code(response) == Some(CODE_NO_MEETING) => Ok(()),
        other => other,
    }
}

fn place(settings: &ZoomSettings, key: &str, occurrence: Option<i64>) -> url::Url {
    let mut url = below(&settings.api, &["meetings", Key::of(key).meeting]);
    if let Some(id) = occurrence {
        url.query_pairs_mut().append_pair("occurrence_id", &id.to_string());
    }
    url
}

/// The occurrence that a write is about; `None` for the whole meeting.
fn occurrence(key: &str, scope: Scope, current: &Event) -> Result<Option<i64>, ProviderError> {
    let key = Key::of(key);
    match (scope, key.occurrence) {
        (Scope::All, _) => Ok(None),
        (_, None) if current.recurrence.is_none() => Ok(None),
        (Scope::Following, _) => {
            Err(invalid("Zoom cannot split a series: use scope=this or scope=all"))
        }
        (Scope::This, None) => {
            Err(invalid("this is a whole series: name an occurrence, or use scope=all"))
        }
        (Scope::This, Some(_)) => {
            key.occurrence_id().map(Some).ok_or_else(|| invalid("this is no occurrence's id"))
        }
    }
}

fn body(draft: &EventDraft, current: Option<&Event>) -> Result<Body, ProviderError> {
    refuse_unsayable(draft)?;
    let mut body = Body {
        topic: text(&draft.title),
        agenda: text(&draft.description),
        recurrence: draft
            .recurrence
            .set()
            .map(|rule| from_rrule(rule))
            .transpose()
            .map_err(invalid)?,
        ..Body::default()
    };
    if let Some(When::At { local, zone }) = draft.start.set() {
        let utc = if zone == "UTC" { "Z" } else { "" };
        body.start_time = Some(format!("{}{utc}", local.strftime("%Y-%m-%dT%H:%M:%S")));
        body.timezone = Some(zone.clone());
    }
    if !(draft.start.is_keep() && draft.end.is_keep()) {
        body.duration = Some(minutes(draft, current)?);
    }
    let invitees = match &draft.attendees {
        Field::Keep => None,
        Field::Clear => Some(Vec::new()),
        Field::Set(invitees) => Some(invitees.iter().map(invited).collect()),
    };
    let private = draft.privacy.set().map(|privacy| *privacy != Privacy::Public);
    if invitees.is_some() || private.is_some() {
        body.settings = Some(Settings { meeting_invitees: invitees, private_meeting: private });
    }
    Ok(body)
}

/// What Zoom has no word for. Asking for what is so at Zoom anyway is no trouble.
fn refuse_unsayable(draft: &EventDraft) -> Result<(), ProviderError> {
    let dates = [draft.start.set(), draft.end.set()];
    let properties = draft.properties.set().is_some_and(|properties| !properties.is_empty());
    let status = draft.status.set().is_some_and(|status| *status != Status::Confirmed);
    let url = matches!(draft.conference.set(), Some(ConferenceDraft::Url(_)));
    let refused = [
        (dates.into_iter().flatten().any(When::is_date), "meetings all day"),
        (draft.location.set().is_some_and(|place| !place.is_empty()), "locations"),
        (draft.availability.set() == Some(&Availability::Free), "meetings that leave one free"),
        (status, "tentative or cancelled meetings: delete it instead"),
        (url, "meetings elsewhere: a Zoom meeting is its own conference"),
        (draft.conference == Field::Clear, "meetings without a conference"),
        (properties, "custom properties"),
    ];
    match refused.iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(invalid(format!("Zoom has no {what}"))),
        None => Ok(()),
    }
}

/// From start to end in minutes, the one that is not given as it is now.
fn minutes(draft: &EventDraft, current: Option<&Event>) -> Result<i64, ProviderError> {
    let now = |time: fn(&Event) -> &Option<String>| {
        current.and_then(|event| Timestamp::parse(time(event).as_deref()?))
    };
    let start = draft.start.set().map(When::moment).or_else(|| now(|event| &event.start));
    let end = draft.end.set().map(When::moment).or_else(|| now(|event| &event.end));
    let (Some(start), Some(end)) = (start, end) else {
        return Err(invalid("a meeting needs start and end"));
    };
    let length = end.0.saturating_sub(start.0);
    if length % MINUTE_MS != 0 || !(1..=ZOOM_MEETING_MAX_MIN).contains(&(length / MINUTE_MS)) {
        return Err(invalid("a Zoom meeting lasts whole minutes, at least one and at most a day"));
    }
    Ok(length / MINUTE_MS)
}

fn text(field: &Field<String>) -> Option<String> {
    match field {
        Field::Keep => None,
        Field::Clear => Some(String::new()),
        Field::Set(text) => Some(text.clone()),
    }
}

fn invited(invitee: &Invitee) -> Invited {
    Invited { email: invitee.email.clone() }
}

fn invalid(why: impl Into<String>) -> ProviderError {
    ProviderError::Invalid { why: why.into() }
}

#[cfg(test)]
mod tests;
