//! The generator: sends requests over kept connections, in an open loop (a rate) or a closed one (each
//! connection sends its next request when the last one was answered).

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::latency::Latencies;
use crate::moment::now_us;
use crate::pace::{Hold, Pace};
use crate::template::Template;
use crate::wire::Reader;

/// A request without an answer for so long has failed.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// A connection that failed is not made anew at once.
const RECONNECT_WAIT: Duration = Duration::from_millis(10);

/// One kind of request: everything but the length, and the body. Both are filled in for each request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    head: Template,
    body: Template,
}

impl Request {
    /// A POST to `path`. `headers` are `name: value`.
    pub(crate) fn post<H: AsRef<str>>(host: &str, path: &str, headers: &[H], body: &str) -> Self {
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n");
        for header in headers {
            head.extend([header.as_ref(), "\r\n"]);
        }
        Self { head: Template::parse(&head), body: Template::parse(body) }
    }

    fn fill(&self, n: u64, now_us: u64, body: &mut Vec<u8>, out: &mut Vec<u8>) {
        body.clear();
        out.clear();
        self.body.fill(n, now_us, body);
        self.head.fill(n, now_us, out);
        out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        out.extend_from_slice(body);
    }
}

/// When it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Time(Duration),
    Count(u64),
}

/// What to send.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// Sent in turn.
    pub(crate) requests: Vec<Request>,
    pub(crate) connections: usize,
    /// Requests per second; `None` is a closed loop.
    pub(crate) rate: Option<f64>,
    pub(crate) until: Until,
    /// Keeps publishers from running away from deliveries.
    pub(crate) hold: Option<Hold>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// When the first request was due.
    pub(crate) begun_us: u64,
    pub(crate) ended_us: u64,
    /// Answers by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub(crate) failed: u64,
    /// From the intended moment to the whole answer, of answered requests.
    pub(crate) latencies: Latencies,
}

impl Outcome {
    fn new() -> Self {
        let (answers, latencies) = (BTreeMap::new(), Latencies::new());
        Self { begun_us: now_us(), ended_us: 0, answers, failed: 0, latencies }
    }

    /// Requests that were answered 2xx.
    pub(crate) fn accepted(&self) -> u64 {
        self.answers.range(200..300).map(|(_, count)| count).sum()
    }

    /// Everything that was not accepted, in words; empty when there is nothing.
    pub(crate) fn trouble(&self) -> String {
        let refused = self.answers.iter().filter(|(status, _)| !(200..300).contains(*status));
        let mut words: Vec<_> =
            refused.map(|(status, count)| format!("{count} answers {status}")).collect();
        if self.failed > 0 {
            words.push(format!("{} requests without an answer", self.failed));
        }
        words.join(", ")
    }

    /// Seconds from the first request to the last answer.
    pub(crate) fn seconds(&self) -> f64 {
        Duration::from_micros(self.ended_us.saturating_sub(self.begun_us)).as_secs_f64()
    }
}

impl Load {
    /// Sends, on a thread of its own.
    pub(crate) fn start(self) -> thread::JoinHandle<Outcome> {
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime of one thread can be made").block_on(self.send())
        })
    }

    async fn send(self) -> Outcome {
        let pace =
            Arc::new(Pace::start(self.rate, self.until, self.connections, self.hold.clone()));
        let total = Arc::new(std::sync::Mutex::new(Outcome::new()));
        let (load, begun_us) = (Arc::new(self), pace.begun_us());
        let numbers = Arc::new(AtomicU64::new(0));
        let mut connections = JoinSet::new();
        for _ in 0..load.connections {
            let (load, pace) = (Arc::clone(&load), Arc::clone(&pace));
            let (total, numbers) = (Arc::clone(&total), Arc::clone(&numbers));
            connections.spawn(async move {
                Connection { load, stream: None, reader: Reader::new() }
                    .run(&pace, &numbers, &total)
                    .await;
            });
        }
        while connections.join_next().await.is_some() {}
        let mut outcome = total.lock().expect("no connection panicked").clone();
        (outcome.begun_us, outcome.ended_us) = (begun_us, now_us());
        outcome
    }
}

struct Connection {
    load: Arc<Load>,
    stream: Option<TcpStream>,
    reader: Reader,
}

impl Connection {
    async fn run(mut self, pace: &Pace, numbers: &AtomicU64, total: &std::sync::Mutex<Outcome>) {
        let (mut body, mut request) = (Vec::new(), Vec::new());
        while let Some((n, due_us)) = pace.turn(numbers).await {
            let kinds = &self.load.requests;
            let kind = usize::try_from(n).unwrap_or_default() % kinds.len();
            kinds[kind].fill(n, due_us, &mut body, &mut request);
            let answer = tokio::time::timeout(ANSWER_WAIT, self.exchange(&request)).await;
            let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let failed = answer.is_err();
            {
                let mut total = total.lock().expect("no connection panicked");
                match answer {
                    Ok(status) => {
                        *total.answers.entry(status).or_default() += 1;
                        total.latencies.record(due_us, now_us());
                    }
                    Err(_) => total.failed += 1,
                }
            }
            if failed {
                (self.stream, self.reader) = (None, Reader::new());
                tokio::time::sleep(RECONNECT_WAIT).await;
            }
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.load.address).await?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        stream.write_all(request).await?;
        let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let message = self.reader.next(stream).await?.ok_or_else(ended)?;
        let status = std::str::from_utf8(self.reader.subject(&message)).unwrap_or_default();
        let status = status.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        self.reader.done(&message);
        if message.closes {
            self.stream = None;
        }
        Ok(status)
    }
}

#[cfg(test)]
mod tests;
