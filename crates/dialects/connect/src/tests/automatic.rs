//! The automatic subscription of every calendar.

use http::StatusCode;
use serde_json::json;
use tidings_core::settings::AppSettings;
use tidings_service::AppChanges;

use super::world::{HOME, REDIRECT_URI, WORK, World};

/// The automatic hook and how many calendars it leaves out.
async fn automatic(world: &World) -> Option<(String, usize)> {
    let hooks = world.hooks().await;
    let own = hooks.into_iter().find(|hook| hook.external_id == Some(world.client_id()))?;
    let store = world.store.hook_by_id(1, own.id).await.unwrap();
    Some((own.format, store.selection().except.len()))
}

#[tokio::test]
async fn an_app_of_connect_watches_every_calendar_once_it_has_a_webhook_url() {
    let mut world = World::new().await;
    assert_eq!(automatic(&world).await, None, "nobody is taken through OAuth yet");
    world.set_webhook_url(None).await;
    world.set_redirect_uri(REDIRECT_URI).await;
    assert_eq!(automatic(&world).await, None, "there is nowhere to deliver to");
    world.set_webhook_url(Some("http://127.0.0.1:9/changes")).await;
    assert_eq!(automatic(&world).await, Some(("connect@1".into(), 0)));
    world.set_webhook_url(Some("http://127.0.0.1:9/other")).await;
    assert_eq!(world.hooks().await.len(), 1, "there is one, and not one for every change");

    let settings = AppSettings { redirect_uris: vec![REDIRECT_URI.into()], subscribe_all: false };
    let changes = AppChanges { settings: Some(settings), ..AppChanges::default() };
    let app = world.owner.app_id().unwrap();
    world.service.update_app(&world.owner, app, changes).await.unwrap();
    assert_eq!(automatic(&world).await, None, "the app says otherwise");
}

#[tokio::test]
async fn it_is_signed_with_the_published_key_and_batches_by_calendar() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let hook = world.hooks().await.remove(0);
    assert!(hook.signing.has(tidings_core::sign::Scheme::V1a));
    let coalesce = hook.coalesce.unwrap();
    assert_eq!(coalesce.group, tidings_core::hook::Grouping::Collection);
    assert_eq!((hook.url, hook.user), (None, None));
    let keys = world.service.webhook_keys(world.owner.app_id().unwrap()).await.unwrap();
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn what_is_subscribed_or_unsubscribed_by_name_leaves_it() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let except = async || automatic(&world).await.unwrap().1;
    let on = json!({"provider": "caldav", "calendarId": WORK, "channelId": "mine"});
    assert_eq!(world.post("/subscribe-webhook", &world.token, &on).await.0, StatusCode::OK);
    assert_eq!(except().await, 1, "one delivery for a change, not two");
    assert_eq!(world.post("/subscribe-webhook", &world.token, &on).await.0, StatusCode::OK);
    assert_eq!(except().await, 1);
    let off = json!({"provider": "caldav", "channelId": "mine"});
    world.post("/unsubscribe-webhook", &world.token, &off).await;
    assert_eq!(except().await, 1, "who unsubscribes wants to hear no more");

    let store = &world.store;
    let rows = store.collections(1).await.unwrap();
    let home = rows.iter().find(|row| row.external_id == HOME).unwrap().id.to_string();
    let off = json!({"provider": "caldav", "channelId": home});
    let stranger = world.post("/unsubscribe-webhook", &world.other_token, &off).await;
    assert_eq!((stranger.0, except().await), (StatusCode::OK, 1), "not another user's calendar");
    for expected in
        ["Successfully unsubscribed", "There was no such subscription; nothing is left of it"]
    {
        let (status, answer) = world.post("/unsubscribe-webhook", &world.token, &off).await;
        assert_eq!((status, &answer["message"]), (StatusCode::OK, &json!(expected)));
        assert_eq!(except().await, 2);
    }
}

#[tokio::test]
async fn its_own_id_is_no_channel_for_a_client() {
    let world = World::new().await;
    let on = json!({"provider": "caldav", "calendarId": WORK, "channelId": world.client_id()});
    let (status, answer) = world.post("/subscribe-webhook", &world.token, &on).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
}
