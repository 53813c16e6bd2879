//! Channels: made, replaced ahead of their end, stopped; and why something is only polled.

use tidings_engine::sync::Passed;
use tidings_providers::errand::Errand;
use tidings_simulators::google::{PERSON, SyncMessage, Watched, refusal};
use tidings_simulators::server::Fault;
use tidings_store::SubscriptionStatus;
use tidings_testkit::receiver::TestReceiver;

use crate::google_world::World;

const HOUR: i64 = 3_600_000;

/// Pushes go to a receiver that takes them all.
async fn pushed() -> (World, TestReceiver) {
    let receiver = TestReceiver::start().await;
    let mut world = World::new(Some("https://tidings.test/")).await;
    let private = receiver.url("");
    world.google.pushes().route("https://tidings.test", private.trim_end_matches('/'));
    world.google.create_calendar(PERSON, "Work");
    world.expect(&["account.connected"]).await;
    (world, receiver)
}

#[tokio::test]
async fn every_calendar_and_the_list_get_a_channel_with_a_token_of_its_own() {
    let (world, receiver) = pushed().await;
    world.google.switches(|switches| switches.sync_message = SyncMessage::Before);
    assert_eq!(world.subscriptions().step().await.unwrap(), 3);
    assert_eq!(world.subscriptions().step().await.unwrap(), 0, "nothing is due any more");
    let channels = world.google.live_channels();
    assert_eq!(channels.len(), 3);
    let lists = channels.iter().filter(|channel| channel.watched == Watched::CalendarList);
    assert_eq!(lists.count(), 1);
    assert_eq!(receiver.count(), 3, "the first push came before the answer");
    for channel in &channels {
        assert_eq!(channel.address, "https://tidings.test/providers/google/notifications");
        assert!(channel.token.as_ref().unwrap().len() >= 32);
        assert!(
            !channels.iter().any(|other| other.id != channel.id && other.token == channel.token)
        );
    }
    for live in world.live().await {
        assert_eq!(live.status, SubscriptionStatus::Active);
        assert!(live.expires_at > live.renew_at && live.renew_at > Some(world.clock.now()));
    }
}

/// What changed before the channel was there is not pushed.
#[tokio::test]
async fn a_new_channel_makes_its_calendar_dirty() {
    let (world, _receiver) = pushed().await;
    world.subscriptions().step().await.unwrap();
    assert!(world.mirror().await.iter().all(tidings_store::Collection::is_dirty));
}

#[tokio::test]
async fn a_channel_is_replaced_ahead_of_its_end_and_the_old_one_is_stopped_after() {
    let (world, _receiver) = pushed().await;
    world.subscriptions().step().await.unwrap();
    let before: Vec<String> =
        world.google.live_channels().into_iter().map(|channel| channel.id).collect();
    world.clock.advance_ms(6 * 24 * HOUR);
    world.google.log().clear();
    world.subscriptions().step().await.unwrap();
    let after = world.google.live_channels();
    assert_eq!(after.len(), 3);
    assert!(after.iter().all(|channel| !before.contains(&channel.id)), "all are new");
    let asked: Vec<String> =
        world.google.requests().iter().map(|asked| asked.call.path.clone()).collect();
    let at = |part: &str| asked.iter().position(|path| path.contains(part)).unwrap();
    assert!(at("watch") < at("stop"), "{asked:?}");
    let live = world.live().await;
    assert_eq!(live.len(), 3);
    assert!(live.iter().all(|one| one.status == SubscriptionStatus::Active));
}

/// A renewal that fails once is tried again, from what is stored.
#[tokio::test]
async fn a_failed_renewal_is_tried_again_while_the_old_channel_pushes_on() {
    let (world, _receiver) = pushed().await;
    world.subscriptions().step().await.unwrap();
    world.clock.advance_ms(6 * 24 * HOUR);
    let down = refusal(503, "backendError", "Backend Error");
    world.google.faults().times(3, "POST", "/watch", Fault::Instead(down));
    world.subscriptions().step().await.unwrap();
    assert_eq!(world.google.live_channels().len(), 3, "the old ones");
    assert_eq!(world.subscriptions().step().await.unwrap(), 0, "not at once");
    world.clock.advance_ms(2 * 60_000);
    world.subscriptions().step().await.unwrap();
    let live = world.live().await;
    assert_eq!(live.len(), 3);
    assert!(live.iter().all(|one| one.expires_at.unwrap().0 > world.clock.now().0 + 6 * 24 * HOUR));
}

#[tokio::test]
async fn a_channel_that_ended_while_we_were_down_is_made_again() {
    let (world, _receiver) = pushed().await;
    world.subscriptions().step().await.unwrap();
    world.clock.advance_ms(30 * 24 * HOUR);
    world.subscriptions().step().await.unwrap();
    world.subscriptions().step().await.unwrap();
    assert_eq!(world.google.live_channels().len(), 3);
}

/// The answer to the watch request is lost: whatever Google made is nobody's, another one is made.
#[tokio::test]
async fn a_lost_answer_leads_to_another_channel() {
    let (world, _receiver) = pushed().await;
    world.google.faults().times(3, "POST", "/watch", Fault::Lost);
    world.subscriptions().step().await.unwrap();
    assert!(world.live().await.is_empty());
    let why = world.mirror().await[0].watch_error.clone().unwrap();
    assert!(why.starts_with("only polled"), "{why}");
    world.clock.advance_ms(2 * 60_000);
    world.subscriptions().step().await.unwrap();
    assert_eq!(world.live().await.len(), 3);
    assert_eq!(world.mirror().await[0].watch_error, None);
}

#[tokio::test]
async fn what_is_only_polled_says_why() {
    let world = World::watched().await;
    world.subscriptions().step().await.unwrap();
    let why = world.mirror().await[0].watch_error.clone().unwrap();
    assert!(why.contains("no public_url"), "{why}");

    let (mut world, _receiver) = pushed().await;
    let holidays = world.google.create_calendar(PERSON, "Holidays");
    world.google.make_unwatchable(&holidays);
    world.expect(&["calendar.created Holidays"]).await;
    world.subscriptions().step().await.unwrap();
    let why = world.calendar(&holidays).await.watch_error.unwrap();
    assert!(why.contains("never pushed"), "{why}");
    assert_eq!(world.live().await.len(), 3, "the others are pushed");

    let world = World::new(Some("http://tidings.test/")).await;
    world.poll().await;
    world.subscriptions().step().await.unwrap();
    let why = world.mirror().await[0].watch_error.clone().unwrap();
    assert!(why.contains("https"), "{why}");

    let (world, _receiver) = pushed().await;
    let unverified = refusal(401, "push.webhookUrlUnauthorized", "Unauthorized WebHook callback");
    world.google.faults().always(1.0, "POST", "/watch", Fault::Instead(unverified));
    world.subscriptions().step().await.unwrap();
    let why = world.mirror().await[0].watch_error.clone().unwrap();
    assert!(why.contains("verify"), "{why}");
    assert_eq!(world.poll().await, Passed::Synced, "that 401 says nothing about the account");
}

#[tokio::test]
async fn the_channel_of_a_deleted_calendar_is_stopped() {
    let (mut world, _receiver) = pushed().await;
    let work = world.mirror().await.remove(1);
    world.subscriptions().step().await.unwrap();
    world.google.delete_calendar(&work.external_id);
    world.expect(&["calendar.deleted Work"]).await;
    world.subscriptions().step().await.unwrap();
    assert_eq!(world.live().await.len(), 2);
    assert_eq!(world.asked("POST", "channels/stop"), 1);
}

#[tokio::test]
async fn revoking_stops_every_channel_before_the_tokens_are_given_back() {
    let (world, _receiver) = pushed().await;
    world.subscriptions().step().await.unwrap();
    world.google.log().clear();
    let errand = Errand::Revoke { account_no: world.account_no };
    world.errands().perform(errand).await.unwrap();
    assert_eq!(world.google.live_channels().len(), 0);
    assert_eq!(world.google.oauth().refresh_tokens(PERSON), 0);
    let asked: Vec<String> =
        world.google.requests().iter().map(|asked| asked.call.path.clone()).collect();
    assert!(asked.last().unwrap().contains("revoke"), "{asked:?}");
    assert_eq!(asked.iter().filter(|path| path.contains("channels/stop")).count(), 3);
}

/// Polls slow down only while everything is pushed.
#[tokio::test]
async fn polling_slows_down_while_every_channel_works() {
    let (world, receiver) = pushed().await;
    let wait = async || {
        world.poll().await;
        let account = world.account().await;
        account.poll_at.unwrap().0 - world.clock.now().0
    };
    assert!(wait().await <= 66_000, "busy lately, and only polled");
    world.subscriptions().step().await.unwrap();
    assert!(wait().await >= 13 * 60_000, "every calendar is pushed");
    world.clock.advance_ms(2 * HOUR);
    let unheard = wait().await;
    assert!(unheard <= 6 * 60_000, "nothing was heard of them since they were made: {unheard}");
    drop(receiver);
}
