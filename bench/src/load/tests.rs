use std::time::Duration;

use super::*;
use crate::receiver::Receiver;
use crate::template;

fn load(receiver: &Receiver, path: &str) -> Load {
    let address = receiver.addresses[0];
    let body = template::change("bench.change", 500);
    let request = Request::post(&address.to_string(), path, &["content-type: x/y"], &body);
    Load {
        address,
        requests: vec![request],
        connections: 4,
        rate: None,
        until: Until::Count(100),
        hold: None,
    }
}

#[test]
fn a_second_of_open_loop_arrives_whole() {
    let receiver = Receiver::local(1).unwrap();
    let until = Until::Time(Duration::from_secs(1));
    let load = Load { rate: Some(200.0), until, ..load(&receiver, "/") };
    let outcome = load.start().join().unwrap();
    assert_eq!((outcome.accepted(), outcome.trouble().as_str()), (200, ""));
    assert_eq!(outcome.latencies.count(), 200);
    assert_eq!(receiver.tally.received(), 200);
    assert_eq!(receiver.tally.latencies().count(), 200);
    receiver.tally.reset();
    assert_eq!((receiver.tally.received(), receiver.tally.latencies().count()), (0, 0));
}

#[test]
fn answers_are_counted_by_status_and_requests_go_in_turn() {
    let receiver = Receiver::local(1).unwrap();
    let mut load = load(&receiver, "/");
    let host = load.address.to_string();
    load.requests.push(Request::post::<&str>(&host, "/status/503", &[], "{}"));
    let outcome = load.start().join().unwrap();
    assert_eq!(outcome.answers, BTreeMap::from([(200, 50), (503, 50)]));
    assert_eq!(outcome.accepted(), 50);
    assert_eq!(outcome.trouble(), "50 answers 503");
}

#[test]
fn nobody_there_is_a_failure_for_each_request() {
    let receiver = Receiver::local(1).unwrap();
    let load = Load { until: Until::Count(3), ..load(&receiver, "/") };
    // A port that was just closed: nothing listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = Load { address: free, ..load }.start().join().unwrap();
    assert_eq!((outcome.accepted(), outcome.failed), (0, 3));
    assert_eq!(outcome.trouble(), "3 requests without an answer");
}

#[test]
fn a_held_load_waits_for_its_deliveries() {
    let (receiver, deliveries) = (Receiver::local(1).unwrap(), Receiver::local(1).unwrap());
    // Nothing is ever delivered, so it goes no further than it may be ahead.
    let hold = Hold { tally: Arc::clone(&deliveries.tally), fan_out: 10, ahead: 7 };
    let until = Until::Time(Duration::from_millis(100));
    let load = Load { hold: Some(hold), connections: 1, until, ..load(&receiver, "/") };
    assert_eq!(load.start().join().unwrap().accepted(), 7);
}

#[test]
fn head_and_body_are_filled_in_for_each_request() {
    let request = Request::post("h", "/p", &["x-number: {now_us}"], "{n}");
    let (mut body, mut out) = (Vec::new(), Vec::new());
    for (n, at) in [(7, 40), (8, 41)] {
        request.fill(n, at, &mut body, &mut out);
        let expect = format!(
            "POST /p HTTP/1.1\r\nhost: h\r\nx-number: {at}\r\ncontent-length: 1\r\n\r\n{n}"
        );
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }
}
