use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const SOON: Duration = Duration::from_secs(5);

async fn exchange(stream: &mut TcpStream, path: &str, body: &str) -> String {
    let length = body.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nX-A: 1\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let n = stream.read(&mut answer).await.unwrap();
    String::from_utf8(answer[..n].to_vec()).unwrap()
}

#[tokio::test]
async fn it_records_in_order_and_answers_as_scripted() {
    let receiver = TestReceiver::start().await;
    receiver.answer_next(Answer::status(503).header("retry-after", "7").body("later"));
    receiver.answer_with(|request| Answer::status(200).body(request.path.clone()));
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    assert!(exchange(&mut stream, "/a", "one").await.contains("retry-after: 7\r\n"));
    assert!(exchange(&mut stream, "/b", "two").await.ends_with("\r\n\r\n/b"));
    let received = receiver.wait_for(2, SOON).await;
    let seen: Vec<_> = received.iter().map(|r| (r.number, r.connection, &r.body[..])).collect();
    assert_eq!(seen, [(1, 1, &b"one"[..]), (2, 1, b"two")]);
    assert_eq!(received[0].header("x-a"), Some("1"));
    assert_eq!((receiver.connections(), receiver.max_concurrent()), (1, 1));
}

#[tokio::test]
async fn it_goes_down_and_comes_back_on_the_same_port() {
    let receiver = TestReceiver::start().await;
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    exchange(&mut stream, "/", "").await;
    receiver.down().await;
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "the connection is gone");
    assert!(TcpStream::connect(receiver.address()).await.is_err());
    receiver.up().await;
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    exchange(&mut stream, "/", "").await;
    assert_eq!(receiver.count(), 2);
}

#[tokio::test]
async fn a_gate_holds_answers_back() {
    let receiver = TestReceiver::start().await;
    let gate = Gate::new();
    receiver.answer_always(Answer::status(200).after(&gate));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let address = receiver.address();
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                exchange(&mut stream, "/", "").await
            })
        })
        .collect();
    receiver.wait_for(3, SOON).await;
    assert!(clients.iter().all(|client| !client.is_finished()));
    gate.open();
    for client in clients {
        assert!(client.await.unwrap().starts_with("HTTP/1.1 200"));
    }
    assert_eq!(receiver.max_concurrent(), 3);
}
