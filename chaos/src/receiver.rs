//! The receiver of the battery: judges each webhook as it arrives and keeps its own book.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::sign;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::books::{Arrival, HookBook, Said};
use crate::publish;

/// Listens on a port of its own, which it keeps while it is down.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    hooks: RwLock<HashMap<String, (usize, HookBook)>>,
    arrivals: Mutex<Vec<Arrival>>,
    count: AtomicUsize,
    /// One of so many deliveries is refused at its first attempt; 0: none.
    refuse_one_in: AtomicU64,
    refused: Mutex<HashMap<String, ()>>,
    /// `webhook-timestamp` less the receiver's own time, lowest and highest seen, seconds.
    skew: Mutex<Option<(i64, i64)>>,
    log: Mutex<BufWriter<File>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} arrivals", self.count.load(Ordering::SeqCst))
    }
}

impl Receiver {
    /// Listens; its book is a file in `directory`.
    pub(crate) async fn start(directory: &Path) -> Result<Self, String> {
        let log = File::create(directory.join("received.log")).map_err(|e| e.to_string())?;
        let shared = Arc::new(Shared {
            hooks: RwLock::default(),
            arrivals: Mutex::default(),
            count: AtomicUsize::new(0),
            refuse_one_in: AtomicU64::new(0),
            refused: Mutex::default(),
            skew: Mutex::default(),
            log: Mutex::new(BufWriter::new(log)),
        });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { address, shared, accepting: None }.beside().await
    }

    /// Another port with the same book.
    pub(crate) async fn beside(&self) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let shared = Arc::clone(&self.shared);
        let mut receiver = Self { address, shared, accepting: None };
        receiver.accept_from(listener);
        Ok(receiver)
    }

    /// Where `path` is received.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Expects the webhooks of this hook, whose place in the books is `number`.
    pub(crate) fn expect(&self, number: usize, hook: &HookBook) {
        let mut hooks = self.shared.hooks.write().unwrap_or_else(PoisonError::into_inner);
        hooks.insert(hook.path.clone(), (number, hook.clone()));
    }

    /// Answers 503 to the first attempt of one delivery in `one_in`; 0: of none.
    pub(crate) fn refuse_one_in(&self, one_in: u64) {
        self.shared.refuse_one_in.store(one_in, Ordering::SeqCst);
    }

    /// How many webhooks were answered with a 2xx.
    pub(crate) fn count(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// The arrivals so far, in order.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        locked(&self.shared.arrivals).clone()
    }

    /// The lowest and highest difference between `webhook-timestamp` and real time since last asked, s.
    pub(crate) fn take_skew(&self) -> Option<(i64, i64)> {
        locked(&self.shared.skew).take()
    }

    /// Stops listening and drops every connection.
    pub(crate) async fn down(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            drop(accepting.await);
        }
    }

    /// Listens again.
    pub(crate) async fn up(&mut self) -> Result<(), String> {
        let listener = TcpListener::bind(self.address).await;
        self.accept_from(listener.map_err(|error| format!("the receiver's port: {error}"))?);
        Ok(())
    }

    fn accept_from(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                connections.spawn(async move {
                    drop(stream.set_nodelay(true));
                    // However a connection ends, there is nobody to tell.
                    drop(
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                    );
                });
                while connections.try_join_next().is_some() {}
            }
        }));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
        drop(locked(&self.shared.log).flush());
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(Full::default());
    // Half a request is none: the connection broke.
    if let Ok(body) = body.collect().await {
        *response.status_mut() = shared.take(parts.uri.path(), &parts.headers, &body.to_bytes());
    }
    Ok(response)
}

impl Shared {
    fn take(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        let known = {
            let hooks = self.hooks.read().unwrap_or_else(PoisonError::into_inner);
            hooks.get(path).cloned()
        };
        let Some((hook, book)) = known else { return StatusCode::NOT_FOUND };
        let said = read(&book, headers, body);
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        if self.refuses(id) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        self.note_skew(headers);
        let genuine = if said.is_some() { "genuine" } else { "FORGED" };
        // The file is for people; what counts is in memory.
        drop(writeln!(locked(&self.log), "{hook} {id} {genuine}"));
        locked(&self.arrivals).push(Arrival { hook, at: Instant::now(), said });
        self.count.fetch_add(1, Ordering::SeqCst);
        StatusCode::OK
    }

    fn refuses(&self, webhook_id: &str) -> bool {
        let one_in = self.refuse_one_in.load(Ordering::SeqCst);
        if one_in == 0 {
            return false;
        }
        let sum = webhook_id.bytes().fold(7_u64, |sum, byte| {
            sum.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(byte))
        });
        (sum >> 20).is_multiple_of(one_in)
            && locked(&self.refused).insert(webhook_id.to_owned(), ()).is_none()
    }

    fn note_skew(&self, headers: &HeaderMap) {
        let said = headers.get("webhook-timestamp").and_then(|at| at.to_str().ok()?.parse().ok());
        let Some(said): Option<i64> = said else { return };
        let skew = said - Clock::system().now().unix_seconds();
        let mut seen = locked(&self.skew);
        let (low, high) = seen.unwrap_or((skew, skew));
        *seen = Some((low.min(skew), high.max(skew)));
    }
}

/// What the webhook says, when its signature and content are as they should be.
fn read(hook: &HookBook, headers: &HeaderMap, body: &[u8]) -> Option<Said> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let (webhook_id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    // The clock of the server may be a drill's: what is judged is the signature.
    let then = Timestamp(timestamp.parse::<i64>().ok()?.checked_mul(1000)?);
    let signature = header("webhook-signature")?;
    if !sign::verify(&hook.secret, webhook_id, timestamp, signature, body, then) {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    let number = body["data"]["n"].as_u64()?;
    (body["data"] == publish::data(number)).then_some(Said {
        webhook_id: webhook_id.to_owned(),
        change: body["id"].as_str()?.to_owned(),
        number,
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tidings_core::id::Ids;
    use tidings_core::sign::Secret;

    use super::*;

    #[test]
    fn a_webhook_is_genuine_only_with_its_signature_and_content() {
        let secret = Secret::generate(&Ids::seeded(1));
        let hook = HookBook { tenant: 0, path: "/".into(), secret };
        let judge = |signed: &str, sent: &str, at: &str| {
            let signature = hook.secret.sign("dlv_1", 1_700_000_000, signed.as_bytes());
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("webhook-id", "dlv_1"),
                ("webhook-timestamp", at),
                ("webhook-signature", &signature),
            ] {
                headers.insert(name, value.parse().unwrap());
            }
            read(&hook, &headers, sent.as_bytes()).map(|said| said.number)
        };
        let good = serde_json::json!({"id": "chg_1", "data": publish::data(3)}).to_string();
        let other = serde_json::json!({"id": "chg_1", "data": {"n": 3}}).to_string();
        assert_eq!(judge(&good, &good, "1700000000"), Some(3));
        assert_eq!(judge(&good, &good, "1700000001"), None, "another time");
        assert_eq!(judge(&good, &other, "1700000000"), None, "not what was signed");
        assert_eq!(judge(&other, &other, "1700000000"), None, "not what was published");
    }
}
