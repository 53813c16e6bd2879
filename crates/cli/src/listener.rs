//! The way in: an accept loop of our own in which every wait has an end. The framework's loop keeps
//! half-open requests for ever.
//!
//! HTTP/1.1 only. TLS and HTTP/2 towards the public are the business of a proxy in front.

mod admission;
mod connection;
mod watch;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tidings_core::{fault, limits};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch as signal};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long to wait when the machine has no file descriptor left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one connection, and all of them together, may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerLimits {
    /// From the first byte of a request (or the connection) to the end of its headers.
    pub(crate) header_deadline: Duration,
    /// From the end of the headers to the end of the request body.
    pub(crate) body_deadline: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// Without the client taking any of the answer.
    pub(crate) stall: Duration,
    /// For requests in progress at shutdown.
    pub(crate) drain: Duration,
    /// Headers of a request.
    pub(crate) headers: usize,
    /// Bytes of request line and headers.
    pub(crate) header_bytes: usize,
    /// Bytes of path and query.
    pub(crate) target_bytes: usize,
    /// Connections open at once; further ones wait in the kernel's queue.
    pub(crate) connections: usize,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            header_deadline: Duration::from_millis(limits::REQUEST_HEADER_DEADLINE_MS),
            body_deadline: Duration::from_millis(limits::REQUEST_BODY_DEADLINE_MS),
            idle: Duration::from_millis(limits::CONNECTION_IDLE_MS),
            stall: Duration::from_millis(limits::RESPONSE_STALL_MS),
            drain: Duration::from_millis(limits::SHUTDOWN_DRAIN_MS),
            headers: limits::REQUEST_HEADERS_MAX,
            header_bytes: limits::REQUEST_HEADER_BYTES_MAX,
            target_bytes: limits::REQUEST_LINE_BYTES_MAX,
            connections: limits::CONNECTIONS_MAX,
        }
    }
}

/// Serves `router` until `shutdown` completes, then lets requests in progress finish within
/// [`ListenerLimits::drain`]. Handlers find the client in `ConnectInfo<SocketAddr>`. Answers that
/// never end by themselves (streams) must watch the shutdown on their own.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
    limits: ListenerLimits,
) {
    let (close, closing) = signal::channel(false);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit.expect("the semaphore is never closed"), listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                fault::point("listener.accepted");
                let (router, closing) = (router.clone(), closing.clone());
                connections.spawn(async move {
                    connection::drive(stream, peer, router, limits, closing).await;
                    drop(permit);
                });
            }
            Err(error) => pause_after(&error).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    close.send_replace(true);
    let drained = timeout(limits.drain, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(left = connections.len(), "connections cut at the end of the drain time");
    }
}

/// A client that went away before it was accepted is nothing; running out of file descriptors is,
/// and would otherwise make this loop spin.
async fn pause_after(error: &io::Error) {
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests;
