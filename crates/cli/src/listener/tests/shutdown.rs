//! Shutdown: nothing in progress is lost within the drain time, and nothing lasts longer.

use super::*;

#[tokio::test]
async fn quiet_connections_do_not_hold_up_the_shutdown() {
    let limits = ListenerLimits {
        header_deadline: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        drain: Duration::from_secs(60),
        ..quick()
    };
    let mut server = Server::start(limits).await;
    let mut fresh = server.connect().await;
    let mut idle = server.connect().await;
    idle.write_all(format!("{HEAD}\r\n").as_bytes()).await.unwrap();
    assert_eq!(status(&mut idle).await, Some(401));
    server.stop.take().unwrap().send(()).unwrap();
    until_end(&mut fresh).await;
    until_end(&mut idle).await;
    tokio::time::timeout(SOON, server.serving).await.expect("still serving").unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "still listening");
}

#[tokio::test]
async fn a_request_in_progress_is_answered() {
    let mut server = Server::start(ListenerLimits { drain: SOON, ..quick() }).await;
    let mut stream = server.connect().await;
    let half = format!("{HEAD}Content-Length: 4\r\n\r\nab");
    stream.write_all(half.as_bytes()).await.unwrap();
    // A second connection proves that the first was accepted and read before the stop.
    assert_eq!(server.verdict(format!("{HEAD}\r\n").as_bytes()).await, "reject_401");
    server.stop.take().unwrap().send(()).unwrap();
    stream.write_all(b"cd").await.unwrap();
    assert_eq!(status(&mut stream).await, Some(401));
    drop(stream);
    tokio::time::timeout(SOON, server.serving).await.expect("still serving").unwrap();
}

#[tokio::test]
async fn what_does_not_end_is_cut_at_the_end_of_the_drain_time() {
    let mut server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(server.verdict(format!("{HEAD}\r\n").as_bytes()).await, "reject_401");
    server.stop.take().unwrap().send(()).unwrap();
    let (bytes, took) = until_end(&mut stream).await;
    assert_eq!(bytes, 0);
    assert!(took >= quick().drain && took < SOON, "cut after {took:?}");
    tokio::time::timeout(SOON, server.serving).await.expect("still serving").unwrap();
}
