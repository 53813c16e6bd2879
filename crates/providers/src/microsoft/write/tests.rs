use std::collections::BTreeMap;

use super::*;
use crate::http::answer;
use crate::item::Item;
use crate::microsoft::events;
use crate::microsoft::events::tests::event;
use crate::microsoft::tests::settings;

fn at(local: &str, zone: &str) -> Field<When> {
    Field::Set(When::At { local: local.parse().unwrap(), zone: zone.into() })
}

fn date(text: &str) -> Field<When> {
    Field::Set(When::Date(text.parse().unwrap()))
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn item(changes: &Value) -> Item {
    let mut event = event();
    event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    events::parse(&answer(200, event.to_string())).unwrap().item
}

fn updated(draft: &EventDraft, current: &Value) -> Result<Value, ProviderError> {
    let item = item(current);
    update_request(&settings(), "e1", draft, &item.event, None).map(|request| body(&request))
}

#[test]
fn a_new_event_is_said_in_graph_s_words_under_a_transaction() {
    let draft = EventDraft {
        title: Field::Set("Lunch".into()),
        description: Field::Set("Soup".into()),
        location: Field::Set("Canteen".into()),
        start: at("2026-12-02T09:00:00", "Europe/Berlin"),
        end: at("2026-12-02T10:00:00", "Europe/Berlin"),
        attendees: Field::Set(vec![Invitee {
            email: "bob@example.com".into(),
            name: None,
            optional: true,
        }]),
        availability: Field::Set(Availability::Busy),
        privacy: Field::Set(Privacy::Private),
        status: Field::Set(Status::Tentative),
        recurrence: Field::Set("FREQ=WEEKLY;COUNT=3".into()),
        conference: Field::Set(ConferenceDraft::Create),
        properties: Field::Set(BTreeMap::from([("a".into(), "1".into())])),
    };
    let request = create_request(&settings(), "c/1", &draft, "key1").unwrap();
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.url.path(), "/v1.0/me/calendars/c%2F1/events");
    let expected = json!({
        "transactionId": "key1",
        "subject": "Lunch",
        "body": { "contentType": "text", "content": "Soup" },
        "location": { "displayName": "Canteen" },
        "isAllDay": false,
        "start": { "dateTime": "2026-12-02T09:00:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-12-02T10:00:00", "timeZone": "Europe/Berlin" },
        "attendees": [{ "emailAddress": { "address": "bob@example.com", "name": "bob@example.com" },
            "type": "optional" }],
        "showAs": "tentative",
        "sensitivity": "private",
        "recurrence": {
            "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"],
                "firstDayOfWeek": "monday" },
            "range": { "type": "numbered", "startDate": "2026-12-02", "numberOfOccurrences": 3,
                "recurrenceTimeZone": "Europe/Berlin" },
        },
        "isOnlineMeeting": true,
        "onlineMeetingProvider": "teamsForBusiness",
        "singleValueExtendedProperties": [{ "id": PROPERTIES_ID, "value": r#"{"a":"1"}"# }],
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn a_change_says_only_what_changes() {
    let draft = |change: fn(&mut EventDraft)| {
        let mut draft = EventDraft::default();
        change(&mut draft);
        draft
    };
    for (draft, expected) in [
        (draft(|_| {}), json!({})),
        (draft(|d| d.title = Field::Clear), json!({ "subject": "" })),
        (draft(|d| d.location = Field::Clear), json!({ "location": { "displayName": "" } })),
        (draft(|d| d.attendees = Field::Clear), json!({ "attendees": [] })),
        (draft(|d| d.recurrence = Field::Clear), json!({ "recurrence": null })),
        (draft(|d| d.availability = Field::Set(Availability::Free)), json!({ "showAs": "free" })),
        (draft(|d| d.status = Field::Set(Status::Confirmed)), json!({ "showAs": "busy" })),
        (
            draft(|d| d.properties = Field::Clear),
            json!({ "singleValueExtendedProperties": [{ "id": PROPERTIES_ID, "value": "{}" }] }),
        ),
        (
            draft(|d| d.end = at("2026-12-02T11:00:00", "UTC")),
            json!({ "isAllDay": false,
                "end": { "dateTime": "2026-12-02T11:00:00", "timeZone": "UTC" } }),
        ),
    ] {
        assert_eq!(updated(&draft, &json!({})).unwrap(), expected);
    }
}

#[test]
fn an_event_that_is_moved_keeps_its_length() {
    let time = |at: &str, zone: &str| json!({ "dateTime": at, "timeZone": zone });
    let draft =
        EventDraft { start: at("2027-01-05T23:30:00", "Asia/Tokyo"), ..EventDraft::default() };
    assert_eq!(
        updated(&draft, &json!({})).unwrap(),
        json!({ "isAllDay": false, "start": time("2027-01-05T23:30:00", "Asia/Tokyo"),
            "end": time("2027-01-06T00:30:00", "Asia/Tokyo") })
    );
    let all_day = json!({ "isAllDay": true, "start": time("2026-12-02T00:00:00.0000000", "UTC"),
        "end": time("2026-12-04T00:00:00.0000000", "UTC") });
    let draft = EventDraft { start: date("2026-12-31"), ..EventDraft::default() };
    assert_eq!(
        updated(&draft, &all_day).unwrap(),
        json!({ "isAllDay": true, "start": time("2026-12-31T00:00:00", "UTC"),
            "end": time("2027-01-02T00:00:00", "UTC") })
    );
    assert!(updated(&draft, &json!({})).is_err(), "a time cannot become a day without its end");
    let end_only = EventDraft { end: date("2026-12-31"), ..EventDraft::default() };
    assert!(updated(&end_only, &json!({})).is_err());
}

fn weekly(range: &Value) -> Value {
    json!({ "id": "m1", "type": "seriesMaster", "recurrence": {
        "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"],
            "firstDayOfWeek": "monday" },
        "range": range,
    }})
}

fn no_end() -> Value {
    json!({ "type": "noEnd", "startDate": "2026-12-02",
        "recurrenceTimeZone": "W. Europe Standard Time" })
}

#[test]
fn a_series_that_is_moved_begins_on_its_new_day() {
    let draft =
        EventDraft { start: at("2026-12-03T09:00:00", "Europe/Berlin"), ..EventDraft::default() };
    let sent = updated(&draft, &weekly(&no_end())).unwrap();
    assert_eq!(sent["recurrence"]["range"]["startDate"], "2026-12-03");
    assert_eq!(sent["recurrence"]["pattern"]["daysOfWeek"], json!(["wednesday"]));
}

#[test]
fn what_graph_cannot_take_is_refused_before_it_is_sent() {
    let url = ConferenceDraft::Url("https://meet.example/1".into());
    for draft in [
        EventDraft { conference: Field::Set(url), ..EventDraft::default() },
        EventDraft { status: Field::Set(Status::Cancelled), ..EventDraft::default() },
        EventDraft { recurrence: Field::Set("FREQ=HOURLY".into()), ..EventDraft::default() },
    ] {
        let error = updated(&draft, &json!({})).unwrap_err();
        assert!(matches!(error, ProviderError::Invalid { .. }), "{error:?}");
    }
    let draft = EventDraft { recurrence: Field::Clear, ..EventDraft::default() };
    assert!(updated(&draft, &json!({ "seriesMasterId": "m1", "type": "occurrence" })).is_err());
}

#[test]
fn a_condition_is_sent_as_if_match_and_a_stale_one_is_a_conflict() {
    let current = item(&json!({}));
    let draft = EventDraft::default();
    let request = update_request(&settings(), "e1", &draft, &current.event, Some(&current.etag));
    assert_eq!(request.unwrap().headers["if-match"], "W/\"ck1\"");
    assert_eq!(delete_request(&settings(), "e1", Some("W/\"x\"")).headers["if-match"], "W/\"x\"");
    assert!(!delete_request(&settings(), "e1", None).headers.contains_key("if-match"));
    let refused = |status, code: &str| {
        parse_written(&answer(status, format!(r#"{{"error":{{"code":"{code}"}}}}"#))).unwrap_err()
    };
    let error = refused(412, "ErrorIrresolvableConflict");
    assert!(matches!(error, ProviderError::Conflict { .. }));
    let error = refused(409, "ConcurrentItemSave");
    assert!(matches!(error, ProviderError::Retry { .. }));
}

#[test]
fn an_event_that_is_gone_is_deleted() {
    for (status, deleted) in [(204, true), (404, true), (410, true), (412, false), (503, false)] {
        assert_eq!(parse_deleted(&answer(status, "")).is_ok(), deleted, "{status}");
    }
}

#[test]
fn an_event_is_found_again_by_its_transaction() {
    let request = created_request(&settings(), "c1", "key1");
    let filter = request.url.query_pairs().next().unwrap().1.into_owned();
    assert_eq!(filter, "transactionId eq 'key1'");
    let found = parse_created(&answer(200, r#"{"value":[{"id":"e1"}]}"#)).unwrap();
    assert_eq!(found.as_deref(), Some("e1"));
    assert_eq!(parse_created(&answer(200, r#"{"value":[]}"#)).unwrap(), None);
}

#[test]
fn a_series_is_ended_before_an_occurrence_and_goes_on_as_another() {
    // 09:00 in Berlin on the third Wednesday.
    let third = Timestamp::parse("2026-12-16T08:00:00Z").unwrap();
    let numbered = json!({ "type": "numbered", "startDate": "2026-12-02", "endDate": "0001-01-01",
        "numberOfOccurrences": 10, "recurrenceTimeZone": "W. Europe Standard Time" });
    let end_date = json!({ "type": "endDate", "startDate": "2026-12-02", "endDate": "2027-02-03",
        "numberOfOccurrences": 0, "recurrenceTimeZone": "W. Europe Standard Time" });
    for (range, rest) in [
        (no_end(), json!({ "type": "noEnd" })),
        (numbered, json!({ "type": "numbered", "numberOfOccurrences": 8 })),
        (end_date, json!({ "type": "endDate", "endDate": "2027-02-03" })),
    ] {
        let master = item(&weekly(&range));
        let ended = end_request(&settings(), &master, third).unwrap();
        assert_eq!((ended.url.path(), ended.method.as_str()), ("/v1.0/me/events/m1", "PATCH"));
        let sent = body(&ended);
        assert_eq!(sent["recurrence"]["range"]["type"], "endDate");
        assert_eq!(sent["recurrence"]["range"]["endDate"], "2026-12-15");
        assert!(sent["recurrence"]["range"].get("numberOfOccurrences").is_none());
        assert_eq!(sent.as_object().unwrap().len(), 1);

        let draft = EventDraft { title: Field::Set("Dinner".into()), ..EventDraft::default() };
        let goes_on =
            continue_request(&settings(), "c1", &master, (third, 2), &draft, "key1").unwrap();
        let sent = body(&goes_on);
        assert_eq!(
            (sent["subject"].as_str(), sent["transactionId"].as_str()),
            (Some("Dinner"), Some("key1"))
        );
        assert_eq!(sent["location"]["displayName"], "Canteen");
        assert_eq!(
            sent["start"],
            json!({ "dateTime": "2026-12-16T09:00:00", "timeZone": "Europe/Berlin" })
        );
        assert_eq!(sent["end"]["dateTime"], "2026-12-16T10:00:00");
        let mut expected = json!({ "startDate": "2026-12-16",
            "recurrenceTimeZone": "W. Europe Standard Time" });
        expected.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        assert_eq!(sent["recurrence"]["range"], expected);
    }
    assert!(end_request(&settings(), &item(&json!({})), third).is_err());
}
