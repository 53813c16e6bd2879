//! What two receivers that keep two calendars the same know together, and what they do.
//!
//! An event and its copy are a pair. What both said when they last agreed tells which of them changed
//! since; when both did, Google's word counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::form_urlencoded::byte_serialize;

use super::{GOOGLE, MICROSOFT};
use crate::tidings::{PATIENCE, Tidings};

pub(super) const POLL: Duration = Duration::from_millis(10);

/// What is kept the same.
const SAID: [&str; 7] =
    ["title", "description", "location", "start", "end", "allDay", "recurrence"];

pub(super) type Said = BTreeMap<&'static str, Value>;

pub(super) struct Book<'a> {
    tidings: &'a Tidings,
    calendars: &'a [String; 2],
    pages: Mutex<Pages>,
    /// Held while a copy is made: until then nobody knows its id.
    copying: Mutex<()>,
    written: AtomicUsize,
    decided: AtomicUsize,
}

/// The pair of an event, by its id: each side has its own ids.
type Pages = [BTreeMap<String, Shared>; 2];
type Shared = Arc<Mutex<Pair>>;

#[derive(Default)]
struct Pair {
    ids: [Option<String>; 2],
    /// What each said when they last agreed; `None`: it was not there.
    agreed: [Option<Said>; 2],
    /// How many copies were made; the next one is another.
    copies: usize,
}

/// An event as Tidings has it now.
struct Seen {
    etag: String,
    said: Said,
}

impl<'a> Book<'a> {
    pub(super) fn new(tidings: &'a Tidings, calendars: &'a [String; 2]) -> Self {
        Self {
            tidings,
            calendars,
            pages: Mutex::default(),
            copying: Mutex::default(),
            written: AtomicUsize::new(0),
            decided: AtomicUsize::new(0),
        }
    }

    /// Writes, and how often both had changed.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.written.load(Ordering::SeqCst), self.decided.load(Ordering::SeqCst))
    }

    /// The receiver of `side` hears that something happened to an event.
    pub(super) async fn hear(&self, side: usize, id: &str) {
        let pair = self.pair(side, id).await;
        let mut locked = pair.lock().await;
        let begun = Instant::now();
        while !self.agree(&pair, &mut locked).await {
            assert!(begun.elapsed() < PATIENCE, "{id} cannot be settled");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The pair of an event; a new one when it was never heard of.
    async fn pair(&self, side: usize, id: &str) -> Shared {
        if let Some(pair) = self.pages.lock().await[side].get(id) {
            return Arc::clone(pair);
        }
        let _copied = self.copying.lock().await;
        let mut pages = self.pages.lock().await;
        let pair = pages[side].entry(id.to_owned()).or_insert_with(|| {
            let mut pair = Pair::default();
            pair.ids[side] = Some(id.to_owned());
            Arc::new(Mutex::new(pair))
        });
        Arc::clone(pair)
    }

    /// Makes the pair the same; `false` when something was in the way and it must be read anew.
    async fn agree(&self, shared: &Shared, pair: &mut Pair) -> bool {
        let mut seen = [self.read(GOOGLE, pair).await, self.read(MICROSOFT, pair).await];
        let now = [&seen[GOOGLE], &seen[MICROSOFT]].map(|seen| Some(seen.as_ref()?.said.clone()));
        if now[GOOGLE] == now[MICROSOFT] {
            pair.agreed = now;
            return true;
        }
        let changed = [GOOGLE, MICROSOFT].map(|side| now[side] != pair.agreed[side]);
        let (from, to) = match changed {
            [false, false] => return true,
            [true, _] => (GOOGLE, MICROSOFT),
            [false, true] => (MICROSOFT, GOOGLE),
        };
        let written = match (&now[from], seen[to].take()) {
            (Some(wanted), None) => self.copy(shared, pair, to, wanted).await,
            (wanted, Some(seen)) => self.write(pair, to, wanted.as_ref(), seen).await,
            (None, None) => return true,
        };
        let Some(written) = written else { return false };
        self.written.fetch_add(1, Ordering::SeqCst);
        if changed == [true, true] {
            self.decided.fetch_add(1, Ordering::SeqCst);
        }
        pair.agreed[from].clone_from(&now[from]);
        pair.agreed[to] = written;
        true
    }

    async fn read(&self, side: usize, pair: &Pair) -> Option<Seen> {
        let path = self.path(side, pair.ids[side].as_deref()?);
        match self.send("GET", &path, &[], None).await {
            (200, answer) => {
                let etag = answer["etag"].as_str().unwrap().to_owned();
                Some(Seen { etag, said: said(&answer["event"]) })
            }
            (404, _) => None,
            other => panic!("GET {path}: {other:?}"),
        }
    }

    /// Makes one side say `wanted`, or nothing any more; answers what it says then, or `None` when somebody
    /// was faster.
    async fn write(
        &self,
        pair: &Pair,
        side: usize,
        wanted: Option<&Said>,
        seen: Seen,
    ) -> Option<Option<Said>> {
        let path = self.path(side, pair.ids[side].as_deref()?);
        let version = [("if-match", seen.etag.as_str())];
        let (status, answer) = match wanted {
            Some(wanted) => {
                let body = changes(&seen.said, wanted);
                self.send("PATCH", &path, &version, Some(&body)).await
            }
            None => self.send("DELETE", &path, &version, None).await,
        };
        match status {
            200 => Some(Some(said(&answer["event"]))),
            204 => Some(None),
            // Changed or deleted meanwhile, or the calendar is being read.
            404 | 412 | 503 => None,
            _ => panic!("{status}: {answer}"),
        }
    }

    /// Makes the pair's event on the side that has none.
    async fn copy(
        &self,
        shared: &Shared,
        pair: &mut Pair,
        side: usize,
        wanted: &Said,
    ) -> Option<Option<Said>> {
        let _copying = self.copying.lock().await;
        let path = format!("/api/v1/calendars/{}/events", self.calendars[side]);
        let source = pair.ids[1 - side].as_deref()?;
        let once = format!("{source}-{}", pair.copies);
        let body = changes(&Said::new(), wanted);
        let answer = self.send("POST", &path, &[("idempotency-key", &once)], Some(&body)).await;
        let answer = match answer {
            (201, answer) => answer,
            // Deleted by somebody as soon as it was made, or the calendar is being read.
            (404 | 503, _) => return None,
            (status, answer) => panic!("{status}: {answer}"),
        };
        let id = answer["id"].as_str().unwrap().to_owned();
        pair.copies += 1;
        pair.ids[side] = Some(id.clone());
        self.pages.lock().await[side].insert(id, Arc::clone(shared));
        Some(Some(said(&answer["event"])))
    }

    fn path(&self, side: usize, id: &str) -> String {
        let id: String = byte_serialize(id.as_bytes()).collect();
        format!("/api/v1/calendars/{}/events/{id}", self.calendars[side])
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Option<&Value>,
    ) -> (u16, Value) {
        self.tidings.send(method, path, &self.tidings.server.key, headers, body).await
    }
}

/// What an event of ours says, in words that both providers have.
pub(super) fn said(event: &Value) -> Said {
    let mut said = Said::new();
    for name in SAID {
        let value = match (name, &event[name]) {
            (_, Value::Null) => continue,
            (_, Value::String(text)) if text.is_empty() => continue,
            ("recurrence", Value::String(rule)) => {
                // The parts of a rule have no order.
                let mut parts: Vec<&str> = rule.split(';').collect();
                parts.sort_unstable();
                parts.join(";").into()
            }
            (_, value) => value.clone(),
        };
        said.insert(name, value);
    }
    said
}

/// What turns `old` into `new`.
fn changes(old: &Said, new: &Said) -> Value {
    let mut body = Map::new();
    for name in SAID.into_iter().filter(|name| *name != "allDay") {
        if old.get(name) != new.get(name) {
            body.insert(name.to_owned(), new.get(name).cloned().unwrap_or_default());
        }
    }
    // Times go together.
    if body.contains_key("start") || body.contains_key("end") {
        for name in ["start", "end"] {
            body.insert(name.to_owned(), new[name].clone());
        }
    }
    Value::Object(body)
}
