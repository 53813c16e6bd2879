//! `tidings listen`: what arrives at a local receiver, whatever happens on the way.

use std::process::Stdio;

use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::sign::{Secret, verify};
use tidings_testkit::receiver::{Answer, Received, TestReceiver};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr};

use crate::place::{PATIENCE, Place, wait_for};
use crate::proxy::Proxy;

/// A listener at work.
struct Listener {
    child: Child,
    told: BufReader<ChildStderr>,
}

impl Listener {
    /// Starts one, and waits until it listens.
    async fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = place.tidings(&[&["listen"], arguments].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        let mut listener = Self { child, told };
        listener.hears("listening to").await;
        listener
    }

    /// Reads what it tells until that is among it.
    async fn hears(&mut self, wanted: &str) {
        let reading = async {
            let mut line = String::new();
            while !line.contains(wanted) {
                line.clear();
                let read = self.told.read_line(&mut line).await.unwrap();
                assert!(read > 0, "it ended before it said {wanted:?}");
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {wanted:?}"));
    }

    /// Ends it as Ctrl-C does.
    async fn stop(mut self) {
        let pid = self.child.id().unwrap().to_string();
        let sent = tokio::process::Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(sent.unwrap().success());
        assert_eq!(self.child.wait().await.unwrap().code(), Some(0));
    }
}

fn number(request: &Received) -> u64 {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["data"]["n"].as_u64().unwrap()
}

fn numbers(receiver: &TestReceiver) -> Vec<u64> {
    receiver.received().iter().map(number).collect()
}

async fn publish(place: &Place, numbers: std::ops::Range<u64>) {
    for n in numbers {
        place.ok(&["send", "count.ed", "--data", &format!("{{\"n\": {n}}}")]).await;
    }
}

#[tokio::test]
async fn restarts_and_cuts_lose_no_change_and_double_none() {
    let mut place = Place::start().await;
    let (receiver, proxy) = (TestReceiver::start().await, Proxy::to(&place.server.base_url).await);
    let target = receiver.url("/hook");
    let arguments = ["--url", &proxy.url, "--forward-to", &target, "--silence", "1"];
    let listener = Listener::start(&place, &arguments).await;
    publish(&place, 0..5).await;
    receiver.wait_for(5, PATIENCE).await;
    place.server.restart().await;
    publish(&place, 5..10).await;
    receiver.wait_for(10, PATIENCE).await;
    place.server.sigterm().await;
    place.server.restart().await;
    // What is published while nothing gets through must be there afterwards.
    proxy.cut();
    let before = proxy.connections();
    publish(&place, 10..15).await;
    wait_for("another connection during the cut", async || {
        (proxy.connections() > before).then_some(())
    })
    .await;
    assert_eq!(numbers(&receiver), (0..10).collect::<Vec<_>>());
    proxy.mend();
    receiver.wait_for(15, PATIENCE).await;
    listener.stop().await;
    publish(&place, 15..20).await;
    let listener = Listener::start(&place, &arguments).await;
    receiver.wait_for(20, PATIENCE).await;
    publish(&place, 20..21).await;
    receiver.wait_for(21, PATIENCE).await;
    listener.stop().await;
    assert_eq!(numbers(&receiver), (0..21).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_and_nothing_passes_it() {
    let place = Place::start().await;
    let receiver = TestReceiver::start().await;
    receiver.answer_next(Answer::status(500));
    receiver.answer_next(Answer::status(404));
    let listener = Listener::start(&place, &["--forward-to", &receiver.url("/")]).await;
    publish(&place, 0..2).await;
    receiver.wait_for(4, PATIENCE).await;
    listener.stop().await;
    assert_eq!(numbers(&receiver), [0, 0, 0, 1]);
    let ids: Vec<_> =
        receiver.received().iter().map(|r| r.header("webhook-id").unwrap().to_owned()).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    let given_up =
        Listener::start(&place, &["--forward-to", &receiver.url("/"), "--attempts", "1"]).await;
    receiver.answer_next(Answer::status(500));
    publish(&place, 2..4).await;
    receiver.wait_for(6, PATIENCE).await;
    given_up.stop().await;
    assert_eq!(numbers(&receiver)[4..], [2, 3]);
}

#[tokio::test]
async fn what_is_forwarded_is_signed_and_as_a_hook_would_send_it() {
    let place = Place::start().await;
    let receiver = TestReceiver::start().await;
    let secret: Secret = place.ok(&["listen", "--print-secret"]).await.trim().parse().unwrap();
    let sent = r#"{ "amount" : 12.50, "big": 9007199254740993 }"#;
    let hook = receiver.url("/hook");
    place.ok(&["hook", "create", &hook, "--trigger", "*"]).await;
    let target = receiver.url("/listen");
    let arguments = ["--forward-to", &target, "--type", "invoice.*", "--count", "1"];
    let mut listener = Listener::start(&place, &arguments).await;
    place.ok(&["send", "other.thing", "--data", "{}"]).await;
    place.ok(&["send", "invoice.paid", "--data", sent]).await;
    assert_eq!(listener.child.wait().await.unwrap().code(), Some(0));
    receiver.wait_for(3, PATIENCE).await;
    let all = receiver.received();
    let of = |path: &'static str| all.iter().filter(move |r| r.path == path);
    let forwarded = of("/listen").next().unwrap();
    assert_eq!(of("/listen").count(), 1);
    assert!(of("/hook").any(|delivered| delivered.body == forwarded.body), "{forwarded:?}");
    assert!(String::from_utf8_lossy(&forwarded.body).contains(sent));
    let header = |name| forwarded.header(name).unwrap();
    let at = Timestamp(header("webhook-timestamp").parse::<i64>().unwrap() * 1_000);
    let (id, time, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    assert!(verify(&secret, id, time, signature, &forwarded.body, at));
}

#[tokio::test]
async fn another_machine_and_a_second_listener_are_refused() {
    let place = Place::start().await;
    let receiver = TestReceiver::start().await;
    let remote = place.run(&["listen", "--forward-to", "https://example.com/hook"]).await;
    assert_eq!(remote.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&remote.stderr).contains("--allow-remote"));
    let target = receiver.url("/");
    let first = Listener::start(&place, &["--forward-to", &target]).await;
    let second = place.run(&["listen", "--forward-to", &target]).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another `tidings listen`"));
    first.stop().await;
}
