//! What dialects ask of a hook, over a real store and a real receiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};

use bytes::Bytes;
use tidings_core::access::{Access, Hidden};
use tidings_core::filter::Filter;
use tidings_core::hook::{Coalesce, DisableRule, HookStatus, Named, Ordering, Service};
use tidings_core::limits::ERRANDS_AT_ONCE;
use tidings_core::sign::verify;
use tidings_engine::errand::Errands;
use tidings_providers::errand::{Called, Errand, Refusal, Reply};
use tidings_store::DeliveryStatus;
use tidings_testkit::receiver::{Answer, Gate};
use tokio::sync::{mpsc, oneshot, watch};

use crate::world::{PATIENCE, World, served};

fn one_by_one(waits: &[u32]) -> Service {
    Service {
        ordering: Ordering::Hook,
        coalesce: Some(Coalesce { min_interval_ms: 100, ..Coalesce::PLAIN }),
        disable: DisableRule { failing_ms: None, failures: Some(3) },
        breaker: false,
        jitter: false,
        merges: true,
        ..served(waits)
    }
}

fn named(name: &str, filter: &str) -> Named {
    Named { name: name.into(), filter: Filter::parse(filter).unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_format_is_told_which_named_filters_took_a_change() {
    let world = World::new().await;
    world
        .hook_with(&["*"], served(&[0]), |new| {
            new.selection.named = vec![
                named("small", r#"{"path":"/data","lt":3}"#),
                named("two", r#"{"path":"/data","eq":2}"#),
                named("last", r#"{"path":"/data","eq":5}"#),
            ];
        })
        .await;
    let engine = world.start();
    world.publish("a.b", 5).await;
    let received = world.receiver.wait_for(3, PATIENCE).await;
    engine.stop().await;
    let mut told: Vec<_> = received
        .iter()
        .map(|request| (&request.body[..], request.header("x-names").unwrap_or_default()))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(&b"1"[..], "small"), (b"2", "small,two"), (b"5", "last")]);
    assert_eq!(world.receiver.count(), 3, "what no filter takes is not sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_retry_took_in_is_delivered_once_and_leaves_nothing_parked() {
    let world = World::new().await;
    let healthy = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&healthy);
    world
        .receiver
        .answer_with(move |_| Answer::status(if switch.load(Atomic::SeqCst) { 200 } else { 503 }));
    let hook = world.hook_served(&["*"], one_by_one(&[0, 1, 1, 1])).await;
    let engine = world.start();
    world.publish("a.b", 1).await;
    world.receiver.wait_for(1, PATIENCE).await;
    world.publish("a.b", 2).await;
    world.receiver.wait_for(2, PATIENCE).await;
    healthy.store(true, Atomic::SeqCst);
    world
        .until("all is settled and nothing is parked", async || {
            let settled = world.store.settled_seq(world.app_no, hook.hook_no).await.unwrap();
            let parked = Some(DeliveryStatus::Parked);
            let parked = world.store.deliveries(hook.hook_no, parked, u64::MAX, 9).await.unwrap();
            settled == 3 && parked.is_empty()
        })
        .await;
    engine.stop().await;
    let received = world.receiver.received();
    assert_eq!(&received[0].body[..], b"1");
    assert_eq!(&received[received.len() - 1].body[..], b"1,2,3");
    let id = |request: usize| received[request].header("webhook-id").unwrap().to_owned();
    assert_ne!(id(0), id(received.len() - 1), "what stands for more is another delivery");
    let runs = world.store.hook_runs(hook.hook_no, world.app_no, 50).await.unwrap();
    let statuses: Vec<_> = runs.iter().map(|(status, _)| status.unwrap()).collect();
    assert_eq!((statuses[0], statuses.len()), (200, received.len()));
    assert!(statuses[1..].iter().all(|status| *status == 503));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_url_is_a_failed_run_that_is_seen_and_counts() {
    let world = World::new().await;
    let service = Service { retry: vec![0, 0, 0].try_into().unwrap(), ..one_by_one(&[0]) };
    let hook = world.hook_with(&["*"], service, |new| new.url = Some("yololo".into())).await;
    let engine = world.start();
    world.publish("a.b", 1).await;
    world
        .until("it is disabled", async || {
            let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
            hook.status == HookStatus::Disabled
        })
        .await;
    engine.stop().await;
    let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
    assert_eq!((hook.runs, hook.failures, hook.consecutive_failures), (3, 3, 3));
    let runs = world.store.hook_runs(hook.hook_no, world.app_no, 50).await.unwrap();
    assert_eq!(runs.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [None; 3]);
    let rows = world.store.deliveries(hook.hook_no, None, u64::MAX, 9).await.unwrap();
    let attempts = world.store.attempts(hook.hook_no, &rows[0].members).await.unwrap();
    assert_eq!(attempts[0].record.error.as_ref().unwrap().0, "egress_refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_events_are_no_runs() {
    let world = World::new().await;
    let hook = world.hook(&["*"], &[0]).await;
    let engine = world.start();
    world.publish_test(&hook).await;
    world.publish("a.b", 2).await;
    world.receiver.wait_for(3, PATIENCE).await;
    engine.stop().await;
    let runs = |limit| world.store.hook_runs(hook.hook_no, world.app_no, limit);
    assert_eq!(runs(50).await.unwrap().len(), 2);
    assert_eq!(runs(1).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_signed_and_let_in_as_a_delivery_but_recorded_nowhere() {
    let world = World::new().await;
    let access = Access {
        headers: vec![("X-Api-Key".into(), Hidden::from("hush".to_owned()))],
        auth: None,
        client_certificate: None,
    };
    let service = Service { access: access.summary(), ..served(&[0]) };
    let sealed = world.sealed("hook_access", &access.to_json());
    let hook = world.hook_with(&["*"], service, |new| new.access = Some(sealed)).await;
    let errands = Errands::new(world.providers());
    let body = Bytes::from_static(br#"{"messages":["test"]}"#);
    let call = |hook_no| errands.perform(Errand::Call { hook_no, body: body.clone() });
    let status = |reply| match reply {
        Ok(Reply::Called(Called { status, why })) => (status, why),
        other => panic!("{other:?}"),
    };
    assert_eq!(status(call(hook.hook_no).await), (Some(200), None));
    world.receiver.answer_with(|_| Answer::status(404));
    assert_eq!(status(call(hook.hook_no).await), (Some(404), None));
    let received = world.receiver.received();
    let request = &received[0];
    let header = |name| request.header(name).unwrap();
    assert_eq!((&request.body[..], header("x-api-key")), (&body[..], "hush"));
    assert_eq!(header("content-type"), "application/json");
    let (id, at, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let secret = world.secret(&hook).await;
    assert!(verify(&secret, id, at, signature, &request.body, world.clock.now()));
    assert_ne!(Some(id), received[1].header("webhook-id"), "each call is another message");

    let nowhere = world.hook_with(&["*"], served(&[0]), |new| new.url = Some("x".into())).await;
    let (answered, why) = status(call(nowhere.hook_no).await);
    assert!(answered.is_none() && why.is_some_and(|why| !why.is_empty()));
    assert!(matches!(call(99).await, Err(Refusal::NotFound(_))));
    let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
    assert_eq!((hook.runs, hook.failures, hook.consecutive_failures), (0, 0, 0));
    let rows = world.store.deliveries(hook.hook_no, None, u64::MAX, 9).await.unwrap();
    assert!(rows.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_takes_its_time_holds_up_no_other_errand() {
    let world = World::new().await;
    let hook = world.hook(&["*"], &[0]).await;
    let gate = Gate::new();
    world.receiver.answer_always(Answer::status(200).after(&gate));
    let (desk, orders) = mpsc::channel(2 * ERRANDS_AT_ONCE);
    let (_stopping, stop) = watch::channel(false);
    let running = tokio::spawn(Errands::new(world.providers()).run(orders, stop));
    let ask = |errand| {
        let (answer, answered) = oneshot::channel();
        desk.try_send((errand, answer)).unwrap();
        answered
    };
    let call = || Errand::Call { hook_no: hook.hook_no, body: Bytes::from_static(b"{}") };
    let first = ask(call());
    world.receiver.wait_for(1, PATIENCE).await;
    for _ in 0..2 * ERRANDS_AT_ONCE {
        assert_eq!(ask(call()).await.unwrap().err(), Some(Refusal::Busy), "one at a time");
    }
    // Answered, whatever the answer is.
    drop(ask(Errand::Revoke { account_no: 99 }).await.unwrap());
    gate.open();
    let answer = Called { status: Some(200), why: None };
    let is_called = |reply| matches!(reply, Ok(Reply::Called(called)) if called == answer);
    assert!(is_called(first.await.unwrap()));
    assert!(is_called(ask(call()).await.unwrap()), "the next one has its turn");
    drop(desk);
    running.await.unwrap();
}
