//! No wait without an end, and no more connections than allowed.

use super::*;

#[tokio::test]
async fn each_kind_of_slowness_is_cut_at_its_deadline() {
    let limits = quick();
    let server = Server::start(limits).await;
    let body = format!("{HEAD}Content-Length: 100\r\n\r\n");
    for (sent, deadline, what) in [
        ("", limits.header_deadline, "nothing sent"),
        ("POST /v1/messages HTTP/1.1\r\nHo", limits.header_deadline, "half a header"),
        (body.as_str(), limits.body_deadline, "no body"),
        ("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n", limits.idle, "idle"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let (_, took) = until_end(&mut stream).await;
        let slack = Duration::from_millis(20);
        assert!(
            took + slack >= deadline && took < deadline + SOON / 2,
            "{what}: cut after {took:?}"
        );
    }
    assert_eq!(server.handled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_trickling_body_is_cut_and_a_trickling_head_after_an_idle_time_too() {
    let limits = quick();
    let server = Server::start(limits).await;
    for (first, trickle) in [
        (format!("{HEAD}Content-Length: 100\r\n\r\n"), "x"),
        (format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n"), "1\r\nx\r\n"),
        (format!("{HEAD}\r\nPOST /v1/messages HTTP/1.1\r\n"), "X: 1\r\n"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(first.as_bytes()).await.unwrap();
        let started = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(30));
        while stream.write_all(trickle.as_bytes()).await.is_ok() {
            assert!(started.elapsed() < SOON, "still open: {first:?}");
            ticks.tick().await;
        }
    }
}

#[tokio::test]
async fn a_long_body_is_given_the_deadline_anew_for_each_piece_of_it() {
    let limits = quick();
    let server = Server::start(limits).await;
    let mut stream = server.connect().await;
    let piece = vec![b'x'; limits::REQUEST_BODY_BYTES_MAX];
    let pieces = 4;
    let length = pieces * piece.len();
    let head = format!("POST /load HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // Longer altogether than the deadline, each piece well before it.
    for _ in 0..pieces {
        stream.write_all(&piece).await.unwrap();
        tokio::time::sleep(limits.body_deadline / 2).await;
    }
    assert_eq!(status(&mut stream).await, Some(200));
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_knows_its_client() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    let own = stream.local_addr().unwrap().to_string();
    let started = Instant::now();
    // Longer altogether than any single deadline.
    while started.elapsed() < quick().idle * 2 {
        stream.write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let head = read_head(&mut stream).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut body = vec![0; own.len()];
        stream.read_exact(&mut body).await.unwrap();
        assert_eq!(body, own.as_bytes());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_long_answer_to_a_patient_client_has_no_deadline() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let limits = quick();
    let longest = limits.idle.max(limits.body_deadline).max(limits.header_deadline);
    let waited = tokio::time::timeout(longest * 2, stream.read_u8()).await;
    assert!(waited.is_err(), "the connection was closed while the handler worked");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_free_place() {
    let limits = ListenerLimits { connections: 1, ..quick() };
    let server = Server::start(limits).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    let request = b"GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    second.write_all(request).await.unwrap();
    first.write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut first).await, Some(200));
    let early = tokio::time::timeout(Duration::from_millis(50), second.read_u8()).await;
    assert!(early.is_err(), "the second was served beside the first");
    drop(first);
    assert_eq!(status(&mut second).await, Some(200));
}

#[tokio::test]
async fn heads_are_judged_before_the_router() {
    let server = Server::start(quick()).await;
    let long = "x".repeat(limits::REQUEST_LINE_BYTES_MAX);
    let get = |target: &str, hosts: &str| format!("GET {target} HTTP/1.1\r\n{hosts}\r\n");
    for (request, expected) in [
        (get("/v1/messages", "Host: a\r\n"), "reject_401"),
        (get("http://a/v1/messages", "Host: a\r\n"), "reject_401"),
        (get("http://b/v1/messages", "Host: a\r\n"), "reject_400"),
        (get("/v1/messages", ""), "reject_400"),
        (get("/v1/messages", "Host: a\r\nHost: a\r\n"), "reject_400"),
        (get(&format!("/{long}"), "Host: a\r\n"), "reject_414"),
        ("GET /v1/messages HTTP/1.0\r\n\r\n".into(), "reject_401"),
    ] {
        assert_eq!(server.verdict(request.as_bytes()).await, expected, "{request:.60}");
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_reaches_the_client() {
    let server = Server::start(quick()).await;
    let size = limits::REQUEST_BODY_BYTES_MAX + 1;
    let request = format!("{HEAD}Content-Length: {size}\r\n\r\n{}", "x".repeat(size));
    let mut stream = server.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(status(&mut stream).await, Some(413));
}
