use serde_json::json;
use tidings_simulators::graph::{ADA, throttled};
use tidings_simulators::server::Fault;

use crate::client::Client;
use crate::{hour, weekly};

#[tokio::test]
async fn a_write_with_a_stale_entity_tag_is_refused() {
    let client = Client::start().await;
    let made = client.post("me/events", &hour("One", 2)).await;
    assert_eq!(made.status, 201);
    let (path, tag) = (format!("me/events/{}", made.id()), made.body["@odata.etag"].clone());
    let tag = tag.as_str().unwrap();
    client.graph.edit_event(ADA, &made.id(), json!({ "subject": "Theirs" }));
    let ours = json!({ "subject": "Ours" });
    for method in ["PATCH", "DELETE"] {
        let refused = client.send(method, &path, &[("if-match", tag)], Some(&ours)).await;
        assert_eq!(refused.code(), (412, "ErrorIrresolvableConflict"), "{method}");
    }
    let now = client.get(&path).await.body["@odata.etag"].clone();
    let fresh = [("if-match", now.as_str().unwrap())];
    assert_eq!(client.send("PATCH", &path, &fresh, Some(&ours)).await.status, 200);
    assert_eq!(client.send("DELETE", &path, &[], None).await.status, 204);
    assert_eq!(client.send("DELETE", &path, &[], None).await.code(), (404, "ErrorItemNotFound"));
}

/// Seen in the field: 409 with the event that is there, not the event itself.
#[tokio::test]
async fn a_repeated_create_is_refused_and_names_the_event_that_is_there() {
    let client = Client::start().await;
    let mut event = hour("One", 2);
    event["transactionId"] = "write-1".into();
    let made = client.post("me/events", &event).await;
    let again = client.post("me/events", &event).await;
    assert_eq!(again.code(), (409, "ErrorDuplicateTransactionId"));
    assert_eq!(again.body["error"]["@event.existingEventId"], made.id().as_str());
    let found = client.get("me/events?$filter=transactionId%20eq%20'write-1'").await;
    assert_eq!(found.body["value"][0]["id"], made.id().as_str());
    client.graph.switches(|switches| switches.repeat_answers = true);
    assert_eq!(client.post("me/events", &event).await.id(), made.id());
    assert_eq!(client.graph.truth(ADA)[0].events.len(), 1);
}

#[tokio::test]
async fn only_immutable_ids_survive_a_move_and_ids_are_case_sensitive() {
    let mut client = Client::start().await;
    let from = client.graph.default_calendar(ADA);
    let to = client.graph.add_calendar(ADA, "Other");
    let ids = |client: &Client| client.graph.truth(ADA).remove(1).events.into_keys().next();
    let one = client.graph.create_event(ADA, &from, hour("One", 2));
    let two = client.graph.create_event(ADA, &from, hour("Two", 2));
    assert_eq!(one.to_lowercase(), two.to_lowercase());
    client.prefer = "";
    let before = client.get(&format!("me/events/{one}")).await.id();
    client.graph.move_event(ADA, &one, &to);
    let after = client.get(&format!("me/events/{one}")).await.id();
    assert_ne!(before, after);
    assert_eq!(ids(&client), Some(one));
}

#[tokio::test]
async fn a_day_of_a_series_is_changed_and_cancelled_by_its_own_id() {
    let client = Client::start().await;
    let series = client.post("me/events", &weekly("Weekly")).await.id();
    let window = "startDateTime=2026-12-01T00:00:00Z&endDateTime=2027-01-01T00:00:00Z";
    let path = format!("me/events/{series}/instances?{window}");
    let days = client.get(&path).await.body["value"].clone();
    assert_eq!(days.as_array().unwrap().len(), 4);
    let (second, third) = (days[1]["id"].as_str().unwrap(), days[2]["id"].as_str().unwrap());
    let elsewhere = json!({ "location": { "displayName": "Elsewhere" } });
    let path_of = |id: &str| format!("me/events/{id}");
    let changed = client.send("PATCH", &path_of(second), &[], Some(&elsewhere)).await;
    assert_eq!((changed.status, &changed.body["type"]), (200, &json!("exception")));
    assert_eq!(changed.body["subject"], "Weekly", "the rest comes from the series");
    assert_eq!(changed.body["originalStart"], "2026-12-09T09:00:00Z");
    assert_eq!(client.send("DELETE", &path_of(third), &[], None).await.status, 204);
    let days = client.get(&path).await.body["value"].clone();
    let kinds: Vec<_> = days.as_array().unwrap().iter().map(|day| day["type"].clone()).collect();
    assert_eq!(kinds, ["occurrence", "exception", "occurrence"]);
}

#[tokio::test]
async fn times_are_read_in_the_zone_that_is_preferred() {
    let mut client = Client::start().await;
    let mut event = hour("One", 2);
    for name in ["start", "end"] {
        event[name]["timeZone"] = "W. Europe Standard Time".into();
    }
    let id = client.post("me/events", &event).await.id();
    for (prefer, expected) in [
        ("outlook.timezone=\"UTC\"", "2026-12-02T08:00:00.0000000"),
        ("outlook.timezone=\"Tokyo Standard Time\"", "2026-12-02T17:00:00.0000000"),
    ] {
        client.prefer = prefer;
        let read = client.get(&format!("me/events/{id}")).await.body;
        assert_eq!(read["start"]["dateTime"], expected);
        assert_eq!(read["originalStartTimeZone"], "W. Europe Standard Time");
    }
}

#[tokio::test]
async fn what_graph_does_not_know_is_refused() {
    let client = Client::start().await;
    for (name, value) in [
        ("title", json!("no such property")),
        ("iCalUId", json!("read only")),
        ("start", json!({ "dateTime": "yesterday", "timeZone": "UTC" })),
        ("end", json!({ "dateTime": "2026-12-01T09:00:00", "timeZone": "UTC" })),
        ("isAllDay", json!(true)),
        ("recurrence", json!({ "pattern": { "type": "sometimes" } })),
    ] {
        let mut event = hour("One", 2);
        event[name] = value;
        assert_eq!(client.post("me/events", &event).await.status, 400, "{name}");
    }
}

#[tokio::test]
async fn calendars_come_in_pages_and_a_calendar_that_may_not_be_written_says_so() {
    let client = Client::start().await;
    for number in 0..12 {
        client.graph.add_calendar(ADA, &format!("Calendar {number}"));
    }
    assert_eq!(client.pages("me/calendars").await.0.len(), 13);
    let made = client.post("me/calendars", &json!({ "name": "Made" })).await;
    let path = format!("me/calendars/{}", made.id());
    let renamed = client.send("PATCH", &path, &[], Some(&json!({ "name": "Renamed" }))).await;
    assert_eq!(renamed.body["name"], "Renamed");
    client.graph.set_writable(ADA, &made.id(), false);
    let refused = client.post(&format!("{path}/events"), &hour("One", 2)).await;
    assert_eq!(refused.code(), (403, "ErrorAccessDenied"));
    assert_eq!(client.send("DELETE", &path, &[], None).await.status, 204);
    assert_eq!(client.get(&path).await.code(), (404, "ErrorItemNotFound"));
}

#[tokio::test]
async fn too_many_requests_are_answered_with_the_time_to_wait() {
    let client = Client::start().await;
    client.graph.faults().next(
        "GET",
        "me",
        Fault::Instead(throttled(503, "MailboxConcurrency", 7)),
    );
    let refused = client.get("me").await;
    assert_eq!(refused.code(), (503, "MailboxConcurrency"));
    assert_eq!(refused.headers["retry-after"], "7");
    client.graph.switches(|switches| switches.latency_ms = 200);
    let five = (0..5).map(|_| client.get("me"));
    let mut statuses = Vec::new();
    for reply in futures_util::future::join_all(five).await {
        statuses.push(reply.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 429], "four at once in one mailbox");
    client.graph.oauth().expire_access();
    assert_eq!(client.get("me").await.code(), (401, "InvalidAuthenticationToken"));
}

#[tokio::test]
async fn exchange_moves_the_change_key_again_after_a_write() {
    let client = Client::start().await;
    client.graph.switches(|switches| switches.bumps_after_write = 3);
    let made = client.post("me/events", &hour("One", 2)).await;
    let read = client.get(&format!("me/events/{}", made.id())).await;
    assert_ne!(made.body["changeKey"], read.body["changeKey"]);
    assert_eq!(made.body["subject"], read.body["subject"]);
}
