//! A receiver that costs next to nothing: one thread, any number of ports. What it does is in the path:
//! `/hang` never answers, `/delay/50` answers after 50 ms, `/status/503` with that status, everything
//! else with 200; `/keep` keeps the body to be read.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::latency::Latencies;
use crate::moment::now_us;
use crate::template::time_in;
use crate::wire::Reader;

/// Without an arrival for so long nothing more is expected.
const QUIET: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// What arrived, as it is counted while more arrives.
#[derive(Debug)]
pub(crate) struct Tally {
    received: AtomicU64,
    last_us: AtomicU64,
    latencies: Mutex<Latencies>,
    kept: Mutex<Vec<u8>>,
}

impl Tally {
    fn new() -> Self {
        let (latencies, kept) = (Mutex::new(Latencies::new()), Mutex::default());
        Self { received: AtomicU64::new(0), last_us: AtomicU64::new(0), latencies, kept }
    }

    /// The last body that was sent to `/keep`.
    pub(crate) fn kept(&self) -> Vec<u8> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that arrived whole; those to `/hang` are not counted.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// When the last one arrived, on the monotonic clock.
    pub(crate) fn last_us(&self) -> u64 {
        self.last_us.load(Ordering::Acquire)
    }

    /// From the time in the bodies to their receipt, since the last reset.
    pub(crate) fn latencies(&self) -> Latencies {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins anew.
    pub(crate) fn reset(&self) {
        self.received.store(0, Ordering::Release);
        *self.latencies.lock().unwrap_or_else(PoisonError::into_inner) = Latencies::new();
    }

    fn count(&self, body: &[u8]) {
        let now = now_us();
        if let Some(sent) = time_in(body) {
            self.latencies.lock().unwrap_or_else(PoisonError::into_inner).record(sent, now);
        }
        self.last_us.store(now, Ordering::Release);
        self.received.fetch_add(1, Ordering::AcqRel);
    }
}

/// A running receiver; it ends with this value.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) tally: Arc<Tally>,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Its thread in `/proc`, relative to it, where there is one.
    pub(crate) thread: Option<PathBuf>,
    _running: oneshot::Sender<()>,
}

impl Receiver {
    /// Listens on every one of `addresses`; port 0 takes a free one.
    pub(crate) fn start(addresses: &[SocketAddr]) -> Result<Self, String> {
        let bind = |address: &SocketAddr| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let bound: io::Result<Vec<_>> = addresses.iter().map(bind).collect();
        let bound = bound.map_err(|error| format!("the receiver cannot listen: {error}"))?;
        let (addresses, listeners): (Vec<_>, Vec<_>) = bound.into_iter().unzip();
        let tally = Arc::new(Tally::new());
        let (running, ended) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let counted = Arc::clone(&tally);
        let thread = move || {
            let thread = std::fs::read_link("/proc/thread-self").ok();
            // Whoever started us waits for it, or has gone.
            drop(tell.send(thread));
            run(listeners, &counted, ended);
        };
        std::thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(thread)
            .map_err(|error| format!("the receiver cannot start: {error}"))?;
        let thread = told.recv().ok().flatten();
        Ok(Self { tally, addresses, thread, _running: running })
    }

    /// On `ports` free ports of this machine.
    pub(crate) fn local(ports: usize) -> Result<Self, String> {
        Self::start(&vec![SocketAddr::from(([127, 0, 0, 1], 0)); ports])
    }

    /// The address of its `n`th port, counted around, with a path.
    pub(crate) fn url(&self, n: usize, path: &str) -> String {
        format!("http://{}{path}", self.addresses[n % self.addresses.len()])
    }

    /// Waits until `expected` requests arrived, or none for a while.
    pub(crate) async fn drain(&self, expected: u64) {
        let (mut count, mut since) = (self.tally.received(), Instant::now());
        while count < expected && since.elapsed() < QUIET {
            tokio::time::sleep(LOOK).await;
            let now = self.tally.received();
            if now > count {
                (count, since) = (now, Instant::now());
            }
        }
    }
}

fn run(listeners: Vec<TcpListener>, tally: &Arc<Tally>, ended: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime of one thread can be made").block_on(async {
        for listener in listeners {
            let listener = tokio::net::TcpListener::from_std(listener);
            let listener = listener.expect("it is bound and does not block");
            tokio::spawn(accept(listener, Arc::clone(tally)));
        }
        // It ends when the other side is dropped, which is an error here.
        drop(ended.await);
    });
}

async fn accept(listener: tokio::net::TcpListener, tally: Arc<Tally>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, Arc::clone(&tally)));
            }
            // Out of file descriptors: what is there goes on.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// One connection, to its end; how it ends is the sender's affair.
async fn serve(mut stream: TcpStream, tally: Arc<Tally>) {
    let mut reader = Reader::new();
    drop(stream.set_nodelay(true));
    while let Ok(Some(message)) = reader.next(&mut stream).await {
        let behaviour = Behaviour::of(reader.subject(&message));
        if matches!(behaviour, Behaviour::Keep) {
            let mut kept = tally.kept.lock().unwrap_or_else(PoisonError::into_inner);
            reader.body(&message).clone_into(&mut kept);
        }
        if !matches!(behaviour, Behaviour::Hang) {
            tally.count(reader.body(&message));
        }
        reader.done(&message);
        let answered = match behaviour {
            Behaviour::Answer | Behaviour::Keep => stream.write_all(OK).await,
            Behaviour::Delay(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                stream.write_all(OK).await
            }
            Behaviour::Status(status) => {
                let answer = format!("HTTP/1.1 {status} -\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await
            }
            Behaviour::Hang => {
                // Until the sender gives up.
                drop(stream.read(&mut [0]).await);
                return;
            }
        };
        if answered.is_err() || message.closes {
            return;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Answer,
    Keep,
    Delay(u64),
    Status(u16),
    Hang,
}

impl Behaviour {
    fn of(path: &[u8]) -> Self {
        let mut words = path.split(|byte| matches!(byte, b'/' | b'?')).skip(1);
        let (word, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let value = std::str::from_utf8(value).unwrap_or_default();
        match (word, value.parse::<u16>()) {
            (b"hang", _) => Self::Hang,
            (b"keep", _) => Self::Keep,
            (b"delay", Ok(ms)) => Self::Delay(ms.into()),
            (b"status", Ok(status @ 200..=599)) => Self::Status(status),
            _ => Self::Answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_says_what_happens() {
        for (path, expect) in [
            ("/", Behaviour::Answer),
            ("", Behaviour::Answer),
            ("/hook/7", Behaviour::Answer),
            ("/hang", Behaviour::Hang),
            ("/hang/3", Behaviour::Hang),
            ("/keep", Behaviour::Keep),
            ("/delay/50", Behaviour::Delay(50)),
            ("/delay/soon", Behaviour::Answer),
            ("/status/503?x", Behaviour::Status(503)),
            ("/status/99", Behaviour::Answer),
        ] {
            assert_eq!(Behaviour::of(path.as_bytes()), expect, "{path}");
        }
    }
}
