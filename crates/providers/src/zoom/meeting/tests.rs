use serde_json::json;

use super::*;

fn single() -> Value {
    json!({
        "id": 81_234_567_890_u64, "uuid": "a==", "type": 2, "topic": "Plan", "agenda": "About",
        "host_id": "H", "host_email": "h@x.de", "start_time": "2026-12-02T09:00:00Z",
        "duration": 45, "timezone": "Europe/Berlin", "join_url": "https://zoom.us/j/8?pwd=p",
        "start_url": "https://zoom.us/s/8?zak=secret", "status": "waiting",
        "settings": { "meeting_invitees": [{ "email": "c@x.de" }, { "email": "b@x.de" }] },
    })
}

/// Three days from 1 December 2026, 09:00 UTC; the second moved by an hour, the third cancelled.
fn series() -> Value {
    json!({
        "id": 7, "type": 8, "topic": "Daily", "duration": 30, "timezone": "UTC",
        "recurrence": { "type": 1, "repeat_interval": 1, "end_times": 3 },
        "occurrences": [
            { "occurrence_id": "1796115600000", "start_time": "2026-12-01T09:00:00Z",
              "duration": 30, "status": "available" },
            { "occurrence_id": "1796202000000", "start_time": "2026-12-02T10:00:00Z",
              "duration": 30, "status": "available" },
            { "occurrence_id": "1796288400000", "start_time": "2026-12-03T09:00:00Z",
              "duration": 30, "status": "deleted" },
        ],
    })
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    object
}

fn only(object: Value) -> Item {
    let mut items = items(object).unwrap();
    assert_eq!(items.len(), 1);
    items.remove(0)
}

#[test]
fn a_meeting_becomes_an_event() {
    let item = only(single());
    assert_eq!(item.key, "81234567890");
    assert_eq!((item.resource.as_str(), item.series.as_deref()), ("81234567890", None));
    assert_eq!(item.etag, "", "Zoom has none");
    let event = serde_json::to_value(&item.event).unwrap();
    assert_eq!(event["title"], "Plan");
    assert_eq!(event["description"], "About");
    assert_eq!(event["start"], "2026-12-02T09:00:00.000Z");
    assert_eq!(event["end"], "2026-12-02T09:45:00.000Z");
    assert_eq!(event["timeZone"], "Europe/Berlin");
    assert_eq!(event["conference"]["url"], "https://zoom.us/j/8?pwd=p");
    let attendees = event["attendees"].as_array().unwrap();
    let attendees: Vec<_> = attendees.iter().map(|a| a["email"].as_str().unwrap()).collect();
    assert_eq!(attendees, ["h@x.de", "b@x.de", "c@x.de"]);
    assert_eq!(event["attendees"][0]["organizer"], true);
}

#[test]
fn the_link_that_starts_a_meeting_as_its_host_is_not_kept() {
    let item = only(single());
    let Original::Object(original) = &item.event.original else { panic!("an object") };
    assert!(!original.to_string().contains("zak"), "{original}");
    assert_eq!(original["join_url"], "https://zoom.us/j/8?pwd=p");
}

#[test]
fn what_moves_by_itself_is_no_change() {
    let version = only(single()).version;
    for (pointer, value) in [
        // An instance that was started has another uuid and the same id.
        ("/uuid", json!("b==")),
        ("/status", json!("started")),
        ("/start_url", json!("https://zoom.us/s/8?zak=other")),
        ("/settings/global_dial_in_numbers", json!([{ "number": "1" }])),
        ("/settings/meeting_invitees", json!([{ "email": "b@x.de" }, { "email": "c@x.de" }])),
        ("/created_at", json!("2026-11-01T00:00:00Z")),
    ] {
        assert_eq!(only(with(single(), pointer, value)).version, version, "{pointer}");
    }
    for (pointer, value) in [
        ("/topic", json!("Other")),
        ("/agenda", json!("")),
        ("/start_time", json!("2026-12-02T09:30:00Z")),
        ("/duration", json!(46)),
        ("/timezone", json!("Asia/Kolkata")),
        ("/join_url", json!("https://zoom.us/j/8?pwd=q")),
        ("/settings/meeting_invitees", json!([])),
        ("/settings/private_meeting", json!(true)),
    ] {
        assert_ne!(only(with(single(), pointer, value)).version, version, "{pointer}");
    }
}

#[test]
fn a_start_without_z_is_what_clocks_show_there() {
    let local = with(single(), "/start_time", json!("2026-12-02T10:00:00"));
    let start = only(local).event.start;
    assert_eq!(start.as_deref(), Some("2026-12-02T09:00:00.000Z"));
}

#[test]
fn a_series_is_its_master_and_what_differs_from_its_rule() {
    let items = items(series()).unwrap();
    let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["7", "7#20261202T090000Z", "7#20261203T090000Z"]);
    let master = &items[0].event;
    assert_eq!(master.recurrence.as_deref(), Some("FREQ=DAILY;COUNT=3"));
    assert_eq!(master.start.as_deref(), Some("2026-12-01T09:00:00.000Z"));
    assert_eq!(master.end.as_deref(), Some("2026-12-01T09:30:00.000Z"));
    assert_eq!(master.time_zone, None);
    let moved = &items[1];
    assert_eq!(moved.series.as_deref(), Some("7"));
    assert_eq!(moved.recurrence_id.as_deref(), Some("20261202T090000Z"));
    assert_eq!(moved.event.start.as_deref(), Some("2026-12-02T10:00:00.000Z"));
    assert_eq!(moved.event.recurrence_id.as_deref(), Some("2026-12-02T09:00:00.000Z"));
    assert_eq!(moved.event.recurring_event_id.as_deref(), Some("7"));
    assert_eq!(moved.event.recurrence, None);
    assert_eq!(items[2].event.status.as_deref(), Some("cancelled"));
}

#[test]
fn a_passing_occurrence_does_not_move_its_series() {
    let version = items(series()).unwrap()[0].version.clone();
    let next = with(series(), "/start_time", json!("2026-12-02T10:00:00Z"));
    assert_eq!(items(next).unwrap()[0].version, version);
}

#[test]
fn a_moved_occurrence_is_no_change_of_its_series() {
    let version = items(series()).unwrap()[0].version.clone();
    let moved = with(series(), "/occurrences/1/start_time", json!("2026-12-02T09:00:00Z"));
    let moved = items(moved).unwrap();
    assert_eq!(moved[0].version, version);
    assert_eq!(moved.len(), 2, "it is as its rule says again");
}

#[test]
fn a_series_without_a_fixed_time_has_no_times_and_never_ends() {
    let object = json!({ "id": 3, "type": 3, "topic": "Any time", "duration": 60,
                         "start_time": "2026-12-02T09:00:00Z" });
    let item = only(object.clone());
    assert_eq!((&item.event.start, &item.event.end), (&None, &None));
    assert_eq!(is_over(&object, Timestamp(i64::MAX)), Some(false));
}

#[test]
fn a_meeting_is_over_when_its_last_occurrence_has_ended() {
    let at = |text| Timestamp::parse(text).unwrap();
    for (object, now, over) in [
        (single(), "2026-12-02T09:44:59Z", false),
        (single(), "2026-12-02T09:45:00Z", true),
        (series(), "2026-12-02T12:00:00Z", false),
        (series(), "2026-12-03T09:30:00Z", true),
    ] {
        let item = items(object).unwrap().remove(0);
        let Original::Object(original) = item.event.original else { panic!("an object") };
        assert_eq!(is_over(&original, at(now)), Some(over), "{now}");
    }
    assert_eq!(is_over(&json!({ "href": "/a.ics" }), at("2026-12-03T09:30:00Z")), None);
}

#[test]
fn what_is_no_meeting_is_no_item() {
    assert!(items(json!([])).is_none());
    assert!(items(json!({ "id": "x", "type": 2 })).is_none());
    for kind in [0, 1, 4, 7, 10] {
        assert_eq!(items(json!({ "id": 1, "type": kind })), Some(Vec::new()));
    }
}
