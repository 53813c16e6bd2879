use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_service::{
    Delivery, DeliveryQuery, DeliveryStatus, Error, NewReplay, PageInput, ReplayFrom,
};
use tidings_store::{AttemptRecord, ParkedWrite, Settle};

use crate::setup::{Setup, publication};

fn attempt(seq: u64, n: u32, delivered: bool, at: Timestamp) -> AttemptRecord {
    AttemptRecord {
        hook_no: 1,
        cursor_no: 0,
        members: Members::single(seq),
        n,
        delivered,
        started_at: at,
        dns_us: Some(1),
        connect_us: None,
        tls_us: None,
        first_byte_us: Some(5),
        total_us: 9,
        url: "https://example.com/hook".into(),
        address: Some("93.184.216.34:443".into()),
        status: Some(if delivered { 204 } else { 500 }),
        error: (!delivered).then(|| ("http_status".into(), "answered 500".into())),
        request_headers: Some(r#"[["webhook-id","dlv_1"]]"#.into()),
        response_headers: None,
        response_body: Some(b"oops".to_vec()),
    }
}

/// Three changes: delivered, parked, given up.
pub(crate) async fn settled() -> Setup {
    let setup = Setup::new().await;
    setup.hook(&setup.owner).await;
    for _ in 0..3 {
        let input = publication("invoice.paid", "1");
        setup.service.publish(&setup.owner, input, None, None).await.unwrap();
    }
    let now = setup.clock.now();
    let parked = |seq: u64, due_at: Option<Timestamp>| {
        let reason = "answered 500".to_owned();
        let members = Members::single(seq);
        (
            1,
            ParkedWrite::Put {
                cursor_no: 0,
                members,
                attempts: 1,
                due_at,
                reason,
                key_hash: None,
                waits: false,
            },
        )
    };
    let settle = Settle {
        attempts: vec![
            attempt(1, 1, true, now),
            attempt(2, 1, false, now),
            attempt(3, 1, false, now),
        ],
        parked: vec![parked(2, Some(now.plus_ms(5_000))), parked(3, None)],
        ..Settle::default()
    };
    setup.store.settle(std::sync::Arc::new(settle), now).await.unwrap();
    setup
}

#[tokio::test]
async fn deliveries_are_found_by_hook_change_and_status() {
    let setup = settled().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let hooks = service.hooks(owner, &PageInput::default()).await.unwrap();
    let hook = Some(hooks.items[0].id);
    let list = |query: DeliveryQuery| all(&setup, query);
    let by_hook = list(DeliveryQuery { hook, ..Default::default() }).await;
    let statuses: Vec<_> = by_hook.iter().map(|delivery| delivery.status).collect();
    assert_eq!(
        statuses,
        [DeliveryStatus::Exhausted, DeliveryStatus::Parked, DeliveryStatus::Delivered]
    );
    let status = Some(DeliveryStatus::Parked);
    let parked = list(DeliveryQuery { hook, status, ..Default::default() }).await;
    assert_eq!((parked.len(), parked[0].first_seq), (1, 2));
    let changes = service.changes(owner, 0, None).await.unwrap().changes;
    let change = Some(changes[2].id);
    let of_change = list(DeliveryQuery { change, ..Default::default() }).await;
    assert_eq!((of_change.len(), of_change[0].id), (1, by_hook[0].id));

    let attempts = service.attempts(owner, parked[0].id).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].status), (1, Some(500)));
    assert_eq!(attempts[0].request_headers, [("webhook-id".to_owned(), "dlv_1".to_owned())]);
    let neither = service.deliveries(owner, DeliveryQuery::default(), &PageInput::default()).await;
    assert!(matches!(neither, Err(Error::Invalid(_))));
}

/// The deliveries that a query finds, read in pages of one.
async fn all(setup: &Setup, query: DeliveryQuery) -> Vec<Delivery> {
    let mut page = PageInput { cursor: None, limit: Some(1) };
    let mut all = Vec::new();
    loop {
        let found = setup.service.deliveries(&setup.owner, query, &page).await.unwrap();
        all.extend(found.items);
        let Some(next) = found.next else { return all };
        page.cursor = Some(next);
    }
}

#[tokio::test]
async fn an_exhausted_delivery_is_resent_under_its_id() {
    let setup = settled().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let hook = service.hooks(owner, &PageInput::default()).await.unwrap().items[0].id;
    let query = DeliveryQuery { hook: Some(hook), ..Default::default() };
    let exhausted = all(&setup, query).await.remove(0);
    let resent = service.resend_delivery(owner, exhausted.id).await.unwrap();
    assert_eq!((resent.id, resent.status), (exhausted.id, DeliveryStatus::Parked));
    assert_eq!(resent.next_attempt_at, Some(setup.clock.now()));
    service.pause_hook(owner, hook).await.unwrap();
    let refused = service.resend_delivery(owner, exhausted.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    let other = setup.other_app("other").await;
    let foreign = service.delivery(&other, exhausted.id).await;
    assert_eq!(foreign.err(), Some(Error::NotFound("delivery")));
}

#[tokio::test]
async fn replays_take_a_seq_or_a_time_and_are_bounded() {
    let setup = settled().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let hook = service.hooks(owner, &PageInput::default()).await.unwrap().items[0].id;
    setup.clock.advance_ms(1_000);
    let later = setup.clock.now();
    service.publish(owner, publication("invoice.paid", "1"), None, None).await.unwrap();
    let seq = |from: u64, until: Option<u64>| NewReplay {
        until: until.map(ReplayFrom::Seq),
        ..NewReplay::since(ReplayFrom::Seq(from))
    };
    let since = |at: Timestamp| NewReplay::since(ReplayFrom::Time(at));
    for (input, after, until) in [
        (seq(1, None), 0, 4),
        (seq(2, Some(3)), 1, 3),
        (seq(2, Some(99)), 1, 4),
        (since(Timestamp(0)), 0, 4),
        (since(later), 3, 4),
        (since(later.plus_ms(1)), 4, 4),
        (
            NewReplay {
                until: Some(ReplayFrom::Time(later.plus_ms(-1))),
                ..NewReplay::since(ReplayFrom::Seq(1))
            },
            0,
            3,
        ),
    ] {
        let count = service.count_replay(owner, hook, input.clone()).await.unwrap();
        let replay = service.create_replay(owner, hook, input.clone()).await.unwrap();
        assert_eq!((replay.settled_seq, replay.until_seq), (after, until), "{input:?}");
        assert_eq!((replay.total, count), (Some(until - after), until - after), "{input:?}");
        assert_eq!(replay.finished, after == until);
        let ended = service.cancel_replay(owner, hook, replay.id).await.unwrap();
        assert!(ended.finished);
    }
    for bad in [seq(0, None), seq(3, Some(2)), seq(3, Some(0))] {
        assert!(
            matches!(service.create_replay(owner, hook, bad.clone()).await, Err(Error::Invalid(_))),
            "{bad:?}"
        );
    }
    for _ in 0..tidings_core::limits::HOOK_REPLAYS_MAX {
        service.create_replay(owner, hook, seq(1, None)).await.unwrap();
    }
    let refused = service.create_replay(owner, hook, seq(1, None)).await;
    assert!(matches!(refused, Err(Error::LimitExceeded { .. })));
    let disabled = service.disable_hook(owner, hook).await.unwrap();
    assert_eq!(disabled.status, HookStatus::Disabled);
    assert!(matches!(
        service.create_replay(owner, hook, seq(1, None)).await,
        Err(Error::Conflict(_))
    ));
}
