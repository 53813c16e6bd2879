//! A small HTTP/1.1 server on loopback that remembers what it was asked and errs when it is told to.

mod call;
mod faults;
mod log;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidings_core::clock::Clock;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

pub use self::call::{Answer, Call};
pub use self::faults::{Fault, Faults, Gate};
pub use self::log::{Counts, Log, Recorded};

/// How a simulator is started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whose time it lives in.
    pub clock: Clock,
    /// What its chances and its tokens are drawn from: the same seed draws the same.
    pub seed: u64,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
}

impl Default for Setup {
    fn default() -> Self {
        Self { clock: Clock::system(), seed: 1, listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }
    }
}

/// What answers the requests of a simulator.
pub trait Site: Send + Sync + 'static {
    /// Carries out one request.
    fn answer(&self, call: &Call) -> impl Future<Output = Answer> + Send;
}

/// A listening simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    log: Log,
    faults: Faults,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts to listen.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn start(setup: &Setup, site: Arc<impl Site>) -> io::Result<Self> {
        let listener = TcpListener::bind(setup.listen).await?;
        let address = listener.local_addr()?;
        let (log, faults) = (Log::default(), Faults::seeded(setup.seed));
        let desk = Desk {
            site,
            clock: setup.clock.clone(),
            log: log.clone(),
            faults: faults.clone(),
            calls: AtomicU64::new(0),
        };
        let accepting = tokio::spawn(accept(listener, Arc::new(desk)));
        Ok(Self { address, log, faults, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL, which ends with a slash.
    pub fn url(&self) -> Url {
        format!("http://{}/", self.address).parse().expect("an address makes a URL")
    }

    /// Every request that it received.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What goes wrong with the requests.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Takes the requests of all connections.
struct Desk<S> {
    site: Arc<S>,
    clock: Clock,
    log: Log,
    faults: Faults,
    calls: AtomicU64,
}

async fn accept<S: Site>(listener: TcpListener, desk: Arc<Desk<S>>) {
    // Connections end with this task, because the set is dropped with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let desk = Arc::clone(&desk);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let desk = Arc::clone(&desk);
                async move { desk.take(request).await }
            });
            // A client that goes away is its own affair; a fault's broken connection ends here too.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

impl<S: Site> Desk<S> {
    /// One request: read, logged, carried out. An error cuts the connection.
    async fn take(&self, request: Request<Incoming>) -> io::Result<http::Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let call = Call {
            number: self.calls.fetch_add(1, Ordering::Relaxed) + 1,
            at: self.clock.now(),
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
        };
        self.log.received(&call);
        let answer = self.carry_out(&call).await;
        self.log.answered(call.number, answer.as_ref().map(|answer| answer.status));
        answer
            .map(Answer::into_response)
            .ok_or_else(|| io::Error::new(io::ErrorKind::ConnectionAborted, "a planted fault"))
    }

    /// What the client gets to see; `None`: a broken connection.
    async fn carry_out(&self, call: &Call) -> Option<Answer> {
        match self.faults.draw(call) {
            None => Some(self.site.answer(call).await),
            Some(Fault::Instead(answer)) => Some(answer),
            Some(Fault::Cut) => None,
            Some(Fault::Lost) => {
                self.site.answer(call).await;
                None
            }
            Some(Fault::Late(by)) => {
                tokio::time::sleep(by).await;
                Some(self.site.answer(call).await)
            }
            Some(Fault::HeldBefore(gate)) => {
                gate.pass().await;
                Some(self.site.answer(call).await)
            }
            Some(Fault::HeldAfter(gate)) => {
                let answer = self.site.answer(call).await;
                gate.pass().await;
                Some(answer)
            }
        }
    }
}

/// Lets a lock be taken whose holder panicked: a test that failed elsewhere says more than a poisoned lock.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
