//! Connected accounts and the state of their synchronisation.

mod connect;
mod erase;
mod scope;
mod sync;
mod watch;

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, AppId, UserId};
use tidings_core::limits;

use crate::app::{self, bits};
use crate::sql::{Row, Sql, Value, Wanted, values};
use crate::writer::Tx;
use crate::{AuditEntry, Committed, Error, Result, Store, audit, journal, user};

pub(crate) use scope::calendar_is_there;
pub use scope::{CalendarPlace, ScopeIds};
pub use sync::{Look, SyncState};
pub(crate) use watch::{PUSHING, refuse};

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
    /// The password (UTF-8) or the tokens (JSON), sealed for (`account`, `credential`, app, account).
    pub credential: Option<Vec<u8>>,
    /// Raised whenever the credential is replaced.
    pub credential_gen: i64,
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
    /// When the next pass must look at everything, dirty or not; absent: at once.
    pub poll_at: Option<Timestamp>,
    /// The provider's cursor of the calendar list.
    pub list_token: Option<String>,
    /// Raised by every push about the calendar list.
    pub list_gen: i64,
    /// `list_gen` as the last look at the list read it before it began.
    pub list_synced_gen: i64,
    /// Why the calendar list is only polled, in plain words.
    pub watch_error: Option<String>,
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
    /// The change to append when the new credential ends what `account.inactive` told: its
    /// `account.connected`.
    pub connected: Option<NewChange>,
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

const SELECT: &str = "SELECT c.account_no, c.id, c.app_no, a.id, c.user_no, u.id, u.external_id,
    c.provider, c.external_id, c.name, c.server_url, c.username, c.credential, c.home_url, c.status,
    c.status_reason, c.baseline_done, c.dirty_gen, c.synced_gen, c.next_sync_at, c.last_sync_at,
    c.last_change_at, c.failures, c.last_error, c.created_at, c.updated_at, c.credential_gen, c.poll_at,
    c.list_token, c.list_gen, c.list_synced_gen, c.watch_error
  FROM account c JOIN app a ON a.app_no = c.app_no AND a.deleted_at IS NULL
  LEFT JOIN end_user u ON u.user_no = c.user_no";

fn from_row(row: &Row<'_>) -> Result<Account> {
    let user_no: Option<i64> = row.get(4)?;
    Ok(Account {
        account_no: row.get(0)?,
        id: AccountId(bits(row, 1)?),
        app_no: row.get(2)?,
        app_id: AppId(bits(row, 3)?),
        user_no,
        user_id: user_no.map(|_| bits(row, 5).map(UserId)).transpose()?,
        user_external_id: user::external_id(row, 6)?,
        provider: row.get(7)?,
        external_id: row.get(8)?,
        name: row.get(9)?,
        server_url: row.get(10)?,
        username: row.get(11)?,
        credential: row.get(12)?,
        home_url: row.get(13)?,
        status: AccountStatus::parse(&row.get::<String>(14)?).ok_or(Error::corrupt("account"))?,
        status_reason: row.get(15)?,
        baseline_done: row.get(16)?,
        dirty_gen: row.get(17)?,
        synced_gen: row.get(18)?,
        next_sync_at: Timestamp(row.get(19)?),
        last_sync_at: row.get::<Option<i64>>(20)?.map(Timestamp),
        last_change_at: row.get::<Option<i64>>(21)?.map(Timestamp),
        failures: row.get(22)?,
        last_error: row.get(23)?,
        created_at: Timestamp(row.get(24)?),
        updated_at: Timestamp(row.get(25)?),
        credential_gen: row.get(26)?,
        poll_at: row.get::<Option<i64>>(27)?.map(Timestamp),
        list_token: row.get(28)?,
        list_gen: row.get(29)?,
        list_synced_gen: row.get(30)?,
        watch_error: row.get(31)?,
    })
}

fn find(sql: &Sql<'_>, condition: &str, values: &[Value<'_>]) -> Result<Option<Account>> {
    sql.row(&format!("{SELECT} WHERE c.deleted_at IS NULL AND {condition}"), values, from_row)
}

fn list(sql: &Sql<'_>, rest: &str, values: &[Value<'_>]) -> Result<Vec<Account>> {
    sql.rows(&format!("{SELECT} WHERE c.deleted_at IS NULL AND {rest}"), values, from_row)
}

/// The account as the job's transaction sees it.
pub(crate) fn get(sql: &Sql<'_>, account_no: i64) -> Result<Account> {
    find(sql, "c.account_no = ?1", values![account_no])?.ok_or(Error::not_found("account"))
}

impl Store {
    /// Connects an account: active, due at once, its first sync still to come.
    ///
    /// # Errors
    /// Not found (the user); conflict when the app has [`limits::APP_ACCOUNTS_MAX`] accounts.
    pub async fn create_account(
        &self,
        new: NewAccount,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Account> {
        self.write(2, move |tx| {
            let app_no = new.app_no;
            let account_no = insert(&tx.sql, new, now)?;
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            tx.announce.push(Committed::Account(account_no));
            get(&tx.sql, account_no)
        })
        .await
    }

    /// An account by store key; `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn account(&self, account_no: i64) -> Result<Option<Account>> {
        self.read(move |sql| find(sql, "c.account_no = ?1", values![account_no])).await
    }

    /// An account of an app by id; `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn account_by_id(&self, app_no: i64, id: AccountId) -> Result<Option<Account>> {
        self.read(move |sql| {
            find(sql, "c.app_no = ?1 AND c.id = ?2", values![app_no, id.0.to_bytes()])
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
        self.read(move |sql| {
            let mut wanted = Wanted::new("c.app_no", app_no);
            wanted.also("c.user_no =", filter.user_no);
            wanted.also("c.provider =", filter.provider.as_deref());
            wanted.also("c.status =", filter.status.map(AccountStatus::as_str));
            wanted.also("c.account_no >", Some(after));
            let (rest, values) = wanted.page("c.account_no", limit);
            list(sql, &rest, &values)
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
        let rows = 2 + if update.credential.is_some() { REVIVAL_ROWS } else { 0 };
        self.write(rows, move |tx| {
            let account = get(&tx.sql, account_no)?;
            tx.sql.run(
                "UPDATE account SET name = coalesce(?2, name), username = coalesce(?3, username),
                   updated_at = ?4 WHERE account_no = ?1",
                values![account_no, update.name, update.username, now.0],
            )?;
            if let Some(credential) = update.credential {
                revive(tx, &account, &credential, update.connected, now)?;
            }
            audit::insert(&tx.sql, Some(account.app_no), &entry, now)?;
            tx.announce.push(Committed::Account(account_no));
            get(&tx.sql, account_no)
        })
        .await
    }
}

/// Inserts a new account, active and due at once; answers its store key.
fn insert(sql: &Sql<'_>, new: NewAccount, now: Timestamp) -> Result<i64> {
    user::must_live(sql, new.user_no)?;
    if app::accounts(sql, new.app_no)? >= limits::APP_ACCOUNTS_MAX {
        return Err(Error::conflict("app has as many accounts as it may have"));
    }
    let account_no = sql.row(
        "INSERT INTO account (id, app_no, user_no, provider, external_id, name, server_url,
           username, credential, status, dirty_gen, next_sync_at, created_at, updated_at, watch_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'active', 1, ?10, ?10, ?10,
           CASE WHEN CAST(?4 AS TEXT) = 'google' THEN CAST(?10 AS BIGINT) END)
         RETURNING account_no",
        values![
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
        |row| row.get(0),
    )?;
    account_no.ok_or(Error::failed())
}

/// Rows that [`revive`] writes at most.
const REVIVAL_ROWS: usize = 5 + limits::ACCOUNT_COLLECTIONS_MAX;

/// Gives an account a new credential: it is active, forgets its failures, is synced at once and watched
/// anew. Whoever was told that it is inactive is told by `connected` that this is over; where the first
/// sync is not done yet, its end tells.
fn revive(
    tx: &mut Tx<'_>,
    account: &Account,
    credential: &[u8],
    connected: Option<NewChange>,
    now: Timestamp,
) -> Result<()> {
    tx.sql.run(
        "UPDATE account SET credential = ?2, credential_gen = credential_gen + 1, status = 'active',
           status_reason = NULL, failures = 0, last_error = NULL, dirty_gen = dirty_gen + 1,
           list_gen = list_gen + 1, poll_at = NULL, next_sync_at = ?3, updated_at = ?3
         WHERE account_no = ?1",
        values![account.account_no, credential, now.0],
    )?;
    let was_told = account.status == AccountStatus::Inactive && account.baseline_done;
    if let Some(connected) = connected.filter(|_| was_told) {
        journal::append(tx, account.app_no, vec![connected], now)?;
    }
    watch::begin(&tx.sql, account.account_no, now)
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
    audit::insert(&tx.sql, Some(account.app_no), entry, now)?;
    tx.announce.push(Committed::Account(account.account_no));
    Ok(appended.changes[0].seq)
}
