use super::*;

fn draft(body: &Value) -> Result<Value, (u16, String)> {
    let fields = Fields::of(body.as_object().unwrap().clone());
    read(&fields).map_err(|refusal| {
        let (status, why) = refusal.into_words();
        (status.as_u16(), why)
    })
}

#[test]
fn every_documented_field_of_an_event_is_read() {
    let body = json!({
        "provider": "google", "calendarId": "primary", "title": "Team Meeting",
        "description": "Discuss project updates", "start": "2025-11-01T10:00:00Z",
        "end": "2025-11-01T12:00:00+01:00", "location": "Conference Room A", "allDay": false,
        "attendees": ["a@example.com", {"email": "b@example.com", "status": "none"}],
        "custom": {"source": "mine", "n": 7}, "availability": "free", "privacy": "private",
        "status": "tentative", "conference": "https://meet.example.com/abc",
    });
    let expected = json!({
        "title": "Team Meeting", "description": "Discuss project updates",
        "start": "2025-11-01T10:00:00.000Z", "end": "2025-11-01T11:00:00.000Z",
        "location": "Conference Room A",
        "attendees": [{"email": "a@example.com"}, {"email": "b@example.com"}],
        "properties": {"source": "mine", "n": "7"}, "availability": "free", "privacy": "private",
        "status": "tentative", "conference": {"url": "https://meet.example.com/abc"},
    });
    assert_eq!(draft(&body).unwrap(), expected);
}

#[test]
fn whole_days_are_dates_whatever_midnight_they_are_written_with() {
    for (start, end, all_day, expected) in [
        ("2025-11-15T00:00:00Z", "2025-11-16T00:00:00Z", json!(true), ("2025-11-15", "2025-11-16")),
        ("2025-11-15T00:00:00+05:00", "2025-11-15", json!(true), ("2025-11-15", "2025-11-16")),
        ("2025-12-31", "2025-12-31", json!(null), ("2025-12-31", "2026-01-01")),
        (
            "2025-11-15",
            "2025-11-16",
            json!(false),
            ("2025-11-15T00:00:00.000Z", "2025-11-16T00:00:00.000Z"),
        ),
    ] {
        let body = json!({"start": start, "end": end, "allDay": all_day});
        let expected = json!({"start": expected.0, "end": expected.1});
        assert_eq!(draft(&body).unwrap(), expected, "{start}");
    }
}

#[test]
fn recurrences_become_rules_of_rfc_5545() {
    for (rule, expected) in [
        (
            json!({"frequency": "WEEKLY", "interval": 1, "count": 10, "byDay": ["MO", "WE", "FR"]}),
            Ok("FREQ=WEEKLY;INTERVAL=1;COUNT=10;BYDAY=MO,WE,FR"),
        ),
        (
            json!({"frequency": "MONTHLY", "until": "20261231T235959Z", "byMonthDay": [1, 15]}),
            Ok("FREQ=MONTHLY;UNTIL=20261231T235959Z;BYMONTHDAY=1,15"),
        ),
        (json!({"frequency": "YEARLY", "byMonth": [2]}), Ok("FREQ=YEARLY;BYMONTH=2")),
        (json!({"frequency": "HOURLY"}), Err("frequency")),
        (json!({"interval": 2}), Err("frequency")),
        (json!({"frequency": "DAILY", "interval": 0}), Err("interval")),
        (json!({"frequency": "DAILY", "count": 2, "until": "20261231T235959Z"}), Err("not both")),
        (json!({"frequency": "DAILY", "until": "2026-12-31"}), Err("until")),
        (json!({"frequency": "WEEKLY", "byDay": ["XX"]}), Err("byDay")),
        (json!({"frequency": "WEEKLY", "byDay": []}), Err("byDay")),
        (json!({"frequency": "YEARLY", "byMonth": [13]}), Err("byMonth")),
        (json!("FREQ=DAILY"), Err("object")),
    ] {
        match (draft(&json!({"recurrence": rule})), expected) {
            (Ok(draft), Ok(expected)) => assert_eq!(draft["recurrence"], expected, "{rule}"),
            (Err((400, why)), Err(word)) => assert!(why.contains(word), "{why}"),
            (other, _) => panic!("{rule}: {other:?}"),
        }
    }
    let days = json!({"start": "2025-11-15", "end": "2025-11-16", "allDay": true,
        "recurrence": {"frequency": "DAILY", "until": "20261231T235959Z"}});
    assert_eq!(draft(&days).unwrap()["recurrence"], "FREQ=DAILY;UNTIL=20261231");
}

#[test]
fn a_conference_is_an_address_an_object_or_to_be_made() {
    let url = json!({"url": "https://meet.example.com/abc"});
    for (body, expected) in [
        (json!({"conference": "https://meet.example.com/abc"}), Some(url.clone())),
        (
            json!({"conference": {"url": "https://meet.example.com/abc", "provider": "x"}}),
            Some(url),
        ),
        (
            json!({"conferenceData": {"provider": "google-meet", "autoGenerate": true}}),
            Some(json!("create")),
        ),
        (json!({"conference": {"autoGenerate": true}}), Some(json!("create"))),
        (json!({"conferenceData": {"provider": "google-meet"}}), None),
        (json!({"conference": null}), Some(Value::Null)),
        (json!({}), None),
    ] {
        assert_eq!(draft(&body).unwrap().get("conference"), expected.as_ref(), "{body}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for (body, field) in [
        (json!({"start": "tomorrow"}), "start"),
        (json!({"end": 7}), "end"),
        (json!({"allDay": "yes"}), "allDay"),
        (json!({"attendees": "a@example.com"}), "attendees"),
        (json!({"attendees": [1]}), "attendees"),
        (json!({"custom": []}), "custom"),
        (json!({"conference": 1}), "conference"),
    ] {
        let (status, why) = draft(&body).unwrap_err();
        assert!(status == 400 && why.starts_with(field), "{body}: {why}");
    }
}
