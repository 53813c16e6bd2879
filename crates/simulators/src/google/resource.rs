//! What a client may say of an event, and what Google makes of it.

use serde_json::{Map, Value, json};

use super::refusal::{Outcome, Refusal};
use super::series;
use super::when::When;
use super::world::Resource;

/// Members that a client cannot set; what it sends is ignored.
const READ_ONLY: &[&str] = &[
    "kind",
    "etag",
    "created",
    "updated",
    "creator",
    "htmlLink",
    "hangoutLink",
    "recurringEventId",
    "originalStartTime",
    "organizer",
    "id",
    "iCalUID",
    "locked",
];

/// The writable part of a body.
pub(super) fn writable(body: &Value) -> Outcome<Map<String, Value>> {
    let body = body.as_object().ok_or_else(|| Refusal::new(400, "parseError", "Parse Error"))?;
    let mut body = body.clone();
    body.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
    Ok(body)
}

/// Merges a patch: objects member by member, arrays as a whole, `null` takes away (RFC 7396).
pub(super) fn merge(into: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (value, into.get_mut(name)) {
            (Value::Null, _) => {
                into.remove(name);
            }
            (Value::Object(patch), Some(Value::Object(old))) => merge(old, patch),
            (Value::Object(patch), _) => {
                let mut new = Map::new();
                merge(&mut new, patch);
                into.insert(name.clone(), Value::Object(new));
            }
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Checks an event and brings it into Google's form.
pub(super) fn settle(event: &mut Resource, zone: &str, conference: bool) -> Outcome<()> {
    settle_times(event, zone)?;
    for (name, words) in [
        ("status", &["confirmed", "tentative", "cancelled"][..]),
        ("transparency", &["opaque", "transparent"]),
        ("visibility", &["default", "public", "private", "confidential"]),
        ("eventType", &["default"]),
    ] {
        let bad = event
            .get(name)
            .filter(|value| !value.as_str().is_some_and(|text| words.contains(&text)));
        if let Some(bad) = bad {
            return Err(Refusal::invalid(format!("Invalid value for {name}: {bad}")));
        }
    }
    let attendees = event.get("attendees").and_then(Value::as_array);
    for attendee in attendees.into_iter().flatten() {
        if !attendee["email"].as_str().is_some_and(|email| email.contains('@')) {
            return Err(Refusal::invalid("Invalid attendee email."));
        }
    }
    if let Some(Value::Array(attendees)) = event.get_mut("attendees") {
        for attendee in attendees.iter_mut().filter_map(Value::as_object_mut) {
            attendee.entry("responseStatus").or_insert_with(|| "needsAction".into());
        }
        if attendees.is_empty() {
            event.remove("attendees");
        }
    }
    let properties = event.get("extendedProperties").and_then(Value::as_object);
    for (_, properties) in properties.into_iter().flatten() {
        let texts = properties.as_object().is_some_and(|all| all.values().all(Value::is_string));
        if !texts {
            return Err(Refusal::invalid("Invalid extended properties."));
        }
    }
    settle_conference(event, conference)?;
    event.retain(|_, value| !value.is_null());
    // What is the default is not said.
    for (name, default) in [("transparency", "opaque"), ("visibility", "default")] {
        if event.get(name).is_some_and(|value| value == default) {
            event.remove(name);
        }
    }
    event.entry("status").or_insert_with(|| "confirmed".into());
    event.entry("eventType").or_insert_with(|| "default".into());
    event.entry("reminders").or_insert_with(|| json!({ "useDefault": true }));
    Ok(())
}

fn settle_times(event: &mut Resource, zone: &str) -> Outcome<()> {
    let start = When::read(event.get("start"), "start", zone)?;
    let end = When::read(event.get("end"), "end", zone)?;
    if let Some(recurrence) = event.get("recurrence").filter(|value| !value.is_null()) {
        series::check(recurrence)?;
        let named = event["start"]["timeZone"].is_string();
        if matches!(start, When::At(_)) && !named {
            let message = "Missing time zone definition for start time.";
            return Err(Refusal::required(message));
        }
        if recurrence.as_array().is_some_and(Vec::is_empty) {
            event.remove("recurrence");
        }
    }
    if matches!(start, When::Day(_)) != matches!(end, When::Day(_)) {
        return Err(Refusal::invalid(
            "Start and end times must either both be date or both be dateTime.",
        ));
    }
    if end.instant(zone) <= start.instant(zone) {
        return Err(Refusal::new(400, "timeRangeEmpty", "The specified time range is empty."));
    }
    event.insert("start".into(), start.to_json());
    event.insert("end".into(), end.to_json());
    Ok(())
}

/// Conference data is dropped in silence unless the request speaks of version 1.
fn settle_conference(event: &mut Resource, understood: bool) -> Outcome<()> {
    let Some(data) = event.get("conferenceData").cloned() else {
        event.remove("hangoutLink");
        return Ok(());
    };
    let old = data.get("conferenceId").is_some();
    if !understood && !old {
        event.remove("conferenceData");
        return Ok(());
    }
    let Some(request) = data.get("createRequest").filter(|_| !old) else { return Ok(()) };
    let Some(request_id) = request["requestId"].as_str() else {
        return Err(Refusal::invalid("Invalid conference create request: no requestId."));
    };
    // The same request yields the same conference.
    let code: String = request_id.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
    let link = format!("https://meet.google.com/{code}");
    let solution = json!({ "key": { "type": "hangoutsMeet" }, "name": "Google Meet" });
    event.insert("hangoutLink".into(), link.clone().into());
    event.insert(
        "conferenceData".into(),
        json!({
            "conferenceId": code,
            "conferenceSolution": solution,
            "createRequest": {
                "requestId": request_id, "conferenceSolutionKey": { "type": "hangoutsMeet" },
                "status": { "statusCode": "success" },
            },
            "entryPoints": [{ "entryPointType": "video", "uri": link, "label": link }],
        }),
    );
    Ok(())
}
