//! Zoom's meetings.

use http::StatusCode;
use serde_json::{Value, json};
use tidings_providers::errand::{Errand, Reply};

use super::world::{World, zoom_items, zoom_meeting};

/// A meeting that is over, one of next month, and one of the month after.
async fn filled() -> (World, Vec<Value>) {
    let world = World::new().await;
    let meetings = vec![
        zoom_meeting(1, "Past", "2026-02-01T10:00:00Z"),
        zoom_meeting(2, "Next", "2026-04-01T10:00:00Z"),
        zoom_meeting(3, "Later", "2026-05-01T10:00:00Z"),
    ];
    for meeting in &meetings {
        world.mirror(&world.zoom, zoom_items(meeting)).await;
    }
    (world, meetings)
}

async fn listed(world: &World, more: &str) -> Value {
    let path = format!("/pyas/zoom/meetings?accountId={}&{more}", world.zoom.id);
    let (status, answer) = world.get(&path).await;
    assert_eq!(status, StatusCode::OK, "{more}: {answer}");
    answer["data"].clone()
}

#[tokio::test]
async fn meetings_are_listed_as_documented() {
    let (world, meetings) = filled().await;
    let data = listed(&world, "").await;
    let expected = json!({ "page_size": 30, "total_records": 3, "next_page_token": "",
                           "meetings": meetings });
    assert_eq!(data, expected);
    for (more, expected) in [
        ("type=scheduled", vec![1, 2, 3]),
        ("type=upcoming", vec![2, 3]),
        ("type=upcoming_meetings", vec![2, 3]),
        ("type=previous_meetings", vec![1]),
        ("startDate=03-01-2026", vec![2, 3]),
        ("startDate=03-01-2026&endDate=04-15-2026", vec![2]),
        ("maxResults=2&pageNumber=2", vec![3]),
    ] {
        let data = listed(&world, more).await;
        let ids: Vec<_> = data["meetings"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
        assert_eq!(ids, expected, "{more}");
    }
}

#[tokio::test]
async fn a_page_token_of_meetings_lives_15_minutes() {
    let (world, _) = filled().await;
    let first = listed(&world, "maxResults=2").await;
    assert_eq!((&first["page_size"], &first["total_records"]), (&json!(2), &json!(3)));
    let token = first["next_page_token"].as_str().unwrap();
    let more = format!("maxResults=2&nextPageToken={token}");
    let second = listed(&world, &more).await;
    assert_eq!((&second["meetings"][0]["id"], &second["next_page_token"]), (&json!(3), &json!("")));
    world.clock.advance_ms(15 * 60 * 1_000);
    let path = format!("/pyas/zoom/meetings?accountId={}&{more}", world.zoom.id);
    let (status, answer) = world.get(&path).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer["errors"][0]["param"], "nextPageToken");
}

#[tokio::test]
async fn who_is_in_a_meeting_is_not_mirrored() {
    let (world, _) = filled().await;
    let path = format!("/pyas/zoom/meetings?accountId={}&type=live", world.zoom.id);
    let (status, answer) = world.get(&path).await;
    assert_eq!((status, &answer["errors"][0]["param"]), (StatusCode::BAD_REQUEST, &json!("type")));
}

#[tokio::test]
async fn a_meeting_is_read_made_changed_and_deleted() {
    let (world, meetings) = filled().await;
    let account = world.zoom.id;
    let path = format!("/pyas/zoom/meetings/2?accountId={account}");
    let expected = json!({ "success": true, "meeting": meetings[1] });
    assert_eq!(world.get(&path).await, (StatusCode::OK, expected));

    let made = zoom_meeting(4, "Made", "2026-06-01T10:00:00Z");
    world.answer(Ok(Reply::Item(zoom_items(&made).remove(0))));
    let data = json!({ "title": "Made", "startDate": "2026-06-01T10:00:00Z", "duration": 30,
                       "agenda": "a", "timeZone": "America/Los_Angeles" });
    let body = json!({ "accountId": account, "meetingData": data });
    let answer = world.send("POST", "/pyas/zoom/meetings", body).await;
    assert_eq!(answer, (StatusCode::OK, json!({ "success": true, "meeting": made })));
    let Errand::Create { draft, .. } = world.errand() else { panic!() };
    let end = draft.end.set().unwrap().told();
    assert_eq!(end, "2026-06-01T10:30:00.000Z");
    assert_eq!(draft.description.set().map(String::as_str), Some("a"));

    world.answer(Ok(Reply::Item(zoom_items(&meetings[1]).remove(0))));
    let body = json!({ "accountId": account, "meetingData": { "topic": "Changed" } });
    let (status, answer) = world.send("PATCH", "/pyas/zoom/meetings/2", body).await;
    assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
    let Errand::Update { item_key, .. } = world.errand() else { panic!() };
    assert_eq!(item_key, "2");

    world.answer(Ok(Reply::Done));
    let answer = world.ask("DELETE", &path, Some(&world.key), None).await;
    assert_eq!(answer, (StatusCode::OK, json!({ "success": true })));
}
