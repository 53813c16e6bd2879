//! Reading mirrored items: one, a series, a range of time; and the versions that our own writes replaced.

use tidings_core::clock::Timestamp;
use tidings_core::limits;

use super::{
    COLLECTION, Collection, ITEM, Item, ItemVersion, Superseded, collection_from_row, item_from_row,
};
use crate::sql::{Sql, values};
use crate::{Result, Store};

/// Keys of items in a range, by the index of times: the key is an expression there, so that no engine walks
/// all items by their key instead. An item without length is in the range that it lies in.
const KEYS_IN: &str = "SELECT item_key FROM item
    WHERE collection_no = ?1 AND coalesce(ends_at, 9223372036854775807) >= ?2
      AND coalesce(starts_at, -9223372036854775807) < ?3
      AND (coalesce(ends_at, 9223372036854775807) > ?2
        OR coalesce(ends_at, 9223372036854775807) = coalesce(starts_at, -9223372036854775807))
      AND item_key || '' > ?4
    ORDER BY item_key || '' LIMIT ?5";

impl Store {
    /// The items of a collection that overlap `[from, to)` (ms since the Unix epoch), by key, after key
    /// `after` (empty: from the first). What has no known start is in every range, what has no end goes
    /// on for ever; a series counts from its first to its last occurrence.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn events_in(
        &self,
        collection_no: i64,
        from: Timestamp,
        to: Timestamp,
        after: String,
        limit: u32,
    ) -> Result<Vec<Item>> {
        self.read(move |sql| {
            let keys: Vec<String> =
                sql.rows(KEYS_IN, values![collection_no, from.0, to.0, after, limit], |row| {
                    row.get(0)
                })?;
            let mut items = Vec::with_capacity(keys.len());
            for key in keys {
                items.extend(item(sql, collection_no, &key)?);
            }
            Ok(items)
        })
        .await
    }

    /// An item of a collection.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn item(&self, collection_no: i64, key: String) -> Result<Option<Item>> {
        self.read(move |sql| item(sql, collection_no, &key)).await
    }

    /// The items of a collection with some keys, as far as there are any.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn items_by_key(&self, collection_no: i64, keys: Vec<String>) -> Result<Vec<Item>> {
        self.read(move |sql| {
            let found = keys.iter().map(|key| item(sql, collection_no, key));
            Ok(found.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
        .await
    }

    /// Every item of a collection, without its content.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn item_versions(&self, collection_no: i64) -> Result<Vec<ItemVersion>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT item_key, etag, version, starts_at, ends_at FROM item
                 WHERE collection_no = ?1 ORDER BY item_key",
                values![collection_no],
                |row| {
                    Ok(ItemVersion {
                        key: row.get(0)?,
                        etag: row.get(1)?,
                        version: row.get(2)?,
                        starts_at: row.get(3)?,
                        ends_at: row.get(4)?,
                    })
                },
            )
        })
        .await
    }

    /// An item in whichever collection of an account holds it, the collection first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn item_anywhere(
        &self,
        account_no: i64,
        key: String,
    ) -> Result<Option<(Collection, Item)>> {
        self.read(move |sql| {
            let collections = sql.rows(
                &format!("{COLLECTION} AND account_no = ?1 ORDER BY collection_no"),
                values![account_no],
                collection_from_row,
            )?;
            for collection in collections {
                if let Some(item) = item(sql, collection.collection_no, &key)? {
                    return Ok(Some((collection, item)));
                }
            }
            Ok(None)
        })
        .await
    }

    /// The exceptions of a series in a collection, by key; without the series itself.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn items_of_series(&self, collection_no: i64, series: String) -> Result<Vec<Item>> {
        self.read(move |sql| {
            sql.rows(
                &format!(
                    "SELECT {ITEM} FROM item WHERE collection_no = ?1 AND series = ?2
                     ORDER BY item_key"
                ),
                values![collection_no, series],
                item_from_row,
            )
        })
        .await
    }

    /// What our own writes to a collection replaced lately: what a pull shows in one of these versions is
    /// old news.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn superseded(&self, collection_no: i64, now: Timestamp) -> Result<Vec<Superseded>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT item_key, etag FROM superseded
                 WHERE collection_no = ?1 AND expires_at > ?2 ORDER BY item_key, etag",
                values![collection_no, now.0],
                |row| Ok(Superseded { collection_no, item_key: row.get(0)?, etag: row.get(1)? }),
            )
        })
        .await
    }
}

fn item(sql: &Sql<'_>, collection_no: i64, key: &str) -> Result<Option<Item>> {
    sql.row(
        &format!("SELECT {ITEM} FROM item WHERE collection_no = ?1 AND item_key = ?2"),
        values![collection_no, key],
        item_from_row,
    )
}

/// Collections that are to be watched, of active accounts.
pub(crate) fn unwatched(sql: &Sql<'_>, now: Timestamp, limit: u32) -> Result<Vec<Collection>> {
    sql.rows(
        &format!(
            "{COLLECTION} AND watch_at <= ?1 AND EXISTS (SELECT 1 FROM account a
               WHERE a.account_no = collection.account_no AND a.status = 'active')
             ORDER BY watch_at LIMIT ?2"
        ),
        values![now.0, limit],
        collection_from_row,
    )
}

pub(super) fn supersede(sql: &Sql<'_>, old: &Superseded, now: Timestamp) -> Result<u64> {
    sql.run(
        "INSERT INTO superseded (collection_no, item_key, etag, expires_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (collection_no, item_key, etag) DO UPDATE SET expires_at = excluded.expires_at",
        values![
            old.collection_no,
            &old.item_key,
            &old.etag,
            now.plus_ms(limits::SUPERSEDED_TTL_MS).0
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_range_is_read_by_the_index_of_times() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let plan = store
            .read(|sql| {
                let text = format!("EXPLAIN QUERY PLAN {KEYS_IN}");
                sql.rows(&text, values![1, 2, 3, "", 5], |row| row.get::<String>(3))
            })
            .await
            .unwrap();
        assert!(plan[0].contains("COVERING INDEX item_time"), "{plan:?}");
    }
}
