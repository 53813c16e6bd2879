use tidings_core::clock::Timestamp;
use tidings_core::retention::{AppRetention, Retention};
use tidings_service::{AppChanges, Error, Retainer};
use tidings_store::Settle;

use crate::setup::{Setup, pointers, publication};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Steps until the end of a pass; answers how many it took.
async fn pass(retainer: &mut Retainer) -> usize {
    let mut steps = 1;
    while retainer.step().await.unwrap() {
        steps += 1;
        assert!(steps < 1_000, "no end");
    }
    steps
}

impl Setup {
    async fn publish_matched(&self, count: u64) -> u64 {
        for _ in 0..count {
            let input = publication("invoice.paid", "1");
            self.service.publish(&self.owner, input, None, None).await.unwrap();
        }
        let seq = self.service.app(&self.owner, self.app).await.unwrap().seq;
        let settle = Settle { matched: vec![(1, seq)], ..Settle::default() };
        self.store.settle(std::sync::Arc::new(settle), self.clock.now()).await.unwrap();
        seq
    }

    async fn oldest(&self) -> u64 {
        self.service.app(&self.owner, self.app).await.unwrap().oldest_seq
    }
}

#[tokio::test]
async fn changes_go_when_their_time_has_come() {
    let setup = Setup::new().await;
    let mut retainer = setup.service.retainer();
    setup.publish_matched(3).await;
    setup.clock.advance_ms(20 * DAY_MS);
    setup.publish_matched(2).await;
    pass(&mut retainer).await;
    assert_eq!(setup.oldest().await, 1, "nothing is old");
    setup.clock.advance_ms(11 * DAY_MS);
    pass(&mut retainer).await;
    assert_eq!(setup.oldest().await, 4);
    let own = AppRetention { journal_days: Some(9), ..AppRetention::default() };
    let changes = AppChanges { retention: Some(own), ..AppChanges::default() };
    let app = setup.service.update_app(&setup.owner, setup.app, changes).await.unwrap();
    assert_eq!(app.retention, own);
    pass(&mut retainer).await;
    assert_eq!(setup.oldest().await, 6);
}

#[tokio::test]
async fn a_hook_that_loses_changes_is_told_of() {
    let setup = Setup::new().await;
    let hook = setup.hook(&setup.owner).await.hook;
    setup.publish_matched(3).await;
    // As the engine leaves a hook that stands still.
    let cursor = tidings_store::CursorWrite::Lagging {
        hook_no: 1,
        cursor_no: 0,
        settled_seq: 0,
        delivered: Vec::new(),
        sent: 0,
    };
    let settle = Settle { cursors: vec![cursor], ..Settle::default() };
    setup.store.settle(std::sync::Arc::new(settle), setup.clock.now()).await.unwrap();
    setup.clock.advance_ms(31 * DAY_MS);
    pass(&mut setup.service.retainer()).await;
    assert_eq!(setup.oldest().await, 4);
    let told = setup.store.change_by_seq(1, 4).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&told.new.body).unwrap();
    assert_eq!(told.new.kind, "hook.gap");
    let expected = serde_json::json!({"hook": {"id": hook.id}, "from_seq": 1, "to_seq": 3, "changes": 3,
        "exhausted": 0, "replays": []});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn idempotency_keys_are_forgotten_and_a_full_disk_refuses() {
    let setup = Setup::new().await;
    let publish = |key| setup.service.publish(&setup.owner, publication("a", "1"), key, None);
    publish(Some("k")).await.unwrap();
    setup.clock.advance_ms(2 * DAY_MS);
    assert!(pass(&mut setup.service.retainer()).await >= 3);
    assert_eq!(setup.store.forget_idempotency(Timestamp(i64::MAX)).await.unwrap(), 0);
    setup.service.set_disk_low(true);
    assert_eq!(publish(None).await.unwrap_err(), Error::Full);
    setup.service.set_disk_low(false);
    publish(None).await.unwrap();
}

#[tokio::test]
async fn an_app_keeps_no_more_than_its_installation_unless_the_owner_says_so() {
    let mut setup = Setup::new().await;
    setup.service = setup.service.clone().keeping(Retention::default());
    let admin = setup.admin_of(setup.app).await;
    let own = |journal_days, journal_bytes, attempt_days| AppChanges {
        retention: Some(AppRetention { journal_days, journal_bytes, attempt_days }),
        ..AppChanges::default()
    };
    let days = "/retention/journal_days";
    for (changes, by_admin, by_owner) in [
        (own(Some(9), Some(1 << 30), Some(1)), &[][..], &[][..]),
        (own(None, None, None), &[], &[]),
        (own(Some(90), None, None), &[days], &[]),
        (own(None, None, Some(15)), &["/retention/attempt_days"], &[]),
        (own(Some(8), None, None), &[days], &[days]),
        (
            own(None, Some(1), Some(0)),
            &["/retention/journal_bytes", "/retention/attempt_days"],
            &["/retention/journal_bytes", "/retention/attempt_days"],
        ),
    ] {
        for (caller, refused) in [(&admin, by_admin), (&setup.owner, by_owner)] {
            let updated = setup.service.update_app(caller, setup.app, changes.clone()).await;
            if refused.is_empty() {
                assert_eq!(updated.unwrap().retention, changes.retention.unwrap());
            } else {
                assert_eq!(pointers(updated), refused, "{changes:?}");
            }
        }
    }
}
