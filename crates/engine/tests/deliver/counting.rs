//! What the charts are drawn from.

use tidings_core::tally::{Tally, minute_of};
use tidings_store::DeliveryStatus;

use crate::world::{PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_are_counted_by_minute_and_the_last_of_them_at_the_stop() {
    let world = World::new().await;
    let engine = world.start();
    let begun = minute_of(world.clock.now());
    let hook = world.hook(&["*"], &[0]).await;
    world.publish("a.b", 20).await;
    world.publish("bug", 3).await;
    world.receiver.wait_for(20, PATIENCE).await;
    world
        .until("the failed ones are given up", async || {
            let status = Some(DeliveryStatus::Exhausted);
            world.store.deliveries(hook.hook_no, status, u64::MAX, 10).await.unwrap().len() == 3
        })
        .await;
    engine.stop().await;
    let counted = async |hook_no| {
        let mut sum = Tally::default();
        let tallies = world.store.tallies(world.app_no, hook_no, begun, 1).await.unwrap();
        tallies.iter().for_each(|(_, tally)| sum.add(tally));
        sum
    };
    let of_hook = counted(Some(hook.hook_no)).await;
    assert_eq!((of_hook.delivered, of_hook.failed), (20, 3));
    assert_eq!(of_hook.buckets.iter().sum::<u64>(), 20);
    // The app is told of what was given up, which its hook does not get: no more attempts than these.
    assert_eq!(counted(None).await, of_hook);
}
