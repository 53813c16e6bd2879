//! Connected accounts and the state of their synchronisation.

mod erase;
mod scope;
mod sync;

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, AppId, UserId};
use tidings_core::limits;

use crate::app::{self, bits};
use crate::writer::Tx;
use crate::{AuditEntry, Committed, Error, Result, Store, audit, journal};

pub use scope::{CalendarPlace, ScopeIds};
pub use sync::SyncState;

/// Whether an account is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// It is.
    Active,
    /// Its owner must act first.
    Inactive,
    /// It is gone; its content is erased.
    Deleted,
}

impl AccountStatus {
    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Deleted => "deleted",
        }
    }

    /// The reverse of [`AccountStatus::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Inactive, Self::Deleted].into_iter().find(|s| s.as_str() == text)
    }
}

/// A stored account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Store key.
    pub account_no: i64,
    /// Its id.
    pub id: AccountId,
    /// Store key of its app.
    pub app_no: i64,
    /// Id of its app.
    pub app_id: AppId,
    /// Store key of its end user.
    pub user_no: Option<i64>,
    /// Id of its end user.
    pub user_id: Option<UserId>,
    /// The id that the app itself uses for its end user.
    pub user_external_id: Option<String>,
    /// `caldav`, `apple`, …
    pub provider: String,
    /// Its id elsewhere.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: String,
    /// Address of its server, as given.
    pub server_url: Option<String>,
    /// User name at its server.
    pub username: Option<String>,
    /// The password (UTF-8), sealed for (`account`, `credential`, app, account).
    pub credential: Option<Vec<u8>>,
    /// The discovered calendar home.
    pub home_url: Option<String>,
    /// Whether it is watched.
    pub status: AccountStatus,
    /// Why not, in plain words.
    pub status_reason: Option<String>,
    /// Whether the first, silent sync is done.
    pub baseline_done: bool,
    /// Raised by every wake-up.
    pub dirty_gen: i64,
    /// `dirty_gen` as the last pass read it before it began.
    pub synced_gen: i64,
    /// When the next pass is due.
    pub next_sync_at: Timestamp,
    /// When the last pass ended well.
    pub last_sync_at: Option<Timestamp>,
    /// When a pass last found a change.
    pub last_change_at: Option<Timestamp>,
    /// Passes that failed since the last one that ended well.
    pub failures: u32,
    /// What is wrong, in plain words.
    pub last_error: Option<String>,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// An account to connect.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its id.
    pub id: AccountId,
    /// Store key of its app.
    pub app_no: i64,
    /// Store key of its end user.
    pub user_no: Option<i64>,
    /// `caldav`, `apple`, …
    pub provider: String,
    /// Its id elsewhere.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: String,
    /// Address of its server.
    pub server_url: Option<String>,
    /// User name at its server.
    pub username: Option<String>,
    /// The password (UTF-8), sealed for (`account`, `credential`, app, account).
    pub credential: Option<Vec<u8>>,
}

/// What an account's owner changes; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct AccountUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A new user name at its server.
    pub username: Option<String>,
    /// A new sealed credential: the account becomes active, forgets its failures and is synced at once.
    pub credential: Option<Vec<u8>>,
}

/// Which accounts of an app to list.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// Only those of this end user.
    pub user_no: Option<i64>,
    /// Only those at this provider.
    pub provider: Option<String>,
    /// Only those of this status.
    pub status: Option<AccountStatus>,
}

const SELECT: &str =
    "SELECT c.*, a.id AS app_id, u.id AS user_id, u.external_id AS user_external_id
  FROM account c JOIN app a ON a.app_no = c.app_no AND a.deleted_at IS NULL
  LEFT JOIN end_user u ON u.user_no = c.user_no";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Result<Account>> {
    let status: String = row.get("status")?;
    let Some(status) = AccountStatus::parse(&status) else {
        return Ok(Err(Error::corrupt("account")));
    };
    let user_no: Option<i64> = row.get("user_no")?;
    Ok(Ok(Account {
        account_no: row.get("account_no")?,
        id: AccountId(bits(row, "id")?),
        app_no: row.get("app_no")?,
        app_id: AppId(bits(row, "app_id")?),
        user_no,
        user_id: user_no.map(|_| bits(row, "user_id").map(UserId)).transpose()?,
        user_external_id: row.get("user_external_id")?,
        provider: row.get("provider")?,
        external_id: row.get("external_id")?,
        name: row.get("name")?,
        server_url: row.get("server_url")?,
        username: row.get("username")?,
        credential: row.get("credential")?,
        home_url: row.get("home_url")?,
        status,
        status_reason: row.get("status_reason")?,
        baseline_done: row.get("baseline_done")?,
        dirty_gen: row.get("dirty_gen")?,
        synced_gen: row.get("synced_gen")?,
        next_sync_at: Timestamp(row.get("next_sync_at")?),
        last_sync_at: row.get::<_, Option<i64>>("last_sync_at")?.map(Timestamp),
        last_change_at: row.get::<_, Option<i64>>("last_change_at")?.map(Timestamp),
        failures: row.get("failures")?,
        last_error: row.get("last_error")?,
        created_at: Timestamp(row.get("created_at")?),
        updated_at: Timestamp(row.get("updated_at")?),
    }))
}

fn find(
    conn: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Option<Account>> {
    conn.prepare_cached(&format!("{SELECT} WHERE c.deleted_at IS NULL AND {condition}"))?
        .query_row(values, from_row)
        .optional()?
        .transpose()
}

fn list(conn: &Connection, rest: &str, values: impl rusqlite::Params) -> Result<Vec<Account>> {
    let mut statement =
        conn.prepare_cached(&format!("{SELECT} WHERE c.deleted_at IS NULL AND {rest}"))?;
    let rows = statement.query_map(values, from_row)?;
    rows.map(|row| row?).collect()
}

/// The account as the job's transaction sees it.
pub(crate) fn get(conn: &Connection, account_no: i64) -> Result<Account> {
    find(conn, "c.account_no = ?1", [account_no])?.ok_or(Error::not_found("account"))
}

impl Store {
    /// Connects an account: active, due at once, its first sync still to come.
    ///
    /// # Errors
    /// Conflict when the app has [`limits::APP_ACCOUNTS_MAX`] accounts.
    pub async fn create_account(
        &self,
        new: NewAccount,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Account> {
        self.write(2, move |tx| {
            if app::counts(tx.conn, new.app_no)?.accounts >= limits::APP_ACCOUNTS_MAX {
                return Err(Error::conflict("app has as many accounts as it may have"));
            }
            tx.conn.execute(
                "INSERT INTO account (id, app_no, user_no, provider, external_id, name, server_url,
                   username, credential, status, dirty_gen, next_sync_at, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'active', 1, ?10, ?10, ?10)",
                params![
                    new.id.0.to_bytes(),
                    new.app_no,
                    new.user_no,
                    new.provider,
                    new.external_id,
                    new.name,
                    new.server_url,
                    new.username,
                    new.credential,
                    now.0,
                ],
            )?;
            let account_no = tx.conn.last_insert_rowid();
            audit::insert(tx.conn, Some(new.app_no), &entry, now)?;
            tx.announce.push(Committed::Account(account_no));
            get(tx.conn, account_no)
        })
        .await
    }

    /// An account by store key; `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn account(&self, account_no: i64) -> Result<Option<Account>> {
        self.read(move |conn| find(conn, "c.account_no = ?1", [account_no])).await
    }

    /// An account of an app by id; `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn account_by_id(&self, app_no: i64, id: AccountId) -> Result<Option<Account>> {
        self.read(move |conn| {
            find(conn, "c.app_no = ?1 AND c.id = ?2", params![app_no, id.0.to_bytes()])
        })
        .await
    }

    /// Accounts of an app after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn accounts(
        &self,
        app_no: i64,
        filter: AccountFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Account>> {
        self.read(move |conn| {
            list(
                conn,
                "c.app_no = ?1 AND c.account_no > ?2 AND (?3 IS NULL OR c.user_no = ?3)
                   AND (?4 IS NULL OR c.provider = ?4) AND (?5 IS NULL OR c.status = ?5)
                 ORDER BY c.account_no LIMIT ?6",
                params![
                    app_no,
                    after,
                    filter.user_no,
                    filter.provider,
                    filter.status.map(AccountStatus::as_str),
                    limit
                ],
            )
        })
        .await
    }

    /// Changes what an account's owner may change.
    ///
    /// # Errors
    /// Not found.
    pub async fn update_account(
        &self,
        account_no: i64,
        update: AccountUpdate,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Account> {
        self.write(2, move |tx| {
            let app_no = get(tx.conn, account_no)?.app_no;
            tx.conn.execute(
                "UPDATE account SET name = coalesce(?2, name), username = coalesce(?3, username),
                   updated_at = ?4 WHERE account_no = ?1",
                params![account_no, update.name, update.username, now.0],
            )?;
            if let Some(credential) = update.credential {
                tx.conn.execute(
                    "UPDATE account SET credential = ?2, status = 'active', status_reason = NULL,
                       failures = 0, last_error = NULL, dirty_gen = dirty_gen + 1, next_sync_at = ?3
                     WHERE account_no = ?1",
                    params![account_no, credential, now.0],
                )?;
            }
            audit::insert(tx.conn, Some(app_no), &entry, now)?;
            tx.announce.push(Committed::Account(account_no));
            get(tx.conn, account_no)
        })
        .await
    }
}

/// The rest of a change of status: its journal entry, whose `seq` it answers, its audit row, its
/// announcement.
fn change_of(
    tx: &mut Tx<'_>,
    account: &Account,
    change: NewChange,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<u64> {
    let appended = journal::append(tx, account.app_no, vec![change], now)?;
    audit::insert(tx.conn, Some(account.app_no), entry, now)?;
    tx.announce.push(Committed::Account(account.account_no));
    Ok(appended.changes[0].seq)
}
