//! Publishers that do not give up: each change is repeated under its idempotency key until accepted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::books::PublisherBook;
use crate::client::Client;

/// Requests in progress at once; while the server is down the publishers wait here.
const IN_PROGRESS_MAX: usize = 256;
/// Pause before a request is repeated.
const REPEAT_AFTER: Duration = Duration::from_millis(25);

/// The content published under this number.
pub(crate) fn data(number: u64) -> Value {
    json!({"n": number, "text": format!("change {number} — ✓")})
}

/// How often each status was answered; 0 stands for no answer.
pub(crate) type Statuses = BTreeMap<u16, usize>;

/// Publishes numbers and keeps what was accepted in its book. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    clients: Arc<Vec<Client>>,
    book: PublisherBook,
    places: Arc<Semaphore>,
    statuses: Arc<Mutex<Statuses>>,
}

/// Publishing that goes on until it is stopped.
#[derive(Debug)]
pub(crate) struct Steady {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), String>>,
}

impl Publisher {
    /// Publishes through these clients, one a tenant, in turns.
    pub(crate) fn new(clients: Vec<Client>, book: PublisherBook) -> Self {
        Self {
            clients: Arc::new(clients),
            book,
            places: Arc::new(Semaphore::new(IN_PROGRESS_MAX)),
            statuses: Arc::default(),
        }
    }

    /// What the server answered since this was last asked.
    pub(crate) fn take_statuses(&self) -> Statuses {
        std::mem::take(&mut *self.statuses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Publishes `count` changes after number `after`, `batch` to a request, as fast as they are accepted.
    pub(crate) async fn all(&self, after: u64, count: u64, batch: u64) -> Result<(), String> {
        let mut requests = JoinSet::new();
        let mut first = after + 1;
        while first <= after + count {
            let last = (first + batch - 1).min(after + count);
            self.begin(&mut requests, first, last).await?;
            first = last + 1;
        }
        finish(requests).await
    }

    /// Begins to publish `rate` changes a second from number `after` on.
    pub(crate) fn steadily(&self, after: u64, rate: u64) -> Steady {
        let (stop, stopped) = watch::channel(false);
        let publisher = self.clone();
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_nanos(1_000_000_000 / rate));
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            let (mut requests, mut number) = (JoinSet::new(), after);
            while !*stopped.borrow() {
                ticks.tick().await;
                number += 1;
                publisher.begin(&mut requests, number, number).await?;
            }
            finish(requests).await
        });
        Steady { stop, task }
    }

    /// Waits only for a free place. Returns the error of an earlier request that was refused for good.
    async fn begin(
        &self,
        requests: &mut JoinSet<Result<(), String>>,
        first: u64,
        last: u64,
    ) -> Result<(), String> {
        while let Some(done) = requests.try_join_next() {
            done.map_err(|error| error.to_string())??;
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|error| error.to_string())?;
        self.book.begin(first..=last);
        let publisher = self.clone();
        requests.spawn(async move {
            let tenant = (first % publisher.clients.len() as u64) as usize;
            let made = publisher.publish(tenant, first, last).await?;
            // Written only now, after the 2xx: what is in the book was promised.
            publisher.book.note(tenant, &made).await?;
            drop(place);
            Ok(())
        });
        Ok(())
    }

    /// Publishes numbers until they are accepted; returns their ids.
    async fn publish(
        &self,
        tenant: usize,
        first: u64,
        last: u64,
    ) -> Result<Vec<(String, u64)>, String> {
        let change = |number| json!({"type": "chaos.tick", "data": data(number)});
        let (path, body) = if first == last {
            ("/api/v1/changes", change(first))
        } else {
            let changes: Vec<_> = (first..=last).map(change).collect();
            ("/api/v1/changes/batch", json!({"changes": changes}))
        };
        let key = format!("chaos-{first}-{last}");
        loop {
            let answered = self.clients[tenant].post_once(path, &body, &key).await;
            self.count(answered.as_ref().map_or(0, |(status, _)| *status));
            match answered {
                Ok((200..=299, answer)) => return ids(&answer, first, last),
                Ok((429 | 503 | 507, _)) | Err(_) => tokio::time::sleep(REPEAT_AFTER).await,
                Ok((status, answer)) => {
                    return Err(format!("publish was refused: {status} {answer}"));
                }
            }
        }
    }

    fn count(&self, status: u16) {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        *statuses.entry(status).or_default() += 1;
    }
}

impl Steady {
    /// Stops, waits until what was begun is accepted.
    pub(crate) async fn stop(self) -> Result<(), String> {
        self.stop.send_replace(true);
        self.task.await.map_err(|error| error.to_string())?
    }
}

async fn finish(mut requests: JoinSet<Result<(), String>>) -> Result<(), String> {
    while let Some(done) = requests.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    Ok(())
}

fn ids(answer: &Value, first: u64, last: u64) -> Result<Vec<(String, u64)>, String> {
    let one = std::slice::from_ref(answer);
    let receipts = answer["data"].as_array().map_or(one, Vec::as_slice);
    let made = receipts.iter().zip(first..=last).map(|(receipt, number)| {
        let id = receipt["id"].as_str().ok_or("an accepted change has no id")?;
        Ok((id.to_owned(), number))
    });
    let made: Vec<_> = made.collect::<Result<_, String>>()?;
    let wanted = (last - first + 1) as usize;
    if made.len() == wanted { Ok(made) } else { Err("receipts are missing".to_owned()) }
}

/// Runs until `done` says so, or too long has passed; answers how long it took.
///
/// # Errors
/// Names what was waited for.
pub(crate) async fn until(
    what: &str,
    deadline: Duration,
    mut done: impl AsyncFnMut() -> bool,
) -> Result<Duration, String> {
    let begun = Instant::now();
    while !done().await {
        if begun.elapsed() > deadline {
            return Err(format!("not within {deadline:?}: {what}"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(begun.elapsed())
}
