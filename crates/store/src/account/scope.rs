//! Between ids, which clients know, and store keys, which changes and hooks carry.

use std::collections::HashMap;

use tidings_core::id::{AccountId, Bits96, CollectionId, UserId};

use crate::app::bits;
use crate::sql::{Sql, values};
use crate::{Result, Store};

/// The ids behind store keys.
#[derive(Clone, Debug, Default)]
pub struct ScopeIds {
    /// End users.
    pub users: HashMap<i64, UserId>,
    /// Accounts.
    pub accounts: HashMap<i64, AccountId>,
    /// Collections.
    pub collections: HashMap<i64, CollectionId>,
}

/// Where a calendar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarPlace {
    /// Store key of its account.
    pub account_no: i64,
    /// Its own store key.
    pub collection_no: i64,
}

const ACCOUNT_ID: &str = "SELECT id FROM account WHERE account_no = ?1";

fn ids<I>(
    sql: &Sql<'_>,
    text: &str,
    keys: Vec<i64>,
    id: fn(Bits96) -> I,
) -> Result<HashMap<i64, I>> {
    let mut found = HashMap::new();
    for key in keys {
        if let Some(bits) = sql.row(text, values![key], |row| bits(row, 0))? {
            found.insert(key, id(bits));
        }
    }
    Ok(found)
}

/// Whether a collection and its account are not deleted.
pub(crate) fn calendar_is_there(sql: &Sql<'_>, collection_no: i64) -> Result<bool> {
    let found = sql.row(
        "SELECT 1 FROM collection c JOIN account a USING (account_no)
         WHERE c.collection_no = ?1 AND c.deleted_at IS NULL AND a.deleted_at IS NULL",
        values![collection_no],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

impl Store {
    /// The ids behind store keys, deleted things included.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn scope_ids(
        &self,
        users: Vec<i64>,
        accounts: Vec<i64>,
        collections: Vec<i64>,
    ) -> Result<ScopeIds> {
        self.read(move |sql| {
            Ok(ScopeIds {
                users: ids(sql, "SELECT id FROM end_user WHERE user_no = ?1", users, UserId)?,
                accounts: ids(sql, ACCOUNT_ID, accounts, AccountId)?,
                collections: ids(
                    sql,
                    "SELECT id FROM collection WHERE collection_no = ?1",
                    collections,
                    CollectionId,
                )?,
            })
        })
        .await
    }

    /// The store key of a collection of an app, or of one of its end users, that is not deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn collection_place(
        &self,
        app_no: i64,
        user_no: Option<i64>,
        id: CollectionId,
    ) -> Result<Option<i64>> {
        self.read(move |sql| {
            sql.row(
                "SELECT c.collection_no FROM collection c JOIN account a USING (account_no)
                 WHERE c.app_no = ?1 AND c.id = ?2 AND c.deleted_at IS NULL
                   AND (CAST(?3 AS BIGINT) IS NULL OR a.user_no = ?3)",
                values![app_no, id.0.to_bytes(), user_no],
                |row| row.get(0),
            )
        })
        .await
    }

    /// Calendars with this id at their provider, among the accounts of one end user only; the oldest
    /// account's first. Several accounts may see the same calendar.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn calendars_of_user(
        &self,
        app_no: i64,
        user_no: i64,
        provider: String,
        external_id: String,
    ) -> Result<Vec<CalendarPlace>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT a.account_no, c.collection_no
                 FROM account a JOIN collection c USING (account_no)
                 WHERE a.app_no = ?1 AND a.user_no = ?2 AND a.provider = ?3
                   AND a.deleted_at IS NULL AND c.external_id = ?4 AND c.deleted_at IS NULL
                 ORDER BY a.account_no",
                values![app_no, user_no, provider, external_id],
                |row| Ok(CalendarPlace { account_no: row.get(0)?, collection_no: row.get(1)? }),
            )
        })
        .await
    }

    /// Those of some calendars that are still there, in the same order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn calendars_left(&self, collection_nos: Vec<i64>) -> Result<Vec<i64>> {
        self.read(move |sql| {
            let mut left = Vec::with_capacity(collection_nos.len());
            for no in collection_nos {
                left.extend(calendar_is_there(sql, no)?.then_some(no));
            }
            Ok(left)
        })
        .await
    }

    /// The ids of accounts, deleted ones included.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn account_ids(&self, account_nos: Vec<i64>) -> Result<HashMap<i64, AccountId>> {
        self.read(move |sql| ids(sql, ACCOUNT_ID, account_nos, AccountId)).await
    }
}
