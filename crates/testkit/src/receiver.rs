//! A webhook receiver that records what arrives and answers as it is told, however badly.

mod answer;
mod authority;
mod connection;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

pub use self::answer::{Answer, Gate};
pub use self::authority::{Authority, Certificate};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// 1 for the first request of the receiver.
    pub number: usize,
    /// 1 for the first connection of the receiver.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers in order, names as sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Received {
    /// The first value of the header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A receiver on a loopback port of its own. It stops when it is dropped.
#[derive(Debug)]
pub struct TestReceiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls: Option<Certificate>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl TestReceiver {
    /// Starts listening; answers 200 until told otherwise.
    pub async fn start() -> Self {
        Self::begin(None).await
    }

    /// The same behind TLS with this certificate.
    pub async fn start_tls(certificate: Certificate) -> Self {
        Self::begin(Some(certificate)).await
    }

    async fn begin(tls: Option<Certificate>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let receiver =
            Self { shared: Arc::new(Shared::new()), address, tls, accepting: Mutex::default() };
        receiver.accept_from(listener);
        receiver
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An `http` URL of this receiver (`https` behind TLS); `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The next request that has no answer yet gets this one; may be called repeatedly.
    pub fn answer_next(&self, answer: Answer) {
        self.shared.script().next.push_back(answer);
    }

    /// Every request for which nothing is queued gets this answer from now on.
    pub fn answer_always(&self, answer: Answer) {
        self.answer_with(move |_| answer.clone());
    }

    /// Every request for which nothing is queued is answered by `choose` from now on.
    pub fn answer_with(&self, choose: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        self.shared.script().otherwise = Arc::new(choose);
    }

    /// Everything received so far, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received().clone()
    }

    /// How many requests were received so far.
    pub fn count(&self) -> usize {
        self.shared.received().len()
    }

    /// Waits until at least `n` requests were received and returns them all.
    ///
    /// # Panics
    /// When `deadline` passes first.
    pub async fn wait_for(&self, n: usize, deadline: Duration) -> Vec<Received> {
        let mut arrived = self.shared.arrived.subscribe();
        let enough = tokio::time::timeout(deadline, arrived.wait_for(|count| *count >= n)).await;
        let received = self.received();
        assert!(enough.is_ok(), "{} of {n} requests within {deadline:?}", received.len());
        received
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The most requests that were in progress (read, answer not finished) at the same time.
    pub fn max_concurrent(&self) -> usize {
        self.shared.max_concurrent.load(Ordering::SeqCst)
    }

    /// Stops listening and drops every connection; the port stays known for [`Self::up`].
    pub async fn down(&self) {
        let accepting = self.accepting().take();
        if let Some(accepting) = accepting {
            accepting.abort();
            drop(accepting.await);
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Panics
    /// When somebody else took the port meanwhile.
    pub async fn up(&self) {
        self.down().await;
        let listener = TcpListener::bind(self.address).await.expect("the port is still free");
        self.accept_from(listener);
    }

    fn accept_from(&self, listener: TcpListener) {
        let acceptor = self.tls.as_ref().map(Certificate::acceptor);
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&self.shared)));
        *self.accepting() = Some(accepting);
    }

    fn accepting(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TestReceiver {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting().take() {
            accepting.abort();
        }
    }
}

/// Accepts until aborted, which drops the set and with it every connection.
async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            // A connection ends how the client or the script ends it; there is nobody to tell.
            drop(serve(stream, acceptor, number, &shared).await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    number: usize,
    shared: &Shared,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match acceptor {
        None => connection::serve(stream, TcpStream::set_zero_linger, number, shared).await,
        Some(acceptor) => {
            let stream = acceptor.accept(stream).await?;
            let reset = |stream: &tokio_rustls::server::TlsStream<TcpStream>| {
                stream.get_ref().0.set_zero_linger()
            };
            connection::serve(stream, reset, number, shared).await
        }
    }
}

/// What the connections of one receiver have in common.
struct Shared {
    received: Mutex<Vec<Received>>,
    arrived: watch::Sender<usize>,
    script: Mutex<Script>,
    connections: AtomicUsize,
    concurrent: AtomicUsize,
    max_concurrent: AtomicUsize,
}

struct Script {
    next: VecDeque<Answer>,
    otherwise: Arc<dyn Fn(&Received) -> Answer + Send + Sync>,
}

impl Shared {
    fn new() -> Self {
        let script = Script { next: VecDeque::new(), otherwise: Arc::new(|_| Answer::status(200)) };
        Self {
            received: Mutex::default(),
            arrived: watch::Sender::new(0),
            script: Mutex::new(script),
            connections: AtomicUsize::new(0),
            concurrent: AtomicUsize::new(0),
            max_concurrent: AtomicUsize::new(0),
        }
    }

    fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers and records the request, and picks the answer to it.
    fn record(&self, mut request: Received) -> Answer {
        {
            let mut received = self.received();
            request.number = received.len() + 1;
            received.push(request.clone());
        }
        self.arrived.send_modify(|count| *count += 1);
        let otherwise = {
            let mut script = self.script();
            if let Some(answer) = script.next.pop_front() {
                return answer;
            }
            Arc::clone(&script.otherwise)
        };
        otherwise(&request)
    }

    fn begin_answer(&self) -> InProgress<'_> {
        let now = self.concurrent.fetch_add(1, Ordering::SeqCst) + 1;
        self.max_concurrent.fetch_max(now, Ordering::SeqCst);
        InProgress(self)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} received", self.received().len())
    }
}

/// A request whose answer is not finished.
struct InProgress<'a>(&'a Shared);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.concurrent.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
