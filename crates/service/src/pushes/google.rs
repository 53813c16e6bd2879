//! Google's pushes: no body, all in the headers.

use http::HeaderMap;
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_providers::google::push::{self, State};

use super::{Pushed, digest, fault};
use crate::{Error, Result, Service};

impl Service {
    /// Takes a push from Google.
    ///
    /// # Errors
    /// Not found when Google is not configured; unavailable when it could not be noted: Google must send
    /// it again.
    pub async fn google_push(&self, headers: &HeaderMap) -> Result<Pushed> {
        if self.providers.settings.google.is_none() {
            return Err(Error::NotFound("path"));
        }
        let Some(push) = push::read(headers) else {
            return Ok(Pushed::Ignored("it is not of the form of Google's pushes"));
        };
        let now = self.now();
        let found = self.pushed_subscription("google", &push.channel_id, now).await?;
        let Some(subscription) = found else {
            return Ok(Pushed::Ignored("nobody knows the channel"));
        };
        if let Some(fault) = fault(&subscription, &push.token, now) {
            return Ok(Pushed::Ignored(fault));
        }
        // Not known yet while the answer to our request is under way.
        if subscription.resource_id.as_ref().is_some_and(|known| *known != push.resource_id) {
            return Ok(Pushed::Ignored("the resource is not that of the channel"));
        }
        if push.state == State::Sync {
            self.store.hear_subscription(subscription.subscription_no, now).await?;
            return Ok(Pushed::Ignored("it only says that the channel works"));
        }
        let no = subscription.subscription_no;
        let Some(number) = push.message_number else {
            return self.note_google_push(no, now).await;
        };
        let seen = &self.providers.pushes.seen;
        let name = digest(&[b"google", push.channel_id.as_bytes(), &number.to_be_bytes()]);
        let generation = seen.generation();
        if seen.holds(&name, now) {
            return Ok(Pushed::Ignored("it was noted already"));
        }
        let noted = self.note_google_push(no, now).await?;
        seen.remember(name, now.plus_ms(limits::PUSH_SEEN_MS), generation, now);
        Ok(noted)
    }

    async fn note_google_push(&self, subscription_no: i64, now: Timestamp) -> Result<Pushed> {
        let woken = self.store.push(subscription_no, now).await?;
        Ok(if woken { Pushed::Noted } else { Pushed::Ignored("the account is not active") })
    }
}
