//! Connections: reuse, replacement, bounds, timings and what goes over them.

use tidings_core::limits::RECEIVER_IDLE_CONNECTIONS_MAX;
use tidings_testkit::receiver::{Answer, Gate, TestReceiver};

use super::*;

#[tokio::test]
async fn a_connection_is_reused_and_its_timings_say_so() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    receiver.answer_always(Answer::status(200).body("ok"));
    let url = format!("http://localhost:{}/", receiver.address().port());
    let first = post(&egress, &url, ample()).await.timings;
    assert!(first.dns_us.is_some() && first.connect_us.is_some(), "{first:?}");
    assert!(first.tls_us.is_none() && first.first_byte_us <= first.total_us, "{first:?}");
    let second = post(&egress, &url, ample()).await;
    let Timings { first_byte_us, total_us, .. } = second.timings;
    assert!(first_byte_us.is_some() && total_us.is_some());
    assert_eq!(second.timings, Timings { first_byte_us, total_us, ..Timings::default() });
    assert_eq!(second.address, Some(receiver.address()));
    assert_eq!((receiver.connections(), egress.idle_connections()), (1, 1));
}

#[tokio::test]
async fn connections_are_not_shared_between_origins() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let port = receiver.address().port();
    for host in ["127.0.0.1", "localhost", "127.0.0.1"] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(post(&egress, &url, ample()).await.status(), Some(200));
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    receiver.answer_next(Answer::status(200).then_close());
    let url = receiver.url("/");
    assert_eq!(post(&egress, &url, ample()).await.status(), Some(200));
    until_closed(&egress, &receiver).await;
    assert_eq!(post(&egress, &url, ample()).await.status(), Some(200));
    assert_eq!((receiver.connections(), receiver.count()), (2, 2));
}

#[tokio::test]
async fn a_request_that_was_not_sent_comes_back_for_another_connection() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let gate = Gate::new();
    receiver.answer_next(Answer::status(200).then_after(&gate, Answer::close()));
    post(&egress, &receiver.url("/"), ample()).await;
    let origin = format!("http://{}", receiver.address());
    let connection = egress.pool.take(&origin).unwrap();
    gate.open();
    let closed = async {
        while connection.is_ready() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.unwrap();
    let url = egress.policy().vet_url(&receiver.url("/")).unwrap();
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let request = Request { method: Method::POST, url: &url, headers, body, budget: ample() };
    let message = message::assemble(request).unwrap();
    let exchanged = connection.exchange(message, &mut Trace::default()).await;
    assert!(exchanged.err().unwrap().take_message().is_some());
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_request_that_may_have_been_received_is_not_sent_again() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let url = receiver.url("/");
    for (answer, expected) in [
        (Answer::status(200), None),
        (Answer::close(), Some(FailureClass::ConnectionClosed)),
        (Answer::status(200), None),
        (Answer::reset(), Some(FailureClass::ConnectionClosed)),
    ] {
        receiver.answer_next(answer);
        assert_eq!(class_of(&post(&egress, &url, ample()).await), expected);
    }
    assert_eq!((receiver.count(), receiver.connections()), (4, 2));
}

#[tokio::test]
async fn a_receiver_that_is_down_refuses_and_is_found_again() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let url = receiver.url("/");
    assert_eq!(post(&egress, &url, ample()).await.status(), Some(200));
    receiver.down().await;
    until_closed(&egress, &receiver).await;
    let attempted = post(&egress, &url, ample()).await;
    assert_eq!(class_of(&attempted), Some(FailureClass::ConnectRefused));
    assert_eq!(attempted.address, Some(receiver.address()));
    receiver.up().await;
    assert_eq!(post(&egress, &url, ample()).await.status(), Some(200));
}

#[tokio::test]
async fn idle_connections_to_one_receiver_are_bounded() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let gate = Gate::new();
    receiver.answer_always(Answer::status(200).after(&gate));
    let (url, many) = (receiver.url("/"), RECEIVER_IDLE_CONNECTIONS_MAX + 16);
    let attempts = futures_util::future::join_all((0..many).map(|_| post(&egress, &url, ample())));
    let opened = async {
        receiver.wait_for(many, Duration::from_secs(5)).await;
        gate.open();
    };
    let (attempts, ()) = tokio::join!(attempts, opened);
    assert!(attempts.iter().all(|attempted| attempted.status() == Some(200)));
    assert_eq!((receiver.connections(), receiver.max_concurrent()), (many, many));
    assert_eq!(egress.idle_connections(), RECEIVER_IDLE_CONNECTIONS_MAX);
}

#[tokio::test]
async fn an_abandoned_request_closes_its_connection() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    receiver.answer_always(Answer::hang());
    for _ in 0..3 {
        let attempted = post(&egress, &receiver.url("/"), budget(50)).await;
        assert_eq!(class_of(&attempted), Some(FailureClass::Timeout));
        let detail = attempted.result.unwrap_err().detail;
        assert_eq!(detail, "gave up after 50 ms while waiting for the answer");
    }
    assert_eq!((egress.idle_connections(), receiver.connections()), (0, 3));
}

#[tokio::test]
async fn headers_about_the_connection_are_ours() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let url = egress.policy().vet_url(&receiver.url("/a%20b?c=d")).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "evil.example.com"),
        ("accept-encoding", "gzip"),
        ("connection", "close"),
        ("content-length", "9"),
        ("transfer-encoding", "chunked"),
        ("expect", "100-continue"),
        ("depth", "1"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    let (method, body) = (Method::from_bytes(b"PROPFIND").unwrap(), Bytes::from_static(b"<x/>"));
    let request = Request { method, url: &url, headers, body, budget: ample() };
    assert_eq!(egress.send(request).await.status(), Some(200));
    let received = &receiver.received()[0];
    assert_eq!((received.method.as_str(), received.path.as_str()), ("PROPFIND", "/a%20b?c=d"));
    let mut sent: Vec<_> = received.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    sent.sort_unstable();
    let host = receiver.address().to_string();
    assert_eq!(sent, [("content-length", "4"), ("depth", "1"), ("host", host.as_str())]);
}

#[tokio::test]
async fn response_headers_keep_order_and_duplicates() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let answer = Answer::status(503).header("b", "1").header("A", "2").header("b", "3");
    receiver.answer_next(answer.header("content-length", "0"));
    let response = post(&egress, &receiver.url("/"), ample()).await.result.unwrap();
    let headers: Vec<_> =
        response.headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
    let expected: [(&str, &[u8]); 4] =
        [("b", b"1"), ("b", b"3"), ("a", b"2"), ("content-length", b"0")];
    assert_eq!(headers, expected);
    assert_eq!(response.header("b"), Some("3"));
}
