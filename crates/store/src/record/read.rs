//! Reading records as they are visible.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tidings_core::id::AccountId;
use tidings_core::limits;

use super::{COLUMNS, Deleted, Record, RecordOrder, RecordQuery, from_row, refresh};
use crate::app::bits;
use crate::sql::{Sql, Value, values};
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
        self.read(move |sql| by_key(sql, account_no, &collection, &key)).await
    }

    /// Those of these records that are there, tombstones too, in one reading.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn records_by_key(
        &self,
        account_no: i64,
        collection: String,
        keys: Vec<String>,
    ) -> Result<Vec<Record>> {
        self.read(move |sql| {
            let mut found = Vec::new();
            for key in &keys {
                found.extend(by_key(sql, account_no, &collection, key)?);
            }
            Ok(found)
        })
        .await
    }

    /// Records of a collection; none when it is not there. A page ends early with the record that fills
    /// [`limits::RECORD_PAGE_BYTES_MAX`]; [`RecordQuery::next_skip`] says where to go on.
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
            let (mut page, mut bytes) = (Vec::new(), 0);
            sql.each(&text, &values, |row| {
                let record = from_row(row, &collection)?.record;
                bytes += record.body.len();
                page.push(record);
                let is_full = bytes >= limits::RECORD_PAGE_BYTES_MAX;
                Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            Ok(page)
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

    /// The same of one collection, for every record account of an app, or of one of its end users, that has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record_totals(
        &self,
        app_no: i64,
        user_no: Option<i64>,
        collection: String,
    ) -> Result<Vec<(AccountId, u64)>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT a.id, c.shown_ordinal FROM account a
                   JOIN collection c ON c.account_no = a.account_no AND c.external_id = ?3
                     AND c.deleted_at IS NULL
                 WHERE a.app_no = ?1 AND a.provider = 'record' AND a.deleted_at IS NULL
                   AND (CAST(?2 AS BIGINT) IS NULL OR a.user_no = ?2)",
                values![app_no, user_no, collection],
                |row| Ok((AccountId(bits(row, 0)?), row.get(1)?)),
            )
        })
        .await
    }
}

fn by_key(sql: &Sql<'_>, account_no: i64, collection: &str, key: &str) -> Result<Option<Record>> {
    let text = format!("SELECT {COLUMNS} FROM record r WHERE {VISIBLE} AND r.item_key = ?3");
    sql.row(
        &text,
        values![account_no, collection, key],
        |row| Ok(from_row(row, collection)?.record),
    )
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
    // The plus keeps the engine from finding all rows of the generations and sorting them with their bodies,
    // where an index has them in order of time.
    let mut wanted = match query.order {
        RecordOrder::Ordinal => VISIBLE.to_owned(),
        _ => VISIBLE.replacen(" r.gen <=", " +r.gen <=", 1),
    };
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
        let after = query.after.map(|(at, ordinal)| (add(at.0.into()), add(ordinal.into())));
        let (until, skip) = (add(query.skip.saturating_add(limit).into()), add(query.skip.into()));
        let text = by_modification(&wanted, since.as_deref(), after, &until);
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
/// generation by generation, for all of one were shown together and no two at the same time. `k` walks the index
/// of generations; `+ 0` keeps SQLite from taking the bound of `r.gen` for the better way into it.
fn by_modification(
    wanted: &str,
    since: Option<&str>,
    after: Option<(String, String)>,
    until: &str,
) -> String {
    let from = |column: &str| since.map_or(String::new(), |at| format!(" AND {column} >= {at}"));
    let (mut single, mut bulk) = (from("r.modified_at"), from("s.shown_at"));
    if let Some((at, ordinal)) = after {
        single.push_str(&format!(" AND (r.modified_at, r.ordinal) > ({at}, {ordinal})"));
        bulk.push_str(&format!(
            " AND s.shown_at >= {at} AND k.ordinal >
                CASE WHEN s.shown_at = {at} THEN CAST({ordinal} AS BIGINT) ELSE 0 END"
        ));
    }
    format!(
        "SELECT w.* FROM (
           SELECT * FROM (SELECT {COLUMNS} FROM record r
             WHERE {wanted} AND r.modified_at IS NOT NULL{single}
             ORDER BY r.modified_at, r.ordinal LIMIT {until}) AS a
           UNION ALL
           SELECT * FROM (SELECT {COLUMNS}
             FROM record_shown s CROSS JOIN record k CROSS JOIN record r
             WHERE s.collection_no = (SELECT collection_no FROM collection
                 WHERE account_no = ?1 AND external_id = ?2 AND deleted_at IS NULL)
               AND k.collection_no = s.collection_no AND k.gen = s.gen AND r.ordinal = k.ordinal
               AND r.gen = k.gen + 0 AND {wanted} AND r.modified_at IS NULL{bulk}
             ORDER BY s.gen, k.ordinal LIMIT {until}) AS b
         ) AS w ORDER BY w.changed_at, w.ordinal"
    )
}
