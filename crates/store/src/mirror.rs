//! The mirror: collections and items of accounts as last seen at their provider.
//!
//! A [`MirrorCommit`] writes rows of the mirror, the provider's new cursor and the changes they amount
//! to in one transaction. What is too large for one commit is cut by the caller into several, the
//! cursor in the last: each leaves mirror and journal agreeing, so a crash between them costs only a
//! repeated read at the provider. Deleting a collection has its subscriptions stopped.

mod read;
mod write;

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::CollectionId;
use tidings_core::limits;

use crate::app::bits;
use crate::sql::{Row, values};
use crate::{Result, Store};

pub(crate) use read::unwatched;

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
    /// Raised by every push and every wake-up.
    pub dirty_gen: i64,
    /// `dirty_gen` as the last pull read it before it began.
    pub synced_gen: i64,
    /// Why it is only polled, in plain words.
    pub watch_error: Option<String>,
    /// The window of time that its cursor stands for, where the provider has one: `[from, to)`.
    pub window: Option<(Timestamp, Timestamp)>,
}

impl Collection {
    /// Whether something was heard of it since the last pull began.
    pub fn is_dirty(&self) -> bool {
        self.dirty_gen > self.synced_gen
    }
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
    /// When it starts, a series its first occurrence, ms since the Unix epoch; absent: not known, and then
    /// it is in every range.
    pub starts_at: Option<i64>,
    /// When it ends, a series its last occurrence, ms since the Unix epoch; absent: never, as far as known.
    pub ends_at: Option<i64>,
    /// The normalised content, JSON.
    pub body: Vec<u8>,
}

/// What a mirrored item is known by, without its content; the members as those of [`Item`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemVersion {
    /// Its key in the collection.
    pub key: String,
    /// The provider's version.
    pub etag: String,
    /// Hash of the visible content.
    pub version: Vec<u8>,
    /// When it starts.
    pub starts_at: Option<i64>,
    /// When it ends.
    pub ends_at: Option<i64>,
}

/// A version that a write of our own replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// The calendar.
    pub collection_no: i64,
    /// The item.
    pub item_key: String,
    /// Its version before the write.
    pub etag: String,
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
        /// `dirty_gen` as the pull read it before it began; absent keeps what is stored.
        synced_gen: Option<i64>,
        /// The window that the cursor stands for; absent keeps what is stored.
        window: Option<(Timestamp, Timestamp)>,
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
    /// Versions that a write of our own replaced; remembered for [`limits::SUPERSEDED_TTL_MS`].
    pub superseded: Vec<Superseded>,
}

impl MirrorCommit {
    /// An empty commit for an account.
    pub fn new(app_no: i64, account_no: i64) -> Self {
        Self {
            app_no,
            account_no,
            collections: Vec::new(),
            items: Vec::new(),
            changes: Vec::new(),
            superseded: Vec::new(),
        }
    }

    /// About how many rows it writes.
    pub fn rows(&self) -> usize {
        3 * self.collections.len()
            + self.items.len()
            + 2 * self.changes.len()
            + self.superseded.len()
    }
}

const COLLECTION: &str = "SELECT collection_no, id, account_no, external_id, name, details, ctag,
    sync_token, baseline_done, error, synced_at, dirty_gen, synced_gen, watch_error, time_min, time_max
  FROM collection WHERE deleted_at IS NULL";

/// The columns of an item, as [`item_from_row`] reads them.
const ITEM: &str =
    "item_key, resource, etag, version, series, recurrence_id, body, starts_at, ends_at";

fn collection_from_row(row: &Row<'_>) -> Result<Collection> {
    let window = row.get::<Option<i64>>(14)?.zip(row.get::<Option<i64>>(15)?);
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
        dirty_gen: row.get(11)?,
        synced_gen: row.get(12)?,
        watch_error: row.get(13)?,
        window: window.map(|(from, to)| (Timestamp(from), Timestamp(to))),
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
        starts_at: row.get(7)?,
        ends_at: row.get(8)?,
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

    /// A collection by store key; `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn collection(&self, collection_no: i64) -> Result<Option<Collection>> {
        self.read(move |sql| {
            let text = format!("{COLLECTION} AND collection_no = ?1");
            sql.row(&text, values![collection_no], collection_from_row)
        })
        .await
    }

    /// A collection of an app by id; `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn collection_by_id(
        &self,
        app_no: i64,
        id: CollectionId,
    ) -> Result<Option<Collection>> {
        self.read(move |sql| {
            let text = format!("{COLLECTION} AND app_no = ?1 AND id = ?2");
            sql.row(&text, values![app_no, id.0.to_bytes()], collection_from_row)
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
                    &format!(
                        "SELECT {ITEM} FROM item
                         WHERE collection_no = ?1 AND resource = ?2 ORDER BY item_key"
                    ),
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
                write::apply(tx, commit, now)?;
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
