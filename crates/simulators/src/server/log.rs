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

/// The last requests of a simulator; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<VecDeque<Recorded>>>);

impl Log {
    /// The requests in the order in which they had been read.
    pub fn all(&self) -> Vec<Recorded> {
        lock(&self.0).iter().cloned().collect()
    }

    /// Those with this method whose path and query contain `part`.
    pub fn matching(&self, method: &str, part: &str) -> Vec<Recorded> {
        let calls = lock(&self.0);
        let fits = |recorded: &&Recorded| {
            recorded.call.method.as_str() == method && recorded.call.target().contains(part)
        };
        calls.iter().filter(fits).cloned().collect()
    }

    /// Forgets all.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// One JSON object a line, for the vendors' own descriptions to judge: `method`, `path`, `query` (a list
    /// of pairs), `headers`, `body` (JSON if it is some, else text; `null` if empty), `status`. No tokens.
    pub fn json_lines(&self) -> String {
        lock(&self.0).iter().map(|recorded| format!("{}\n", line(recorded))).collect()
    }

    pub(super) fn received(&self, call: &Call) {
        let mut calls = lock(&self.0);
        if calls.len() == CALLS_KEPT {
            calls.pop_front();
        }
        calls.push_back(Recorded { call: call.clone(), status: None });
    }

    pub(super) fn answered(&self, number: u64, status: Option<StatusCode>) {
        let mut calls = lock(&self.0);
        if let Some(recorded) = calls.iter_mut().rev().find(|one| one.call.number == number) {
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
