//! Reading the journal: page by page, or as it grows.

mod search;

use std::collections::HashMap;

use bytes::Bytes;
use tidings_core::change::{self, Origin};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, ChangeId};
use tidings_core::limits;
use tidings_store::Committed;
use tokio::sync::{OwnedSemaphorePermit, broadcast};

pub use search::{ChangeSearch, FoundChanges};

use crate::cursor::checked_limit;
use crate::{Caller, Error, Result, Scope, Service};

/// A stream makes sure that its key still works when it was not looked at for this long, ms.
const RECHECK_MS: i64 = 1_000;

/// A journal entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// Its number in the app's journal: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// Its type.
    pub kind: String,
    /// The account it is about.
    pub account: Option<AccountId>,
    /// Provider of the account.
    pub provider: Option<String>,
    /// The item's id at its provider.
    pub item: Option<String>,
    /// Changes with equal keys can be delivered in order.
    pub order_key: Option<String>,
    /// When it happened at its origin.
    pub occurred_at: Timestamp,
    /// When it became durable.
    pub recorded_at: Timestamp,
    /// Where it comes from.
    pub origin: Origin,
    /// The content, a JSON document; absent once it was erased.
    pub data: Option<Bytes>,
}

/// A part of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// Continue after this `seq`: that of the last change, or what was asked for when there is none.
    pub next_after: u64,
    /// Whether more changes are there already.
    pub has_more: bool,
}

impl Service {
    /// Changes with `seq` greater than `after`, in order.
    ///
    /// # Errors
    /// Forbidden; invalid; gone when changes after `after` are no longer kept.
    pub async fn changes(
        &self,
        caller: &Caller,
        after: u64,
        limit: Option<u32>,
    ) -> Result<ChangePage> {
        caller.may_for_all(Scope::Read)?;
        let app_no = caller.app()?.app_no;
        let limit = checked_limit(limit)? as usize;
        // What the caller holds of its app may be a second old.
        let newest = self.store.app(app_no).await?.ok_or(Error::NotFound("app"))?.seq;
        let found = self.store.changes(app_no, after, limit).await?;
        let next_after = found.last().map_or(after, |change| change.seq);
        let has_more = next_after < newest;
        Ok(ChangePage { changes: self.viewed(found).await?, next_after, has_more })
    }

    /// One change.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn change(&self, caller: &Caller, id: ChangeId) -> Result<Change> {
        caller.may_for_all(Scope::Read)?;
        let found = self.store.change_by_id(caller.app()?.app_no, id).await?;
        self.viewed(vec![found]).await?.pop().ok_or(Error::NotFound("change"))
    }

    /// Follows the journal from `after` (from its end when absent). At most [`limits::STREAMS_MAX`] at once.
    ///
    /// # Errors
    /// Forbidden; limit exceeded; gone when changes after `after` are no longer kept.
    pub async fn follow_changes(
        &self,
        caller: &Caller,
        after: Option<u64>,
    ) -> Result<ChangeStream> {
        caller.may_for_all(Scope::Read)?;
        let app_no = caller.app()?.app_no;
        let turn = self.streams.clone().try_acquire_owned().map_err(|_| Error::LimitExceeded {
            limit: format!("{} streams open at once", limits::STREAMS_MAX),
            retry_after_s: Some(5),
        })?;
        // Listening begins before the first look, so that nothing falls between the two.
        let wakes = self.store.committed();
        let after = match after {
            Some(after) => after,
            None => self.store.app(app_no).await?.ok_or(Error::NotFound("app"))?.seq,
        };
        self.store.changes(app_no, after, 1).await?;
        let (service, caller, checked_at) = (self.clone(), caller.clone(), self.now());
        Ok(ChangeStream { service, caller, checked_at, app_no, after, wakes, _turn: turn })
    }

    async fn viewed(&self, changes: Vec<change::Change>) -> Result<Vec<Change>> {
        let mut wanted: Vec<i64> =
            changes.iter().filter_map(|change| change.new.subject.account_no).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let accounts =
            if wanted.is_empty() { HashMap::new() } else { self.store.account_ids(wanted).await? };
        Ok(changes.into_iter().map(|change| view(change, &accounts)).collect())
    }
}

fn view(change: change::Change, accounts: &HashMap<i64, AccountId>) -> Change {
    let change::Change { seq, recorded_at, new } = change;
    let account_no = new.subject.account_no;
    Change {
        id: new.id,
        seq,
        kind: new.kind,
        account: account_no.and_then(|account_no| accounts.get(&account_no).copied()),
        provider: new.subject.provider,
        item: new.subject.item,
        order_key: new.order_key,
        occurred_at: new.occurred_at,
        recorded_at,
        origin: new.origin,
        data: Some(new.body).filter(|body| !body.is_empty()),
    }
}

/// The journal as it grows. Dropping it ends it.
#[derive(Debug)]
pub struct ChangeStream {
    service: Service,
    caller: Caller,
    checked_at: Timestamp,
    app_no: i64,
    after: u64,
    wakes: broadcast::Receiver<Committed>,
    _turn: OwnedSemaphorePermit,
}

impl ChangeStream {
    /// `seq` of the last change that was given out, or behind which the stream began.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// The next changes, at least one; waits for them. Cancelling it loses nothing.
    ///
    /// # Errors
    /// Unauthenticated once the caller's key was revoked or expired, or its app deleted; gone when the
    /// stream fell behind what is kept; unavailable at shutdown.
    pub async fn next(&mut self) -> Result<Vec<Change>> {
        loop {
            let now = self.service.now();
            if now.0 - self.checked_at.0 >= RECHECK_MS {
                self.service.check_still_valid(&self.caller).await?;
                self.checked_at = now;
            }
            let found =
                self.service.store.changes(self.app_no, self.after, limits::JOURNAL_PAGE).await?;
            if let Some(last) = found.last() {
                let last = last.seq;
                let changes = self.service.viewed(found).await?;
                self.after = last;
                return Ok(changes);
            }
            self.wait().await?;
        }
    }

    /// Waits until something may have changed for this stream.
    async fn wait(&mut self) -> Result<()> {
        loop {
            match self.wakes.recv().await {
                Ok(Committed::Appended(appended)) if appended.app_no == self.app_no => {
                    return Ok(());
                }
                Ok(Committed::App(app_no)) if app_no == self.app_no => return Ok(()),
                // What was committed elsewhere, or announced and missed, is found by looking.
                Ok(Committed::Elsewhere) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    return Ok(());
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(Error::Unavailable { retry_after_s: 1 });
                }
            }
        }
    }
}
