//! The end of accounts: what is theirs at their provider is given back first.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_core::change::types;
use tidings_core::id::AccountId;
use tidings_core::limits;
use tidings_providers::errand::Errand;
use tidings_providers::provider::Provider;
use tidings_store as store;
use tokio::task::JoinSet;

use crate::{Caller, Result, Scope, Service};

impl Service {
    /// Deletes an account: its credential is erased in the commit that appends `account.deleted`, its
    /// mirrored calendars in the background.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn delete_account(&self, caller: &Caller, id: AccountId) -> Result<()> {
        self.allow(caller, Scope::Accounts, "account.delete", id).await?;
        let account = self.find_account(caller, id).await?;
        let entry = store::AuditEntry {
            detail: self.revoke(&account).await,
            ..caller.did("account.delete", id)
        };
        self.end_account(&account, Some(caller.actor()), entry).await
    }

    /// Stops what watches the account at its provider and gives its tokens back. What fails there does
    /// not keep the account: it is told, for the audit log.
    async fn revoke(&self, account: &store::Account) -> Value {
        if !uses_oauth(account) {
            return json!({});
        }
        let errand = Errand::Revoke { account_no: account.account_no };
        match self.errand(errand, limits::REVOKE_DEADLINE_MS).await {
            Ok(_) => json!({ "revoked": true }),
            Err(refusal) => {
                let why = refusal.to_string();
                tracing::warn!(account = %account.id, why, "tokens could not be revoked");
                json!({ "revoked": false, "why": why })
            }
        }
    }

    /// Deletes an account that `actor` ends, or its provider.
    pub(crate) async fn end_account(
        &self,
        account: &store::Account,
        actor: Option<String>,
        entry: store::AuditEntry,
    ) -> Result<()> {
        let now = self.now();
        let change = self.account_change(types::ACCOUNT_DELETED, account, actor);
        self.store.delete_account(account.account_no, change, entry, now).await?;
        let account_no = account.account_no;
        let service = self.clone();
        // An erasure that a crash or a full disk interrupts is taken up by `resume_erasures`.
        tokio::spawn(async move { drop(service.erase_account(account_no).await) });
        Ok(())
    }

    /// Does for all accounts of an app what the deletion of one does, several at the same time, and as
    /// long as that of one may take: what is not done then is told, for the audit log.
    pub(crate) async fn revoke_all(&self, app_no: i64) -> Value {
        let (mut seen_all, mut begun, mut revoked) = (false, 0, 0);
        let each = async {
            let mut under_way = JoinSet::new();
            let mut last = 0;
            loop {
                let all = store::AccountFilter::default();
                let Ok(page) = self.store.accounts(app_no, all, last, limits::PAGE_MAX).await
                else {
                    break;
                };
                let Some(newest) = page.last() else {
                    seen_all = true;
                    break;
                };
                last = newest.account_no;
                for account in page.into_iter().filter(uses_oauth) {
                    if under_way.len() >= limits::REVOKES_AT_ONCE {
                        revoked += u32::from(matches!(under_way.join_next().await, Some(Ok(true))));
                    }
                    let service = self.clone();
                    begun += 1;
                    under_way
                        .spawn(async move { service.revoke(&account).await["revoked"] == true });
                }
            }
            while let Some(done) = under_way.join_next().await {
                revoked += u32::from(done.unwrap_or(false));
            }
        };
        let in_time = Duration::from_millis(limits::REVOKE_DEADLINE_MS);
        // What is late goes on at the desk; its answer is not waited for.
        let late = tokio::time::timeout(in_time, each).await.is_err();
        if begun == 0 && seen_all {
            return json!({});
        }
        json!({ "revoked": revoked, "all": seen_all && !late && revoked == begun })
    }
}

fn uses_oauth(account: &store::Account) -> bool {
    Provider::parse(&account.provider).is_some_and(Provider::uses_oauth)
}
