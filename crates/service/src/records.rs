//! Records: the application's own data, in accounts of the provider `record`.
//!
//! A dialect defines what the bodies of its records say and the rules among them, as functions of what it
//! read; what another wrote meanwhile shows in the version ([`Expect::Version`]). Whatever a write announces is
//! appended to the journal in the write's own commit.

mod accounts;
mod check;
mod refresh;

use std::collections::BTreeMap;

use bytes::Bytes;
use tidings_core::change::Subject;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, UserId};
use tidings_core::limits;
use tidings_store::{self as store, RecordChange};

use crate::validate::Checks;
use crate::{Announcement, Caller, Error, Result, Scope, Service};

pub use accounts::{NewRecordAccount, RecordAccount};
pub use refresh::{Refresh, RefreshCounts, RefreshInput, RefreshOutcome};
// Records mean the same in the store and to whoever calls.
pub use tidings_store::{
    Deleted, Expect, Record, RecordOrder, RecordPut, RecordQuery, RecordWrite,
};

/// The provider of record accounts.
pub(crate) const PROVIDER: &str = "record";

impl Service {
    /// Writes records of an account in one commit, all or nothing, together with what is announced; they are
    /// seen at once. Answers each record as it is then. Content equal to what is there is no change.
    ///
    /// # Errors
    /// Forbidden; not found (the account, a record to delete); conflict ([`Expect::Absent`]); stale
    /// ([`Expect::Version`]); invalid, with pointers that begin with the write's place, `/3/key`; too large
    /// beyond [`limits::RECORD_WRITES_MAX`] or [`limits::RECORD_WRITES_BYTES_MAX`].
    pub async fn write_records(
        &self,
        caller: &Caller,
        account: AccountId,
        writes: Vec<RecordWrite>,
        announce: Vec<Announcement>,
    ) -> Result<Vec<Record>> {
        self.allow(caller, Scope::Records, "records.write", account).await?;
        if writes.len() > limits::RECORD_WRITES_MAX {
            let most = limits::RECORD_WRITES_MAX;
            return Err(Error::TooLarge(format!("at most {most} records are written together")));
        }
        let bytes: usize = writes.iter().map(|write| write.body().map_or(0, Bytes::len)).sum();
        if bytes > limits::RECORD_WRITES_BYTES_MAX {
            let most = limits::RECORD_WRITES_BYTES_MAX;
            let why = format!("records written together have at most {most} bytes; write fewer");
            return Err(Error::TooLarge(why));
        }
        let mut checks = Checks::default();
        for (place, write) in writes.iter().enumerate() {
            check::write(&mut checks, &format!("/{place}"), write);
        }
        checks.done()?;
        self.has_room()?;
        let row = self.find_record_account(caller, account).await?;
        let now = self.now();
        let changes = self.record_changes(caller, &subject_of(&row), announce, now)?;
        let ids = self.ids.clone();
        Ok(self.store.write_records(row.account_no, writes, changes, ids, now).await?)
    }

    /// One record, also when it is a tombstone.
    ///
    /// # Errors
    /// Forbidden; not found (the account).
    pub async fn record(
        &self,
        caller: &Caller,
        account: AccountId,
        collection: &str,
        key: &str,
    ) -> Result<Option<Record>> {
        let row = self.readable(caller, account).await?;
        Ok(self.store.record(row.account_no, collection.into(), key.into()).await?)
    }

    /// Those of these records that are there, tombstones too.
    ///
    /// # Errors
    /// Forbidden; not found (the account); too large beyond [`limits::RECORD_WRITES_MAX`].
    pub async fn records_by_key(
        &self,
        caller: &Caller,
        account: AccountId,
        collection: &str,
        keys: Vec<String>,
    ) -> Result<Vec<Record>> {
        let row = self.readable(caller, account).await?;
        if keys.len() > limits::RECORD_WRITES_MAX {
            let most = limits::RECORD_WRITES_MAX;
            return Err(Error::TooLarge(format!("at most {most} records are read by key")));
        }
        Ok(self.store.records_by_key(row.account_no, collection.into(), keys).await?)
    }

    /// Records of a collection; none when there is no such collection. A page ends early with the record that
    /// fills [`limits::RECORD_PAGE_BYTES_MAX`]; [`RecordQuery::next_skip`] says where to go on.
    ///
    /// # Errors
    /// Forbidden; not found (the account); invalid (`limit`).
    pub async fn records(
        &self,
        caller: &Caller,
        account: AccountId,
        collection: &str,
        query: &RecordQuery,
    ) -> Result<Vec<Record>> {
        let row = self.readable(caller, account).await?;
        if !(1..=limits::RECORD_PAGE_MAX).contains(&query.limit) {
            let why = format!("must be 1 to {}", limits::RECORD_PAGE_MAX);
            return Err(Error::invalid("limit", "range", why));
        }
        Ok(self.store.records(row.account_no, collection.into(), *query).await?)
    }

    /// How many ordinals each collection of an account has, tombstones included: pages by ordinal of `0..count`
    /// hold everything.
    ///
    /// # Errors
    /// Forbidden; not found (the account).
    pub async fn record_counts(
        &self,
        caller: &Caller,
        account: AccountId,
    ) -> Result<BTreeMap<String, u64>> {
        let row = self.readable(caller, account).await?;
        Ok(self.store.record_counts(row.account_no).await?)
    }

    /// The same of one collection, for every record account of the app, or of one end user, that has it.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn record_totals(
        &self,
        caller: &Caller,
        user: Option<UserId>,
        collection: &str,
    ) -> Result<BTreeMap<AccountId, u64>> {
        caller.may_either(Scope::Read, Scope::Records)?;
        let app_no = caller.app()?.app_no;
        let user_no = match user {
            None => caller.grant.user_no,
            Some(user) => match self.store.user_by_id(app_no, user).await? {
                Some(user) if caller.sees_user(Some(user.user_no)) => Some(user.user_no),
                _ => return Ok(BTreeMap::new()),
            },
        };
        let totals = self.store.record_totals(app_no, user_no, collection.into()).await?;
        Ok(totals.into_iter().collect())
    }

    async fn readable(&self, caller: &Caller, account: AccountId) -> Result<store::RecordAccount> {
        caller.may_either(Scope::Read, Scope::Records)?;
        self.find_record_account(caller, account).await
    }

    /// What announcements become, all about one account.
    fn record_changes(
        &self,
        caller: &Caller,
        subject: &Subject,
        announce: Vec<Announcement>,
        now: Timestamp,
    ) -> Result<Vec<RecordChange>> {
        check::announcements(&announce)?;
        let change = |announcement: Announcement| RecordChange {
            collection: announcement.collection.clone(),
            change: self.announced(caller, announcement, subject.clone(), now),
        };
        Ok(announce.into_iter().map(change).collect())
    }
}

/// What a change about an account has as its subject.
fn subject_of(account: &store::RecordAccount) -> Subject {
    Subject { account_no: Some(account.account_no), ..owner_of(account.user_no) }
}

/// The same, of an account that is not stored yet.
fn owner_of(user_no: Option<i64>) -> Subject {
    Subject { user_no, provider: Some(PROVIDER.into()), ..Subject::default() }
}
