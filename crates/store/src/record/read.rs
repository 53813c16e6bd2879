//! Reading records as they are visible.

use std::collections::BTreeMap;

use tidings_core::limits;

use super::{COLUMNS, Deleted, Record, RecordOrder, RecordQuery, from_row, refresh};
use crate::sql::{Value, values};
use crate::{Result, Store};

/// The visible row of each record `r` of the collection named ?2 of the account ?1. One statement, so that a
/// job that ends between two looks shows nothing halfway.
const VISIBLE: &str = "FROM record r WHERE r.collection_no = (SELECT collection_no FROM collection
      WHERE account_no = ?1 AND external_id = ?2 AND deleted_at IS NULL)
    AND r.gen <= (SELECT visible_gen FROM account WHERE account_no = ?1)
    AND NOT EXISTS (SELECT 1 FROM record n WHERE n.collection_no = r.collection_no
      AND n.ordinal = r.ordinal AND n.gen > r.gen
      AND n.gen <= (SELECT visible_gen FROM account WHERE account_no = ?1))";

impl Store {
    /// A record by key, tombstones too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record(
        &self,
        account_no: i64,
        collection: String,
        key: String,
    ) -> Result<Option<Record>> {
        self.read(move |sql| {
            let text = format!("SELECT {COLUMNS} {VISIBLE} AND r.item_key = ?3");
            sql.row(&text, values![account_no, &collection, key], |row| {
                Ok(from_row(row, &collection)?.record)
            })
        })
        .await
    }

    /// Records of a collection; none when it is not there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn records(
        &self,
        account_no: i64,
        collection: String,
        query: RecordQuery,
    ) -> Result<Vec<Record>> {
        self.read(move |sql| {
            let (text, values) = statement(account_no, &collection, &query);
            sql.rows(&text, &values, |row| Ok(from_row(row, &collection)?.record))
        })
        .await
    }

    /// How many ordinals of each collection readers see: tombstones count, so pages by ordinal are exact.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record_counts(&self, account_no: i64) -> Result<BTreeMap<String, u64>> {
        self.read(move |sql| refresh::totals(sql, account_no)).await
    }
}

/// The statement of a query, with its values.
fn statement<'a>(
    account_no: i64,
    collection: &'a str,
    query: &RecordQuery,
) -> (String, Vec<Value<'a>>) {
    let limit = u64::from(query.limit.clamp(1, limits::RECORD_PAGE_MAX));
    let deleted = match query.deleted {
        Deleted::Without => " AND r.deleted_at IS NULL",
        Deleted::With => "",
        Deleted::Only => " AND r.deleted_at IS NOT NULL",
    };
    let mut text = format!("SELECT {COLUMNS} {VISIBLE}{deleted}");
    let mut values = vec![Value::from(account_no), collection.into()];
    let mut add = |condition: &str, value: Value<'a>| {
        values.push(value);
        text.push_str(&format!(" {condition} ?{}", values.len()));
    };
    for (condition, value) in [
        ("AND r.starts_at >=", query.from),
        ("AND r.starts_at <", query.to),
        ("AND r.modified_at >=", query.modified_since.map(|at| at.0)),
    ] {
        if let Some(value) = value {
            add(condition, value.into());
        }
    }
    if query.order == RecordOrder::Ordinal {
        add("AND r.ordinal >", query.skip.into());
        add("AND r.ordinal <=", query.skip.saturating_add(limit).into());
        text.push_str(" ORDER BY r.ordinal");
        return (text, values);
    }
    add(
        match query.order {
            RecordOrder::NewestFirst => {
                "AND r.starts_at IS NOT NULL ORDER BY r.starts_at DESC, r.ordinal DESC LIMIT"
            }
            RecordOrder::OldestFirst => {
                "AND r.starts_at IS NOT NULL ORDER BY r.starts_at, r.ordinal LIMIT"
            }
            RecordOrder::Ordinal | RecordOrder::Modified => {
                "ORDER BY r.modified_at, r.ordinal LIMIT"
            }
        },
        limit.into(),
    );
    add("OFFSET", query.skip.into());
    (text, values)
}
