//! What became of deliveries, as their owners see it.

use tidings_core::delivery::Members;
use tidings_store::{AttemptRecord, DeliveryStatus, Hook, Settle};

use crate::support::{NOW, World, put};

/// An attempt with everything that can be said about one.
pub(crate) fn attempt(hook: &Hook, members: Members, n: u32, delivered: bool) -> AttemptRecord {
    AttemptRecord {
        hook_no: hook.hook_no,
        cursor_no: 0,
        members,
        n,
        delivered,
        started_at: NOW.plus_ms(i64::from(n)),
        dns_us: None,
        connect_us: Some(1_000),
        tls_us: Some(2_000),
        first_byte_us: Some(3_000),
        total_us: 4_000,
        url: "https://receiver.example/hook".into(),
        address: Some("192.0.2.1:443".into()),
        status: Some(if delivered { 200 } else { 500 }),
        error: (!delivered).then(|| ("status".into(), "answered 500".into())),
        request_headers: Some("[]".into()),
        response_headers: None,
        response_body: Some(vec![0, 255]),
    }
}

pub(crate) async fn deliveries_are_listed_by_status(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 9).await;
    let hook = world.hook(&app, None).await;
    let group = Members { group: "day 1".into(), first_seq: 2, last_seq: 4, count: 2 };
    let single = Members::single;
    let attempts = vec![
        attempt(&hook, single(1), 1, true),
        attempt(&hook, group.clone(), 1, false),
        attempt(&hook, group.clone(), 2, true),
        attempt(&hook, single(3), 1, false),
        attempt(&hook, single(5), 1, false),
        attempt(&hook, single(6), 1, false),
    ];
    world.settle(Settle { attempts, ..Settle::default() }).await;
    world.park(&hook, vec![put(single(3), 1, Some(NOW)), put(single(5), 9, None)]).await;

    let listed = async |status, before, limit| {
        let rows = world.store.deliveries(hook.hook_no, status, before, limit).await.unwrap();
        rows.iter().map(|row| (row.members.first_seq, row.attempts)).collect::<Vec<_>>()
    };
    let all = [(6, 1), (5, 1), (3, 1), (2, 2), (1, 1)];
    assert_eq!(listed(None, u64::MAX, 9).await, all);
    assert_eq!(listed(None, 5, 2).await, all[2..4]);
    for (status, expected) in [
        (DeliveryStatus::Delivered, &all[3..]),
        (DeliveryStatus::Parked, &all[2..3]),
        (DeliveryStatus::Exhausted, &all[1..2]),
        (DeliveryStatus::Pending, &all[..1]),
    ] {
        assert_eq!(listed(Some(status), u64::MAX, 9).await, expected, "{}", status.as_str());
    }

    let at = world.store.deliveries_at(hook.hook_no, 2).await.unwrap();
    assert_eq!((at.len(), &at[0].members, at[0].status), (1, &group, DeliveryStatus::Delivered));
    let of_change = world.store.deliveries_of_change(app.app_no, 3, 0, 9).await.unwrap();
    assert_eq!((of_change.len(), of_change[0].0), (1, hook.id));
    assert_eq!(of_change[0].1.next_attempt_at, Some(NOW));

    let tried = world.store.attempts(hook.hook_no, &group).await.unwrap();
    let records: Vec<_> = tried.iter().map(|tried| format!("{:?}", tried.record)).collect();
    let expected = [(1, false), (2, true)]
        .map(|(n, delivered)| format!("{:?}", attempt(&hook, group.clone(), n, delivered)));
    assert_eq!(records, expected);
}
