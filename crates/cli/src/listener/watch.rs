//! What a connection is waiting for, and until when.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tidings_core::limits::REQUEST_BODY_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::ListenerLimits;

/// The state of one connection, told by its stream and its bodies.
#[derive(Debug)]
pub(super) struct Watch {
    limits: ListenerLimits,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Of the request body, since then.
    arrived: usize,
    /// When the client stopped taking what we write.
    stalled: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has arrived yet.
    Fresh,
    /// A part of the headers has arrived.
    Head,
    /// The body is arriving.
    Body,
    /// The answer is ours to give; handlers have deadlines of their own.
    Busy,
    /// Between two requests.
    Idle,
}

impl Watch {
    pub(super) fn new(limits: ListenerLimits) -> Self {
        let state = State { phase: Phase::Fresh, since: Instant::now(), arrived: 0, stalled: None };
        Self { limits, state: Mutex::new(state) }
    }

    /// When the connection is to be closed unless something happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        let state = *self.state();
        let phase = match state.phase {
            Phase::Fresh | Phase::Head => Some(state.since + self.limits.header_deadline),
            Phase::Body => Some(state.since + self.limits.body_deadline),
            Phase::Busy => None,
            Phase::Idle => Some(state.since + self.limits.idle),
        };
        let stall = state.stalled.map(|since| since + self.limits.stall);
        phase.into_iter().chain(stall).min()
    }

    /// Whether no request would be lost by closing the connection.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.state().phase, Phase::Fresh | Phase::Idle)
    }

    pub(super) fn request_began(&self, has_body: bool) {
        self.enter(if has_body { Phase::Body } else { Phase::Busy });
    }

    fn bytes_arrived(&self) {
        let phase = self.state().phase;
        match phase {
            // The deadline goes on from when the connection was made.
            Phase::Fresh => self.state().phase = Phase::Head,
            Phase::Idle => self.enter(Phase::Head),
            Phase::Head | Phase::Body | Phase::Busy => {}
        }
    }

    /// A body is given the deadline anew for each [`REQUEST_BODY_BYTES_MAX`] of it. Only a bulk load reads on
    /// after the first.
    fn body_arrived(&self, bytes: usize) {
        let mut state = self.state();
        state.arrived += bytes;
        if state.arrived >= REQUEST_BODY_BYTES_MAX {
            state.arrived = 0;
            state.since = Instant::now();
        }
    }

    fn request_body_ended(&self) {
        let phase = self.state().phase;
        if phase == Phase::Body {
            self.enter(Phase::Busy);
        }
    }

    fn response_ended(&self) {
        self.enter(Phase::Idle);
    }

    fn wrote<T>(&self, progress: &Poll<T>) {
        let mut state = self.state();
        match progress {
            Poll::Ready(_) => state.stalled = None,
            Poll::Pending => state.stalled = state.stalled.or_else(|| Some(Instant::now())),
        }
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.since = Instant::now();
        state.arrived = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that tells its watch what passes.
#[derive(Debug)]
pub(super) struct WatchedStream {
    pub(super) stream: TcpStream,
    pub(super) watch: Arc<Watch>,
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.watch.bytes_arrived();
        }
        read
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch.wrote(&wrote);
        wrote
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch.wrote(&wrote);
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of a request; the handler drops it when it has read it or has no use for it.
#[derive(Debug)]
pub(super) struct RequestBody {
    pub(super) body: Incoming,
    pub(super) watch: Arc<Watch>,
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.watch.request_body_ended();
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.watch.body_arrived(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer; it is dropped when all of it was handed to the stream.
#[derive(Debug)]
pub(super) struct ResponseBody {
    pub(super) body: axum::body::Body,
    pub(super) watch: Arc<Watch>,
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.watch.response_ended();
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
