//! What the sync loop reads and writes about accounts.

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::limits;

use super::{Account, AccountStatus, change_of, get, list, watch};
use crate::sql::values;
use crate::{AuditEntry, Committed, Result, Store, audit};

/// What a pass of the sync leaves behind, besides the mirror.
#[derive(Clone, Debug)]
pub struct SyncState {
    /// `dirty_gen` as the pass read it before it began.
    pub synced_gen: i64,
    /// When the next pass is due, unless a wake-up arrived in the meantime.
    pub next_sync_at: Timestamp,
    /// When this pass ended well; absent keeps what is stored.
    pub last_sync_at: Option<Timestamp>,
    /// When this pass found a change; absent keeps what is stored.
    pub last_change_at: Option<Timestamp>,
    /// Passes that failed since the last one that ended well.
    pub failures: u32,
    /// What is wrong, in plain words.
    pub last_error: Option<String>,
    /// The discovered calendar home; absent keeps what is stored.
    pub home_url: Option<String>,
    /// A look at the calendar list; absent when the pass did not take one.
    pub look: Option<Look>,
}

/// A look at an account's calendar list.
#[derive(Clone, Debug)]
pub struct Look {
    /// `list_gen` as the pass read it before it began.
    pub list_gen: i64,
    /// The provider's new cursor of the list.
    pub list_token: Option<String>,
    /// When the next pass must look at everything; absent keeps what is stored, as when only the list was
    /// dirty.
    pub poll_at: Option<Timestamp>,
}

impl Store {
    /// Asks for a sync of everything at once: raises `dirty_gen` of the account, of its list and of each of
    /// its collections, so that a pass under way is followed by another.
    ///
    /// # Errors
    /// Not found.
    pub async fn wake_account(
        &self,
        account_no: i64,
        entry: Option<AuditEntry>,
        now: Timestamp,
    ) -> Result<()> {
        self.write(2 + limits::ACCOUNT_COLLECTIONS_MAX, move |tx| {
            let app_no = get(&tx.sql, account_no)?.app_no;
            tx.sql.run(
                "UPDATE account SET dirty_gen = dirty_gen + 1, list_gen = list_gen + 1,
                   next_sync_at = CASE WHEN next_sync_at < ?2 THEN next_sync_at ELSE ?2 END
                 WHERE account_no = ?1",
                values![account_no, now.0],
            )?;
            tx.sql.run(
                "UPDATE collection SET dirty_gen = dirty_gen + 1
                 WHERE account_no = ?1 AND deleted_at IS NULL",
                values![account_no],
            )?;
            if let Some(entry) = entry {
                audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            }
            tx.announce.push(Committed::Account(account_no));
            Ok(())
        })
        .await
    }

    /// Turns an account inactive, for a reason in plain words, and appends its `account.inactive`.
    /// `false` when it was not active, or has another credential than that of `generation`, which was the
    /// one refused; then nothing happens. Its subscriptions have ended: nobody can renew or stop them.
    ///
    /// # Errors
    /// Not found.
    pub async fn deactivate_account(
        &self,
        account_no: i64,
        generation: i64,
        reason: String,
        change: NewChange,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(5 + limits::ACCOUNT_COLLECTIONS_MAX, move |tx| {
            let account = get(&tx.sql, account_no)?;
            if account.status != AccountStatus::Active || account.credential_gen != generation {
                return Ok(false);
            }
            watch::end(&tx.sql, account_no, now)?;
            tx.sql.run(
                "UPDATE account SET status = 'inactive', status_reason = ?2, last_error = ?2,
                   failures = failures + 1, updated_at = ?3 WHERE account_no = ?1",
                values![account_no, reason, now.0],
            )?;
            change_of(tx, &account, change, &entry, now)?;
            Ok(true)
        })
        .await
    }

    /// Marks the first, silent sync of an account done and appends its `account.connected`. `false`
    /// when that was done already, and then nothing happens.
    ///
    /// # Errors
    /// Not found.
    pub async fn finish_account_baseline(
        &self,
        account_no: i64,
        change: NewChange,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(5, move |tx| {
            let account = get(&tx.sql, account_no)?;
            if account.baseline_done || account.status != AccountStatus::Active {
                return Ok(false);
            }
            tx.sql.run(
                "UPDATE account SET baseline_done = 1, updated_at = ?2 WHERE account_no = ?1",
                values![account_no, now.0],
            )?;
            change_of(tx, &account, change, &entry, now)?;
            Ok(true)
        })
        .await
    }

    /// Active accounts whose next pass is due at `now`, the longest due first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due_accounts(&self, now: Timestamp, limit: u32) -> Result<Vec<Account>> {
        self.read(move |sql| {
            list(
                sql,
                "c.status = 'active' AND c.next_sync_at <= ?1 ORDER BY c.next_sync_at LIMIT ?2",
                values![now.0, limit],
            )
        })
        .await
    }

    /// When the next pass of any account is due.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_account_due(&self) -> Result<Option<Timestamp>> {
        self.read(|sql| {
            sql.row(
                "SELECT next_sync_at FROM account WHERE status = 'active'
                 ORDER BY next_sync_at LIMIT 1",
                values![],
                |row| row.get(0).map(Timestamp),
            )
        })
        .await
    }

    /// Writes down how a pass went. A wake-up that arrived during the pass stays due.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn note_sync(&self, account_no: i64, state: SyncState) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE account SET synced_gen = ?2,
                   next_sync_at = CASE WHEN dirty_gen > ?2 AND next_sync_at < ?3
                     THEN next_sync_at ELSE ?3 END,
                   last_sync_at = coalesce(?4, last_sync_at),
                   last_change_at = coalesce(?5, last_change_at),
                   failures = ?6, last_error = ?7, home_url = coalesce(?8, home_url)
                 WHERE account_no = ?1 AND deleted_at IS NULL",
                values![
                    account_no,
                    state.synced_gen,
                    state.next_sync_at.0,
                    state.last_sync_at.map(|at| at.0),
                    state.last_change_at.map(|at| at.0),
                    state.failures,
                    state.last_error,
                    state.home_url,
                ],
            )?;
            if let Some(look) = state.look {
                tx.sql.run(
                    "UPDATE account SET list_synced_gen = ?2, list_token = ?3,
                       poll_at = coalesce(?4, poll_at)
                     WHERE account_no = ?1 AND deleted_at IS NULL",
                    values![
                        account_no,
                        look.list_gen,
                        look.list_token,
                        look.poll_at.map(|at| at.0)
                    ],
                )?;
            }
            Ok(())
        })
        .await
    }
}
