//! Subscribing, replacing and unsubscribing.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{HOME, WORK, World};

fn on(calendar: &str, channel: &str) -> Value {
    json!({"provider": "caldav", "calendarId": calendar, "channelId": channel})
}

fn off(channel: &str) -> Value {
    json!({"provider": "caldav", "channelId": channel})
}

/// The calendars' channels in force, by channel id.
async fn channels(world: &World) -> Vec<String> {
    let mut channels: Vec<_> =
        world.hooks().await.into_iter().map(|hook| hook.external_id.unwrap()).collect();
    channels.sort();
    channels
}

#[tokio::test]
async fn the_documented_request_gets_the_documented_answer_on_both_mounts() {
    let world = World::new().await;
    let request = json!({
        "provider": "caldav", "calendarId": WORK, "channelId": "my-channel-123",
        "expiration": 1_773_914_400_000_i64, "newInGenerationD": {"ignored": true},
    });
    let url = "http://tidings.example:8080/providers/caldav/notifications";
    let expected = json!({
        "success": true, "provider": "caldav",
        "subscription": {
            "channelId": "my-channel-123", "expiration": "2026-03-19T10:00:00.000Z",
            "webhookUrl": url,
        },
        "serverWebhookUrl": url, "channelId": "my-channel-123",
    });
    for path in ["/subscribe-webhook", "/connect/api/subscribe-webhook"] {
        let answer = world.post(path, &world.token, &request).await;
        assert_eq!(answer, (StatusCode::OK, expected.clone()), "{path}");
    }
    for path in ["/unsubscribe-webhook", "/connect/api/unsubscribe-webhook"] {
        let request =
            json!({"provider": "caldav", "channelId": "my-channel-123", "resourceId": "r"});
        let (status, answer) = world.post(path, &world.token, &request).await;
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{path}");
    }
    assert_eq!(channels(&world).await, [""; 0]);
}

#[tokio::test]
async fn a_subscription_is_a_hook_for_one_calendar_of_the_user() {
    let world = World::new().await;
    world.post("/subscribe-webhook", &world.token, &on(WORK, "work")).await;
    let hooks = world.hooks().await;
    let [hook] = hooks.as_slice() else { panic!("{hooks:?}") };
    assert_eq!((hook.format.as_str(), hook.url.as_deref()), ("connect@1", None));
    assert_eq!(hook.external_id.as_deref(), Some("work"));
    assert_eq!(hook.expires_at, None);
    let account = world.service.account(&world.owner, hook.account.unwrap()).await.unwrap();
    assert_eq!(account.user_id, Some(world.user.id));
    let calendars = world.service.calendars(&world.owner, account.id).await.unwrap();
    let calendar = calendars.iter().find(|calendar| Some(calendar.id) == hook.calendar).unwrap();
    assert_eq!(calendar.external_id, WORK);
}

#[tokio::test]
async fn a_free_busy_token_gets_no_deliveries() {
    let world = World::new().await;
    let token = world.token_for("free-busy").await;
    let before = channels(&world).await;
    let (status, answer) = world.post("/subscribe-webhook", &token, &on(WORK, "work")).await;
    let words = "Webhook access denied for current scope";
    assert_eq!((status, &answer["message"]), (StatusCode::UNAUTHORIZED, &json!(words)), "{answer}");
    assert_eq!(channels(&world).await, before);
    let token = world.token_for("read").await;
    let (status, answer) = world.post("/subscribe-webhook", &token, &on(WORK, "work")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn a_channel_id_is_made_when_there_is_none() {
    let world = World::new().await;
    for channel in [json!(null), json!("")] {
        let request = json!({"provider": "caldav", "calendarId": WORK, "channelId": channel});
        let (status, answer) = world.post("/subscribe-webhook", &world.token, &request).await;
        assert_eq!(status, StatusCode::OK);
        let made = answer["channelId"].as_str().unwrap();
        assert!(made.len() >= 16, "{made} can be guessed");
        assert_eq!(answer["subscription"]["channelId"], made);
        assert_eq!(answer["subscription"].get("expiration"), None);
        assert_eq!(channels(&world).await, [made]);
    }
}

#[tokio::test]
async fn a_subscription_replaces_only_the_same_users_to_the_same_calendar() {
    let world = World::new().await;
    for (token, calendar, channel, left) in [
        (&world.token, WORK, "a", vec!["a"]),
        (&world.token, HOME, "b", vec!["a", "b"]),
        (&world.other_token, WORK, "c", vec!["a", "b", "c"]),
        (&world.token, WORK, "d", vec!["b", "c", "d"]),
        (&world.token, WORK, "d", vec!["b", "c", "d"]),
        (&world.other_token, WORK, "d", vec!["b", "d", "d"]),
    ] {
        let (status, answer) =
            world.post("/subscribe-webhook", token, &on(calendar, channel)).await;
        assert_eq!(status, StatusCode::OK, "{calendar} {channel}: {answer}");
        assert_eq!(channels(&world).await, left, "{calendar} {channel}");
    }
}

#[tokio::test]
async fn unsubscribing_is_final_and_touches_no_other_user() {
    let world = World::new().await;
    world.post("/subscribe-webhook", &world.token, &on(WORK, "a")).await;
    world.post("/subscribe-webhook", &world.other_token, &on(WORK, "b")).await;
    for (channel, message, left) in [
        ("b", "There was no such subscription; nothing is left of it", vec!["a", "b"]),
        ("a", "Successfully unsubscribed", vec!["b"]),
        ("a", "There was no such subscription; nothing is left of it", vec!["b"]),
        ("never", "There was no such subscription; nothing is left of it", vec!["b"]),
    ] {
        let answer = world.post("/unsubscribe-webhook", &world.token, &off(channel)).await;
        assert_eq!(answer, (StatusCode::OK, json!({"success": true, "message": message})));
        assert_eq!(channels(&world).await, left, "{channel}");
    }
}
