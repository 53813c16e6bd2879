//! Record accounts.

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, UserId};
use tidings_core::limits;
use tidings_store::{self as store, RecordChange};

use super::{check, owner_of, subject_of};
use crate::cursor::List;
use crate::validate::Checks;
use crate::{Announcement, Caller, Error, Page, PageInput, Result, Scope, Service};

/// A record account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAccount {
    /// Its id.
    pub id: AccountId,
    /// The id that the app itself uses for it; unique in the app.
    pub external_id: Option<String>,
    /// Its end user.
    pub user: Option<UserId>,
    /// The id that the app itself uses for its end user.
    pub user_external_id: Option<String>,
    /// What people call it.
    pub name: String,
    /// What its dialect keeps with it, a JSON object.
    pub details: Value,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed; equal to `created_at` until then.
    pub updated_at: Timestamp,
    /// When its last bulk job ended, whether that changed anything or not.
    pub refreshed_at: Option<Timestamp>,
}

impl RecordAccount {
    /// The `account` of the body of a change about it.
    pub fn told(&self) -> Value {
        let mut told = json!({"id": self.id, "provider": super::PROVIDER, "name": self.name});
        if let Some(external_id) = &self.external_id {
            told["external_id"] = json!(external_id);
        }
        told
    }

    /// The `user` of the body of a change about it.
    pub fn user_told(&self) -> Option<Value> {
        self.user.map(|id| json!({"id": id, "external_id": self.user_external_id}))
    }
}

impl From<store::RecordAccount> for RecordAccount {
    fn from(row: store::RecordAccount) -> Self {
        Self {
            id: row.id,
            external_id: row.external_id,
            user: row.user_id,
            user_external_id: row.user_external_id,
            name: row.name,
            details: row.details,
            created_at: row.created_at,
            updated_at: row.updated_at,
            refreshed_at: row.refreshed_at,
        }
    }
}

/// A record account to create.
#[derive(Clone, Debug, Default)]
pub struct NewRecordAccount {
    /// The id that the app itself uses for it; unique in the app.
    pub external_id: Option<String>,
    /// Its end user; the caller's own when the caller acts for one.
    pub user: Option<UserId>,
    /// What people call it.
    pub name: String,
    /// A JSON object of at most [`limits::RECORD_DETAILS_BYTES_MAX`]; absent (null): an empty one.
    pub details: Value,
}

impl Service {
    /// Creates a record account, or renames and describes anew the one of the same external id; says whether it
    /// was created. What `announce` makes of the account is appended in the same commit.
    ///
    /// # Errors
    /// Forbidden; not found (the user); invalid; conflict when the external id is that of another user's
    /// account; too many accounts.
    pub async fn put_record_account(
        &self,
        caller: &Caller,
        input: NewRecordAccount,
        announce: impl FnOnce(&RecordAccount) -> Vec<Announcement> + Send + 'static,
    ) -> Result<(RecordAccount, bool)> {
        let now = self.now();
        let id = AccountId(self.ids.next(now));
        self.allow_records(caller, "account.put", id).await?;
        let app_no = caller.app()?.app_no;
        let mut checks = Checks::default();
        let details = if input.details.is_null() { json!({}) } else { input.details };
        checks.name("/name", &input.name);
        checks.optional_name("/external_id", input.external_id.as_deref());
        check::details(&mut checks, Some(&details));
        checks.done()?;
        let user_no = match input.user {
            Some(user) => Some(self.find_user(caller, user).await?.user_no),
            None => caller.grant.user_no,
        };
        if !caller.sees_user(user_no) {
            return Err(Error::NotFound("user"));
        }
        self.has_room()?;
        let known = match &input.external_id {
            Some(id) => self.store.record_account_named(app_no, id.clone()).await?.is_some(),
            None => false,
        };
        // Counting is left to whoever adds one.
        if !known && self.store.app_counts(app_no).await?.accounts >= limits::APP_ACCOUNTS_MAX {
            return Err(Error::limit("accounts of an app"));
        }
        let NewRecordAccount { external_id, name, .. } = input;
        let new = store::NewRecordAccount { id, app_no, user_no, external_id, name, details };
        let tell = self.telling(caller, user_no, announce, now);
        let entry = caller.did("account.put", id);
        let (row, created) = self.store.put_record_account(new, tell, entry, now).await?;
        Ok((row.into(), created))
    }

    /// Renames a record account or describes it anew; what is absent stays.
    ///
    /// # Errors
    /// Forbidden; not found; invalid.
    pub async fn update_record_account(
        &self,
        caller: &Caller,
        id: AccountId,
        name: Option<String>,
        details: Option<Value>,
        announce: Vec<Announcement>,
    ) -> Result<RecordAccount> {
        self.allow_records(caller, "account.update", id).await?;
        let mut checks = Checks::default();
        checks.optional_name("/name", name.as_deref());
        check::details(&mut checks, details.as_ref());
        checks.done()?;
        self.has_room()?;
        let row = self.find_record_account(caller, id).await?;
        let now = self.now();
        let changes = self.record_changes(caller, &subject_of(&row), announce, now)?;
        let entry = caller.did("account.update", id);
        let account_no = row.account_no;
        let row = self
            .store
            .update_record_account(account_no, name, details, changes, entry, now)
            .await?;
        Ok(row.into())
    }

    /// One record account.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn record_account(&self, caller: &Caller, id: AccountId) -> Result<RecordAccount> {
        may_read(caller)?;
        Ok(self.find_record_account(caller, id).await?.into())
    }

    /// The record account that the app knows by an id of its own.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn record_account_named(
        &self,
        caller: &Caller,
        external_id: &str,
    ) -> Result<Option<RecordAccount>> {
        may_read(caller)?;
        let app_no = caller.app()?.app_no;
        let found = self.store.record_account_named(app_no, external_id.into()).await?;
        Ok(found.filter(|row| caller.sees_user(row.user_no)).map(RecordAccount::from))
    }

    /// Record accounts of the app, or of one end user, oldest first.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn record_accounts(
        &self,
        caller: &Caller,
        user: Option<UserId>,
        page: &PageInput,
    ) -> Result<Page<RecordAccount>> {
        may_read(caller)?;
        let app_no = caller.app()?.app_no;
        let list = List("record accounts", app_no);
        let (after, limit) = list.begin(page, 0)?;
        let user_no = match user {
            None => caller.grant.user_no,
            Some(user) => match self.store.user_by_id(app_no, user).await? {
                Some(user) if caller.sees_user(Some(user.user_no)) => Some(user.user_no),
                _ => return Ok(Page { items: Vec::new(), next: None }),
            },
        };
        let rows = self.store.record_accounts(app_no, user_no, after, limit).await?;
        Ok(list.page(rows, limit, |row| row.account_no, RecordAccount::from))
    }

    pub(super) async fn find_record_account(
        &self,
        caller: &Caller,
        id: AccountId,
    ) -> Result<store::RecordAccount> {
        let found = self.store.record_account(caller.app()?.app_no, id).await?;
        found.filter(|row| caller.sees_user(row.user_no)).ok_or(Error::NotFound("account"))
    }

    /// Either scope lets a caller write record accounts.
    async fn allow_records(
        &self,
        caller: &Caller,
        action: &'static str,
        id: AccountId,
    ) -> Result<()> {
        match caller.may(Scope::Accounts) {
            Ok(()) => Ok(()),
            Err(_) => self.allow(caller, Scope::Records, action, id).await,
        }
    }

    /// What the store calls to learn what is announced, inside its transaction.
    fn telling(
        &self,
        caller: &Caller,
        user_no: Option<i64>,
        announce: impl FnOnce(&RecordAccount) -> Vec<Announcement> + Send + 'static,
        now: Timestamp,
    ) -> impl FnOnce(&store::RecordAccount) -> Vec<RecordChange> + Send + 'static {
        let (service, caller) = (self.clone(), caller.clone());
        move |row| {
            let announced = announce(&row.clone().into());
            service.record_changes_or_none(&caller, &owner_of(user_no), announced, now)
        }
    }

    /// As [`Service::record_changes`], where it is too late to refuse.
    pub(super) fn record_changes_or_none(
        &self,
        caller: &Caller,
        subject: &tidings_core::change::Subject,
        announce: Vec<Announcement>,
        now: Timestamp,
    ) -> Vec<RecordChange> {
        self.record_changes(caller, subject, announce, now).unwrap_or_else(|error| {
            tracing::error!(%error, "what a dialect announces was left out");
            Vec::new()
        })
    }
}

fn may_read(caller: &Caller) -> Result<()> {
    caller.may_any(&[Scope::Read, Scope::Accounts, Scope::Records])
}
