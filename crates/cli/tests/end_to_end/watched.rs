//! Tidings with one account that was connected by consent, and a receiver of all that happens in it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_core::clock::Clock;
use tidings_testkit::receiver::{Received, TestReceiver};

use crate::google::sent_on;
use crate::tidings::{PATIENCE, Tidings};

pub(crate) struct Watched {
    pub(crate) tidings: Tidings,
    receiver: TestReceiver,
    pub(crate) account: String,
}

impl Watched {
    /// Connects an account at a simulated provider, whose settings are `settings`.
    pub(crate) async fn connect(provider: &str, settings: &[(&str, &str)]) -> Self {
        let tidings = Tidings::start_with(settings).await;
        let receiver = TestReceiver::start().await;
        tidings.hook(&receiver, &["event.*", "calendar.*", "account.*"]).await;
        let connection = json!({ "provider": provider, "return_to": tidings.url("/done") });
        let begun = tidings.call("POST", "/connections", connection).await;
        let callback = sent_on(begun["authorize_url"].as_str().unwrap()).await;
        let back = sent_on(callback.as_str()).await;
        let account = back.query_pairs().find(|(name, _)| name == "account");
        let account = account.unwrap_or_else(|| panic!("{back}")).1.into_owned();
        let watched = Self { tidings, receiver, account };
        watched.told("account.connected", &watched.account).await;
        watched
    }

    /// Waits until the calendar with this name is pushed about; returns the path of its events.
    pub(crate) async fn pushed(&self, name: &str) -> String {
        let begun = Instant::now();
        loop {
            let path = format!("/accounts/{}/calendars", self.account);
            let calendars = self.tidings.get(&path).await;
            let mut items = calendars["data"].as_array().unwrap().iter();
            let found = items.find(|one| one["name"] == name && one["baseline_done"] == true);
            if let Some(found) = found.filter(|one| one["watch"]["how"] == "pushed") {
                return format!("/calendars/{}/events", found["id"].as_str().unwrap());
            }
            assert!(begun.elapsed() < PATIENCE, "{calendars}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for a webhook that says this; returns its document.
    pub(crate) async fn told(&self, kind: &str, says: &str) -> Value {
        let read = |received: &Received| {
            let document: Value = serde_json::from_slice(&received.body).unwrap_or_default();
            let fits = document["type"] == kind && document.to_string().contains(says);
            fits.then_some(document)
        };
        let begun = Instant::now();
        loop {
            if let Some(document) = self.receiver.received().iter().find_map(read) {
                return document;
            }
            assert!(begun.elapsed() < PATIENCE, "no {kind} with {says:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Deletes the account and waits until everybody is told.
    pub(crate) async fn delete_account(&self) {
        let path = format!("/accounts/{}", self.account);
        self.tidings.call("DELETE", &path, Value::Null).await;
        self.told("account.deleted", &self.account).await;
    }
}

/// The day after tomorrow, `2026-12-02`.
pub(crate) fn soon() -> String {
    let at = Clock::system().now().plus_ms(2 * 86_400_000).to_string();
    at.split('T').next().unwrap().to_owned()
}
