//! Writing records that are seen at once.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;

use super::{
    Expect, Place, Record, RecordChange, RecordPut, RecordWrite, State, Stored, announce,
    keep_place, newest, place, put, state,
};
use crate::sql::Sql;
use crate::{Error, Result, Store};

/// What is kept with a tombstone when nothing is given.
pub(super) const NOTHING: Bytes = Bytes::from_static(b"{}");

impl Store {
    /// Writes records and appends what they amount to in one commit: all or nothing. Answers each as it is
    /// then.
    ///
    /// # Errors
    /// Not found (the account, a record to delete); conflict or stale when a record is not as expected.
    pub async fn write_records(
        &self,
        account_no: i64,
        writes: Vec<RecordWrite>,
        changes: Vec<RecordChange>,
        ids: Ids,
        now: Timestamp,
    ) -> Result<Vec<Record>> {
        self.write(3 * writes.len() + 2 * changes.len() + 2, move |tx| {
            let state = state(&tx.sql, account_no)?;
            let mut places: BTreeMap<String, Place> = BTreeMap::new();
            let mut records = Vec::with_capacity(writes.len());
            for write in writes {
                let name = write.collection().to_owned();
                let place = match places.remove(&name) {
                    Some(place) => place,
                    None => place(&tx.sql, account_no, &name, &ids, now)?,
                };
                let place = places.entry(name).or_insert(place);
                records.push(write_one(&tx.sql, state, place, write, now)?);
            }
            for place in places.values() {
                keep_place(&tx.sql, place)?;
            }
            announce(tx, state.app_no, account_no, changes, now)?;
            Ok(records)
        })
        .await
    }
}

fn write_one(
    sql: &Sql<'_>,
    state: State,
    place: &mut Place,
    write: RecordWrite,
    now: Timestamp,
) -> Result<Record> {
    match write {
        RecordWrite::Put(new, expect) => {
            let current = newest(sql, place, &new.key, state.visible)?;
            check(current.as_ref(), expect)?;
            let hash = new.hash();
            match current {
                Some(current) if current.record.holds(&hash, &current.hash) => Ok(current.record),
                Some(current) => {
                    let changed = changed(current, new.starts_at, new.body, hash, None, now);
                    keep(sql, state, place, changed)
                }
                None => create(sql, state, place, new, hash, now),
            }
        }
        RecordWrite::Delete { key, expect, body, .. } => {
            let current = newest(sql, place, &key, state.visible)?;
            check(current.as_ref(), expect)?;
            let current = current.ok_or(Error::not_found("record"))?;
            if current.record.deleted_at.is_some() {
                return Ok(current.record);
            }
            let starts_at = current.record.starts_at;
            let gone =
                changed(current, starts_at, body.unwrap_or(NOTHING), [0; 32], Some(now), now);
            keep(sql, state, place, gone)
        }
    }
}

fn check(current: Option<&Stored>, expect: Expect) -> Result<()> {
    match (expect, current.map(|stored| &stored.record)) {
        (Expect::Any, _) | (Expect::Absent, None) => Ok(()),
        (Expect::Absent, Some(record)) if record.deleted_at.is_some() => Ok(()),
        (Expect::Absent, Some(_)) => Err(Error::conflict("record exists already")),
        (Expect::Version(version), Some(record)) if record.version == version => Ok(()),
        (Expect::Version(_), record) => Err(Error::stale_at(record.map(|record| record.version))),
    }
}

/// A row with new content and the next version.
fn changed(
    stored: Stored,
    starts_at: Option<i64>,
    body: Bytes,
    hash: [u8; 32],
    deleted_at: Option<Timestamp>,
    now: Timestamp,
) -> Stored {
    let version = stored.record.version + 1;
    let record = Record { version, starts_at, body, deleted_at, modified_at: now, ..stored.record };
    Stored { record, r#gen: stored.r#gen, hash }
}

fn create(
    sql: &Sql<'_>,
    state: State,
    place: &mut Place,
    new: RecordPut,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<Record> {
    // An open job may have given it its ordinal.
    let staged = match state.staging {
        Some(staging) => newest(sql, place, &new.key, staging)?,
        None => None,
    };
    let ordinal = staged.map_or(place.given + 1, |staged| staged.record.ordinal);
    place.given = place.given.max(ordinal);
    place.shown = place.shown.max(ordinal);
    keep(sql, state, place, first(place, new, hash, ordinal, state.visible, now))
}

/// The first row of a record.
fn first(
    place: &Place,
    new: RecordPut,
    hash: [u8; 32],
    ordinal: u64,
    r#gen: i64,
    now: Timestamp,
) -> Stored {
    let record = Record {
        collection: place.name.clone(),
        key: new.key,
        ordinal,
        version: 1,
        created_at: now,
        modified_at: now,
        starts_at: new.starts_at,
        deleted_at: None,
        body: new.body,
    };
    Stored { record, r#gen, hash }
}

/// Writes a row where readers see it, and where they will see it when the open job is done.
fn keep(sql: &Sql<'_>, state: State, place: &Place, mut stored: Stored) -> Result<Record> {
    put(sql, place.collection_no, &stored)?;
    if let Some(staging) = state.staging {
        stored.r#gen = staging;
        put(sql, place.collection_no, &stored)?;
    }
    Ok(stored.record)
}
