//! The corpus's words for a receiver, as something that can be played.

use std::time::Duration;

use tidings_testkit::receiver::{Answer, Gate};

/// How the delivery to it must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By its first request.
    Delivered,
    /// By a later request: the first one failed.
    Retried,
    /// Not at all, while it goes on like this.
    Fails,
    /// Not even a request comes about.
    NeverConnects,
}

/// What is played.
pub(super) enum Script {
    /// This answer to the first request, 200 to the others.
    Plain(Answer, End),
    /// This answer to all of them.
    Always(Answer, End),
    /// TLS with a certificate that nobody trusts, in a chain of at least so many bytes.
    Untrusted { chain_bytes: usize },
    /// The TLS handshake is not answered.
    NoHandshake,
}

use End::{Delivered, Fails, Retried};
use Script::{Always, NoHandshake, Plain, Untrusted};

/// What plays this scenario.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn of(scenario: &str) -> Option<Script> {
    let second = Duration::from_secs(1);
    let ok = |body: &'static [u8]| Answer::status(200).body(body);
    let raw = |text: &str| Answer::raw(text.to_owned());
    let retry_after = |value: &str| Answer::status(503).header("retry-after", value);
    Some(match scenario {
        "accepts TCP, never answers" => Plain(Answer::hang(), Retried),
        "TLS handshake stalls" => NoHandshake,
        "one header byte per second" => {
            Plain(Answer::drip("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", second), Retried)
        }
        "200 with an endless chunked body" => Plain(Answer::endless_body(), Delivered),
        "gzip bomb in the answer" => {
            Plain(ok(b"\x1f\x8b\x08").header("content-encoding", "gzip"), Delivered)
        }
        "1 MiB of headers" => Plain(Answer::endless_headers(), Retried),
        "10,000 headers" => {
            let many = "a: b\r\n".repeat(10_000);
            Plain(raw(&format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n")), Retried)
        }
        "101 Switching Protocols" => {
            let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n";
            Plain(raw(&format!("{head}\r\n")), Retried)
        }
        "status 000" => Plain(raw("HTTP/1.1 000 No\r\n\r\n"), Retried),
        "status 099" => Plain(raw("HTTP/1.1 099 No\r\n\r\n"), Retried),
        "HTTP/0.9 answer" => Plain(raw("hello\r\n").then_close(), Retried),
        "Content-Length larger than the body, then close" => {
            let answer = raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
            Plain(answer.then_close(), Delivered)
        }
        "two Content-Length headers" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab";
            Plain(raw(head), Retried)
        }
        "Transfer-Encoding and Content-Length" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n";
            Plain(raw(&format!("{head}\r\n0\r\n\r\n")), Delivered)
        }
        "RST after the request" => Plain(Answer::reset(), Retried),
        "RST in the middle of the body of a 200" => {
            let answer = raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
            Plain(answer.then_reset(), Delivered)
        }
        "204 with a body" => {
            Plain(raw("HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nbody"), Delivered)
        }
        "self-signed certificate" => Untrusted { chain_bytes: 1 },
        "certificate chain of 1 MiB" => Untrusted { chain_bytes: 1024 * 1024 },
        "HTTP/2 GOAWAY on every stream" => {
            let goaway = &b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0"[..];
            Always(Answer::raw(goaway).then_close(), Fails)
        }
        "receiver takes 14.9 s" => Plain(ok(b"late").after(&opened_late()), Delivered),
        "503 Retry-After: 99999999" => Always(retry_after("99999999"), Fails),
        "503 Retry-After: NaN" => Plain(retry_after("NaN"), Retried),
        "503 Retry-After: 1e309" => Plain(retry_after("1e309"), Retried),
        "503 Retry-After: Wed, 21 Oct 2015 07:28:00 GMT" => {
            Plain(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Retried)
        }
        "503 with two Retry-After headers" => {
            Plain(retry_after("1").header("retry-after", "2"), Retried)
        }
        "webhook-delivery: disable" => {
            Plain(Answer::status(400).header("webhook-delivery", "disable"), Retried)
        }
        "200 with Set-Cookie" => Plain(ok(b"").header("set-cookie", "a=b"), Delivered),
        "200 with Strict-Transport-Security" => {
            Plain(ok(b"").header("strict-transport-security", "max-age=9"), Delivered)
        }
        "body with ANSI escapes" => Plain(ok(b"\x1b[31mred"), Delivered),
        "body with CRLF and a fake log line" => Plain(ok(b"\r\nERROR fake"), Delivered),
        "body of invalid UTF-8" => Plain(ok(b"\xff\xfe"), Delivered),
        "body with NUL" => Plain(ok(b"a\0b"), Delivered),
        "header name with odd case" => Plain(ok(b"").header("X-oDD", "1"), Delivered),
        "answers 200 to everything but closes each connection" => {
            let bye = ok(b"bye").header("connection", "close");
            Always(bye.then_close(), Delivered)
        }
        _ => return None,
    })
}

/// Opens as late as an answer may still count, with some room for a busy machine.
fn opened_late() -> Gate {
    let gate = Gate::new();
    let later = gate.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(13)).await;
        later.open();
    });
    gate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_receiver_of_the_corpus_is_played_or_known_to_be_played_elsewhere() {
        let corpus: serde_json::Value = serde_json::from_str(super::super::CORPUS).unwrap();
        let cases = corpus["cases"].as_array().unwrap().iter();
        let mut played = 0;
        for case in cases.filter(|case| case["category"] == "receiver-response") {
            let scenario = case["input"]["scenario"].as_str().unwrap();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            if runtime.block_on(async { of(scenario).is_some() }) {
                played += 1;
                continue;
            }
            let known = super::super::ELSEWHERE.iter().any(|(id, _)| case["id"] == *id);
            assert!(known, "nobody plays {case}");
        }
        assert!(played >= 35, "only {played}");
    }
}
