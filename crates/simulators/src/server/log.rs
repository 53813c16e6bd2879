//! What a simulator was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use http::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use super::lock;

/// Older requests are forgotten, so that a long run does not fill the memory.
const CALLS_KEPT: usize = 100_000;

/// A request and what came of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The request.
    pub call: Call,
    /// The answer's status; `None` while there is none, and when the connection was cut.
    pub status: Option<StatusCode>,
}

/// How many requests there were, forgotten ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that were read whole.
    pub received: u64,
    /// Those that were answered with an error.
    pub refused: u64,
}

/// The last requests of a simulator; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Calls>>);

#[derive(Debug)]
struct Calls {
    kept: VecDeque<Recorded>,
    most: usize,
    counts: Counts,
}

impl Default for Calls {
    fn default() -> Self {
        Self { kept: VecDeque::new(), most: CALLS_KEPT, counts: Counts::default() }
    }
}

impl Log {
    /// The requests in the order in which they had been read.
    pub fn all(&self) -> Vec<Recorded> {
        lock(&self.0).kept.iter().cloned().collect()
    }

    /// How many requests there were from the beginning on.
    pub fn counts(&self) -> Counts {
        lock(&self.0).counts
    }

    /// Keeps only so many requests from now on; 0 counts them and remembers none.
    pub fn keep(&self, most: usize) {
        let calls = &mut *lock(&self.0);
        calls.most = most;
        let old = calls.kept.len().saturating_sub(most);
        calls.kept.drain(..old);
    }

    /// Those with this method whose path and query contain `part`.
    pub fn matching(&self, method: &str, part: &str) -> Vec<Recorded> {
        let calls = lock(&self.0);
        let fits = |recorded: &&Recorded| {
            recorded.call.method.as_str() == method && recorded.call.target().contains(part)
        };
        calls.kept.iter().filter(fits).cloned().collect()
    }

    /// Forgets all; the counts go on.
    pub fn clear(&self) {
        lock(&self.0).kept.clear();
    }

    /// One JSON object a line, for the vendors' own descriptions to judge: `method`, `path`, `query` (a list
    /// of pairs), `headers`, `body` (JSON if it is some, else text; `null` if empty), `status`. No tokens.
    pub fn json_lines(&self) -> String {
        lock(&self.0).kept.iter().map(|recorded| format!("{}\n", line(recorded))).collect()
    }

    pub(super) fn received(&self, call: &Call) {
        let calls = &mut *lock(&self.0);
        calls.counts.received += 1;
        if calls.most == 0 {
            return;
        }
        if calls.kept.len() >= calls.most {
            calls.kept.pop_front();
        }
        calls.kept.push_back(Recorded { call: call.clone(), status: None });
    }

    pub(super) fn answered(&self, number: u64, status: Option<StatusCode>) {
        let calls = &mut *lock(&self.0);
        let is_error = |status: StatusCode| status.is_client_error() || status.is_server_error();
        calls.counts.refused += u64::from(status.is_some_and(is_error));
        if let Some(recorded) = calls.kept.iter_mut().rev().find(|one| one.call.number == number) {
            recorded.status = status;
        }
    }
}

fn line(recorded: &Recorded) -> Value {
    let call = &recorded.call;
    let headers = call.headers.iter().filter(|(name, _)| name.as_str() != "authorization");
    let headers: serde_json::Map<String, Value> = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let body = match call.body.is_empty() {
        true => Value::Null,
        false => call.json().unwrap_or_else(|| String::from_utf8_lossy(&call.body).into()),
    };
    json!({
        "method": call.method.as_str(), "path": call.path, "query": call.parameters(),
        "headers": headers, "body": body, "status": recorded.status.map(|status| status.as_u16()),
    })
}
