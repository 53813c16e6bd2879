//! Replays that take only some changes, go elsewhere, go slowly, or are ended.

use tidings_core::hook::{Coalesce, Service};
use tidings_core::id::ReplayId;
use tidings_store::{Hook, NewReplay, Picks};

use crate::world::{PATIENCE, World, audit, numbers, served};

impl World {
    async fn replay(&self, hook: &Hook, picks: Option<Picks>, rate: Option<u32>) -> ReplayId {
        let now = self.clock.now();
        let id = ReplayId(self.ids.next(now));
        let until = u64::MAX >> 1;
        let new = NewReplay { id, after: 0, until, picks, rate, total: None };
        self.store.create_replay(hook.hook_no, new, audit("replay.create"), now).await.unwrap();
        id
    }

    async fn until_over(&self, hook: &Hook, id: ReplayId) -> u64 {
        self.until("the replay is over", async || {
            self.store.replay(hook.hook_no, id).await.unwrap().is_over()
        })
        .await;
        self.store.replay(hook.hook_no, id).await.unwrap().sent
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_hook_receives_what_another_one_selected_change_by_change() {
    let world = World::new().await;
    let engine = world.start();
    let source = world.hook(&["a.*"], &[0]).await;
    world.publish("a.b", 20).await;
    world.publish("z.z", 5).await;
    world.publish("a.c", 10).await;
    world.receiver.wait_for(30, PATIENCE).await;

    let coalesce = Some(Coalesce { window_ms: 60_000, ..Coalesce::default() });
    let target = Service { coalesce, ..served(&[0]) };
    let target = world.hook_served(&["nothing.*"], target).await;
    let types = vec!["a.c".into(), "z.z".into()];
    let picks = Picks { source: source.hook_no, types, ..Picks::default() };
    let id = world.replay(&target, Some(picks), None).await;
    assert_eq!(world.until_over(&target, id).await, 10);
    engine.stop().await;
    let mut replayed = numbers(&world.receiver.received()[30..]);
    replayed.sort_unstable();
    assert_eq!(replayed, (26..=35).collect::<Vec<_>>());
    let runs = world.store.hook_by_no(target.hook_no).await.unwrap().unwrap().runs;
    assert_eq!(runs, 10, "a request for each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_replay_holds_up_nothing_new_and_ends_when_it_is_cancelled() {
    let world = World::new().await;
    let engine = world.start();
    let hook = world.hook(&["*"], &[0]).await;
    world.publish("a.b", 50).await;
    world.receiver.wait_for(50, PATIENCE).await;

    let id = world.replay(&hook, None, Some(1)).await;
    world.receiver.wait_for(51, PATIENCE).await;
    world.publish("a.b", 30).await;
    let arrived = async || {
        let received = numbers(&world.receiver.received());
        received.iter().filter(|number| **number > 50).count() == 30
    };
    world.until("the new changes arrived", arrived).await;
    let cancel = audit("replay.cancel");
    world.store.cancel_replay(hook.hook_no, id, cancel, world.clock.now()).await.unwrap();
    let until_forgotten = async || {
        // What is published after the engine heard of it is all that still arrives.
        let before = world.receiver.count();
        world.publish("a.b", 1).await;
        world.receiver.wait_for(before + 1, PATIENCE).await;
        world.store.replay(hook.hook_no, id).await.unwrap().sent > 0
    };
    world.until("the cancelled replay is settled", until_forgotten).await;
    engine.stop().await;
    let replay = world.store.replay(hook.hook_no, id).await.unwrap();
    assert!(replay.is_over() && replay.cancelled_at.is_some());
    assert!(replay.sent < 50 && replay.until_seq == Some(50), "{replay:?}");
}
