//! Microsoft Graph's pushes: one request may hold items of several subscriptions, each to be verified and
//! routed by itself.

use std::collections::BTreeMap;

use tidings_core::clock::Timestamp;
use tidings_providers::microsoft::push::{self, Change, Lifecycle, Notice};
use tidings_store::Subscription;

use super::{Pushed, fault};
use crate::{Error, Result, Service};

/// What is to be done about a subscription after all items of a request were read.
struct Wanted {
    subscription: Subscription,
    renewed: bool,
    removed: bool,
}

impl Service {
    /// Takes a push from Graph. The answer says what became of each item, in order.
    ///
    /// # Errors
    /// Not found when Microsoft is not configured; malformed; unavailable when not all of it could be
    /// noted: Graph must send it again.
    pub async fn microsoft_push(&self, body: &[u8]) -> Result<Vec<Pushed>> {
        if self.providers.settings.microsoft.is_none() {
            return Err(Error::NotFound("path"));
        }
        let notices = push::read(body).map_err(|error| Error::Malformed(error.to_string()))?;
        let now = self.now();
        let mut wanted = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(notices.len());
        for notice in notices {
            outcomes.push(self.judge_notice(notice, &mut wanted, now).await?);
        }
        for wanted in wanted.into_values() {
            self.note_notices(&wanted, now).await?;
        }
        Ok(outcomes)
    }

    async fn judge_notice(
        &self,
        notice: Notice,
        wanted: &mut BTreeMap<i64, Wanted>,
        now: Timestamp,
    ) -> Result<Pushed> {
        let found = self.pushed_subscription("microsoft", &notice.subscription_id, now).await?;
        let Some(subscription) = found else {
            return Ok(Pushed::Ignored("nobody knows the subscription"));
        };
        let secret = notice.client_state.as_deref().unwrap_or_default();
        if let Some(fault) = fault(&subscription, secret, now) {
            return Ok(Pushed::Ignored(fault));
        }
        let no = subscription.subscription_no;
        let wanted =
            wanted.entry(no).or_insert(Wanted { subscription, renewed: false, removed: false });
        match notice.change {
            // Whatever was lost: a pull finds it.
            Change::Event { .. } | Change::Lifecycle(Lifecycle::Missed) => {}
            Change::Lifecycle(Lifecycle::Reauthorise) => wanted.renewed = true,
            Change::Lifecycle(Lifecycle::Removed) => wanted.removed = true,
        }
        Ok(Pushed::Noted)
    }

    /// All of it once, however many items there were. The pull comes last, so that what is not noted whole
    /// is sent again whole.
    async fn note_notices(&self, wanted: &Wanted, now: Timestamp) -> Result<()> {
        let no = wanted.subscription.subscription_no;
        // Its end would make the push about it count for nothing.
        self.store.push(no, now).await?;
        if wanted.removed {
            let why = "microsoft removed the subscription; a new one is made".to_owned();
            self.store.end_subscription(no, Some(why), Some(now), now).await?;
        } else if wanted.renewed {
            self.store.hasten_subscription(no, now).await?;
        }
        Ok(())
    }
}
