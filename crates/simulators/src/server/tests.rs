use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::*;

/// Counts what it carries out.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Site for Counter {
    async fn answer(&self, _: &Call) -> Answer {
        Answer::text(200, (self.0.fetch_add(1, Ordering::SeqCst) + 1).to_string())
    }
}

async fn start() -> (Server, Arc<Counter>) {
    let site = Arc::new(Counter::default());
    (Server::start(&Setup::default(), Arc::clone(&site)).await.unwrap(), site)
}

/// What comes back, as text; empty when the connection broke.
fn get(server: &Server, target: &str) -> JoinHandle<String> {
    let (address, target) = (server.address(), target.to_owned());
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        // A reset is an answer too: none.
        drop(stream.read_to_string(&mut answer));
        answer
    })
}

#[tokio::test]
async fn faults_happen_to_the_requests_they_are_ordered_for() {
    let (server, site) = start().await;
    let faults = server.faults();
    faults.next("GET", "/a", Fault::Instead(Answer::empty(503)));
    faults.after(1, "", "/b", Fault::Lost);
    faults.next("", "/c", Fault::Cut);
    for (target, starts, carried_out) in [
        ("/x", "HTTP/1.1 200", 1),
        ("/a?q", "HTTP/1.1 503", 1),
        ("/a", "HTTP/1.1 200", 2),
        ("/b", "HTTP/1.1 200", 3),
        ("/b", "", 4),
        ("/c", "", 4),
        ("/c", "HTTP/1.1 200", 5),
    ] {
        let answer = get(&server, target).await.unwrap();
        assert!(answer.starts_with(starts) && answer.is_empty() == starts.is_empty(), "{target}");
        assert_eq!(site.0.load(Ordering::SeqCst), carried_out, "{target}");
    }
    let statuses: Vec<_> = server.log().all().iter().map(|one| one.status.is_some()).collect();
    assert_eq!(statuses, [true, true, true, true, false, false, true]);
    assert_eq!(server.log().matching("GET", "/a?q").len(), 1);
}

#[tokio::test]
async fn a_gate_holds_a_request_before_or_its_answer_after() {
    let (server, site) = start().await;
    for (after, carried_out) in [(false, 0), (true, 2)] {
        let gate = Gate::default();
        let fault = match after {
            true => Fault::HeldAfter(gate.clone()),
            false => Fault::HeldBefore(gate.clone()),
        };
        server.faults().next("", "", fault);
        let asked = get(&server, "/held");
        gate.reached().await;
        assert_eq!(site.0.load(Ordering::SeqCst), carried_out);
        assert!(!asked.is_finished());
        gate.open();
        assert!(asked.await.unwrap().starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn chances_fall_as_often_as_they_are_said_to() {
    let (server, _) = start().await;
    server.faults().always(0.3, "", "/", Fault::Instead(Answer::empty(500)));
    let call = Call::made("GET", "/", &[], "");
    let faults = (0..1_000).filter(|_| server.faults().draw(&call).is_some()).count();
    assert!((240..360).contains(&faults), "{faults}");
    server.faults().clear();
    assert!(server.faults().draw(&call).is_none());
}

#[tokio::test]
async fn the_log_tells_requests_without_their_tokens() {
    let log = Log::default();
    let headers = [("authorization", "Bearer s3cret"), ("if-match", "x")];
    log.received(&Call::made("PATCH", "/a?b=c%20d", &headers, "{\"e\":1}"));
    let line: Value = serde_json::from_str(&log.json_lines()).unwrap();
    assert_eq!(line["query"], serde_json::json!([["b", "c d"]]));
    assert_eq!((&line["body"]["e"], &line["headers"]["if-match"]), (&1.into(), &"x".into()));
    assert!(!line.to_string().contains("s3cret"));
    let (server, _) = start().await;
    tokio::time::timeout(Duration::from_secs(10), get(&server, "/")).await.unwrap().unwrap();
    assert_eq!(server.log().all()[0].call.path, "/");
}

#[tokio::test]
async fn a_log_that_keeps_little_still_counts() {
    let (server, _) = start().await;
    let log = server.log();
    for (most, target, kept) in [(2, "/a", 1), (2, "/b", 2), (2, "/c", 2), (0, "/d", 0)] {
        log.keep(most);
        if target == "/b" {
            server.faults().next("GET", "/b", Fault::Instead(Answer::empty(503)));
        }
        assert!(!get(&server, target).await.unwrap().is_empty(), "{target}");
        assert_eq!(log.all().len(), kept, "{target}");
    }
    assert_eq!(log.counts(), Counts { received: 4, refused: 1 });
}
