//! An event as Graph prints it, and what it takes from a client.

use jiff::civil::{Date, Time};
use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;

use super::mailbox::{Fields, Item, Mailbox, Role, extent, on};
use super::preferences::Preferences;
use super::{id, recurrence};

/// What a client may set.
const SETTABLE: [&str; 24] = [
    "subject",
    "body",
    "start",
    "end",
    "location",
    "locations",
    "attendees",
    "isAllDay",
    "showAs",
    "sensitivity",
    "importance",
    "categories",
    "recurrence",
    "isOnlineMeeting",
    "onlineMeetingProvider",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "responseRequested",
    "hideAttendees",
    "allowNewTimeProposals",
    "transactionId",
    "singleValueExtendedProperties",
    "originalStartTimeZone",
    "originalEndTimeZone",
];

/// How Exchange writes that nobody has answered yet.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The fields of an event that a client may set, or what is wrong with them.
pub(super) fn accept(sent: Option<Value>) -> Result<Fields, String> {
    let Some(Value::Object(mut sent)) = sent else {
        return Err("Unable to read JSON request payload.".into());
    };
    sent.retain(|name, _| !name.starts_with('@'));
    if let Some(name) = sent.keys().find(|name| !SETTABLE.contains(&name.as_str())) {
        return Err(format!("The property '{name}' cannot be set on 'microsoft.graph.event'."));
    }
    for name in ["start", "end"] {
        if sent.get(name).is_some_and(|time| recurrence::moment(time).is_none()) {
            return Err(format!("'{name}' is no date and time in a time zone that is known."));
        }
    }
    if let Some(recurrence) = sent.get("recurrence").filter(|value| !value.is_null()) {
        recurrence::check(recurrence)?;
    }
    let fits = |id: &Value| id.as_str().is_some_and(|id| (1..=64).contains(&id.len()));
    if sent.get("transactionId").is_some_and(|id| !fits(id)) {
        return Err("transactionId".into());
    }
    Ok(sent)
}

/// Whether the whole event can be: it has times, in their order, and an all-day event whole days.
pub(super) fn check(fields: &Fields) -> Result<(), String> {
    let Some((start, end)) = extent(fields) else {
        return Err("At least one property failed validation: start, end.".into());
    };
    if end < start {
        return Err("The end of the event is before its start.".into());
    }
    if fields.get("isAllDay") == Some(&Value::Bool(true)) {
        let midnight = |name: &str| {
            recurrence::local(&fields[name]).is_some_and(|at| at.time() == Time::midnight())
        };
        if !midnight("start") || !midnight("end") || start == end {
            return Err("The duration of an all-day event must be whole days.".into());
        }
    }
    Ok(())
}

/// Puts `sent` over `fields`; extended properties are merged by their id.
pub(super) fn merge(fields: &mut Fields, sent: Fields) {
    for (name, value) in sent {
        if name != "singleValueExtendedProperties" {
            fields.insert(name, value);
            continue;
        }
        let mut kept = fields.get(&name).and_then(Value::as_array).cloned().unwrap_or_default();
        for property in value.as_array().into_iter().flatten() {
            kept.retain(|old| old["id"] != property["id"]);
            kept.push(property.clone());
        }
        fields.insert(name, kept.into());
    }
}

/// The change key and, around it, the entity tag.
pub(super) fn change_key(seq: u64) -> String {
    format!("HYQDEapm{seq:06}==")
}

pub(super) fn etag(seq: u64) -> String {
    format!("W/\"{}\"", change_key(seq))
}

/// An event whole.
pub(super) fn whole(mailbox: &Mailbox, item: &Item, wish: &Preferences) -> Value {
    let series = match &item.role {
        Role::Exception { master, day } => Some((master.as_str(), *day)),
        _ => None,
    };
    print(mailbox, item, &mailbox.fields(item), (&item.key, item.kind(), series), wish)
}

/// A day of a series that nobody touched, whole.
pub(super) fn occurrence(mailbox: &Mailbox, master: &Item, day: Date, wish: &Preferences) -> Value {
    let key = id::occurrence(&master.key, day);
    let series = Some((master.key.as_str(), day));
    print(mailbox, master, &on(&master.fields, day), (&key, "occurrence", series), wish)
}

/// The same as a delta shows it: ids, type and times.
pub(super) fn sparse(master: &Item, day: Date, wish: &Preferences) -> Value {
    let fields = on(&master.fields, day);
    let all_day = is_all_day(&fields);
    json!({
        "@odata.etag": etag(master.seq),
        "id": id::outward(&id::occurrence(&master.key, day), wish.immutable, &master.calendar),
        "seriesMasterId": id::outward(&master.key, wish.immutable, &master.calendar),
        "type": "occurrence",
        "start": time(&fields["start"], all_day, wish),
        "end": time(&fields["end"], all_day, wish),
    })
}

type Place<'a> = (&'a str, &'static str, Option<(&'a str, Date)>);

fn print(
    mailbox: &Mailbox,
    item: &Item,
    fields: &Fields,
    (key, kind, series): Place<'_>,
    wish: &Preferences,
) -> Value {
    let outward = |key: &str| id::outward(key, wish.immutable, &item.calendar);
    let zone = |name: &str| fields[name]["timeZone"].as_str().unwrap_or("UTC").to_owned();
    let stamp = |at: Timestamp| at.to_string().replace('Z', "0000Z");
    let (all_day, body) = (is_all_day(fields), body(fields, wish));
    let preview: String = body["content"].as_str().unwrap_or_default().chars().take(255).collect();
    let mut event = json!({
        "@odata.etag": etag(item.seq),
        "id": outward(key),
        "createdDateTime": stamp(item.created),
        "lastModifiedDateTime": stamp(item.modified),
        "changeKey": change_key(item.seq),
        "originalStartTimeZone": zone("start"),
        "originalEndTimeZone": zone("end"),
        "iCalUId": format!("040000008200E00074C5B7101A82E008{key}"),
        "hasAttachments": false,
        "bodyPreview": preview,
        "isCancelled": false,
        "isOrganizer": true,
        "isDraft": false,
        "seriesMasterId": series.map(|(master, _)| outward(master)),
        "type": kind,
        "webLink": format!("https://outlook.office365.com/owa/?itemid={key}"),
        "recurrence": if kind == "seriesMaster" { recurrence::printed(fields) } else { Value::Null },
        "responseStatus": { "response": "organizer", "time": NEVER },
        "body": body,
        "start": time(&fields["start"], all_day, wish),
        "end": time(&fields["end"], all_day, wish),
        "location": location(fields.get("location")),
        "attendees": attendees(fields),
        "organizer": { "emailAddress": { "name": mailbox.name, "address": mailbox.email } },
    });
    settings(&mut event, key, fields);
    if let Some(start) = series.and_then(|(master, day)| original(mailbox, master, day)) {
        event["originalStart"] = start.into();
    }
    expand(&mut event, fields, wish);
    event
}

/// What is printed as it was set, or as it is when nobody sets it; and the meeting that goes with it.
fn settings(event: &mut Value, key: &str, fields: &Fields) {
    let online = fields.get("isOnlineMeeting") == Some(&Value::Bool(true));
    let otherwise = json!({
        "categories": [],
        "transactionId": null,
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": true,
        "subject": "",
        "importance": "normal",
        "sensitivity": "normal",
        "isAllDay": false,
        "responseRequested": true,
        "showAs": "busy",
        "isOnlineMeeting": false,
        "onlineMeetingProvider": if online { "teamsForBusiness" } else { "unknown" },
        "allowNewTimeProposals": true,
        "hideAttendees": false,
        "locations": [],
    });
    for (name, otherwise) in otherwise.as_object().into_iter().flatten() {
        event[name] = fields.get(name).unwrap_or(otherwise).clone();
    }
    event["onlineMeetingUrl"] = Value::Null;
    event["onlineMeeting"] = match online {
        true => json!({ "joinUrl": format!("https://teams.microsoft.com/l/meetup-join/{key}") }),
        false => Value::Null,
    };
}

/// When the exception would have been, in UTC.
fn original(mailbox: &Mailbox, master: &str, day: Date) -> Option<String> {
    let fields = on(&mailbox.items.get(master)?.fields, day);
    Some(recurrence::moment(&fields["start"])?.to_string())
}

fn expand(event: &mut Value, fields: &Fields, wish: &Preferences) {
    if wish.expand.contains("singleValueExtendedProperties") {
        let all = fields.get("singleValueExtendedProperties").and_then(Value::as_array);
        let asked = |property: &&Value| {
            property["id"].as_str().is_some_and(|id| wish.expand.contains(&format!("'{id}'")))
        };
        let found: Vec<Value> = all.into_iter().flatten().filter(asked).cloned().collect();
        if !found.is_empty() {
            event["singleValueExtendedProperties"] = found.into();
        }
    }
}

fn is_all_day(fields: &Fields) -> bool {
    fields.get("isAllDay") == Some(&Value::Bool(true))
}

/// An all-day event begins at midnight wherever it is read.
fn time(time: &Value, all_day: bool, wish: &Preferences) -> Value {
    match recurrence::local(time).filter(|_| all_day) {
        Some(local) => json!({ "dateTime": recurrence::seven(local), "timeZone": wish.zone }),
        None => recurrence::written(time, &wish.zone),
    }
}

/// HTML unless text is preferred: Exchange keeps HTML.
fn body(fields: &Fields, wish: &Preferences) -> Value {
    let sent = fields.get("body");
    let content = sent.and_then(|body| body["content"].as_str()).unwrap_or_default();
    let html = sent.is_some_and(|body| body["contentType"].as_str() == Some("html"));
    match (wish.text, html) {
        (true, true) => json!({ "contentType": "text", "content": stripped(content) }),
        (true, false) => json!({ "contentType": "text", "content": content }),
        (false, true) => json!({ "contentType": "html", "content": content }),
        (false, false) if content.is_empty() => json!({ "contentType": "html", "content": "" }),
        (false, false) => {
            let page = format!("<html><head></head><body>{content}</body></html>");
            json!({ "contentType": "html", "content": page })
        }
    }
}

fn stripped(html: &str) -> String {
    let mut inside = false;
    let kept = html.chars().filter(|letter| {
        let was = inside;
        inside = if *letter == '<' { true } else { inside && *letter != '>' };
        !was && !inside
    });
    kept.collect()
}

fn location(sent: Option<&Value>) -> Value {
    let name = sent.and_then(|place| place["displayName"].as_str()).unwrap_or_default();
    if name.is_empty() {
        return json!({ "displayName": "", "locationType": "default", "uniqueIdType": "unknown",
                       "address": {}, "coordinates": {} });
    }
    json!({ "displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": "private" })
}

fn attendees(fields: &Fields) -> Vec<Value> {
    let sent = fields.get("attendees").and_then(Value::as_array);
    let printed = |attendee: &Value| {
        let address = &attendee["emailAddress"];
        json!({
            "type": attendee["type"].as_str().unwrap_or("required"),
            "status": attendee.get("status").cloned()
                .unwrap_or_else(|| json!({ "response": "none", "time": NEVER })),
            "emailAddress": {
                "name": address["name"].as_str().or(address["address"].as_str()),
                "address": address["address"],
            },
        })
    };
    sent.into_iter().flatten().map(printed).collect()
}

/// Only what `$select` names, and what OData always adds.
pub(super) fn selected(event: Value, select: &str) -> Value {
    if select.is_empty() {
        return event;
    }
    let names: Vec<&str> = select.split(',').map(str::trim).collect();
    let Value::Object(all) = event else { return event };
    let kept: Map<String, Value> = all
        .into_iter()
        .filter(|(name, _)| name.starts_with('@') || name == "id" || names.contains(&name.as_str()))
        .collect();
    kept.into()
}
