//! Bulk jobs: any number of records, staged unseen, then shown together by one small commit.

use std::collections::BTreeMap;

use serde_json::json;
use tidings_core::clock::Timestamp;
use tidings_core::id::AccountId;
use tidings_core::limits;
use tidings_store::{self as store, Flip, OpenRefresh, RecordPut, Staged};

use super::{RecordAccount, check, subject_of};
use crate::validate::Checks;
use crate::{Announcement, Caller, Result, Scope, Service};

/// How a bulk job is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshInput {
    /// It lists everything that there is in the collections that it names: whatever record of these it does not
    /// list is deleted. A collection of which it lists nothing stays as it is.
    pub whole: bool,
}

/// An open bulk job. Dropped unfinished, it is abandoned: nothing of it is ever seen.
#[derive(Debug)]
pub struct Refresh {
    service: Service,
    account: store::RecordAccount,
    open: OpenRefresh,
    id: String,
    whole: bool,
    started_at: Timestamp,
    collections: BTreeMap<String, Tally>,
    over: bool,
}

/// What a job has done to a collection so far.
#[derive(Debug, Default)]
struct Tally {
    created: u64,
    updated: u64,
    deleted: u64,
    /// Bit `n` of it all: the record of ordinal `n` was listed.
    listed: Vec<u64>,
}

impl Tally {
    fn list(&mut self, ordinal: u64) {
        let word = (ordinal / 64) as usize;
        if self.listed.len() <= word {
            self.listed.resize(word + 1, 0);
        }
        self.listed[word] |= 1 << (ordinal % 64);
    }

    fn lists(&self, ordinal: u64) -> bool {
        let word = self.listed.get((ordinal / 64) as usize);
        word.is_some_and(|word| word & (1 << (ordinal % 64)) != 0)
    }
}

/// What a bulk job did to a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshCounts {
    /// Records that are new, or were deleted.
    pub created: u64,
    /// Records that have other content now.
    pub updated: u64,
    /// Records that are deleted now.
    pub deleted: u64,
    /// Ordinals of the collection, tombstones included.
    pub total: u64,
}

/// What a bulk job did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshOutcome {
    /// The job's id, 24 hexadecimal digits.
    pub id: String,
    /// The account.
    pub account: RecordAccount,
    /// When it began.
    pub started_at: Timestamp,
    /// When its records were shown.
    pub finished_at: Timestamp,
    /// Every collection of the account, by name.
    pub counts: BTreeMap<String, RefreshCounts>,
}

impl RefreshOutcome {
    /// Whether anything is new, other or gone.
    pub fn changed(&self) -> bool {
        self.counts.values().any(|counts| counts.created + counts.updated + counts.deleted > 0)
    }

    /// The usual announcement, `records.refreshed`; none when nothing changed.
    pub fn refreshed(&self) -> Vec<Announcement> {
        if !self.changed() {
            return Vec::new();
        }
        let counts: BTreeMap<_, _> = self.counts.iter().map(|(name, counts)| {
            let RefreshCounts { created, updated, deleted, total } = counts;
            (name, json!({"created": created, "updated": updated, "deleted": deleted, "total": total}))
        }).collect();
        let mut data = json!({
            "account": self.account.told(),
            "counts": counts,
            "refresh": {
                "id": self.id,
                "started_at": self.started_at,
                "finished_at": self.finished_at,
            },
        });
        // Formats that point to the data name its source, which the dialect keeps there.
        data["account"]["details"] = self.account.details.clone();
        if let Some(user) = self.account.user_told() {
            data["user"] = user;
        }
        vec![Announcement {
            kind: "records.refreshed".into(),
            collection: None,
            item: None,
            order_key: None,
            data,
        }]
    }
}

impl Service {
    /// Whether the caller could open a bulk job of an account, before anything of a request is read.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn check_refresh(&self, caller: &Caller, account: AccountId) -> Result<()> {
        self.allow(caller, Scope::Records, "records.refresh", account).await?;
        self.find_record_account(caller, account).await.map(drop)
    }

    /// Opens a bulk job of a record account. One that was open is over, and what it staged is gone.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when another job is opened at the same time.
    pub async fn begin_refresh(
        &self,
        caller: &Caller,
        account: AccountId,
        input: RefreshInput,
    ) -> Result<Refresh> {
        self.check_refresh(caller, account).await?;
        self.has_room()?;
        let account = self.find_record_account(caller, account).await?;
        let started_at = self.now();
        let entry = caller.did("records.refresh", account.id);
        let open = self.store.begin_refresh(account.account_no, entry, started_at).await?;
        Ok(Refresh {
            service: self.clone(),
            account,
            open,
            id: self.ids.next(started_at).to_hex24(),
            whole: input.whole,
            started_at,
            collections: BTreeMap::new(),
            over: false,
        })
    }

    /// Stages records, in commits of at most [`limits::RECORD_COMMIT_ROWS`]. A record that is listed twice has
    /// the content of the last time.
    ///
    /// # Errors
    /// Forbidden; invalid, with pointers that begin with the record's place, `/3/key`; conflict when a newer
    /// job was begun. The job goes on after an invalid record, which is not staged, nor are those with it.
    pub async fn stage_records(
        &self,
        caller: &Caller,
        refresh: &mut Refresh,
        puts: Vec<RecordPut>,
    ) -> Result<()> {
        caller.may(Scope::Records)?;
        let mut checks = Checks::default();
        for (place, put) in puts.iter().enumerate() {
            check::put(&mut checks, &format!("/{place}"), put);
        }
        checks.done()?;
        self.has_room()?;
        let mut puts = puts.into_iter().peekable();
        while puts.peek().is_some() {
            let mut bytes = 0;
            let mut step = Vec::new();
            while step.len() < limits::RECORD_COMMIT_ROWS && bytes < limits::RECORD_COMMIT_BYTES {
                let Some(put) = puts.next() else { break };
                bytes += put.body.len();
                step.push(put);
            }
            refresh.stage(step).await?;
        }
        Ok(())
    }

    /// Ends a bulk job: one small commit shows its records and appends what `announce` makes of the outcome
    /// (usually [`RefreshOutcome::refreshed`]).
    ///
    /// # Errors
    /// Forbidden; conflict when a newer job was begun: nothing of this one is seen then.
    pub async fn finish_refresh(
        &self,
        caller: &Caller,
        mut refresh: Refresh,
        announce: impl FnOnce(&RefreshOutcome) -> Vec<Announcement> + Send + 'static,
    ) -> Result<RefreshOutcome> {
        caller.may(Scope::Records)?;
        self.has_room()?;
        if refresh.whole {
            refresh.delete_unlisted().await?;
        }
        let now = self.now();
        let mut outcome = refresh.outcome(now);
        let tell = {
            let (service, caller) = (self.clone(), caller.clone());
            let subject = subject_of(&refresh.account);
            move |flip: &Flip| {
                for (name, total) in &flip.totals {
                    outcome.counts.entry(name.clone()).or_default().total = *total;
                }
                let announced = announce(&outcome);
                let changes = service.record_changes_or_none(&caller, &subject, announced, now);
                (outcome, changes)
            }
        };
        let entry = caller.did("records.refreshed", refresh.account.id);
        let outcome = self.store.finish_refresh(refresh.open, tell, entry, now).await?;
        refresh.over = true;
        let (service, account_no) = (self.clone(), refresh.account.account_no);
        // What a crash interrupts is taken up by `resume_erasures`.
        tokio::spawn(async move { drop(service.store.sweep_records(account_no).await) });
        Ok(outcome)
    }

    /// Gives up the bulk jobs that a stopped process left open: nothing of them will be seen. Call it once at
    /// start, before anybody can begin one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn abandon_refreshes(&self) -> Result<()> {
        let staged = self.store.staged_accounts().await?;
        for open in &staged {
            self.store.abandon_refresh(*open).await?;
        }
        Ok(())
    }

    /// Removes what jobs staged that are over, and superseded records.
    pub(crate) async fn resume_sweeps(&self) -> Result<()> {
        for open in self.store.staged_accounts().await? {
            while self.store.drop_staged_step(open.account_no, None).await? {}
        }
        for account_no in self.store.unswept_accounts().await? {
            self.store.sweep_records(account_no).await?;
        }
        Ok(())
    }
}

impl Refresh {
    /// The account.
    pub fn account(&self) -> AccountId {
        self.account.id
    }

    async fn stage(&mut self, step: Vec<RecordPut>) -> Result<()> {
        let Service { store, ids, .. } = &self.service;
        let names: Vec<String> = step.iter().map(|put| put.collection.clone()).collect();
        let now = self.service.now();
        let staged = store.stage_records(self.open, step, ids.clone(), now).await?;
        for (name, (ordinal, what)) in names.into_iter().zip(staged) {
            let tally = self.collections.entry(name).or_default();
            tally.list(ordinal);
            match what {
                Staged::Created => tally.created += 1,
                Staged::Updated => tally.updated += 1,
                Staged::Same => {}
            }
        }
        Ok(())
    }

    /// Stages the deletion of every record that the job did not list in the collections that it names.
    async fn delete_unlisted(&mut self) -> Result<()> {
        let Service { store, ids, .. } = self.service.clone();
        let totals = store.record_counts(self.open.account_no).await?;
        for (name, tally) in &mut self.collections {
            let (mut after, total) = (0, totals.get(name).copied().unwrap_or_default());
            while after < total {
                let until = after + u64::from(limits::RECORD_PAGE_MAX);
                let there = store.unstaged_records(self.open, name.clone(), after, until).await?;
                let unlisted = there.into_iter().filter(|(ordinal, _)| !tally.lists(*ordinal));
                let keys: Vec<String> = unlisted.map(|(_, key)| key).collect();
                for step in keys.chunks(limits::RECORD_COMMIT_ROWS) {
                    let (keys, now) = (step.to_vec(), self.service.now());
                    tally.deleted += store
                        .stage_deletions(self.open, name.clone(), keys, ids.clone(), now)
                        .await?;
                }
                after = until;
            }
        }
        Ok(())
    }

    fn outcome(&self, now: Timestamp) -> RefreshOutcome {
        let counts = self.collections.iter().map(|(name, tally)| {
            let Tally { created, updated, deleted, .. } = *tally;
            (name.clone(), RefreshCounts { created, updated, deleted, total: 0 })
        });
        RefreshOutcome {
            id: self.id.clone(),
            account: self.account.clone().into(),
            started_at: self.started_at,
            finished_at: now,
            counts: counts.collect(),
        }
    }
}

impl Drop for Refresh {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (store, open) = (self.service.store.clone(), self.open);
        // Without a runtime the process ends, and the next one removes what was staged.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _still_open = store.abandon_refresh(open).await;
                while matches!(store.drop_staged_step(open.account_no, None).await, Ok(true)) {}
            });
        }
    }
}
