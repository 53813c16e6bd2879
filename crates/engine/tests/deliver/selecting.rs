//! Filters and transforms, over a real store and a real receiver.

use tidings_core::delivery::Members;
use tidings_core::filter::Filter;
use tidings_core::hook::Selection;
use tidings_core::sign::verify;
use tidings_store::{DeliveryStatus, Hook, HookUpdate};

use crate::world::{PATIENCE, World, audit, numbers};

/// Gives a hook another selection, as its owner would.
async fn select(world: &World, hook: &Hook, change: impl FnOnce(&mut Selection)) {
    let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
    let mut selection = hook.selection().clone();
    change(&mut selection);
    let update = HookUpdate { selection: Some(selection), ..HookUpdate::default() };
    let now = world.clock.now();
    world.store.update_hook(hook.hook_no, update, audit("hook.update"), now).await.unwrap();
}

fn filter(source: &str) -> Option<Filter> {
    Some(Filter::parse(source).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_changes_cost_no_attempt_and_a_new_filter_applies_from_the_next_change_on() {
    let world = World::new().await;
    let hook = world.hook(&["*"], &[0]).await;
    select(&world, &hook, |selection| {
        selection.filter = filter(r#"{"path":"/data","gte":5,"lt":8}"#);
    })
    .await;
    let engine = world.start();
    world.publish("a.b", 10).await;
    let received = world.receiver.wait_for(3, PATIENCE).await;
    let mut sent = numbers(&received);
    sent.sort_unstable();
    assert_eq!(sent, [5, 6, 7]);

    select(&world, &hook, |selection| selection.filter = filter(r#"{"path":"/data","eq":11}"#))
        .await;
    world.publish("a.b", 10).await;
    world
        .until("all is settled", async || {
            world.store.settled_seq(world.app_no, hook.hook_no).await.unwrap() == 20
        })
        .await;
    let received = world.receiver.wait_for(4, PATIENCE).await;
    engine.stop().await;
    assert_eq!(numbers(&received)[3], 11);
    assert_eq!(world.receiver.count(), 4, "nothing else was sent");
    let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
    assert_eq!((hook.runs, hook.failures), (4, 0));
    let rows = world.store.deliveries(hook.hook_no, None, u64::MAX, 100).await.unwrap();
    assert!(rows.iter().all(|row| row.status == DeliveryStatus::Delivered) && rows.len() == 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transform_changes_body_and_headers_and_the_signature_covers_the_result() {
    let world = World::new().await;
    let hook = world.hook(&["*"], &[0]).await;
    select(&world, &hook, |selection| {
        let script = "headers[\"x-kind\"] = change.type; body = #{ text: `number ${body}` };";
        selection.transform = Some(script.into());
    })
    .await;
    let engine = world.start();
    world.publish("a.b", 1).await;
    let received = world.receiver.wait_for(1, PATIENCE).await;
    engine.stop().await;
    let request = &received[0];
    assert_eq!(&request.body[..], br#"{"text":"number 1"}"#);
    assert_eq!(request.header("x-kind"), Some("a.b"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let secret = world.secret(&hook).await;
    let header = |name| request.header(name).unwrap();
    let signed = verify(
        &secret,
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
        &request.body,
        world.clock.now(),
    );
    assert!(signed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_transform_parks_with_its_error_and_holds_up_nothing() {
    let world = World::new().await;
    let hook = world.hook(&["*"], &[0, 3_600]).await;
    let script = "if body > 1 {\n  body.missing();\n}\nif body == 1 { loop {} }";
    select(&world, &hook, |selection| selection.transform = Some(script.into())).await;
    let engine = world.start();
    world.publish("a.b", 8).await;
    let members = |seq| Members::single(seq);
    world
        .until("all are parked", async || {
            let waiting = world.store.next_parked(hook.hook_no, 100).await.unwrap();
            waiting.len() == 8
        })
        .await;
    for (seq, says) in
        [(1, "takes more than"), (2, "line 2, column 8: Function not found: missing")]
    {
        let attempts = world.store.attempts(hook.hook_no, &members(seq)).await.unwrap();
        assert_eq!(attempts.len(), 1);
        let (class, why) = attempts[0].record.error.clone().unwrap();
        assert_eq!(class, "transform");
        assert!(why.contains(says), "{why}");
        assert!(
            attempts[0].record.status.is_none() && attempts[0].record.request_headers.is_none()
        );
    }
    assert_eq!(world.receiver.count(), 0);

    // The receiver was never blamed: what works now goes out at once, and so does what waited.
    select(&world, &hook, |selection| selection.transform = Some("body = 0;".into())).await;
    world.publish("a.b", 1).await;
    world.receiver.wait_for(1, PATIENCE).await;
    let (app, now) = (world.app_no, world.clock.now());
    world.store.resend(app, hook.hook_no, members(1), None, audit("resend"), now).await.unwrap();
    let received = world.receiver.wait_for(2, PATIENCE).await;
    engine.stop().await;
    assert_eq!(numbers(&received), [0, 0]);
}
