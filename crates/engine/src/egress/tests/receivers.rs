//! Receivers that behave badly: none may cost more than the budget.

use tidings_testkit::receiver::{Answer, Gate, TestReceiver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// What must come out, and whether the connection may serve another request.
enum Expect {
    Fails(FailureClass),
    RunsOutOfTime,
    Answers { status: u16, end: BodyEnd, reused: bool },
}
use Expect::{Answers, Fails, RunsOutOfTime};

/// Cases that are not about one answer on a plain connection, and who deals with them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("receiver-response-002", "secure::a_stalled_handshake_fails_at_the_connect_budget"),
    ("receiver-response-024", "connections::a_connection_closed_while_idle_is_replaced"),
    ("receiver-response-025", "an_answer_before_the_request_was_read_counts"),
    ("receiver-response-027", "secure::certificates_are_checked"),
    ("receiver-response-031", "rustls knows no RSA below 2,048 bits"),
    ("receiver-response-032", "secure::certificates_are_checked"),
    ("receiver-response-058", "the lanes"),
    ("receiver-response-059", "the lanes"),
    ("receiver-response-060", "the lanes"),
    ("receiver-response-061", "the delivery id"),
];

fn answers(status: u16) -> Expect {
    Answers { status, end: BodyEnd::Complete, reused: true }
}

fn unfit(status: u16, end: BodyEnd) -> Expect {
    Answers { status, end, reused: false }
}

fn raw(head: &str) -> Answer {
    Answer::raw(head.to_owned())
}

fn retry_after(value: &str) -> Answer {
    Answer::status(503).header("retry-after", value)
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn script(case: &Value) -> Option<(Answer, Expect)> {
    let ok = |body: &'static [u8]| Answer::status(200).body(body);
    let second = Duration::from_secs(1);
    let many = |unit: &str, count: usize| {
        Answer::raw(format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", unit.repeat(count)))
    };
    Some(match case["input"]["scenario"].as_str().unwrap() {
        "accepts TCP, never answers" => (Answer::hang(), RunsOutOfTime),
        "one header byte per second" => {
            (Answer::drip("HTTP/1.1 200 OK\r\n\r\n", second), RunsOutOfTime)
        }
        "200 with an endless chunked body" => (Answer::endless_body(), unfit(200, BodyEnd::Capped)),
        "gzip bomb in the answer" => {
            (ok(b"\x1f\x8b\x08").header("content-encoding", "gzip"), answers(200))
        }
        "1 MiB of headers" => (Answer::endless_headers(), Fails(FailureClass::ResponseTooLarge)),
        "10,000 headers" => (many("a: b\r\n", 10_000), Fails(FailureClass::ResponseTooLarge)),
        "101 Switching Protocols" => (
            raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
            unfit(101, BodyEnd::Complete),
        ),
        "status 000" => (raw("HTTP/1.1 000 No\r\n\r\n"), Fails(FailureClass::Protocol)),
        "status 099" => (raw("HTTP/1.1 099 No\r\n\r\n"), Fails(FailureClass::Protocol)),
        "HTTP/0.9 answer" => (raw("hello\r\n").then_close(), Fails(FailureClass::Protocol)),
        "Content-Length larger than the body, then close" => (
            raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").then_close(),
            unfit(200, BodyEnd::Broken),
        ),
        "two Content-Length headers" => (
            raw("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
            Fails(FailureClass::Protocol),
        ),
        "Transfer-Encoding and Content-Length" => (
            raw(
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            unfit(200, BodyEnd::Complete),
        ),
        "RST after the request" => (Answer::reset(), Fails(FailureClass::ConnectionClosed)),
        "RST in the middle of the body of a 200" => (
            raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").then_reset(),
            unfit(200, BodyEnd::Broken),
        ),
        "204 with a body" => (
            raw("HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nbody"),
            unfit(204, BodyEnd::Complete),
        ),
        "HTTP/2 GOAWAY on every stream" => (
            Answer::raw(&b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0"[..]).then_close(),
            Fails(FailureClass::Protocol),
        ),
        "receiver takes 14.9 s" => (ok(b"late").after(&opened_soon()), answers(200)),
        "503 Retry-After: 99999999" => (retry_after("99999999"), answers(503)),
        "503 Retry-After: NaN" => (retry_after("NaN"), answers(503)),
        "503 Retry-After: 1e309" => (retry_after("1e309"), answers(503)),
        "503 Retry-After: Wed, 21 Oct 2015 07:28:00 GMT" => {
            (retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), answers(503))
        }
        "503 with two Retry-After headers" => {
            (retry_after("1").header("retry-after", "2"), answers(503))
        }
        "webhook-delivery: disable" => {
            (Answer::status(400).header("webhook-delivery", "disable"), answers(400))
        }
        "200 with Set-Cookie" => (Answer::status(200).header("set-cookie", "a=b"), answers(200)),
        "200 with Strict-Transport-Security" => {
            (ok(b"").header("strict-transport-security", "max-age=9"), answers(200))
        }
        "body with ANSI escapes" => (ok(b"\x1b[31mred"), answers(200)),
        "body with CRLF and a fake log line" => (ok(b"\r\nERROR fake"), answers(200)),
        "body of invalid UTF-8" => (ok(b"\xff\xfe"), answers(200)),
        "body with NUL" => (ok(b"a\0b"), answers(200)),
        "header name with odd case" => (ok(b"").header("X-oDD", "1"), answers(200)),
        "answers 200 to everything but closes each connection" => {
            (ok(b"bye").header("connection", "close").then_close(), unfit(200, BodyEnd::Complete))
        }
        _ => return None,
    })
}

fn opened_soon() -> Gate {
    let gate = Gate::new();
    let later = gate.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        later.open();
    });
    gate
}

#[tokio::test]
async fn each_behaviour_of_the_corpus_is_contained() {
    let mut ran = 0;
    for case in cases("receiver-response") {
        let Some((answer, expect)) = script(&case) else {
            let id = case["id"].as_str().unwrap();
            assert!(ELSEWHERE.iter().any(|(known, _)| *known == id), "nobody tests {case}");
            continue;
        };
        ran += 1;
        let (egress, receiver) = (client(), TestReceiver::start().await);
        receiver.answer_next(answer);
        let url = receiver.url("/hook");
        let total = if matches!(expect, RunsOutOfTime) { budget(200) } else { ample() };
        let first = post(&egress, &url, total).await;
        assert_eq!(post(&egress, &url, ample()).await.status(), Some(200), "{case}: the next one");
        let connections = receiver.connections();
        match expect {
            Fails(class) => assert_eq!(class_of(&first), Some(class), "{case}: {first:?}"),
            RunsOutOfTime => {
                assert_eq!(class_of(&first), Some(FailureClass::Timeout), "{case}");
                let took = first.timings.total_us.unwrap();
                assert!((200_000..2_000_000).contains(&took), "{case} took {took} µs");
            }
            Answers { status, end, reused } => {
                assert_eq!(first.status(), Some(status), "{case}: {first:?}");
                let response = first.result.unwrap();
                assert_eq!(response.body_end, end, "{case}");
                assert!(response.body.len() <= 16_384 && response.header("set-cookie").is_none());
                assert_eq!(connections, if reused { 1 } else { 2 }, "{case}: {response:?}");
            }
        }
        assert_eq!(receiver.count(), 2, "{case}: sent more than once");
    }
    assert!(ran >= 30, "only {ran} cases");
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let hasty = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 16];
        stream.read_exact(&mut head).await.unwrap();
        let answer = b"HTTP/1.1 413 No\r\ncontent-length: 2\r\n\r\nno";
        stream.write_all(answer).await.unwrap();
        stream
    });
    let egress = client();
    let body = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
    let attempted = post_body(&egress, &url, ample(), body).await;
    assert_eq!(attempted.status(), Some(413), "{attempted:?}");
    assert_eq!(egress.idle_connections(), 0, "it still owes the receiver a request");
    drop(hasty.await);
}

#[tokio::test]
async fn a_slow_body_ends_with_the_total_budget_and_keeps_the_status() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let gate = Gate::new();
    let head = raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    receiver.answer_next(head.then_after(&gate, raw("second")));
    let attempted = post(&egress, &receiver.url("/"), budget(300)).await;
    let took = attempted.timings.total_us.unwrap();
    assert!((300_000..2_000_000).contains(&took), "{took} µs");
    let response = attempted.result.unwrap();
    assert_eq!((response.status, &response.body[..]), (200, &b"half"[..]));
    assert_eq!(response.body_end, BodyEnd::OutOfTime);
    assert_eq!(egress.idle_connections(), 0);
}

#[tokio::test]
async fn a_flood_of_informational_answers_ends_with_the_total_budget() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    receiver.answer_next(Answer::informational_flood());
    let attempted = post(&egress, &receiver.url("/"), budget(200)).await;
    assert_eq!(class_of(&attempted), Some(FailureClass::Timeout));
}

#[tokio::test]
async fn more_than_is_stored_is_read_so_that_the_connection_can_be_reused() {
    let (egress, receiver) = (client(), TestReceiver::start().await);
    let small = Budget { read_bytes: 1_000, store_bytes: 100, ..ample() };
    for (size, end, connections) in [
        (100, BodyEnd::Complete, 1),
        (101, BodyEnd::Capped, 1),
        (1_000, BodyEnd::Capped, 1),
        (1_001, BodyEnd::Capped, 1),
        (100, BodyEnd::Complete, 2),
    ] {
        receiver.answer_next(Answer::status(200).body(vec![b'x'; size]));
        let response = post(&egress, &receiver.url("/"), small).await.result.unwrap();
        assert_eq!((response.body_end, response.body.len()), (end, 100), "{size} bytes");
        assert_eq!(receiver.connections(), connections, "{size} bytes");
    }
}

#[tokio::test]
async fn redirects_and_other_hints_are_answers_and_never_followed() {
    let elsewhere = TestReceiver::start().await;
    for case in cases("ssrf-redirect") {
        let (egress, receiver) = (client(), TestReceiver::start().await);
        let status = u16::try_from(case["input"]["status"].as_u64().unwrap()).unwrap();
        let mut answer = Answer::status(status).header("link", &elsewhere.url("/"));
        for header in case["input"]["headers"].as_array().unwrap() {
            answer = answer.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
        }
        receiver.answer_next(answer.clone());
        receiver.answer_next(answer.header("location", &elsewhere.url("/")));
        for _ in 0..2 {
            let attempted = post(&egress, &receiver.url("/"), ample()).await;
            assert_eq!(attempted.status(), Some(status), "{case}");
            assert_eq!(attempted.address, Some(receiver.address()), "{case}");
        }
        assert_eq!((receiver.count(), elsewhere.connections()), (2, 0), "{case}");
    }
}
