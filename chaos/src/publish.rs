//! A publisher that does not give up: each change is repeated under its idempotency key until accepted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::tally::Accepted;

/// Requests in progress at once; while the server is down the publishers wait here.
const IN_PROGRESS_MAX: usize = 256;
/// Pause before a request is repeated.
const REPEAT_AFTER: Duration = Duration::from_millis(25);

/// The content published under this number.
pub(crate) fn data(number: u64) -> Value {
    json!({"n": number, "text": format!("change {number} — ✓")})
}

/// Publishes numbers and keeps what was accepted.
#[derive(Debug)]
pub(crate) struct Publisher {
    client: Client,
    places: Arc<Semaphore>,
    accepted: Arc<Mutex<Accepted>>,
    in_progress: JoinSet<Result<(), String>>,
    next: u64,
}

impl Publisher {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            places: Arc::new(Semaphore::new(IN_PROGRESS_MAX)),
            accepted: Arc::default(),
            in_progress: JoinSet::new(),
            next: 0,
        }
    }

    /// Begins to publish the next number; waits only for a free place.
    ///
    /// Returns the error of an earlier one that the server refused for good.
    pub(crate) async fn publish_next(&mut self) -> Result<(), String> {
        while let Some(done) = self.in_progress.try_join_next() {
            done.map_err(|error| error.to_string())??;
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|error| error.to_string())?;
        self.next += 1;
        let (client, accepted, number) =
            (self.client.clone(), Arc::clone(&self.accepted), self.next);
        self.in_progress.spawn(async move {
            let id = publish(&client, number).await?;
            // Written only now, after the 2xx: what is in the books was promised.
            let mut accepted = accepted.lock().unwrap_or_else(PoisonError::into_inner);
            let before = accepted.insert(id, number);
            drop(place);
            match before {
                None => Ok(()),
                Some(other) => Err(format!("changes {other} and {number} got the same id")),
            }
        });
        Ok(())
    }

    /// Waits until all are accepted and returns the books.
    pub(crate) async fn finish(mut self) -> Result<Accepted, String> {
        while let Some(done) = self.in_progress.join_next().await {
            done.map_err(|error| error.to_string())??;
        }
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *accepted))
    }
}

/// Publishes one number until it is accepted; returns the change's id.
async fn publish(client: &Client, number: u64) -> Result<String, String> {
    let body = json!({"type": "chaos.tick", "data": data(number)});
    let key = format!("chaos-{number}");
    loop {
        match client.post_once("/api/v1/changes", &body, &key).await {
            Ok((200..=299, answer)) => {
                let id = answer["id"].as_str().ok_or("an accepted change has no id")?;
                return Ok(id.to_owned());
            }
            Ok((429 | 503, _)) | Err(_) => tokio::time::sleep(REPEAT_AFTER).await,
            Ok((status, answer)) => return Err(format!("publish was refused: {status} {answer}")),
        }
    }
}
