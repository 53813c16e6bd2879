//! Reading, listing and writing events.

use http::StatusCode;
use serde_json::{Value, json};
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::id::ChangeId;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_service::{Notify, SeriesScope};
use tidings_store::MirrorCommit;

use super::world::{WORK, World, google_event, google_items, graph_event, graph_item};

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl World {
    fn google_path(&self, rest: &str) -> String {
        let (id, calendar) = (self.google.id, encoded(WORK));
        format!("/pyas/google/events{rest}accountId={id}&calendarId={calendar}")
    }

    fn graph_path(&self, rest: &str) -> String {
        let (id, calendar) = (self.microsoft.id, encoded(&self.microsoft.external_id));
        format!("/pyas/microsoft/events{rest}accountId={id}&calendarId={calendar}")
    }

    /// The `data` of a list of Google's, with more parameters.
    async fn listed(&self, more: &str) -> Value {
        let (status, answer) = self.get(&format!("{}&{more}", self.google_path("?"))).await;
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
        answer["data"].clone()
    }

    async fn refused(&self, more: &str) -> Vec<(String, String)> {
        let (status, answer) = self.get(&format!("{}&{more}", self.google_path("?"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{more}: {answer}");
        let errors = answer["errors"].as_array().unwrap().iter();
        errors
            .map(|one| {
                assert_eq!(one["location"], "query");
                (one["param"].as_str().unwrap().into(), one["msg"].as_str().unwrap().into())
            })
            .collect()
    }

    async fn mirror_google(&self, objects: &[Value]) {
        self.mirror(&self.google, google_items(objects)).await;
    }
}

fn ids(data: &Value) -> Vec<&str> {
    let events = data["events"].as_array().unwrap().iter();
    events.map(|event| event["id"].as_str().unwrap()).collect()
}

/// Four events on four days.
async fn filled() -> World {
    let world = World::new().await;
    let mut objects = Vec::new();
    for (day, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let start = format!("2026-04-{:02}T09:00:00Z", 20 - day);
        objects.push(google_event(id, &format!("Event {id}"), &start));
    }
    objects[1]["location"] = "Room Ulm".into();
    objects[1]["attendees"] = json!([{ "email": "bob@example.com", "displayName": "Bob" },
        { "email": WORK, "self": true, "organizer": true }]);
    objects[2]["eventType"] = "focusTime".into();
    objects[2]["updated"] = "2020-01-01T00:00:00.000Z".into();
    objects[3]["extendedProperties"] = json!({ "private": { "crm": "7" }, "shared": { "s": "1" } });
    world.mirror_google(&objects).await;
    world
}

#[tokio::test]
async fn an_event_is_printed_as_its_provider_does() {
    let world = World::new().await;
    let google = google_event("some-id", "some summary", "2026-04-02T09:00:00Z");
    world.mirror_google(std::slice::from_ref(&google)).await;
    let graph = graph_event("AAMkEv=", "Example Event");
    world.mirror(&world.microsoft, vec![graph_item(&graph)]).await;
    let expected = json!({ "success": true, "event": google });
    assert_eq!(world.get(&world.google_path("/some-id?")).await, (StatusCode::OK, expected));
    let expected = json!({ "success": true, "event": graph });
    assert_eq!(world.get(&world.graph_path("/AAMkEv%3D?")).await, (StatusCode::OK, expected));

    let data = world.listed("").await;
    assert_eq!((&data["events"], &data["nextPageToken"]), (&json!([google]), &Value::Null));
    assert!(data["nextSyncToken"].is_string(), "{data}");
    let (_, list) = world.get(&world.graph_path("?")).await;
    let data = json!({ "count": 1, "nextPageToken": null, "events": [graph] });
    assert_eq!(list, json!({ "success": true, "data": data }));
    let primary = world.google_path("?").replace("some-user%40gmail.com", "primary");
    assert_eq!(world.get(&primary).await.1["data"]["events"], json!([google]));
}

#[tokio::test]
async fn pages_lead_from_one_to_the_next_until_a_sync_token() {
    let world = filled().await;
    let mut seen = Vec::new();
    let mut more = "maxResults=3".to_owned();
    loop {
        let data = world.listed(&more).await;
        seen.extend(ids(&data).iter().map(|&id| id.to_owned()));
        match data["nextPageToken"].as_str() {
            Some(token) => {
                assert!(data["nextSyncToken"].is_null(), "{data}");
                more = format!("maxResults=3&nextPageToken={token}");
            }
            None => {
                assert!(data["nextSyncToken"].is_string(), "{data}");
                break;
            }
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn filters_are_answered_from_the_mirror() {
    let world = filled().await;
    for (more, expected) in [
        ("startDate=04-18-2026", vec!["a", "b", "c"]),
        ("startDate=2026-04-18&endDate=04-19-2026", vec!["c"]),
        ("startDate=1776675600000", vec!["a"]),
        ("endDate=2026-04-18T00%3A00%3A00Z", vec!["d"]),
        ("search=EVENT", vec!["a", "b", "c", "d"]),
        ("search=ulm+bob", vec!["b"]),
        ("search=bob%40example", vec!["b"]),
        ("search=nobody", vec![]),
        ("iCalUID=c%40google.com", vec!["c"]),
        ("eventTypes=focusTime", vec!["c"]),
        ("eventTypes=focusTime,default&eventTypes=birthday", vec!["a", "b", "c", "d"]),
        ("privateExtendedProperty=crm%3D7", vec!["d"]),
        ("privateExtendedProperty=crm%3D8", vec![]),
        ("sharedExtendedProperty=s%3D1", vec!["d"]),
        ("showDeleted=false&singleEvents=false", vec!["a", "b", "c", "d"]),
        ("filters=%7B%22iCalUID%22%3A%22c%40google.com%22%7D", vec!["c"]),
        ("orderBy=updated&maxResults=1", vec!["c"]),
        (
            "orderBy=startTime&singleEvents=true&startDate=2026-04-01&endDate=2026-05-01",
            vec!["d", "c", "b", "a"],
        ),
    ] {
        let data = world.listed(more).await;
        assert_eq!(ids(&data), expected, "{more}");
        let is_whole = more.starts_with("showDeleted");
        assert_eq!(data["nextSyncToken"].is_string(), is_whole, "{more}");
    }
    let (_, graph) = world.get(&format!("{}&search=nobody", world.graph_path("?"))).await;
    assert_eq!(graph["data"]["count"], 0);
}

#[tokio::test]
async fn an_order_goes_on_over_pages() {
    let world = filled().await;
    let order = "orderBy=startTime&singleEvents=true&startDate=2026-04-01&endDate=2026-05-01";
    let first = world.listed(&format!("{order}&maxResults=3")).await;
    assert_eq!(ids(&first), ["d", "c", "b"]);
    let token = first["nextPageToken"].as_str().unwrap();
    let second = world.listed(&format!("{order}&maxResults=3&nextPageToken={token}")).await;
    assert_eq!((ids(&second), &second["nextPageToken"]), (vec!["a"], &Value::Null));
    let misplaced = world.refused(&format!("nextPageToken={token}")).await;
    assert_eq!(misplaced[0].0, "nextPageToken");
}

#[tokio::test]
async fn many_attendees_are_left_out_on_demand() {
    let world = filled().await;
    let data = world.listed("iCalUID=b%40google.com&maxAttendees=1").await;
    let event = &data["events"][0];
    assert_eq!(event["attendeesOmitted"], true);
    assert_eq!(event["attendees"][0]["self"], true, "{event}");
    let data = world.listed("iCalUID=b%40google.com&maxAttendees=2").await;
    assert_eq!(data["events"][0]["attendees"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_the_mirror_cannot_answer_is_refused_and_says_why() {
    let world = filled().await;
    let sync = world.listed("").await["nextSyncToken"].as_str().unwrap().to_owned();
    let with_search = format!("syncToken={sync}&search=x");
    for (more, param, words) in [
        ("showDeleted=true", "showDeleted", "syncToken"),
        ("singleEvents=true", "singleEvents", "needs startDate and endDate"),
        ("singleEvents=true&startDate=2020-01-01&endDate=2026-01-01", "singleEvents", "366 days"),
        ("orderBy=startTime", "orderBy", "only available with singleEvents"),
        ("orderBy=colour", "orderBy", "startTime or updated"),
        ("timeZone=UTC", "timeZone", "not supported"),
        ("startDate=soon", "startDate", "a date or a timestamp"),
        ("startDate=13-13-2026", "startDate", "a date or a timestamp"),
        ("startDate=2026-01-02&endDate=2026-01-01", "endDate", "after startDate"),
        ("maxResults=0", "maxResults", "1 to 2500"),
        ("maxResults=many", "maxResults", "1 to 2500"),
        ("singleEvents=perhaps", "singleEvents", "true or false"),
        ("eventTypes=party", "eventTypes", "workingLocation"),
        ("privateExtendedProperty=crm", "privateExtendedProperty", "propertyName=value"),
        ("filters=nothing", "filters", "JSON object"),
        ("nextPageToken=forged", "nextPageToken", "begin again"),
        ("syncToken=forged", "syncToken", "given out here"),
        (with_search.as_str(), "search", "combined with syncToken"),
    ] {
        let errors = world.refused(more).await;
        let found = errors.iter().any(|(name, msg)| name == param && msg.contains(words));
        assert!(found, "{more}: {errors:?}");
    }
    for name in ["expand", "filter"] {
        let (status, answer) = world.get(&format!("{}&%24{name}=x", world.graph_path("?"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(answer["errors"][0]["param"], format!("${name}"));
    }
}

#[tokio::test]
async fn a_sync_token_tells_what_changed_since_then() {
    let world = filled().await;
    let token = world.listed("").await["nextSyncToken"].as_str().unwrap().to_owned();
    let changed = |kind: &str, calendar: &str, item: &str| NewChange {
        id: ChangeId(world.fresh().0),
        kind: kind.into(),
        subject: Subject {
            account_no: Some(1),
            provider: Some("google".into()),
            item: Some(item.into()),
            ..Subject::default()
        },
        order_key: None,
        occurred_at: world.clock.now(),
        origin: Origin::Provider,
        actor: None,
        traceparent: None,
        body: json!({ "account": { "id": world.google.id, "provider": "google" },
            "calendar": { "external_id": calendar }, "event": {} })
        .to_string()
        .into(),
    };
    let new = google_event("e", "New", "2026-04-02T09:00:00Z");
    world.mirror_google(std::slice::from_ref(&new)).await;
    for change in [
        changed("event.created", WORK, "e"),
        changed("event.updated", WORK, "e"),
        changed("event.updated", "another calendar", "a"),
        changed("event.deleted", WORK, "gone"),
    ] {
        world.append(change).await;
    }
    let data = world.listed(&format!("syncToken={token}&maxResults=1")).await;
    assert_eq!((&data["events"], &data["nextSyncToken"]), (&json!([new]), &Value::Null), "{data}");
    let next = data["nextPageToken"].as_str().unwrap();
    let data = world.listed(&format!("syncToken={token}&nextPageToken={next}")).await;
    let gone = json!({ "kind": "calendar#event", "id": "gone", "status": "cancelled" });
    assert_eq!((&data["events"], &data["nextPageToken"]), (&json!([gone]), &Value::Null));
    let token = data["nextSyncToken"].as_str().unwrap();
    let data = world.listed(&format!("syncToken={token}&showDeleted=true")).await;
    assert_eq!(ids(&data), [""; 0]);
}

impl World {
    /// Appends a change as the sync does.
    async fn append(&self, change: NewChange) {
        let mut commit = MirrorCommit::new(1, 1);
        commit.changes.push(change);
        assert!(self.store.commit_mirror(commit, self.clock.now()).await.unwrap());
    }
}

#[tokio::test]
async fn a_series_is_expanded_into_instances_with_ids_that_work() {
    let world = World::new().await;
    let mut master = google_event("series", "Daily", "2026-04-01T09:00:00Z");
    master["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=3"]);
    world.mirror_google(std::slice::from_ref(&master)).await;
    assert_eq!(ids(&world.listed("").await), ["series"]);
    let expand = "singleEvents=true&orderBy=startTime&startDate=2026-04-01&endDate=2026-04-30";
    let data = world.listed(expand).await;
    let stamps = ["20260401T090000Z", "20260402T090000Z", "20260403T090000Z"];
    assert_eq!(ids(&data), stamps.map(|stamp| format!("series_{stamp}")));
    let second = &data["events"][1];
    let at = json!({ "dateTime": "2026-04-02T09:00:00.000Z", "timeZone": "UTC" });
    assert_eq!((&second["start"], &second["originalStartTime"]), (&at, &at));
    assert_eq!(
        (&second["recurringEventId"], &second["recurrence"]),
        (&json!("series"), &Value::Null)
    );
    assert_eq!(second["summary"], "Daily");
    let path = world.google_path("/series_20260402T090000Z?");
    assert_eq!(world.get(&path).await.1["event"], *second);
}

#[tokio::test]
async fn a_created_event_is_what_event_data_says() {
    let world = World::new().await;
    let made = google_event("made", "Lunch", "2026-04-02T09:00:00Z");
    world.answer(Ok(Reply::Item(google_items(std::slice::from_ref(&made)).remove(0))));
    let data = json!({
        "title": "Lunch", "description": "d", "startDate": "2026-04-02T09:00:00Z",
        "endDate": "2026-04-02T10:00:00Z", "timeZone": "Europe/Berlin",
        "location": { "displayName": "Room Ulm" },
        "attendees": [{ "email": "bob@example.com", "displayName": "Bob", "responseStatus": "x" }],
        "conferencing": { "type": "googleMeet" },
        "recurrence": { "frequency": "weekly", "byDay": ["Monday"], "count": 4 },
        "meta": { "crm": 7 },
    });
    let body = json!({ "accountId": world.google.id, "calendarId": WORK, "eventData": data,
                       "sendUpdates": "all" });
    let answer = world.send("POST", "/pyas/google/events", body).await;
    assert_eq!(answer, (StatusCode::OK, json!({ "success": true, "event": made })));
    let Errand::Create { draft, notify, .. } = world.errand() else { panic!() };
    let expected = json!({
        "title": "Lunch", "description": "d", "start": "2026-04-02T09:00:00Z",
        "end": "2026-04-02T10:00:00Z", "timeZone": "Europe/Berlin", "location": "Room Ulm",
        "attendees": [{ "email": "bob@example.com", "name": "Bob" }], "conference": "create",
        "recurrence": "FREQ=WEEKLY;BYDAY=MO;COUNT=4", "properties": { "crm": "7" },
    });
    let expected = tidings_providers::draft::EventDraft::from_json(&expected).unwrap();
    assert_eq!((draft, notify), (expected, Notify::All));
}

#[tokio::test]
async fn an_event_is_changed_and_deleted_by_either_verb() {
    let world = World::new().await;
    let graph = graph_event("AAMkEv=", "Before");
    world.mirror(&world.microsoft, vec![graph_item(&graph)]).await;
    let body = json!({ "accountId": world.microsoft.id, "calendarId": world.microsoft.external_id,
                       "eventData": { "title": "After" } });
    for method in ["PUT", "PATCH"] {
        world.answer(Ok(Reply::Item(graph_item(&graph_event("AAMkEv=", "After")))));
        let (status, answer) =
            world.send(method, "/pyas/microsoft/events/AAMkEv%3D", body.clone()).await;
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
        assert_eq!(answer["event"]["id"], "AAMkEv=");
        let Errand::Update { item_key, scope, draft, .. } = world.errand() else { panic!() };
        assert_eq!((item_key.as_str(), scope), ("AAMkEv=", SeriesScope::All));
        assert_eq!(draft.title.set().map(String::as_str), Some("After"));
        assert!(draft.start.is_keep());
    }
    for path in [world.graph_path("/AAMkEv%3D?"), "/pyas/microsoft/events/AAMkEv%3D".into()] {
        world.answer(Ok(Reply::Done));
        let in_body = (!path.contains("accountId")).then_some(&body);
        let answer = world.ask("DELETE", &path, Some(&world.key), in_body).await;
        assert_eq!(answer, (StatusCode::OK, json!({ "success": true })));
        assert!(matches!(world.errand(), Errand::Delete { .. }));
    }
}

#[tokio::test]
async fn what_the_provider_does_not_take_is_told() {
    let world = World::new().await;
    world.mirror_google(&[google_event("e", "E", "2026-04-02T09:00:00Z")]).await;
    let body = |data: Value| {
        json!({ "accountId": world.google.id, "calendarId": WORK,
                                     "eventData": data })
    };
    for (refusal, status) in [
        (Refusal::NotFound("gone".into()), 404),
        (Refusal::Conflict("changed".into()), 409),
        (Refusal::Forbidden("read only".into()), 422),
        (Refusal::Busy, 503),
    ] {
        world.answer(Err(refusal));
        let title = body(json!({ "title": "x" }));
        let (told, answer) = world.send("PATCH", "/pyas/google/events/e", title).await;
        assert_eq!((told.as_u16(), &answer["code"]), (status, &json!(status)), "{answer}");
    }
    for (data, param, words) in [
        (json!({ "startDate": "soon" }), "eventData.startDate", "must be"),
        (json!({ "attendees": [{ "email": "x" }] }), "eventData.attendees[0].email", "address"),
        (json!({ "timeZone": "Mars" }), "eventData.timeZone", "time zone"),
        (json!({ "recurrence": {} }), "eventData.recurrence", "RRULE"),
        (json!({ "conferencing": { "type": "carrier pigeon" } }), "eventData.conferencing", "url"),
        (json!({ "colour": "red" }), "eventData.colour", "not supported here"),
        (json!({}), "eventData", "at least one"),
    ] {
        let (status, answer) = world.send("PATCH", "/pyas/google/events/e", body(data)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        let fault = &answer["errors"][0];
        assert_eq!((&fault["param"], &fault["location"]), (&json!(param), &json!("body")));
        assert!(fault["msg"].as_str().unwrap().contains(words), "{fault}");
    }
}
