//! Records: the application's own data, in accounts of the provider `record`.
//!
//! A record account has named collections; a record in one has a key, and an ordinal that it keeps for ever.
//! What a bulk job writes lies under a generation of its own, which readers do not see until one small commit
//! makes it the visible one. A reader takes for each ordinal the row of the greatest generation that is not
//! above the visible one. A record written while a job is open is written into both generations, so the job
//! neither hides nor deletes it.

mod account;
mod read;
mod refresh;
mod stage;
mod sweep;
mod write;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::{CollectionId, Ids};
use tidings_core::limits;

use crate::sql::{Row, Sql, values};
use crate::writer::Tx;
use crate::{Error, Result, journal};

pub use account::{NewRecordAccount, RecordAccount};
pub use refresh::{Flip, OpenRefresh};
pub use stage::Staged;
pub(crate) use sweep::erase;

/// The provider of record accounts.
pub(crate) const PROVIDER: &str = "record";

/// A record: one document of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name of its collection.
    pub collection: String,
    /// Its key in the collection.
    pub key: String,
    /// Its place in the collection by first appearance: 1, 2, 3 …; kept for ever.
    pub ordinal: u64,
    /// 1, 2, 3 …: raised by every change of it.
    pub version: u64,
    /// When it first appeared.
    pub created_at: Timestamp,
    /// When it was last changed; by a bulk job, when that was shown.
    pub modified_at: Timestamp,
    /// When what it tells of begins, ms since the Unix epoch.
    pub starts_at: Option<i64>,
    /// When it was deleted: then it is a tombstone.
    pub deleted_at: Option<Timestamp>,
    /// A JSON object.
    pub body: Bytes,
}

impl Record {
    /// Whether it is there with this content.
    fn holds(&self, hash: &[u8; 32], stored: &[u8; 32]) -> bool {
        self.deleted_at.is_none() && hash == stored
    }
}

/// A record to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPut {
    /// Name of its collection.
    pub collection: String,
    /// Its key there.
    pub key: String,
    /// When what it tells of begins, ms since the Unix epoch.
    pub starts_at: Option<i64>,
    /// A JSON object.
    pub body: Bytes,
}

impl RecordPut {
    /// What tells whether its content is another one.
    fn hash(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update([u8::from(self.starts_at.is_some())]);
        digest.update(self.starts_at.unwrap_or_default().to_be_bytes());
        digest.update(&self.body);
        digest.finalize().into()
    }
}

/// In which state a record must be to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// In any.
    Any,
    /// Not there, or deleted.
    Absent,
    /// In this version.
    Version(u64),
}

/// A write to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordWrite {
    /// Creates it, replaces it, or brings a deleted one back. The same content changes nothing.
    Put(RecordPut, Expect),
    /// Makes it a tombstone. One that is deleted already stays as it is.
    Delete {
        /// Name of its collection.
        collection: String,
        /// Its key there.
        key: String,
        /// In which state it must be.
        expect: Expect,
        /// What is kept with the tombstone, a JSON object; nothing when absent.
        body: Option<Bytes>,
    },
}

impl RecordWrite {
    fn collection(&self) -> &str {
        match self {
            Self::Put(put, _) => &put.collection,
            Self::Delete { collection, .. } => collection,
        }
    }

    /// What it leaves in the record, if that is anything.
    pub fn body(&self) -> Option<&Bytes> {
        match self {
            Self::Put(put, _) => Some(&put.body),
            Self::Delete { body, .. } => body.as_ref(),
        }
    }
}

/// A change to append with a write, and the collection that it is about.
#[derive(Clone, Debug)]
pub struct RecordChange {
    /// The change; its subject has no collection yet.
    pub change: NewChange,
    /// Name of the collection.
    pub collection: Option<String>,
}

/// Which records to read, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordQuery {
    /// In which order.
    pub order: RecordOrder,
    /// Only those that begin at this time or later, ms since the Unix epoch.
    pub from: Option<i64>,
    /// Only those that begin before this time, ms since the Unix epoch.
    pub to: Option<i64>,
    /// Only those modified at this time or later.
    pub modified_since: Option<Timestamp>,
    /// Whether tombstones are wanted.
    pub deleted: Deleted,
    /// How many come before the page. By ordinal the page is `(skip, skip + limit]` whatever it leaves out,
    /// so pages are exact and cost the same wherever they are; in other orders it counts what is found.
    pub skip: u64,
    /// In order of the last change, only those after the record that was changed then and has this ordinal: so
    /// pages leave none out that is changed meanwhile, and cost the same wherever they are.
    pub after: Option<(Timestamp, u64)>,
    /// Most records: 1 to [`limits::RECORD_PAGE_MAX`].
    pub limit: u32,
}

impl RecordQuery {
    /// The `skip` of the page after `page`, which this query found, whether that was ended by its size or not.
    /// Absent: it was the last one; by ordinal nothing tells, other than the count of the collection.
    pub fn next_skip(&self, page: &[Record]) -> Option<u64> {
        let bytes: usize = page.iter().map(|record| record.body.len()).sum();
        let is_cut = bytes >= limits::RECORD_PAGE_BYTES_MAX;
        match (self.order, page.last()) {
            (RecordOrder::Ordinal, Some(last)) if is_cut => Some(last.ordinal),
            (RecordOrder::Ordinal, _) => Some(self.skip.saturating_add(self.limit.into())),
            _ if is_cut || page.len() >= self.limit as usize => Some(self.skip + page.len() as u64),
            _ => None,
        }
    }
}

impl Default for RecordQuery {
    fn default() -> Self {
        Self {
            order: RecordOrder::Ordinal,
            from: None,
            to: None,
            modified_since: None,
            deleted: Deleted::Without,
            skip: 0,
            after: None,
            limit: limits::PAGE_DEFAULT,
        }
    }
}

/// An order of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordOrder {
    /// By first appearance.
    Ordinal,
    /// By `starts_at`, the latest first; those without are left out.
    NewestFirst,
    /// By `starts_at`, the earliest first; those without are left out.
    OldestFirst,
    /// By the last change, the earliest first.
    Modified,
}

/// Whether tombstones are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// No.
    Without,
    /// Yes, too.
    With,
    /// Only they.
    Only,
}

/// How a record account stands while something is written.
#[derive(Clone, Copy, Debug)]
struct State {
    app_no: i64,
    visible: i64,
    staging: Option<i64>,
}

fn state(sql: &Sql<'_>, account_no: i64) -> Result<State> {
    let found = sql.row(
        "SELECT app_no, visible_gen, staging_gen FROM account
         WHERE account_no = ?1 AND provider = 'record' AND deleted_at IS NULL",
        values![account_no],
        |row| Ok(State { app_no: row.get(0)?, visible: row.get(1)?, staging: row.get(2)? }),
    )?;
    found.ok_or(Error::not_found("account"))
}

/// A collection while something is written to it.
#[derive(Clone, Debug)]
struct Place {
    collection_no: i64,
    name: String,
    given: u64,
    shown: u64,
}

/// A collection by name; made when it is not there.
fn place(sql: &Sql<'_>, account_no: i64, name: &str, ids: &Ids, now: Timestamp) -> Result<Place> {
    if let Some(place) = find_place(sql, account_no, name)? {
        return Ok(place);
    }
    let count: Option<usize> = sql.row(
        "SELECT count(*) FROM collection WHERE account_no = ?1 AND deleted_at IS NULL",
        values![account_no],
        |row| Ok(row.get::<u32>(0)? as usize),
    )?;
    if count >= Some(limits::ACCOUNT_COLLECTIONS_MAX) {
        return Err(Error::conflict("account has as many collections as it may have"));
    }
    sql.run(
        "INSERT INTO collection (id, app_no, account_no, external_id, name, baseline_done, created_at)
         VALUES (?1, (SELECT app_no FROM account WHERE account_no = ?2), ?2, ?3, ?3, 1, ?4)",
        values![CollectionId(ids.next(now)).0.to_bytes(), account_no, name, now.0],
    )?;
    find_place(sql, account_no, name)?.ok_or(Error::failed())
}

fn find_place(sql: &Sql<'_>, account_no: i64, name: &str) -> Result<Option<Place>> {
    sql.row(
        "SELECT collection_no, given_ordinal, shown_ordinal FROM collection
         WHERE account_no = ?1 AND external_id = ?2 AND deleted_at IS NULL",
        values![account_no, name],
        |row| {
            let name = name.to_owned();
            Ok(Place { collection_no: row.get(0)?, name, given: row.get(1)?, shown: row.get(2)? })
        },
    )
}

/// Writes back what was given and shown.
fn keep_place(sql: &Sql<'_>, place: &Place) -> Result<()> {
    sql.run(
        "UPDATE collection SET given_ordinal = ?2, shown_ordinal = ?3 WHERE collection_no = ?1",
        values![place.collection_no, place.given, place.shown],
    )?;
    Ok(())
}

/// A row as stored: the record, its generation and the hash of its content.
struct Stored {
    record: Record,
    r#gen: i64,
    hash: [u8; 32],
}

/// The columns of a [`Stored`], in the order that [`from_row`] reads.
const COLUMNS: &str = "r.item_key, r.ordinal, r.version, r.created_at,
    coalesce(r.modified_at, (SELECT s.shown_at FROM record_shown s
      WHERE s.collection_no = r.collection_no AND s.gen = r.gen), r.created_at) AS changed_at,
    r.starts_at, r.deleted_at, r.body, r.gen, r.hash";

fn from_row(row: &Row<'_>, collection: &str) -> Result<Stored> {
    let record = Record {
        collection: collection.to_owned(),
        key: row.get(0)?,
        ordinal: row.get(1)?,
        version: row.get(2)?,
        created_at: Timestamp(row.get(3)?),
        modified_at: Timestamp(row.get(4)?),
        starts_at: row.get(5)?,
        deleted_at: row.get::<Option<i64>>(6)?.map(Timestamp),
        body: row.get::<Vec<u8>>(7)?.into(),
    };
    Ok(Stored { record, r#gen: row.get(8)?, hash: row.get(9)? })
}

/// The row of a key with the greatest generation up to one.
fn newest(sql: &Sql<'_>, place: &Place, key: &str, up_to: i64) -> Result<Option<Stored>> {
    sql.row(
        &format!(
            "SELECT {COLUMNS} FROM record r
             WHERE r.collection_no = ?1 AND r.item_key = ?2 AND r.gen <= ?3 ORDER BY r.gen DESC LIMIT 1"
        ),
        values![place.collection_no, key, up_to],
        |row| from_row(row, &place.name),
    )
}

/// Writes a row that readers see at once, whether it is there or not.
fn put(sql: &Sql<'_>, collection_no: i64, stored: &Stored) -> Result<()> {
    let Stored { record, r#gen, hash } = stored;
    sql.run(
        "INSERT INTO record (collection_no, ordinal, gen, item_key, version, hash, starts_at, created_at,
           modified_at, deleted_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (collection_no, ordinal, gen) DO UPDATE SET version = excluded.version,
           hash = excluded.hash, starts_at = excluded.starts_at, modified_at = excluded.modified_at,
           deleted_at = excluded.deleted_at, body = excluded.body",
        values![
            collection_no,
            record.ordinal,
            r#gen,
            &record.key,
            record.version,
            hash,
            record.starts_at,
            record.created_at.0,
            record.modified_at.0,
            record.deleted_at.map(|at| at.0),
            record.body.as_ref(),
        ],
    )?;
    Ok(())
}

/// Appends what a write announces.
fn announce(
    tx: &mut Tx<'_>,
    app_no: i64,
    account_no: i64,
    changes: Vec<RecordChange>,
    now: Timestamp,
) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut told = Vec::with_capacity(changes.len());
    for RecordChange { mut change, collection } in changes {
        if let Some(name) = collection {
            let place = find_place(&tx.sql, account_no, &name)?;
            change.subject.collection_no = place.map(|place| place.collection_no);
        }
        change.subject.account_no = Some(account_no);
        told.push(change);
    }
    tx.sql.run(
        "UPDATE account SET last_change_at = ?2 WHERE account_no = ?1",
        values![account_no, now.0],
    )?;
    journal::append(tx, app_no, told, now).map(drop)
}
