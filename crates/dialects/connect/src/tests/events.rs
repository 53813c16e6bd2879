//! Reading and writing events.

use http::StatusCode;
use serde_json::{Value, json};
use tidings_providers::draft::{Scope as SeriesScope, When};
use tidings_providers::errand::Errand;

use super::world::{HOME, WORK, World};

fn at(day: u32, hour: u32) -> String {
    format!("2026-03-{day:02}T{hour:02}:00:00.000Z")
}

async fn world() -> World {
    let world = World::new().await;
    for (calendar, key, day, hour) in [
        (WORK, "late", 20, 9),
        (HOME, "early", 2, 9),
        (WORK, "noon", 2, 12),
        (HOME, "march-end", 31, 23),
    ] {
        let event = json!({"title": key, "start": at(day, hour), "end": at(day, hour)});
        world.mirror(calendar, key, event).await;
    }
    let april = json!({"title": "april", "start": "2026-04-01T00:00:00.000Z", "end": "2026-04-01T01:00:00.000Z"});
    world.mirror(WORK, "april", april).await;
    let series = json!({"title": "standup", "start": at(10, 9), "end": at(10, 10),
        "recurrence": "FREQ=DAILY;COUNT=3"});
    world.mirror(WORK, "standup", series).await;
    world
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn events_of_all_calendars_are_sorted_and_default_to_the_current_month() {
    let world = world().await;
    let (status, answer) = world.get("/events", &world.token).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let expected = [
        "early",
        "noon",
        "standup#20260310T090000Z",
        "standup#20260311T090000Z",
        "standup#20260312T090000Z",
        "late",
        "march-end",
    ];
    assert_eq!(ids(&answer), expected);
    assert_eq!((&answer["pageSize"], answer.get("nextPageToken")), (&json!(250), None));
    assert_eq!(answer["events"][2]["recurringEventId"], "standup");
    let (_, masters) = world.get("/events?singleEvents=false", &world.token).await;
    assert_eq!(ids(&masters), ["early", "noon", "standup", "late", "march-end"]);
    let (_, other) = world.get("/events", &world.other_token).await;
    assert_eq!(other["events"], json!([]), "another user's are another's");
}

#[tokio::test]
async fn pages_follow_one_another_by_their_token_alone() {
    let world = world().await;
    let (_, whole) = world.get("/events?start=2026-03-01&end=2026-04-30", &world.token).await;
    for size in [1, 2, 3, 8, 9] {
        let mut found = Vec::new();
        let mut query = format!("pageSize={size}&start=2026-03-01&end=2026-04-30");
        loop {
            let (status, answer) = world.get(&format!("/events?{query}"), &world.token).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            assert!(answer["events"].as_array().unwrap().len() <= size);
            found.extend(ids(&answer).into_iter().map(str::to_owned));
            let Some(token) = answer["nextPageToken"].as_str() else { break };
            let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
            query = format!("pageSize={size}&nextPageToken={token}");
        }
        assert_eq!(found, ids(&whole), "{size}");
    }
}

#[tokio::test]
async fn calendars_are_filtered_and_foreign_ones_silently_ignored() {
    let world = world().await;
    for (ids_wanted, expected) in [
        (json!({"caldav": [HOME], "google": ["primary"]}), vec!["early", "march-end"]),
        (json!([HOME, "/other/home/", "nope"]), vec!["early", "march-end"]),
        (json!({"google": [HOME]}), vec![]),
    ] {
        let wanted = ids_wanted.to_string();
        let wanted: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
        let (status, answer) =
            world.get(&format!("/events?calendarIds={wanted}"), &world.token).await;
        assert_eq!((status, ids(&answer)), (StatusCode::OK, expected), "{ids_wanted}");
    }
}

#[tokio::test]
async fn an_event_is_told_with_every_documented_field() {
    let world = World::new().await;
    let event = json!({
        "title": "Product review", "description": "Quarterly review", "start": at(12, 9),
        "end": at(12, 10), "lastModified": at(10, 9), "color": "#9fc6e7", "location": "Office",
        "attendees": [{"email": "user@example.com", "name": "U", "status": "accepted", "organizer": true}],
        "properties": {"yourCustomKey": "yourCustomValue"},
        "conference": {"url": "https://meet.example.com/abc"}, "availability": "busy",
        "privacy": "private", "status": "confirmed", "link": "https://provider-event-link",
        "original": {"kind": "calendar#event"},
    });
    world.mirror(WORK, "event-abc", event).await;
    let (_, answer) = world.get("/events", &world.token).await;
    let expected = json!({
        "provider": "caldav", "id": "event-abc", "calendarId": WORK, "title": "Product review",
        "description": "Quarterly review", "start": at(12, 9), "end": at(12, 10), "allDay": false,
        "lastModified": at(10, 9), "color": "#9fc6e7", "location": "Office",
        "attendees": [{"email": "user@example.com", "status": "accepted", "organizer": true}],
        "custom": {"yourCustomKey": "yourCustomValue"}, "conference": "https://meet.example.com/abc",
        "conferenceData": {"url": "https://meet.example.com/abc"}, "availability": "busy",
        "privacy": "private", "status": "confirmed", "link": "https://provider-event-link",
        "original": {"kind": "calendar#event"},
    });
    assert_eq!(answer["events"][0], expected);
}

#[tokio::test]
async fn a_free_busy_token_sees_opaque_blocks() {
    let world = World::new().await;
    let secret = json!({"title": "Secret", "description": "s3cret", "start": at(12, 9),
        "end": at(12, 10), "attendees": [{"email": "x@example.com", "status": "none"}]});
    world.mirror(WORK, "e", secret).await;
    let token = world.token_for("free-busy").await;
    let (status, answer) = world.get("/events", &token).await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({"provider": "caldav", "id": "e", "calendarId": WORK, "title": "Busy",
        "start": at(12, 9), "end": at(12, 10), "allDay": false, "availability": "busy",
        "original": {}});
    assert_eq!(answer["events"], json!([expected]));
}

#[tokio::test]
async fn a_series_is_expanded_over_a_year_at_most() {
    let world = World::new().await;
    let path = "/events?start=2025-01-01&end=2026-12-31";
    let (status, answer) = world.get(path, &world.token).await;
    assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("invalid")), "{answer}");
    let path = format!("{path}&singleEvents=false");
    assert_eq!(world.get(&path, &world.token).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_documented_event_is_created_and_answered_in_both_shapes() {
    let world = World::new().await;
    let request = json!({"provider": "caldav", "calendarId": WORK, "title": "Team Meeting",
        "description": "Discuss project updates", "start": "2025-11-01T10:00:00Z",
        "end": "2025-11-01T11:00:00Z", "location": "Conference Room A"});
    for path in ["/event", "/api/event", "/connect/api/event"] {
        let (status, answer) = world.call("POST", path, &world.token, Some(&request)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let expected = json!({
            "provider": "caldav", "id": "event123abc", "calendarId": WORK, "title": "Team Meeting",
            "start": "2025-11-01T10:00:00.000Z", "end": "2025-11-01T11:00:00.000Z", "allDay": false,
            "location": "Conference Room A", "attendees": [], "color": "#9fc6e7",
            "availability": "busy", "privacy": "public", "status": "confirmed",
            "link": "https://calendar.google.com/calendar/event?eid=...",
            "original": {"kind": "calendar#event", "id": "event123abc", "summary": "Team Meeting"},
        });
        assert_eq!(answer["event"], expected);
        assert_eq!(answer["success"], true);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(answer[name], *value, "{name} at the root");
        }
    }
    let Errand::Create { draft, .. } = world.last_asked() else { panic!("nothing was created") };
    assert_eq!(draft.description.set().map(String::as_str), Some("Discuss project updates"));
}

#[tokio::test]
async fn series_and_whole_days_are_created_as_printed() {
    let world = World::new().await;
    let weekly = json!({"provider": "caldav", "calendarId": WORK, "title": "Weekly Standup",
        "start": "2025-11-01T09:00:00Z", "end": "2025-11-01T09:30:00Z", "allDay": false,
        "recurrence": {"frequency": "WEEKLY", "interval": 1, "count": 10, "byDay": ["MO", "WE", "FR"]}});
    let (status, answer) = world.call("POST", "/event", &world.token, Some(&weekly)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let Errand::Create { draft, .. } = world.last_asked() else { panic!("nothing was created") };
    let rule = draft.recurrence.set().map(String::as_str);
    assert_eq!(rule, Some("FREQ=WEEKLY;INTERVAL=1;COUNT=10;BYDAY=MO,WE,FR"));
    let day = json!({"provider": "caldav", "calendarId": WORK, "title": "Conference",
        "start": "2025-11-15T00:00:00Z", "end": "2025-11-16T00:00:00Z", "allDay": true,
        "description": "Annual tech conference"});
    let (status, answer) = world.call("POST", "/event", &world.token, Some(&day)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let Errand::Create { draft, .. } = world.last_asked() else { panic!("nothing was created") };
    assert!(draft.start.set().is_some_and(When::is_date));
}

#[tokio::test]
async fn updates_reach_as_far_as_the_mode_says() {
    let world = world().await;
    let occurrence = "standup#20260311T090000Z";
    for (id, series, mode, expected) in [
        ("late", None, None, SeriesScope::All),
        ("standup", None, None, SeriesScope::All),
        (occurrence, Some("standup"), None, SeriesScope::This),
        (occurrence, Some("standup"), Some("this"), SeriesScope::This),
        (occurrence, None, Some("following"), SeriesScope::Following),
        (occurrence, Some("standup"), Some("all"), SeriesScope::All),
    ] {
        let mut request = json!({"provider": "caldav", "calendarId": WORK, "eventId": id,
            "title": "Standup - Special Topic Today"});
        if let Some(series) = series {
            request["recurringEventId"] = series.into();
        }
        if let Some(mode) = mode {
            request["updateMode"] = mode.into();
        }
        let (status, answer) = world.call("PUT", "/event", &world.token, Some(&request)).await;
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
        assert!(answer["event"]["id"].is_string());
        let Errand::Update { scope, item_key, .. } = world.last_asked() else {
            panic!("{request}")
        };
        assert_eq!((scope, item_key.as_str()), (expected, id), "{request}");
    }
}

#[tokio::test]
async fn events_are_deleted_by_body_or_query() {
    let world = world().await;
    let expected = json!({"success": true, "message": "Event deleted successfully"});
    let body = json!({"provider": "caldav", "calendarId": WORK, "eventId": "late"});
    let answer = world.call("DELETE", "/event", &world.token, Some(&body)).await;
    assert_eq!(answer, (StatusCode::OK, expected.clone()));
    let occurrence = "standup%2320260311T090000Z";
    for (query, scope) in [
        (
            format!("eventId={occurrence}&recurringEventId=standup&deleteMode=this"),
            SeriesScope::This,
        ),
        (format!("eventId={occurrence}&deleteMode=following"), SeriesScope::Following),
        ("eventId=standup&deleteMode=all".into(), SeriesScope::All),
        ("eventId=standup".into(), SeriesScope::All),
    ] {
        let path = format!("/event?provider=caldav&calendarId={WORK}&{query}");
        let answer = world.call("DELETE", &path, &world.token, None).await;
        assert_eq!(answer, (StatusCode::OK, expected.clone()), "{query}");
        let Errand::Delete { scope: asked, .. } = world.last_asked() else { panic!("{query}") };
        assert_eq!(asked, scope, "{query}");
    }
}

#[tokio::test]
async fn wrong_writes_are_refused_with_the_documented_status() {
    let world = world().await;
    let good = json!({"provider": "caldav", "calendarId": WORK, "title": "t",
        "start": "2026-03-12T09:00:00Z", "end": "2026-03-12T10:00:00Z", "eventId": "late"});
    let with = |name: &str, value: Value| {
        let mut request = good.clone();
        request[name] = value;
        request
    };
    for (method, request, status, words) in [
        ("POST", with("provider", json!(null)), 400, "provider is required"),
        ("POST", with("provider", json!("fax")), 400, "fax"),
        ("POST", with("calendarId", json!("")), 400, "calendarId is required"),
        ("POST", with("title", json!("")), 400, "title is required"),
        ("POST", with("start", json!(null)), 400, "start is required"),
        ("POST", with("end", json!("soon")), 400, "end must be a time"),
        ("POST", with("end", json!("2026-03-11T10:00:00Z")), 400, "end must not be before start"),
        ("POST", with("privacy", json!("secret")), 400, "privacy must be"),
        ("POST", with("calendarId", json!("primary")), 404, "calendar not found"),
        ("POST", with("provider", json!("google")), 404, "calendar not found"),
        ("PUT", with("eventId", json!(null)), 400, "eventId is required"),
        ("PUT", with("updateMode", json!("some")), 400, "updateMode must be"),
        ("PUT", with("eventId", json!("never")), 404, "event not found"),
        ("DELETE", with("eventId", json!("never")), 404, "event not found"),
        ("DELETE", with("deleteMode", json!("some")), 400, "deleteMode must be"),
        ("DELETE", with("calendarId", json!("/other/home/")), 404, "calendar not found"),
    ] {
        let (got, answer) = world.call(method, "/event", &world.token, Some(&request)).await;
        assert_eq!(got.as_u16(), status, "{method} {request}: {answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(words), "{method}: {message}");
    }
}

#[tokio::test]
async fn writing_with_a_read_scope_is_the_documented_401() {
    let world = world().await;
    for scope in ["read", "free-busy"] {
        let token = world.token_for(scope).await;
        let request = json!({"provider": "caldav", "calendarId": WORK, "title": "t", "eventId": "late",
            "start": "2026-03-12T09:00:00Z", "end": "2026-03-12T10:00:00Z"});
        for method in ["POST", "PUT", "DELETE"] {
            let (status, answer) = world.call(method, "/event", &token, Some(&request)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{scope} {method}");
            assert_eq!(answer["error"], "Unauthorized");
            assert_eq!(answer["message"], "Write access denied for current scope");
        }
    }
    let token = world.token_for("calendar").await;
    let request =
        json!({"provider": "caldav", "calendarId": WORK, "eventId": "late", "title": "t"});
    let (status, answer) = world.call("PUT", "/event", &token, Some(&request)).await;
    assert_eq!(status, StatusCode::OK, "the SDK's own default is read-write: {answer}");
}
