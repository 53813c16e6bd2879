mod deadlines;
mod raw;
mod shutdown;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::routing::any;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower_http::limit::RequestBodyLimitLayer;

use super::*;

const SOON: Duration = Duration::from_secs(5);
const HEAD: &str = "POST /v1/messages HTTP/1.1\r\nHost: api.example.com\r\n";
const BIG_ANSWER: usize = 64 * 1024 * 1024;

/// Deadlines short enough to wait for.
fn quick() -> ListenerLimits {
    ListenerLimits {
        header_deadline: Duration::from_millis(300),
        body_deadline: Duration::from_millis(400),
        idle: Duration::from_millis(800),
        stall: Duration::from_millis(400),
        drain: Duration::from_millis(500),
        ..ListenerLimits::default()
    }
}

struct Server {
    address: SocketAddr,
    handled: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Serves an API that nobody is authorised for, a big answer, an endless handler and the
    /// address of the client.
    async fn start(limits: ListenerLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&handled);
        let refuse = any(move |_: Bytes| {
            count.fetch_add(1, Ordering::SeqCst);
            std::future::ready(StatusCode::UNAUTHORIZED)
        });
        let router = Router::new()
            .route("/v1/messages", refuse)
            .route("/big", any(|| async { vec![b'x'; BIG_ANSWER] }))
            .route("/never", any(std::future::pending::<()>))
            .route(
                "/peer",
                any(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
            )
            .layer(RequestBodyLimitLayer::new(limits::REQUEST_BODY_BYTES_MAX))
            .route(
                "/load",
                any(|body: Body| async move { body.collect().await.is_ok().to_string() }),
            );
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let serving = tokio::spawn(serve(listener, router, stopped, limits));
        Self { address, handled, stop: Some(stop), serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// What comes of sending `bytes`, in the words of the corpus.
    async fn verdict(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may refuse, and close, before it has taken everything.
        drop(stream.write_all(bytes).await);
        verdict(&mut stream).await
    }
}

/// The first answer on the connection, or that there is none.
async fn verdict(stream: &mut TcpStream) -> String {
    status(stream).await.map_or_else(|| "close".into(), |status| format!("reject_{status}"))
}

/// The status of the next answer; `None` when the connection ends without one.
async fn status(stream: &mut TcpStream) -> Option<u16> {
    let head = tokio::time::timeout(SOON, read_head(stream)).await.expect("neither answer nor end");
    Some(head?.split(' ').nth(1).unwrap().parse().unwrap())
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// Waits for the end of the connection and returns what came before it, and how long it took.
async fn until_end(stream: &mut TcpStream) -> (usize, Duration) {
    let started = Instant::now();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    drop(read.expect("the connection is still open"));
    (bytes.len(), started.elapsed())
}
