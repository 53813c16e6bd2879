//! Drafts as JSON merge patches (RFC 7396), which is what `events.patch` takes.

use serde_json::{Map, Value, json};

use super::{MARK, object};
use crate::draft::{
    Availability, ConferenceDraft, EventDraft, Field, Invitee, Privacy, Status, When,
};
use crate::error::ProviderError;
use crate::event::Event;
use crate::google::object::rule;
use crate::occurrences::Split;

/// The patch that `draft` stands for. `once` names the request for a conference: repeated, it makes no
/// second one.
pub(super) fn patch(
    draft: &EventDraft,
    current: Option<&Event>,
    once: &str,
) -> Result<Value, ProviderError> {
    let current = current.and_then(object);
    let mut patch = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            patch.insert(name.into(), value);
        }
    };
    put("summary", text(&draft.title));
    put("description", text(&draft.description));
    put("location", text(&draft.location));
    put("start", draft.start.set().map(time));
    put("end", end(draft).as_ref().map(time));
    put("attendees", attendees(&draft.attendees, current));
    put(
        "transparency",
        word(&draft.availability, "opaque", |value| match value {
            Availability::Busy => "opaque",
            Availability::Free => "transparent",
        }),
    );
    // `public` would show an event to people to whom the calendar as such shows nothing.
    put(
        "visibility",
        word(&draft.privacy, "default", |value| match value {
            Privacy::Public => "default",
            Privacy::Private => "private",
            Privacy::Confidential => "confidential",
        }),
    );
    if draft.status == Field::Set(Status::Cancelled) {
        return Err(ProviderError::Invalid {
            why: "google deletes an event that is cancelled: delete it instead".into(),
        });
    }
    put("status", word(&draft.status, "confirmed", Status::as_str));
    put("recurrence", recurrence(&draft.recurrence, current));
    put("conferenceData", conference(&draft.conference, once));
    put("extendedProperties", properties(draft, current));
    Ok(patch.into())
}

/// `target` with a merge patch applied: `null` removes.
pub(super) fn merged(mut target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    if !target.is_object() {
        target = json!({});
    }
    if let Value::Object(target) = &mut target {
        for (name, value) in patch {
            if value.is_null() {
                target.remove(name);
            } else {
                let old = target.remove(name).unwrap_or_default();
                target.insert(name.clone(), merged(old, value));
            }
        }
    }
    target
}

/// What the second part of a series takes over from the whole. A meeting of Google's own must not be
/// that of two events (its access belongs to one), so there will be another one, named `once`.
pub(super) fn rest_of(master: &Event, occurrence: &Event, split: &Split, once: &str) -> Value {
    const KEPT: [&str; 11] = [
        "summary",
        "description",
        "location",
        "colorId",
        "attendees",
        "reminders",
        "transparency",
        "visibility",
        "guestsCanInviteOthers",
        "guestsCanModify",
        "guestsCanSeeOtherGuests",
    ];
    let mut rest = Map::new();
    let empty = Map::new();
    let object = object(master).unwrap_or(&empty);
    for name in KEPT {
        if let Some(value) = object.get(name) {
            rest.insert(name.into(), value.clone());
        }
    }
    if let Some(known) = object.get("conferenceData") {
        let is_meet = known["conferenceSolution"]["key"]["type"] == "hangoutsMeet";
        let new = if is_meet { meet(once) } else { known.clone() };
        rest.insert("conferenceData".into(), new);
    }
    rest.insert("extendedProperties".into(), json!({ "private": master.properties }));
    let at = |told: &Option<String>| match (told, master.all_day) {
        (Some(date), true) => json!({ "date": date }),
        (told, _) => {
            let zone = master.time_zone.as_deref().unwrap_or("UTC");
            json!({ "dateTime": told, "timeZone": zone })
        }
    };
    rest.insert("start".into(), at(&occurrence.start));
    rest.insert("end".into(), at(&occurrence.end));
    let mut lines = vec![format!("RRULE:{}", split.after)];
    lines.extend(split.dates_after.iter().cloned());
    rest.insert("recurrence".into(), lines.into());
    rest.into()
}

fn text(field: &Field<String>) -> Option<Value> {
    match field {
        Field::Keep => None,
        Field::Clear => Some(Value::Null),
        Field::Set(text) => Some(text.as_str().into()),
    }
}

fn word<T: Copy>(field: &Field<T>, cleared: &str, name: fn(T) -> &'static str) -> Option<Value> {
    match field {
        Field::Keep => None,
        Field::Clear => Some(cleared.into()),
        Field::Set(value) => Some(name(*value).into()),
    }
}

/// Names all three members, so that a day can become a time and back.
fn time(when: &When) -> Value {
    match when {
        When::Date(date) => json!({ "date": date.to_string(), "dateTime": null, "timeZone": null }),
        When::At { local, zone } => {
            let local = local.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            json!({ "date": null, "dateTime": local, "timeZone": zone })
        }
    }
}

/// Google takes no event without length (`timeRangeEmpty`): one becomes a minute long.
fn end(draft: &EventDraft) -> Option<When> {
    let end = draft.end.set()?;
    match (draft.start.set(), end) {
        (Some(start), When::At { local, zone }) if start.moment() == end.moment() => {
            let minute = jiff::Span::new().minutes(1);
            let local = local.checked_add(minute).unwrap_or(*local);
            Some(When::At { local, zone: zone.clone() })
        }
        _ => Some(end.clone()),
    }
}

/// The list is replaced whole: who stays keeps their answer.
fn attendees(field: &Field<Vec<Invitee>>, current: Option<&Map<String, Value>>) -> Option<Value> {
    let invitees = match field {
        Field::Keep => return None,
        Field::Clear => return Some(json!([])),
        Field::Set(invitees) => invitees,
    };
    let known = current.and_then(|event| event.get("attendees")).and_then(Value::as_array);
    let attendee = |invitee: &Invitee| {
        let same = |person: &&Value| {
            let email = person.get("email").and_then(Value::as_str).unwrap_or_default();
            email.eq_ignore_ascii_case(&invitee.email)
        };
        let known = known.into_iter().flatten().find(same);
        let mut person = known.cloned().unwrap_or_else(|| json!({ "email": invitee.email }));
        if let Some(name) = &invitee.name {
            person["displayName"] = name.as_str().into();
        }
        if invitee.optional || person.get("optional").is_some() {
            person["optional"] = invitee.optional.into();
        }
        person
    };
    Some(invitees.iter().map(attendee).collect())
}

/// The list is replaced whole: dates that were removed or added stay so.
fn recurrence(field: &Field<String>, current: Option<&Map<String, Value>>) -> Option<Value> {
    let new = match field {
        Field::Keep => return None,
        Field::Clear => return Some(Value::Null),
        Field::Set(new) => format!("RRULE:{new}"),
    };
    let known = current.and_then(|event| event.get("recurrence")).and_then(Value::as_array);
    let known = known.into_iter().flatten().filter_map(Value::as_str);
    let dates = known.filter(|line| rule(line).is_none()).map(Into::into);
    Some(std::iter::once(new).chain(dates).collect())
}

fn conference(field: &Field<ConferenceDraft>, once: &str) -> Option<Value> {
    Some(match field {
        Field::Keep => return None,
        Field::Clear => Value::Null,
        Field::Set(ConferenceDraft::Create) => meet(once),
        Field::Set(ConferenceDraft::Url(url)) => json!({
            "conferenceSolution": { "key": { "type": "addOn" }, "name": "Online meeting" },
            "entryPoints": [{ "entryPointType": "video", "uri": url }],
        }),
    })
}

/// Asks for a meeting at Google Meet; asked twice by the same name, there is one.
fn meet(once: &str) -> Value {
    let solution = json!({ "type": "hangoutsMeet" });
    json!({ "createRequest": { "requestId": once, "conferenceSolutionKey": solution } })
}

/// Members are merged: what is not there any more must be named.
fn properties(draft: &EventDraft, current: Option<&Map<String, Value>>) -> Option<Value> {
    let mut private = Map::new();
    if draft.properties.is_keep() {
        return None;
    }
    let known = current.and_then(|event| event.get("extendedProperties"));
    let known = known.and_then(|known| known.get("private")).and_then(Value::as_object);
    for name in known.into_iter().flat_map(Map::keys).filter(|name| *name != MARK) {
        private.insert(name.clone(), Value::Null);
    }
    for (name, value) in draft.properties.set().into_iter().flatten() {
        private.insert(name.clone(), value.as_str().into());
    }
    (!private.is_empty()).then(|| json!({ "private": private }))
}
