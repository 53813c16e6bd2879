use serde_json::json;

use super::*;

/// What is made of one member of `eventData`, and how often it is refused.
fn made(name: &str, value: Value) -> (Value, usize) {
    let mut faults = Vec::new();
    let given = Map::from_iter([(name.to_owned(), value)]);
    let mut reader = Reader { whole: "eventData", given, made: Map::new(), faults: &mut faults };
    let value = reader.given[name].clone();
    match name {
        "location" => reader.location(&value),
        "attendees" => reader.attendees(&value),
        "conferencing" => reader.conferencing(&value),
        "recurrence" => reader.recurrence(&value),
        "visibility" => reader.visibility(&value),
        "meta" => reader.meta(&value),
        _ => panic!("{name}"),
    }
    let made = reader.made.into_values().next().unwrap_or_default();
    (made, faults.len())
}

#[test]
fn members_are_read_in_the_forms_that_clients_write() {
    let bob = json!([{ "email": "b@x.de", "name": null, "optional": false }]);
    for (name, value, expected) in [
        ("location", json!("Room"), json!("Room")),
        ("location", json!({ "displayName": "Room" }), json!("Room")),
        (
            "location",
            json!({ "name": "HQ", "address": { "street": "1 A St", "city": "Ulm" } }),
            json!("HQ, 1 A St, Ulm"),
        ),
        ("location", json!({ "address": "1 A St" }), json!("1 A St")),
        ("attendees", json!(["b@x.de"]), bob.clone()),
        ("attendees", json!([{ "email": "b@x.de", "responseStatus": "accepted" }]), bob.clone()),
        (
            "attendees",
            json!([{ "emailAddress": { "address": "b@x.de", "name": "B" }, "type": "optional" }]),
            json!([{ "email": "b@x.de", "name": "B", "optional": true }]),
        ),
        ("conferencing", json!(true), json!("create")),
        ("conferencing", json!(false), Value::Null),
        ("conferencing", json!({ "provider": "Google Meet" }), json!("create")),
        ("conferencing", json!({ "type": "teamsForBusiness" }), json!("create")),
        (
            "conferencing",
            json!({ "type": "zoom", "joinUrl": "https://z.us/j/1" }),
            json!({ "url": "https://z.us/j/1" }),
        ),
        ("recurrence", json!("RRULE:FREQ=DAILY"), json!("FREQ=DAILY")),
        ("recurrence", json!(["RRULE:FREQ=DAILY"]), json!("FREQ=DAILY")),
        ("recurrence", json!(null), Value::Null),
        (
            "recurrence",
            json!({ "frequency": "WEEKLY", "interval": 2, "byDay": ["MO", "Friday"],
                    "until": "2026-12-03T08:00:00Z" }),
            json!("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;UNTIL=20261203T080000Z"),
        ),
        (
            "recurrence",
            json!({ "freq": "monthly", "byDay": ["1MO"], "until": "2026-12-03" }),
            json!("FREQ=MONTHLY;BYDAY=1MO;UNTIL=20261203"),
        ),
        ("visibility", json!("private"), json!("private")),
        ("visibility", json!("default"), Value::Null),
        (
            "meta",
            json!({ "a": "b", "n": 7, "o": { "x": 1 } }),
            json!({ "a": "b", "n": "7", "o": "{\"x\":1}" }),
        ),
    ] {
        assert_eq!(made(name, value.clone()), (expected, 0), "{name} {value}");
    }
}

#[test]
fn what_means_nothing_here_is_refused() {
    for (name, value) in [
        ("location", json!({})),
        ("location", json!({ "latitude": 1 })),
        ("conferencing", json!({ "type": "zoom" })),
        ("conferencing", json!(7)),
        ("recurrence", json!({ "interval": 2 })),
        ("recurrence", json!({ "frequency": "daily", "interval": -1 })),
        ("recurrence", json!({ "frequency": "daily", "byDay": ["Someday"] })),
        ("recurrence", json!(["RRULE:FREQ=DAILY", "EXDATE:20261203"])),
        ("recurrence", json!(7)),
    ] {
        assert_eq!(made(name, value.clone()), (Value::Null, 1), "{name} {value}");
    }
}
