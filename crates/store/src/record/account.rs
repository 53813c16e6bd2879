//! Record accounts.

use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, UserId};
use tidings_core::limits;

use super::{PROVIDER, RecordChange, announce};
use crate::app::{self, bits};
use crate::sql::{Row, Sql, Value, Wanted, values};
use crate::{AuditEntry, Committed, Error, Result, Store, audit, user};

/// Nothing is ever due for a record account: 9999-12-31, ms since the Unix epoch.
const NEVER: Timestamp = Timestamp(253_402_214_400_000);

/// A stored record account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAccount {
    /// Store key.
    pub account_no: i64,
    /// Its id.
    pub id: AccountId,
    /// Store key of its app.
    pub app_no: i64,
    /// Store key of its end user.
    pub user_no: Option<i64>,
    /// Id of its end user.
    pub user_id: Option<UserId>,
    /// The id that the app itself uses for its end user.
    pub user_external_id: Option<String>,
    /// The id that the app itself uses for it; unique in the app.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: String,
    /// What its dialect keeps with it, a JSON object.
    pub details: serde_json::Value,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed; `created_at` until then.
    pub updated_at: Timestamp,
    /// When its last bulk job ended, whether that changed anything or not.
    pub refreshed_at: Option<Timestamp>,
}

/// A record account to create.
#[derive(Clone, Debug)]
pub struct NewRecordAccount {
    /// Its id.
    pub id: AccountId,
    /// Store key of its app.
    pub app_no: i64,
    /// Store key of its end user.
    pub user_no: Option<i64>,
    /// The id that the app itself uses for it.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: String,
    /// A JSON object.
    pub details: serde_json::Value,
}

const SELECT: &str =
    "SELECT c.account_no, c.id, c.app_no, c.user_no, u.id, u.external_id, c.external_id,
    c.name, c.details, c.created_at, c.updated_at, c.last_sync_at
  FROM account c JOIN app a ON a.app_no = c.app_no AND a.deleted_at IS NULL
  LEFT JOIN end_user u ON u.user_no = c.user_no
  WHERE c.provider = 'record' AND c.deleted_at IS NULL";

fn from_row(row: &Row<'_>) -> Result<RecordAccount> {
    let user_no: Option<i64> = row.get(3)?;
    Ok(RecordAccount {
        account_no: row.get(0)?,
        id: AccountId(bits(row, 1)?),
        app_no: row.get(2)?,
        user_no,
        user_id: user_no.map(|_| bits(row, 4).map(UserId)).transpose()?,
        user_external_id: user::external_id(row, 5)?,
        external_id: row.get(6)?,
        name: row.get(7)?,
        details: serde_json::from_str(&row.get::<String>(8)?)?,
        created_at: Timestamp(row.get(9)?),
        updated_at: Timestamp(row.get(10)?),
        refreshed_at: row.get::<Option<i64>>(11)?.map(Timestamp),
    })
}

fn find(sql: &Sql<'_>, condition: &str, values: &[Value<'_>]) -> Result<Option<RecordAccount>> {
    sql.row(&format!("{SELECT} AND {condition}"), values, from_row)
}

fn get(sql: &Sql<'_>, account_no: i64) -> Result<RecordAccount> {
    find(sql, "c.account_no = ?1", values![account_no])?.ok_or(Error::not_found("account"))
}

impl Store {
    /// Creates a record account, or renames and describes anew the one that has this external id already; says
    /// whether it was created. What `tell` makes of it is appended in the same commit.
    ///
    /// # Errors
    /// Not found (the user); conflict when the account of that external id is another end user's, or the app has
    /// [`limits::APP_ACCOUNTS_MAX`] accounts.
    pub async fn put_record_account(
        &self,
        new: NewRecordAccount,
        tell: impl FnOnce(&RecordAccount) -> Vec<RecordChange> + Send + 'static,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<(RecordAccount, bool)> {
        self.write(2 + 2 * limits::RECORD_ANNOUNCEMENTS_MAX, move |tx| {
            let app_no = new.app_no;
            let there = match &new.external_id {
                Some(external_id) => {
                    let condition = "c.app_no = ?1 AND c.external_id = ?2";
                    find(&tx.sql, condition, values![app_no, external_id])?
                }
                None => None,
            };
            let created = there.is_none();
            let account_no = match there {
                Some(there) if there.user_no != new.user_no => {
                    return Err(Error::conflict("external_id is that of another user's account"));
                }
                Some(there) => {
                    describe(&tx.sql, there.account_no, Some(new.name), Some(&new.details), now)?;
                    there.account_no
                }
                None => insert(&tx.sql, &new, now)?,
            };
            let account = get(&tx.sql, account_no)?;
            let changes = tell(&account);
            announce(tx, app_no, account_no, changes, now)?;
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            tx.announce.push(Committed::Account(account_no));
            Ok((account, created))
        })
        .await
    }

    /// Renames a record account or describes it anew; what is absent stays.
    ///
    /// # Errors
    /// Not found.
    pub async fn update_record_account(
        &self,
        account_no: i64,
        name: Option<String>,
        details: Option<serde_json::Value>,
        changes: Vec<RecordChange>,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<RecordAccount> {
        self.write(2 + 2 * changes.len(), move |tx| {
            let app_no = get(&tx.sql, account_no)?.app_no;
            describe(&tx.sql, account_no, name, details.as_ref(), now)?;
            announce(tx, app_no, account_no, changes, now)?;
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            tx.announce.push(Committed::Account(account_no));
            get(&tx.sql, account_no)
        })
        .await
    }

    /// A record account of an app by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record_account(
        &self,
        app_no: i64,
        id: AccountId,
    ) -> Result<Option<RecordAccount>> {
        self.read(move |sql| {
            find(sql, "c.app_no = ?1 AND c.id = ?2", values![app_no, id.0.to_bytes()])
        })
        .await
    }

    /// A record account of an app by external id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record_account_named(
        &self,
        app_no: i64,
        external_id: String,
    ) -> Result<Option<RecordAccount>> {
        self.read(move |sql| {
            find(sql, "c.app_no = ?1 AND c.external_id = ?2", values![app_no, external_id])
        })
        .await
    }

    /// Record accounts of an app, or of one of its end users, after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record_accounts(
        &self,
        app_no: i64,
        user_no: Option<i64>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<RecordAccount>> {
        self.read(move |sql| {
            let mut wanted = Wanted::new("c.app_no", app_no);
            wanted.also("c.user_no =", user_no);
            wanted.also("c.account_no >", Some(after));
            let (rest, values) = wanted.page("c.account_no", limit);
            sql.rows(&format!("{SELECT} AND {rest}"), &values, from_row)
        })
        .await
    }
}

fn describe(
    sql: &Sql<'_>,
    account_no: i64,
    name: Option<String>,
    details: Option<&serde_json::Value>,
    now: Timestamp,
) -> Result<()> {
    sql.run(
        "UPDATE account SET name = coalesce(?2, name), details = coalesce(?3, details),
           updated_at = CASE WHEN created_at < ?4 THEN ?4 ELSE created_at + 1 END
         WHERE account_no = ?1",
        values![account_no, name, details.map(ToString::to_string), now.0],
    )?;
    Ok(())
}

fn insert(sql: &Sql<'_>, new: &NewRecordAccount, now: Timestamp) -> Result<i64> {
    user::must_live(sql, new.user_no)?;
    if app::accounts(sql, new.app_no)? >= limits::APP_ACCOUNTS_MAX {
        return Err(Error::conflict("app has as many accounts as it may have"));
    }
    let account_no = sql.row(
        "INSERT INTO account (id, app_no, user_no, provider, external_id, name, details, status,
           baseline_done, next_sync_at, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'active', 1, ?8, ?9, ?9) RETURNING account_no",
        values![
            new.id.0.to_bytes(),
            new.app_no,
            new.user_no,
            PROVIDER,
            &new.external_id,
            &new.name,
            new.details.to_string(),
            NEVER.0,
            now.0,
        ],
        |row| row.get(0),
    )?;
    account_no.ok_or(Error::failed())
}
