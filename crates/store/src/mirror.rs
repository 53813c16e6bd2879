//! The mirror: collections and items of accounts as last seen at their provider.
//!
//! A [`MirrorCommit`] writes rows of the mirror, the provider's new cursor and the changes they amount
//! to in one transaction. What is too large for one commit is cut by the caller into several, the
//! cursor in the last: each leaves mirror and journal agreeing, so a crash between them costs only a
//! repeated read at the provider.

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::CollectionId;
use tidings_core::limits;

use crate::app::bits;
use crate::sql::{Row, Sql, values};
use crate::writer::Tx;
use crate::{Result, Store, journal};

/// A stored collection.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Store key.
    pub collection_no: i64,
    /// Its id.
    pub id: CollectionId,
    /// The account's store key.
    pub account_no: i64,
    /// The provider's id.
    pub external_id: String,
    /// Display name.
    pub name: Option<String>,
    /// Colour, time zone … as a JSON object.
    pub details: String,
    /// Cheap version of the whole collection.
    pub ctag: Option<String>,
    /// The provider's cursor.
    pub sync_token: Option<String>,
    /// Whether the silent first sync is complete.
    pub baseline_done: bool,
    /// Why it is not watched, in plain words.
    pub error: Option<String>,
    /// When it was last compared with its provider.
    pub synced_at: Option<Timestamp>,
}

/// A mirrored item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its key in the collection.
    pub key: String,
    /// What the provider lists; one resource may hold several items.
    pub resource: String,
    /// The provider's version of the resource.
    pub etag: String,
    /// Hash of the visible content.
    pub version: Vec<u8>,
    /// The series it is an exception of.
    pub series: Option<String>,
    /// Which occurrence of the series it replaces.
    pub recurrence_id: Option<String>,
    /// The normalised content, JSON.
    pub body: Vec<u8>,
}

/// A write to a collection.
#[derive(Clone, Debug)]
pub enum CollectionWrite {
    /// It appeared. `announce` gets the new store key as its subject.
    Create {
        /// Its new id.
        id: CollectionId,
        /// The provider's id.
        external_id: String,
        /// Display name.
        name: Option<String>,
        /// Colour, time zone … as a JSON object.
        details: String,
        /// The change to append, unless the account's baseline is not done yet.
        announce: Option<Box<NewChange>>,
    },
    /// It is described anew.
    Describe {
        /// Store key.
        collection_no: i64,
        /// Display name.
        name: Option<String>,
        /// Colour, time zone … as a JSON object.
        details: String,
    },
    /// It was compared with its provider up to this cursor; its baseline is done.
    Synced {
        /// Store key.
        collection_no: i64,
        /// Cheap version of the whole collection.
        ctag: Option<String>,
        /// The provider's cursor.
        sync_token: Option<String>,
    },
    /// It could not be compared.
    Failed {
        /// Store key.
        collection_no: i64,
        /// Why, in plain words.
        error: String,
    },
    /// It disappeared. Its items are erased afterwards by [`Store::erase_collections_step`].
    Delete {
        /// Store key.
        collection_no: i64,
    },
}

/// A write to an item.
#[derive(Clone, Debug)]
pub enum ItemWrite {
    /// It is new or changed.
    Put(Item),
    /// Only the resource's version moved; the content is the same.
    Touch {
        /// The resource.
        resource: String,
        /// The provider's new version of it.
        etag: String,
    },
    /// It is gone.
    Remove {
        /// Its key.
        key: String,
    },
}

/// Rows of the mirror, provider cursors and changes that belong together.
#[derive(Clone, Debug)]
pub struct MirrorCommit {
    /// The app's store key.
    pub app_no: i64,
    /// The account's store key.
    pub account_no: i64,
    /// Writes to collections.
    pub collections: Vec<CollectionWrite>,
    /// Writes to items: `(collection_no, write)`.
    pub items: Vec<(i64, ItemWrite)>,
    /// Changes to append.
    pub changes: Vec<NewChange>,
}

impl MirrorCommit {
    /// An empty commit for an account.
    pub fn new(app_no: i64, account_no: i64) -> Self {
        Self { app_no, account_no, collections: Vec::new(), items: Vec::new(), changes: Vec::new() }
    }

    /// About how many rows it writes.
    pub fn rows(&self) -> usize {
        3 * self.collections.len() + self.items.len() + 2 * self.changes.len()
    }
}

const COLLECTION: &str = "SELECT collection_no, id, account_no, external_id, name, details, ctag,
    sync_token, baseline_done, error, synced_at FROM collection WHERE deleted_at IS NULL";

fn collection_from_row(row: &Row<'_>) -> Result<Collection> {
    Ok(Collection {
        collection_no: row.get(0)?,
        id: CollectionId(bits(row, 1)?),
        account_no: row.get(2)?,
        external_id: row.get(3)?,
        name: row.get(4)?,
        details: row.get(5)?,
        ctag: row.get(6)?,
        sync_token: row.get(7)?,
        baseline_done: row.get(8)?,
        error: row.get(9)?,
        synced_at: row.get::<Option<i64>>(10)?.map(Timestamp),
    })
}

fn item_from_row(row: &Row<'_>) -> Result<Item> {
    Ok(Item {
        key: row.get(0)?,
        resource: row.get(1)?,
        etag: row.get(2)?,
        version: row.get(3)?,
        series: row.get(4)?,
        recurrence_id: row.get(5)?,
        body: row.get(6)?,
    })
}

impl Store {
    /// The collections of an account, in order of appearance.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn collections(&self, account_no: i64) -> Result<Vec<Collection>> {
        self.read(move |sql| {
            sql.rows(
                &format!("{COLLECTION} AND account_no = ?1 ORDER BY collection_no"),
                values![account_no],
                collection_from_row,
            )
        })
        .await
    }

    /// Resource and version of everything mirrored in a collection, by resource: `(resource, etag)`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn resource_etags(&self, collection_no: i64) -> Result<Vec<(String, String)>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT DISTINCT resource, etag FROM item WHERE collection_no = ?1 ORDER BY resource",
                values![collection_no],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
        .await
    }

    /// The mirrored items of some resources of a collection.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn items_of(&self, collection_no: i64, resources: Vec<String>) -> Result<Vec<Item>> {
        self.read(move |sql| {
            let mut items = Vec::new();
            for resource in resources {
                items.extend(sql.rows(
                    "SELECT item_key, resource, etag, version, series, recurrence_id, body FROM item
                     WHERE collection_no = ?1 AND resource = ?2 ORDER BY item_key",
                    values![collection_no, resource],
                    item_from_row,
                )?);
            }
            Ok(items)
        })
        .await
    }

    /// Writes mirror, provider cursors and changes in one transaction. Does nothing but answer `false`
    /// when the account was deleted meanwhile.
    ///
    /// # Errors
    /// When the store cannot write; nothing of it is written then.
    pub async fn commit_mirror(&self, commit: MirrorCommit, now: Timestamp) -> Result<bool> {
        self.write(commit.rows(), move |tx| {
            let alive = tx.sql.row(
                "SELECT 1 FROM account WHERE account_no = ?1 AND status <> 'deleted'",
                values![commit.account_no],
                |_| Ok(()),
            )?;
            if alive.is_some() {
                apply(tx, commit, now)?;
            }
            Ok(alive.is_some())
        })
        .await
    }

    /// Erases some items of an account's deleted collections in one bounded commit; `false` once none
    /// is left.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn erase_collections_step(&self, account_no: i64) -> Result<bool> {
        let left = self
            .read(move |sql| {
                sql.row(
                    "SELECT 1 FROM collection c JOIN item i USING (collection_no)
                     WHERE c.account_no = ?1 AND c.deleted_at IS NOT NULL LIMIT 1",
                    values![account_no],
                    |_| Ok(()),
                )
            })
            .await?;
        if left.is_none() {
            return Ok(false);
        }
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            let erased = tx.sql.run(
                "DELETE FROM item WHERE (collection_no, item_key) IN
                   (SELECT i.collection_no, i.item_key FROM collection c JOIN item i USING (collection_no)
                    WHERE c.account_no = ?1 AND c.deleted_at IS NOT NULL LIMIT ?2)",
                values![account_no, limits::COMMIT_ROWS_MAX],
            )?;
            Ok(erased == limits::COMMIT_ROWS_MAX as u64)
        })
        .await
    }
}

fn apply(tx: &mut Tx<'_>, commit: MirrorCommit, now: Timestamp) -> Result<()> {
    let mut changes = Vec::new();
    for write in commit.collections {
        if let Some(change) =
            write_collection(&tx.sql, commit.app_no, commit.account_no, write, now)?
        {
            changes.push(change);
        }
    }
    for (collection_no, write) in &commit.items {
        write_item(&tx.sql, *collection_no, write)?;
    }
    changes.extend(commit.changes);
    if changes.is_empty() {
        return Ok(());
    }
    tx.sql.run(
        "UPDATE account SET last_change_at = ?2 WHERE account_no = ?1",
        values![commit.account_no, now.0],
    )?;
    journal::append(tx, commit.app_no, changes, now)?;
    Ok(())
}

fn write_collection(
    sql: &Sql<'_>,
    app_no: i64,
    account_no: i64,
    write: CollectionWrite,
    now: Timestamp,
) -> Result<Option<NewChange>> {
    match write {
        CollectionWrite::Create { id, external_id, name, details, announce } => {
            let collection_no = sql.row(
                "INSERT INTO collection (id, app_no, account_no, external_id, name, details, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING collection_no",
                values![id.0.to_bytes(), app_no, account_no, external_id, name, details, now.0],
                |row| row.get(0),
            )?;
            return Ok(announce.map(|mut change| {
                change.subject.collection_no = collection_no;
                *change
            }));
        }
        CollectionWrite::Describe { collection_no, name, details } => {
            sql.run(
                "UPDATE collection SET name = ?2, details = ?3 WHERE collection_no = ?1",
                values![collection_no, name, details],
            )?;
        }
        CollectionWrite::Synced { collection_no, ctag, sync_token } => {
            sql.run(
                "UPDATE collection SET ctag = ?2, sync_token = ?3, baseline_done = 1, error = NULL,
                   synced_at = ?4 WHERE collection_no = ?1",
                values![collection_no, ctag, sync_token, now.0],
            )?;
        }
        CollectionWrite::Failed { collection_no, error } => {
            sql.run(
                "UPDATE collection SET error = ?2 WHERE collection_no = ?1",
                values![collection_no, error],
            )?;
        }
        CollectionWrite::Delete { collection_no } => {
            sql.run(
                "UPDATE collection SET deleted_at = ?2 WHERE collection_no = ?1",
                values![collection_no, now.0],
            )?;
        }
    }
    Ok(None)
}

fn write_item(sql: &Sql<'_>, collection_no: i64, write: &ItemWrite) -> Result<()> {
    match write {
        ItemWrite::Put(item) => sql.run(
            "INSERT INTO item (collection_no, item_key, resource, etag, version, series,
               recurrence_id, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (collection_no, item_key) DO UPDATE SET resource = excluded.resource,
               etag = excluded.etag, version = excluded.version, series = excluded.series,
               recurrence_id = excluded.recurrence_id, body = excluded.body",
            values![
                collection_no,
                &item.key,
                &item.resource,
                &item.etag,
                &item.version,
                &item.series,
                &item.recurrence_id,
                &item.body
            ],
        )?,
        ItemWrite::Touch { resource, etag } => sql.run(
            "UPDATE item SET etag = ?3 WHERE collection_no = ?1 AND resource = ?2",
            values![collection_no, resource, etag],
        )?,
        ItemWrite::Remove { key } => sql.run(
            "DELETE FROM item WHERE collection_no = ?1 AND item_key = ?2",
            values![collection_no, key],
        )?,
    };
    Ok(())
}
