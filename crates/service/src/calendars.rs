//! Calendars of accounts.

use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, CollectionId};
use tidings_providers::listed::ORIGINAL;
use tidings_store as store;

use crate::watching::Watch;
use crate::{Caller, Error, Result, Scope, Service, records};

/// A calendar of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Its id.
    pub id: CollectionId,
    /// Its account.
    pub account: AccountId,
    /// The provider's id of it.
    pub external_id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Its colour, as the provider tells it.
    pub color: Option<String>,
    /// Its time zone, as the provider names it.
    pub time_zone: Option<String>,
    /// Whether events can be written to it, as far as known.
    pub writable: Option<bool>,
    /// Whether it is the account's main calendar, as far as known.
    pub primary: Option<bool>,
    /// Whether its first, silent sync is done.
    pub baseline_done: bool,
    /// Why it could not be compared with its provider, in plain words.
    pub error: Option<String>,
    /// When it was last synced.
    pub synced_at: Option<Timestamp>,
    /// How it is watched.
    pub watch: Watch,
    /// The provider's own object, as far as its API has one and it was seen since it is kept.
    pub original: Option<serde_json::Value>,
}

impl Calendar {
    fn of(
        account: &store::Account,
        row: store::Collection,
        subscriptions: &[store::Subscription],
        now: Timestamp,
    ) -> Self {
        let details: serde_json::Value = serde_json::from_str(&row.details).unwrap_or_default();
        let text = |name: &str| details[name].as_str().map(str::to_owned);
        Self {
            color: text("color"),
            time_zone: text("time_zone"),
            original: details.get(ORIGINAL).cloned(),
            writable: details["writable"].as_bool(),
            primary: details["primary"].as_bool(),
            watch: Watch::of(account, &row, subscriptions, now),
            id: row.id,
            account: account.id,
            external_id: row.external_id,
            name: row.name,
            baseline_done: row.baseline_done,
            error: row.error,
            synced_at: row.synced_at,
        }
    }
}

impl Service {
    /// The calendars of an account.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn calendars(&self, caller: &Caller, id: AccountId) -> Result<Vec<Calendar>> {
        caller.may_any(&[Scope::Read, Scope::Accounts, Scope::Calendars])?;
        let account = self.find_account(caller, id).await?;
        if account.provider == records::PROVIDER {
            return Ok(Vec::new());
        }
        let rows = self.store.collections(account.account_no).await?;
        let subscriptions = self.store.subscriptions_of(account.account_no).await?;
        let now = self.now();
        let view = |row| Calendar::of(&account, row, &subscriptions, now);
        Ok(rows.into_iter().map(view).collect())
    }

    /// One calendar.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn calendar(&self, caller: &Caller, id: CollectionId) -> Result<Calendar> {
        caller.may_any(&[Scope::Read, Scope::Accounts, Scope::Calendars])?;
        let (account, row) = self.find_calendar(caller, id).await?;
        let subscriptions = self.store.subscriptions_of(account.account_no).await?;
        Ok(Calendar::of(&account, row, &subscriptions, self.now()))
    }

    pub(crate) async fn find_calendar(
        &self,
        caller: &Caller,
        id: CollectionId,
    ) -> Result<(store::Account, store::Collection)> {
        let unknown = Error::NotFound("calendar");
        let found = self.store.collection_by_id(caller.app()?.app_no, id).await?;
        let Some(calendar) = found else { return Err(unknown) };
        let account = self.store.account(calendar.account_no).await?;
        // A collection of records is no calendar.
        let may = |account: &store::Account| {
            caller.sees_user(account.user_no) && account.provider != records::PROVIDER
        };
        match account.filter(may) {
            Some(account) => Ok((account, calendar)),
            None => Err(unknown),
        }
    }
}
