//! A user's connected accounts.

use std::collections::HashSet;

use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_providers::provider::Provider;
use tidings_store::{self as store, AccountFilter, AccountStatus};

use super::access::{user_no, within};
use super::{PROVIDERS, check_provider};
use crate::{Caller, Result, Service};

/// Accounts read at once.
const READ: u32 = 100;

/// A connected account, as Connect tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectAccount {
    /// `google`, `microsoft`, `apple` or `caldav`.
    pub provider: String,
    /// Its id on Connect's wire, unique among the user's at its provider: the user name there, as a rule
    /// an address; the account's own id when two accounts have the same.
    pub id: String,
    /// What people call it.
    pub display: String,
    /// What its owner let us do, where the provider asks for that.
    pub granted: Option<Vec<String>>,
    /// Whether its credential still works, as far as known.
    pub active: bool,
    /// When that, or anything else about it, last changed.
    pub since: Timestamp,
}

/// A user's connected accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectStatus {
    /// The accounts, oldest first.
    pub accounts: Vec<ConnectAccount>,
    /// How many accounts the app may have.
    pub limit: u32,
    /// Whether it has as many.
    pub limit_reached: bool,
}

impl Service {
    /// The accounts of the caller's user.
    ///
    /// # Errors
    /// Forbidden for what is not a Connect token.
    pub async fn connect_status(&self, caller: &Caller) -> Result<ConnectStatus> {
        let inner = within(caller)?;
        let rows = self.connect_accounts(&inner).await?;
        let counts = self.store.app_counts(inner.app()?.app_no).await?;
        Ok(ConnectStatus {
            accounts: self.told(rows).into_iter().map(|(_, told)| told).collect(),
            limit: limits::APP_ACCOUNTS_MAX,
            limit_reached: counts.accounts >= limits::APP_ACCOUNTS_MAX,
        })
    }

    /// Deletes the user's account at a provider that has this id on the wire, or all of them there;
    /// answers how many.
    ///
    /// # Errors
    /// Forbidden for what is not a Connect token; malformed for an unsupported provider.
    pub async fn connect_disconnect(
        &self,
        caller: &Caller,
        provider: &str,
        id: Option<&str>,
    ) -> Result<usize> {
        let inner = within(caller)?;
        check_provider(provider)?;
        let rows = self.connect_accounts(&inner).await?;
        let mut ended = 0;
        for (row, told) in self.told(rows) {
            let is_meant = |id: &str| told.id == id || row.id.to_string() == id;
            if told.provider == provider && id.is_none_or(is_meant) {
                self.delete_account(&inner, row.id).await?;
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// The user's accounts at the providers that Connect knows, oldest first.
    pub(super) async fn connect_accounts(&self, caller: &Caller) -> Result<Vec<store::Account>> {
        let (app_no, user_no) = (caller.app()?.app_no, user_no(caller)?);
        self.accounts_of_user(app_no, user_no).await
    }

    pub(super) async fn accounts_of_user(
        &self,
        app_no: i64,
        user_no: i64,
    ) -> Result<Vec<store::Account>> {
        let mut found = Vec::new();
        let mut after = 0;
        loop {
            let filter = AccountFilter { user_no: Some(user_no), ..AccountFilter::default() };
            let rows = self.store.accounts(app_no, filter, after, READ).await?;
            let is_last = rows.len() < READ as usize;
            after = rows.last().map_or(after, |row| row.account_no);
            found.extend(rows.into_iter().filter(|row| PROVIDERS.contains(&&*row.provider)));
            if is_last {
                return Ok(found);
            }
        }
    }

    /// The accounts with what Connect tells of them.
    fn told(&self, rows: Vec<store::Account>) -> Vec<(store::Account, ConnectAccount)> {
        let mut seen = HashSet::new();
        let told = rows.into_iter().map(|row| {
            let by_name = row.username.clone().filter(|name| !name.is_empty());
            let is_free = |name: &String| seen.insert((row.provider.clone(), name.clone()));
            let id = by_name.filter(is_free).unwrap_or_else(|| row.id.to_string());
            let told = ConnectAccount {
                id,
                provider: row.provider.clone(),
                display: row.name.clone(),
                granted: self.asked_for(&row.provider),
                active: row.status == AccountStatus::Active,
                since: row.updated_at,
            };
            (row, told)
        });
        told.collect()
    }

    /// What owners of accounts are asked for. One who does not grant it all is not connected.
    fn asked_for(&self, provider: &str) -> Option<Vec<String>> {
        let provider = Provider::parse(provider).filter(|provider| provider.uses_oauth())?;
        Some(self.providers.settings.oauth(provider)?.scopes.clone())
    }
}
