//! The automatic subscription of every calendar.

use http::StatusCode;
use serde_json::json;
use tidings_core::hook::Selection;
use tidings_core::limits;
use tidings_core::settings::AppSettings;
use tidings_service::AppChanges;
use tidings_store::{AuditEntry, HookUpdate};

use super::world::{HOME, REDIRECT_URI, WORK, World};

/// The automatic hook and how many calendars it leaves out.
async fn automatic(world: &World) -> Option<(String, usize)> {
    let hooks = world.hooks().await;
    let own = hooks.into_iter().find(|hook| hook.external_id == Some(world.client_id()))?;
    let store = world.store.hook_by_id(1, own.id).await.unwrap();
    Some((own.format, store.selection().left.len()))
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

#[tokio::test]
async fn only_so_many_calendars_may_leave_it_and_those_that_are_gone_do_not_count() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let many: Vec<String> =
        (0..limits::CONNECT_LEFT_MAX).map(|number| format!("/many/{number}/")).collect();
    let names: Vec<&str> = many.iter().map(String::as_str).collect();
    let (user, _) = world.service.upsert_user(&world.owner, "many".into()).await.unwrap();
    world.connect(&user, &names).await;
    let rows = world.store.collections(3).await.unwrap();
    let there: Vec<i64> = rows.iter().map(|row| row.collection_no).collect();
    let gone: Vec<i64> = (1_000_000..).take(many.len()).collect();
    let on = json!({"provider": "caldav", "calendarId": WORK, "channelId": "mine"});
    for (except, status, left) in
        [(gone, StatusCode::OK, 1), (there.clone(), StatusCode::BAD_REQUEST, there.len())]
    {
        leave_out(&world, except).await;
        let before = world.hooks().await;
        let (found, answer) = world.post("/subscribe-webhook", &world.token, &on).await;
        assert_eq!(found, status, "{answer}");
        if status != StatusCode::OK {
            let message = answer["message"].as_str().unwrap();
            assert!(message.contains("set subscribe_all of the app to false"), "{message}");
            assert_eq!(world.hooks().await, before, "it is subscribed all the same");
        }
        assert_eq!(automatic(&world).await.unwrap().1, left);
    }
}

/// As if these calendars had left it, and no others.
async fn leave_out(world: &World, except: Vec<i64>) {
    let hooks = world.hooks().await;
    let own = hooks.iter().find(|hook| hook.external_id == Some(world.client_id())).unwrap();
    let hook = world.store.hook_by_id(1, own.id).await.unwrap();
    let left = except.into_iter().map(|calendar| (calendar, 0)).collect();
    let selection = Some(Selection { left, ..hook.selection().clone() });
    let update = HookUpdate { selection, ..HookUpdate::default() };
    let entry = AuditEntry {
        actor: "system".into(),
        action: "hook.update",
        object: own.id.to_string(),
        denied: false,
        address: None,
        detail: json!({}),
    };
    world.store.update_hook(hook.hook_no, update, entry, world.clock.now()).await.unwrap();
}

#[tokio::test]
async fn a_calendar_that_two_accounts_of_a_user_see_is_one() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    world.connect(&world.user, &[WORK]).await;
    let (_, listed) = world.get("/calendars", &world.token).await;
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|each| each["id"].clone()).collect();
    assert_eq!(ids, [WORK, HOME]);

    let on = json!({"provider": "caldav", "calendarId": WORK, "channelId": "mine"});
    assert_eq!(world.post("/subscribe-webhook", &world.token, &on).await.0, StatusCode::OK);
    let hooks = world.hooks().await;
    let hook = hooks.iter().find(|hook| hook.external_id.as_deref() == Some("mine")).unwrap();
    let first = world.store.collections(1).await.unwrap();
    let first = first.iter().find(|row| row.external_id == WORK).unwrap();
    assert_eq!(hook.calendar, Some(first.id), "the oldest account's");
    assert_eq!(automatic(&world).await.unwrap().1, 2, "in neither account is it told twice");

    let again = world.store.collections(3).await.unwrap().remove(0).id.to_string();
    let off = json!({"provider": "caldav", "channelId": again});
    let (_, answer) = world.post("/unsubscribe-webhook", &world.token, &off).await;
    assert_eq!(answer["success"], true);
    assert_eq!(automatic(&world).await.unwrap().1, 2);
}
