//! Malformed and hostile requests of the shared corpus, byte by byte.

use base64::Engine as _;
use serde_json::Value;

use super::*;

const CASES: &str = include_str!("../../../../core/tests/data/bad-inputs.json");

#[tokio::test]
async fn every_raw_request_of_the_corpus_is_answered_as_expected() {
    let corpus: Value = serde_json::from_str(CASES).unwrap();
    let cases = corpus["cases"].as_array().unwrap().iter();
    let mut ran = 0;
    for case in cases.filter(|case| case["category"] == "http-raw") {
        let server = Server::start(quick()).await;
        let verdict = match case["input"]["raw_b64"].as_str() {
            Some(raw) => {
                let raw = base64::engine::general_purpose::STANDARD.decode(raw).unwrap();
                server.verdict(&raw).await
            }
            None => play(&server, case["input"]["scenario"].as_str().unwrap()).await,
        };
        let mut accepted = vec![&case["expect"]];
        accepted.extend(case["also_ok"].as_array().into_iter().flatten());
        assert!(accepted.iter().any(|ok| **ok == verdict), "{case} gave {verdict}");
        let healthy = format!("{HEAD}Content-Length: 2\r\n\r\n{{}}");
        let after = server.verdict(healthy.as_bytes()).await;
        assert_eq!(after, "reject_401", "the listener suffered from {case}");
        ran += 1;
    }
    assert!(ran >= 20, "only {ran} cases");
}

async fn play(server: &Server, scenario: &str) -> String {
    let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
    match scenario {
        "101 headers" => {
            let headers: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
            server.verdict(format!("{HEAD}{headers}\r\n").as_bytes()).await
        }
        "one header of 64 KiB" => {
            let value = "x".repeat(64 * 1024);
            server.verdict(format!("{HEAD}X: {value}\r\n\r\n").as_bytes()).await
        }
        "connect and send nothing for 60 s" => verdict(&mut server.connect().await).await,
        "one header byte per second, 500 connections (slow-loris)" => slow_loris(server).await,
        "Expect: 100-continue with a 1 GiB length" => {
            let head = format!("{HEAD}Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n");
            server.verdict(head.as_bytes()).await
        }
        "chunk extensions of 1 MiB" => {
            let extension = "x".repeat(1024 * 1024);
            server.verdict(format!("{chunked}1;{extension}\r\na\r\n0\r\n\r\n").as_bytes()).await
        }
        "trailers of 1 MiB" => {
            let trailers = "X: 1\r\n".repeat(1024 * 1024 / 6);
            server.verdict(format!("{chunked}1\r\na\r\n0\r\n{trailers}\r\n").as_bytes()).await
        }
        "client never reads the answer" => never_reading(server).await,
        "HTTP/2 CONTINUATION flood (RUSTSEC-2024-0332)" => {
            let continuation = b"\0\0\x01\x09\0\0\0\0\x01x".repeat(10_000);
            server.verdict(&[PREFACE, &continuation].concat()).await
        }
        "HTTP/2 SETTINGS and PING flood" => {
            let ping = b"\0\0\x08\x06\0\0\0\0\0abcdefgh".repeat(10_000);
            server.verdict(&[PREFACE, b"\0\0\0\x04\0\0\0\0\0", &ping].concat()).await
        }
        "client closes in the middle of the body" => {
            let mut stream = server.connect().await;
            let half = format!("{HEAD}Content-Length: 10\r\n\r\nhalf");
            stream.write_all(half.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            verdict(&mut stream).await;
            assert_eq!(server.handled.load(Ordering::SeqCst), 0, "half a body was handled");
            "contain".into()
        }
        other => panic!("nobody plays {other}"),
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A hundred clients that trickle their headers; a normal one is served meanwhile.
async fn slow_loris(server: &Server) -> String {
    let trickling: Vec<_> = (0..100)
        .map(|_| {
            let address = server.address;
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let mut ticks = tokio::time::interval(Duration::from_millis(50));
                for byte in HEAD.bytes() {
                    ticks.tick().await;
                    if stream.write_all(&[byte]).await.is_err() {
                        return true;
                    }
                }
                false
            })
        })
        .collect();
    assert_eq!(server.verdict(format!("{HEAD}\r\n").as_bytes()).await, "reject_401");
    for closed in trickling {
        assert!(closed.await.unwrap(), "all of the head could be trickled");
    }
    "close".into()
}

async fn never_reading(server: &Server) -> String {
    let mut stream = server.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // Longer than it takes to give up, but not a wait for something that could be observed: the
    // point is that the client does nothing.
    tokio::time::sleep(quick().stall * 2).await;
    let (bytes, _) = until_end(&mut stream).await;
    if bytes < BIG_ANSWER { "close".into() } else { "accept".into() }
}
