//! What is told of a hook's trouble, and to whom.

use tidings_core::change::types;
use tidings_store::DeliveryStatus;
use tidings_testkit::receiver::{Answer, Received};

use crate::world::{World, served};

/// Whether a request tells of an application's change rather than of our own operation.
fn is_number(request: &Received) -> bool {
    request.body.iter().all(u8::is_ascii_digit)
}

impl World {
    async fn told(&self, kind: &str) -> Vec<Option<i64>> {
        let journal = self.store.changes(self.app_no, 0, 10_000).await.unwrap();
        let told = journal.into_iter().filter(|change| change.new.kind == kind);
        told.map(|change| change.new.subject.hook_no).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_hook_is_told_of_once_and_so_is_its_recovery() {
    let world = World::new().await;
    let engine = world.start();
    let failing = world.hook(&["a.*"], &[0, 1]).await;
    world.hook(&["hook.failing", "hook.recovered"], &[0]).await;
    world
        .receiver
        .answer_with(|request| Answer::status(if is_number(request) { 500 } else { 200 }));
    world.publish("a.b", 20).await;
    let body = |word: &str| {
        let received = world.receiver.received();
        let told: Vec<_> = received.iter().filter(|request| !is_number(request)).collect();
        told.iter().filter(|request| String::from_utf8_lossy(&request.body).contains(word)).count()
    };
    world.until("it is told of", async || body("failing_since") == 1).await;
    world.receiver.answer_always(Answer::status(200));
    world.until("its recovery is told of", async || body("\"url\"") == 2).await;
    engine.stop().await;
    assert_eq!(world.told(types::HOOK_FAILING).await, [Some(failing.hook_no)]);
    assert_eq!(world.told(types::HOOK_RECOVERED).await, [Some(failing.hook_no)]);
    let hook = world.store.hook_by_no(failing.hook_no).await.unwrap().unwrap();
    assert!(!hook.failing_told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_telling_of_trouble_is_not_told_of() {
    let world = World::new().await;
    let engine = world.start();
    let failing = world.hook(&["a.*"], &[0]).await;
    let operational = ["hook.failing", "hook.disabled", "delivery.exhausted"];
    let deaf = world.hook_served(&operational, served(&[0])).await;
    world.receiver.answer_always(Answer::status(500));
    world.publish("a.b", 8).await;
    world
        .until("what it was told of is given up", async || {
            let status = Some(DeliveryStatus::Exhausted);
            let given_up = world.store.deliveries(deaf.hook_no, status, u64::MAX, 100).await;
            given_up.unwrap().len() >= 5
        })
        .await;
    engine.stop().await;
    for kind in operational {
        let told = world.told(kind).await;
        assert!(told.iter().all(|hook| *hook == Some(failing.hook_no)), "{kind}: {told:?}");
    }
    assert_eq!(world.told(types::HOOK_FAILING).await.len(), 1);
    assert!(world.told(types::HOOK_RECOVERED).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_hook_ends_when_its_time_has_passed_and_that_is_told_of() {
    let world = World::new().await;
    let engine = world.start();
    let ends_at = Some(world.clock.now().plus_ms(300));
    let ending = world.hook_until(&["a.*"], &[0], None, ends_at).await;
    world.until("it is told of", async || !world.told(types::HOOK_DISABLED).await.is_empty()).await;
    engine.stop().await;
    assert_eq!(world.told(types::HOOK_DISABLED).await, [Some(ending.hook_no)]);
    let hook = world.store.hook_by_no(ending.hook_no).await.unwrap().unwrap();
    assert_eq!(hook.status, tidings_core::hook::HookStatus::Disabled);
}
