//! A simulated Google as the demo's calendar: connected by consent, watched by push.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tidings_core::id::AccountId;
use tidings_engine::egress::{Budget, Egress, Request};
use tidings_service::{AccountChanges, Caller, NewConnection, Service};
use tidings_simulators::google::{Google, PERSON};
use tokio::time::{Instant, sleep};
use url::Url;

use super::calendar::{Step, WATCH_DEADLINE};
use super::stage::{LOOK, NAME};
use crate::error::{Error, Result};
use crate::server::Server;

/// One event in the primary calendar of the only person of that Google.
pub(super) struct GoogleCalendar {
    google: Google,
    event: Option<String>,
    pushes_seen: usize,
}

impl GoogleCalendar {
    /// Goes the way of a person's browser: to Google, and back to us with a code.
    pub(super) async fn connect(
        google: Google,
        server: &Server,
        caller: &Caller,
    ) -> Result<(Self, AccountId)> {
        let input = NewConnection {
            provider: "google".to_owned(),
            return_to: Some(format!("{}/connected", server.url())),
            ..NewConnection::default()
        };
        let begun = server.service.begin_connection(caller, input).await;
        let begun = begun.map_err(Error::failed("beginning to connect the account"))?;
        let callback = sent_on(&server.egress, &begun.authorize_url).await?;
        let back = sent_on(&server.egress, callback.as_str()).await?;
        let account = back.query_pairs().find(|(name, _)| name == "account");
        let account = account.and_then(|(_, id)| id.parse::<AccountId>().ok());
        let account = account.ok_or_else(|| {
            let query = back.query().unwrap_or_default();
            Error::Failed(format!("the account was not connected: {query}"))
        })?;
        let changes = AccountChanges { name: Some(NAME.to_owned()), ..AccountChanges::default() };
        let named = server.service.update_account(caller, account, changes).await;
        named.map_err(Error::failed("naming the account"))?;
        Ok((Self { google, event: None, pushes_seen: 0 }, account))
    }

    /// Waits until Google would push.
    pub(super) async fn watched(
        &mut self,
        service: &Service,
        caller: &Caller,
        account: AccountId,
    ) -> Result<()> {
        let give_up = Instant::now() + WATCH_DEADLINE;
        loop {
            let calendars = service.calendars(caller, account).await;
            let calendars = calendars.map_err(Error::failed("listing calendars"))?;
            let waiting = calendars.iter().find_map(|one| one.watch.polled_because.clone());
            let Some(why) = waiting.filter(|_| !calendars.is_empty()) else { break };
            if Instant::now() > give_up {
                return Err(Error::Failed(format!("the calendar is not watched: {why}")));
            }
            sleep(LOOK).await;
        }
        self.google.pushes().settled().await;
        self.pushes_seen = self.google.pushes().sent().len();
        Ok(())
    }

    /// Makes a change as somebody else would, in Google's own calendar.
    pub(super) fn change(&mut self, step: Step, uid: &str) {
        match (step, self.event.as_deref()) {
            (Step::Add, _) | (_, None) => {
                let made = self.google.create_event(PERSON, &event(uid, "Tea"));
                self.event = made["id"].as_str().map(str::to_owned);
            }
            (Step::Change, Some(id)) => {
                let patch = json!({
                    "summary": "Tea and cake",
                    "start": { "dateTime": "2030-01-02T16:00:00Z" },
                    "end": { "dateTime": "2030-01-02T17:00:00Z" },
                });
                self.google.edit_event(PERSON, id, &patch);
            }
            (Step::Delete, Some(id)) => self.google.delete_event(PERSON, id),
        }
    }

    /// The pushes since this was last asked, in words.
    pub(super) async fn pushed(&mut self) -> String {
        self.google.pushes().settled().await;
        let sent = self.google.pushes().sent();
        let new = sent.iter().skip(self.pushes_seen).map(|pushed| {
            let header = |name: &str| {
                let mut headers = pushed.push.headers.iter();
                headers.find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
            };
            let answer = pushed.statuses.last().copied().flatten();
            let answer = answer.map_or("no answer".to_owned(), |status| status.to_string());
            let (url, state) = (&pushed.push.url, header("x-goog-resource-state"));
            let number = header("x-goog-message-number");
            format!("google pushed {state}, message {number}, to {url}: {answer}")
        });
        let words: Vec<String> = new.collect();
        self.pushes_seen = sent.len();
        words.join("\n")
    }

    /// How a person can change the calendar.
    pub(super) fn by_hand(&self) -> String {
        let scope = "https://www.googleapis.com/auth/calendar";
        let (token, _) = self.google.oauth().tokens_for(PERSON, &[scope]);
        let url = format!("{}calendars/primary/events", self.google.api_url());
        let body = event("lunch", "Lunch");
        format!("curl -H 'authorization: Bearer {token}' -d '{body}' '{url}'")
    }
}

fn event(uid: &str, summary: &str) -> Value {
    json!({
        "iCalUID": uid,
        "summary": summary,
        "start": { "dateTime": "2030-01-02T15:00:00Z" },
        "end": { "dateTime": "2030-01-02T16:00:00Z" },
    })
}

/// Where a page sends a browser on to.
async fn sent_on(egress: &Arc<Egress>, url: &str) -> Result<Url> {
    let vetted =
        egress.policy().vet_url(url).map_err(Error::failed("an address of the sign-in"))?;
    let request = Request {
        method: Method::GET,
        url: &vetted,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        budget: Budget::provider(),
    };
    let sent = egress.send(request).await.result;
    let response = sent.map_err(Error::failed("no answer from a page of the sign-in"))?;
    let location = response.headers.iter().find(|(name, _)| name == "location");
    let location = location.and_then(|(_, value)| std::str::from_utf8(value).ok());
    location.and_then(|location| location.parse().ok()).ok_or_else(|| {
        let status = response.status;
        Error::Failed(format!("a page of the sign-in answered {status} and leads nowhere"))
    })
}
