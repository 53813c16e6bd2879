//! Staging: what a job writes under its generation, many rows in few statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;
use tidings_core::limits;

use super::refresh::check_open;
use super::write::NOTHING;
use super::{OpenRefresh, Place, RecordPut, keep_place, place};
use crate::sql::{Engine, Row, Sql, Value, values};
use crate::{Error, Result, Store};

/// What staging a record amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// It is new, or was deleted.
    Created,
    /// It has other content now.
    Updated,
    /// It is as it was: nothing was staged.
    Same,
}

impl Store {
    /// Stages records of a job in one commit: at most [`limits::RECORD_COMMIT_ROWS`] of them. Answers the
    /// ordinal of each and what it amounts to.
    ///
    /// # Errors
    /// Conflict when the job is over; not found (the account).
    pub async fn stage_records(
        &self,
        open: OpenRefresh,
        puts: Vec<RecordPut>,
        ids: Ids,
        now: Timestamp,
    ) -> Result<Vec<(u64, Staged)>> {
        // The writer is others' too: what can be done before its turn is.
        let hashes: Vec<[u8; 32]> = puts.iter().map(RecordPut::hash).collect();
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            check_open(&tx.sql, open)?;
            let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for put in &puts {
                keys.entry(&put.collection).or_default().insert(&put.key);
            }
            let mut drafts: BTreeMap<&str, (Place, Draft<'_>)> = BTreeMap::new();
            for (name, keys) in keys {
                let place = place(&tx.sql, open.account_no, name, &ids, now)?;
                let draft = Draft::read(&tx.sql, &place, keys.into_iter().collect(), open)?;
                drafts.insert(name, (place, draft));
            }
            let mut staged = Vec::with_capacity(puts.len());
            for (put, hash) in puts.iter().zip(hashes) {
                let draft = drafts.get_mut(put.collection.as_str());
                let (place, draft) = draft.ok_or(Error::failed())?;
                staged.push(draft.put(place, put, hash, now));
            }
            for (place, draft) in drafts.values() {
                draft.write(&tx.sql, place, open)?;
                keep_place(&tx.sql, place)?;
            }
            Ok(staged)
        })
        .await
    }

    /// Stages the deletion of records, at most [`limits::RECORD_COMMIT_ROWS`]; answers of how many. Those that
    /// were written meanwhile stay.
    ///
    /// # Errors
    /// Conflict when the job is over.
    pub async fn stage_deletions(
        &self,
        open: OpenRefresh,
        collection: String,
        keys: Vec<String>,
        ids: Ids,
        now: Timestamp,
    ) -> Result<u64> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            check_open(&tx.sql, open)?;
            let place = place(&tx.sql, open.account_no, &collection, &ids, now)?;
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut draft = Draft::read(&tx.sql, &place, keys.clone(), open)?;
            let deleted = keys.into_iter().filter(|key| draft.delete(key, open, now)).count();
            draft.write(&tx.sql, &place, open)?;
            Ok(deleted as u64)
        })
        .await
    }
}

/// What the job would show of a record, but for a body that stays as it is.
#[derive(Clone, Copy)]
struct Line {
    ordinal: u64,
    version: u64,
    hash: [u8; 32],
    starts_at: Option<i64>,
    created_at: Timestamp,
    deleted_at: Option<Timestamp>,
    r#gen: i64,
}

/// The columns of a [`Line`], in the order that [`Line::from_row`] reads; the key comes first.
const LINE: &str =
    "r.item_key, r.ordinal, r.version, r.hash, r.starts_at, r.created_at, r.deleted_at, r.gen";

impl Line {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            ordinal: row.get(1)?,
            version: row.get(2)?,
            hash: row.get(3)?,
            starts_at: row.get(4)?,
            created_at: Timestamp(row.get(5)?),
            deleted_at: row.get::<Option<i64>>(6)?.map(Timestamp),
            r#gen: row.get(7)?,
        })
    }
}

/// Records of a collection as they become in one commit.
struct Draft<'p> {
    lines: HashMap<&'p str, Line>,
    /// What is written, by ordinal: rows that lie beside each other are written one after the other.
    written: BTreeMap<u64, (&'p str, Bytes)>,
}

impl<'p> Draft<'p> {
    /// As the job would show them now.
    fn read(sql: &Sql<'_>, place: &Place, keys: Vec<&'p str>, open: OpenRefresh) -> Result<Self> {
        let mut lines = HashMap::with_capacity(keys.len());
        match sql.engine() {
            Engine::Sqlite => {
                let text = newest_of("CAST(?2 AS TEXT)");
                for key in keys {
                    let values = values![place.collection_no, key, open.r#gen];
                    if let Some(line) = sql.row(&text, values, Line::from_row)? {
                        lines.insert(key, line);
                    }
                }
            }
            Engine::Postgres => {
                let text = format!(
                    "SELECT r.* FROM unnest(CAST(?2 AS TEXT[])) AS w (item_key)
                     CROSS JOIN LATERAL ({}) AS r",
                    newest_of("w.item_key")
                );
                let column = Value::Texts(keys.iter().copied().map(Some).collect());
                let values = [place.collection_no.into(), column, open.r#gen.into()];
                let found = sql.rows(&text, &values, |row| {
                    Ok((row.get::<String>(0)?, Line::from_row(row)?))
                })?;
                let mut found: HashMap<String, Line> = found.into_iter().collect();
                lines.extend(keys.into_iter().filter_map(|key| Some((key, found.remove(key)?))));
            }
        }
        Ok(Self { lines, written: BTreeMap::new() })
    }

    fn put(
        &mut self,
        place: &mut Place,
        new: &'p RecordPut,
        hash: [u8; 32],
        now: Timestamp,
    ) -> (u64, Staged) {
        let (line, what) = match self.lines.get(new.key.as_str()) {
            Some(line) if line.deleted_at.is_none() && line.hash == hash => {
                return (line.ordinal, Staged::Same);
            }
            Some(line) => {
                let created = line.deleted_at.is_some();
                let what = if created { Staged::Created } else { Staged::Updated };
                (Line { version: line.version + 1, ..*line }, what)
            }
            None => {
                place.given += 1;
                let line = Line {
                    ordinal: place.given,
                    version: 1,
                    hash,
                    starts_at: None,
                    created_at: now,
                    deleted_at: None,
                    r#gen: 0,
                };
                (line, Staged::Created)
            }
        };
        let line = Line { hash, starts_at: new.starts_at, deleted_at: None, ..line };
        self.lines.insert(&new.key, line);
        self.written.insert(line.ordinal, (&new.key, new.body.clone()));
        (line.ordinal, what)
    }

    /// Makes a record a tombstone, unless it is one or was written while the job was open.
    fn delete(&mut self, key: &'p str, open: OpenRefresh, now: Timestamp) -> bool {
        let Some(line) = self.lines.get_mut(key) else { return false };
        if line.r#gen == open.r#gen || line.deleted_at.is_some() {
            return false;
        }
        line.version += 1;
        line.hash = [0; 32];
        line.deleted_at = Some(now);
        self.written.insert(line.ordinal, (key, NOTHING));
        true
    }

    fn write(&self, sql: &Sql<'_>, place: &Place, open: OpenRefresh) -> Result<()> {
        let rows = self.written.values().map(|(key, body)| (*key, self.lines[key], body));
        let rows: Vec<(&str, Line, &Bytes)> = rows.collect();
        match sql.engine() {
            Engine::Sqlite => {
                let text = insert("VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
                for (key, line, body) in rows {
                    let values = values![
                        place.collection_no,
                        open.r#gen,
                        line.ordinal,
                        key,
                        line.version,
                        line.hash,
                        line.starts_at,
                        line.created_at.0,
                        line.deleted_at.map(|at| at.0),
                        body.as_ref(),
                    ];
                    sql.run(&text, values)?;
                }
            }
            Engine::Postgres if rows.is_empty() => {}
            Engine::Postgres => {
                let ints = |of: fn(&Line) -> Value<'static>| {
                    Value::ints(rows.iter().map(|(_, line, _)| of(line)))
                };
                let hashes = rows.iter().map(|(_, line, _)| Some(&line.hash[..]));
                let text = insert(
                    "SELECT CAST(?1 AS BIGINT), CAST(?2 AS BIGINT), w.* FROM unnest(CAST(?3 AS BIGINT[]),
                       CAST(?4 AS TEXT[]), CAST(?5 AS BIGINT[]), CAST(?6 AS BYTEA[]), CAST(?7 AS BIGINT[]),
                       CAST(?8 AS BIGINT[]), CAST(?9 AS BIGINT[]), CAST(?10 AS BYTEA[])) AS w",
                );
                let values = [
                    place.collection_no.into(),
                    open.r#gen.into(),
                    ints(|line| line.ordinal.into()),
                    Value::Texts(rows.iter().map(|(key, ..)| Some(*key)).collect()),
                    ints(|line| line.version.into()),
                    Value::Blobs(hashes.collect()),
                    ints(|line| line.starts_at.into()),
                    ints(|line| line.created_at.0.into()),
                    ints(|line| line.deleted_at.map(|at| at.0).into()),
                    Value::Blobs(rows.iter().map(|(.., body)| Some(&body[..])).collect()),
                ];
                sql.run(&text, &values)?;
            }
        }
        Ok(())
    }
}

/// The row of a key with the greatest generation up to ?3.
fn newest_of(key: &str) -> String {
    format!(
        "SELECT {LINE} FROM record r WHERE r.collection_no = ?1 AND r.item_key = {key} AND r.gen <= ?3
         ORDER BY r.gen DESC LIMIT 1"
    )
}

/// Writes staged rows, whether they are there or not: they have no time of modification of their own.
fn insert(rows: &str) -> String {
    format!(
        "INSERT INTO record (collection_no, gen, ordinal, item_key, version, hash, starts_at, created_at,
           deleted_at, body)
         {rows}
         ON CONFLICT (collection_no, ordinal, gen) DO UPDATE SET version = excluded.version,
           hash = excluded.hash, starts_at = excluded.starts_at, modified_at = NULL,
           deleted_at = excluded.deleted_at, body = excluded.body"
    )
}
