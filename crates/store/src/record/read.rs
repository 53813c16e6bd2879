//! Reading records as they are visible.

use std::collections::BTreeMap;

use tidings_core::limits;

use super::{COLUMNS, Deleted, Record, RecordOrder, RecordQuery, from_row, refresh};
use crate::sql::{Value, values};
use crate::{Result, Store};

/// Whether `r` is the visible row of a record of the collection named ?2 of the account ?1. One statement, so
/// that a job that ends between two looks shows nothing halfway.
const VISIBLE: &str = "r.collection_no = (SELECT collection_no FROM collection
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
            let text =
                format!("SELECT {COLUMNS} FROM record r WHERE {VISIBLE} AND r.item_key = ?3");
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
    let mut values = vec![Value::from(account_no), collection.into()];
    let mut add = |value: Value<'a>| {
        values.push(value);
        format!("?{}", values.len())
    };
    let mut wanted = VISIBLE.to_owned();
    wanted.push_str(match query.deleted {
        Deleted::Without => " AND r.deleted_at IS NULL",
        Deleted::With => "",
        Deleted::Only => " AND r.deleted_at IS NOT NULL",
    });
    for (condition, value) in [("starts_at >=", query.from), ("starts_at <", query.to)] {
        if let Some(value) = value {
            wanted.push_str(&format!(" AND r.{condition} {}", add(value.into())));
        }
    }
    let since = query.modified_since.map(|at| add(at.0.into()));
    if query.order == RecordOrder::Modified {
        let (until, skip) = (add(query.skip.saturating_add(limit).into()), add(query.skip.into()));
        let text = by_modification(&wanted, since.as_deref(), &until);
        return (format!("{text} LIMIT {} OFFSET {skip}", add(limit.into())), values);
    }
    let mut text = format!("SELECT {COLUMNS} FROM record r WHERE {wanted}");
    if let Some(since) = since {
        // One row of each generation tells it of all that a job wrote.
        text.push_str(&format!(
            " AND coalesce(r.modified_at, (SELECT s.shown_at FROM record_shown s
                WHERE s.collection_no = r.collection_no AND s.gen = r.gen)) >= {since}"
        ));
    }
    if query.order == RecordOrder::Ordinal {
        let (after, until) = (add(query.skip.into()), add(query.skip.saturating_add(limit).into()));
        text.push_str(&format!(
            " AND r.ordinal > {after} AND r.ordinal <= {until} ORDER BY r.ordinal"
        ));
        return (text, values);
    }
    let down = if query.order == RecordOrder::NewestFirst { " DESC" } else { "" };
    text.push_str(&format!(
        " AND r.starts_at IS NOT NULL ORDER BY r.starts_at{down}, r.ordinal{down} LIMIT {} OFFSET {}",
        add(limit.into()),
        add(query.skip.into())
    ));
    (text, values)
}

/// The first `until` by their last change: those written one by one by an index of that time, those of jobs
/// generation by generation, for all of one were shown together.
fn by_modification(wanted: &str, since: Option<&str>, until: &str) -> String {
    let from = |column: &str| since.map_or(String::new(), |at| format!(" AND {column} >= {at}"));
    let (single, bulk) = (from("r.modified_at"), from("s.shown_at"));
    format!(
        "SELECT w.* FROM (
           SELECT * FROM (SELECT {COLUMNS}, 0 AS bulk FROM record r
             WHERE {wanted} AND r.modified_at IS NOT NULL{single}
             ORDER BY r.modified_at, r.ordinal LIMIT {until}) AS a
           UNION ALL
           SELECT * FROM (SELECT {COLUMNS}, r.gen AS bulk FROM record_shown s CROSS JOIN record r
             WHERE s.collection_no = (SELECT collection_no FROM collection
                 WHERE account_no = ?1 AND external_id = ?2 AND deleted_at IS NULL)
               AND r.gen = s.gen AND {wanted} AND r.modified_at IS NULL{bulk}
             ORDER BY s.gen, r.ordinal LIMIT {until}) AS b
         ) AS w ORDER BY w.changed_at, w.bulk, w.ordinal"
    )
}
