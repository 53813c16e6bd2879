//! Accounts connected through OAuth: found by who they are at their provider, and their tokens.

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;

use super::{Account, NewAccount, REVIVAL_ROWS, find, get, insert, list, revive};
use crate::sql::values;
use crate::{AuditEntry, Committed, Error, Result, Store, audit};

const IDENTITY: &str = "c.app_no = ?1 AND c.provider = ?2 AND c.external_id = ?3
    AND coalesce(c.user_no, 0) = coalesce(CAST(?4 AS BIGINT), 0)";

impl Store {
    /// The account of an end user (or of none) of an app for an identity at a provider.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn account_by_identity(
        &self,
        app_no: i64,
        provider: String,
        external_id: String,
        user_no: Option<i64>,
    ) -> Result<Option<Account>> {
        self.read(move |sql| find(sql, IDENTITY, values![app_no, provider, external_id, user_no]))
            .await
    }

    /// Every account of any app for an identity at a provider: one push may concern several.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn accounts_by_external(
        &self,
        provider: String,
        external_id: String,
        limit: u32,
    ) -> Result<Vec<Account>> {
        self.read(move |sql| {
            let condition = "c.provider = ?1 AND c.external_id = ?2 ORDER BY c.account_no LIMIT ?3";
            list(sql, condition, values![provider, external_id, limit])
        })
        .await
    }

    /// Connects an account through OAuth, or connects it again: then its new credential makes it active,
    /// and it is synced at once. The credential is sealed for the account's id, so whoever connects
    /// again looks first ([`Store::account_by_identity`]) and gives the id that is there, and
    /// `connected`, which is appended when the account was inactive. `true` when the account is new.
    ///
    /// # Errors
    /// Conflict when there is such an account under another id by now: look again; conflict when the app
    /// has [`tidings_core::limits::APP_ACCOUNTS_MAX`] accounts.
    pub async fn connect_oauth_account(
        &self,
        new: NewAccount,
        connected: Option<NewChange>,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<(Account, bool)> {
        self.write(2 + REVIVAL_ROWS, move |tx| {
            let identity = values![new.app_no, &new.provider, &new.external_id, new.user_no];
            let known = find(&tx.sql, IDENTITY, identity)?;
            let app_no = new.app_no;
            let fresh = known.is_none();
            let account_no = match known {
                Some(known) if known.id == new.id => {
                    let credential = new.credential.as_deref().unwrap_or_default();
                    revive(tx, &known, credential, connected, now)?;
                    tx.sql.run(
                        "UPDATE account SET name = ?2, username = coalesce(?3, username)
                         WHERE account_no = ?1",
                        values![known.account_no, new.name, new.username],
                    )?;
                    known.account_no
                }
                Some(_) => return Err(Error::conflict("account was connected meanwhile")),
                None => insert(&tx.sql, new, now)?,
            };
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            tx.announce.push(Committed::Account(account_no));
            Ok((get(&tx.sql, account_no)?, fresh))
        })
        .await
    }

    /// Replaces an account's credential, as after a refresh, if it is still the one of generation
    /// `expected_gen`. `false`: someone else was first, or the account is gone; read theirs. Nobody is
    /// told, for nothing else changes.
    ///
    /// # Errors
    /// When the commit fails: then it may be tried again.
    pub async fn replace_credential(
        &self,
        account_no: i64,
        expected_gen: i64,
        sealed: Vec<u8>,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(1, move |tx| {
            let replaced = tx.sql.run(
                "UPDATE account SET credential = ?3, credential_gen = credential_gen + 1,
                   updated_at = ?4
                 WHERE account_no = ?1 AND credential_gen = ?2 AND deleted_at IS NULL",
                values![account_no, expected_gen, &sealed, now.0],
            )?;
            Ok(replaced == 1)
        })
        .await
    }
}
