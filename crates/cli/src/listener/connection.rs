//! One connection from its first byte to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use futures_util::FutureExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch as signal;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tower::Service as _;

use super::ListenerLimits;
use super::admission::admit;
use super::watch::{RequestBody, ResponseBody, Watch, WatchedStream};

/// Room for the largest head and a good piece of body.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// After our last answer the client may go on sending for this long and this much. Closing on
/// unread bytes would reset the connection, and the client might never see the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: u64 = 1024 * 1024;

/// Serves one connection until the client, a deadline or the shutdown ends it.
pub(super) async fn drive(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: ListenerLimits,
    mut closing: signal::Receiver<bool>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let watch = Arc::new(Watch::new(limits));
    let io = TokioIo::new(WatchedStream { stream, watch: Arc::clone(&watch) });
    let service = service_fn(|request| {
        Box::pin(answer(request, peer, router.clone(), limits, Arc::clone(&watch)))
    });
    let mut connection = http1::Builder::new()
        .max_headers(limits.headers)
        .max_header_size(limits.header_bytes)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(io, service);
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut closing = pin!(closing.wait_for(|closing| *closing).map(drop).fuse());
    let finished = std::future::poll_fn(|cx| {
        if closing.as_mut().poll(cx).is_ready() {
            if watch.is_quiet() {
                return Poll::Ready(false);
            }
            Pin::new(&mut connection).graceful_shutdown();
        }
        match connection.poll_without_shutdown(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => poll_due(&watch, timer.as_mut(), cx).map(|()| false),
        }
    });
    if finished.await {
        linger(connection.into_parts().io.into_inner().stream).await;
    }
}

/// Ready when what the connection waits for is overdue.
fn poll_due(watch: &Watch, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    let Some(due) = watch.due() else { return Poll::Pending };
    if timer.deadline() != due {
        timer.as_mut().reset(due);
    }
    timer.poll(cx)
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    mut router: Router,
    limits: ListenerLimits,
    watch: Arc<Watch>,
) -> Result<Response<ResponseBody>, Infallible> {
    watch.request_began(!request.body().is_end_stream());
    let admitted = admit(&request, &limits);
    let mut request = request.map(|body| RequestBody { body, watch: Arc::clone(&watch) });
    let response = match admitted {
        Err(refusal) => refusal.response(),
        Ok(()) => {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.call(request).await?
        }
    };
    Ok(response.map(|body| ResponseBody { body, watch }))
}

/// Closes our half and reads away what the client still sends.
async fn linger(mut stream: TcpStream) {
    let rest = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_BYTES_MAX), &mut tokio::io::sink()).await
    };
    if let Ok(Err(error)) = timeout(LINGER, rest).await {
        tracing::trace!(%error, "the client was gone first");
    }
}
