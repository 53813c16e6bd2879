//! Headers and credentials that let a hook in at its receiver, over a real store and real receivers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tidings_core::access::{Access, Auth, ClientCredentials, Hidden};
use tidings_core::delivery::Members;
use tidings_core::hook::{HookStatus, Service};
use tidings_store::{AttemptRecord, DeliveryStatus, Hook, NewHook};
use tidings_testkit::receiver::{Answer, TestReceiver};

use crate::world::{PATIENCE, World, numbers, served};

fn hidden(text: &str) -> Hidden {
    Hidden::from(text.to_owned())
}

/// A hook that is let in by `access`, with a transform and retry waits in seconds.
async fn hook(world: &World, access: &Access, transform: Option<&str>, waits: &[u32]) -> Hook {
    let service = Service { access: access.summary(), ..served(waits) };
    let sealed = world.sealed("hook_access", &access.to_json());
    let alter = |new: &mut NewHook| {
        new.access = Some(sealed);
        new.selection.transform = transform.map(str::to_owned);
    };
    world.hook_with(&["*"], service, alter).await
}

async fn attempts(world: &World, hook: &Hook, seq: u64) -> Vec<AttemptRecord> {
    let attempts = world.store.attempts(hook.hook_no, &Members::single(seq)).await.unwrap();
    attempts.into_iter().map(|attempt| attempt.record).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_adds_headers_but_replaces_none_that_let_the_request_in() {
    let world = World::new().await;
    let access = Access {
        headers: vec![("X-Api-Key".into(), hidden("hush-key"))],
        auth: Some(Auth::Bearer { token: hidden("hush-token") }),
        client_certificate: None,
    };
    let script = r#"headers["x-api-key"] = "theirs"; headers["x-other"] = "added";"#;
    let let_in = hook(&world, &access, Some(script), &[0]).await;
    let script = r#"headers["authorization"] = "Bearer theirs";"#;
    let refused = hook(&world, &access, Some(script), &[0]).await;
    let engine = world.start();
    world.publish("a.b", 1).await;
    let received = world.receiver.wait_for(1, PATIENCE).await;
    world
        .until("both are recorded", async || {
            let mut recorded = [false; 2];
            for (recorded, hook) in recorded.iter_mut().zip([&let_in, &refused]) {
                *recorded = !attempts(&world, hook, 1).await.is_empty();
            }
            recorded == [true; 2]
        })
        .await;
    engine.stop().await;
    assert_eq!(world.receiver.count(), 1);
    for (name, expected) in
        [("x-api-key", "hush-key"), ("authorization", "Bearer hush-token"), ("x-other", "added")]
    {
        assert_eq!(received[0].header(name), Some(expected));
    }
    let record = attempts(&world, &let_in, 1).await.remove(0);
    let headers = record.request_headers.unwrap();
    for shown in [r#"["x-api-key","***"]"#, r#"["authorization","***"]"#, r#"["x-other","added"]"#]
    {
        assert!(headers.contains(shown), "{headers}");
    }
    let record = attempts(&world, &refused, 1).await.remove(0);
    assert_eq!(record.error.unwrap().0, "transform");
    assert_eq!(record.request_headers, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_endpoint_that_fails_parks_and_says_nothing_about_the_receiver() {
    let world = World::new().await;
    let endpoint = TestReceiver::start().await;
    let healthy = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&healthy);
    endpoint.answer_with(move |_| match switch.load(Ordering::SeqCst) {
        false => Answer::status(503),
        true => {
            let granted = json!({"access_token": "t", "token_type": "bearer", "expires_in": 3600});
            Answer::status(200).body(granted.to_string())
        }
    });
    let client = ClientCredentials {
        token_url: endpoint.url("/token"),
        client_id: hidden("us"),
        client_secret: hidden("hush"),
        scope: None,
        audience: None,
    };
    let access = Access { auth: Some(Auth::Oauth2(client)), ..Access::default() };
    let hook = hook(&world, &access, None, &[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]).await;
    let engine = world.start();
    world.publish("a.b", 20).await;
    let rows = async |status| {
        world.store.deliveries(hook.hook_no, Some(status), u64::MAX, 100).await.unwrap()
    };
    // An open breaker would have parked no more than a few.
    world
        .until("all of them are parked", async || rows(DeliveryStatus::Parked).await.len() == 20)
        .await;
    let served = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
    assert_eq!((served.status, served.consecutive_failures), (HookStatus::Active, 0));
    let (class, why) = attempts(&world, &hook, 1).await.remove(0).error.unwrap();
    assert_eq!(class, "auth");
    assert_eq!(why, "no token for the receiver: the token endpoint answered 503");
    assert_eq!(world.receiver.count(), 0);

    healthy.store(true, Ordering::SeqCst);
    let received = world.receiver.wait_for(20, PATIENCE).await;
    world
        .until("all of them are delivered", async || {
            rows(DeliveryStatus::Delivered).await.len() == 20
        })
        .await;
    engine.stop().await;
    let mut arrived = numbers(&received);
    arrived.sort_unstable();
    assert_eq!(arrived, (1..=20).collect::<Vec<_>>());
    assert!(received.iter().all(|request| request.header("authorization") == Some("Bearer t")));
}
