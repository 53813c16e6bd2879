//! Appending: the only writer of the journal.
//!
//! Appends that wait together become one: the counters of their apps move once, in the order of apps, and
//! `seq` follows the order in which they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_core::change::{Change, NewChange};
use tidings_core::clock::Timestamp;
use tidings_core::fault;

use super::Appended;
use crate::sql::{Engine, Sql, Value, values};
use crate::writer::Tx;
use crate::{Committed, Error, Result};

/// Changes to append to one app's journal. They have no `seq` yet.
#[derive(Debug)]
pub(crate) struct Append {
    app_no: i64,
    changes: Vec<Change>,
}

impl Append {
    pub(crate) fn new(app_no: i64, changes: Vec<NewChange>, now: Timestamp) -> Self {
        let number = |new| Change { seq: 0, recorded_at: now, new };
        Self { app_no, changes: changes.into_iter().map(number).collect() }
    }

    /// About how many rows it writes.
    pub(crate) fn rows(&self) -> usize {
        2 * self.changes.len() + 1
    }

    /// What its bodies weigh.
    fn bytes(&self) -> u64 {
        self.changes.iter().map(|change| change.new.body.len() as u64).sum()
    }
}

/// Appends to the journal of an app, inside the job's transaction.
///
/// # Errors
/// Not found when the app does not exist; conflict when an id is already in its journal.
pub(crate) fn append(
    tx: &mut Tx<'_>,
    app_no: i64,
    changes: Vec<NewChange>,
    now: Timestamp,
) -> Result<Arc<Appended>> {
    append_one(tx, Append::new(app_no, changes, now))
}

/// As [`append`] for what a verb announces, which may be nothing; without an app it is nothing.
pub(crate) fn append_for(
    tx: &mut Tx<'_>,
    app_no: Option<i64>,
    changes: Vec<NewChange>,
    now: Timestamp,
) -> Result<()> {
    match app_no {
        Some(app_no) if !changes.is_empty() => append(tx, app_no, changes, now).map(drop),
        _ => Ok(()),
    }
}

/// As [`append`].
pub(crate) fn append_one(tx: &mut Tx<'_>, mut append: Append) -> Result<Arc<Appended>> {
    let done = append_all(tx, std::slice::from_mut(&mut append))?.pop();
    done.unwrap_or(Err(Error::failed()))
}

/// Appends for several; answers each of them, not found when its app does not exist.
///
/// # Errors
/// Conflict when an id is already in its journal: then nothing of all may be kept, and each can be tried
/// alone, for `appends` still holds them.
pub(crate) fn append_all(
    tx: &mut Tx<'_>,
    appends: &mut [Append],
) -> Result<Vec<Result<Arc<Appended>>>> {
    let ends = match tx.sql.engine() {
        Engine::Sqlite => insert_rows(&tx.sql, appends)?,
        Engine::Postgres => insert_columns(&tx.sql, appends)?,
    };
    let mut answers = Vec::with_capacity(appends.len());
    // One announcement an app, however many appended to it: each wakes every listener.
    let mut all: BTreeMap<i64, Vec<Arc<Change>>> = BTreeMap::new();
    for append in appends {
        let app_no = append.app_no;
        if !ends.contains_key(&app_no) {
            answers.push(Err(Error::not_found("app")));
            continue;
        }
        let changes: Vec<_> = append.changes.drain(..).map(Arc::new).collect();
        all.entry(app_no).or_default().extend(changes.iter().cloned());
        answers.push(Ok(Arc::new(Appended { app_no, changes })));
    }
    all.retain(|_, changes| !changes.is_empty());
    let appended = all.into_iter().map(|(app_no, changes)| Appended { app_no, changes });
    tx.announce.extend(appended.map(|appended| Committed::Appended(Arc::new(appended))));
    Ok(answers)
}

/// Numbers the changes of each app, which had `before` until now.
fn number(appends: &mut [Append], before: &BTreeMap<i64, u64>) {
    let mut last = before.clone();
    for append in appends {
        let Some(last) = last.get_mut(&append.app_no) else { continue };
        for change in &mut append.changes {
            *last += 1;
            change.seq = *last;
        }
    }
}

/// Moves the counters, then inserts row by row; answers where each existing app stood before.
fn insert_rows(sql: &Sql<'_>, appends: &mut [Append]) -> Result<BTreeMap<i64, u64>> {
    let mut counts: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for append in &*appends {
        let (count, bytes) = counts.entry(append.app_no).or_default();
        *count += append.changes.len() as u64;
        *bytes += append.bytes();
    }
    let mut before = BTreeMap::new();
    for (app_no, (count, bytes)) in counts {
        let moved: Option<u64> = sql.row(
            "UPDATE app SET seq = seq + ?2, journal_bytes = journal_bytes + ?3
             WHERE app_no = ?1 AND deleted_at IS NULL RETURNING seq",
            values![app_no, count, bytes],
            |row| row.get(0),
        )?;
        before.extend(moved.map(|seq| (app_no, seq - count)));
    }
    number(appends, &before);
    fault::point("journal.counted");
    for append in appends.iter().filter(|append| before.contains_key(&append.app_no)) {
        for change in &append.changes {
            insert(sql, append.app_no, change)?;
        }
    }
    fault::point("journal.appended");
    Ok(before)
}

fn insert(sql: &Sql<'_>, app_no: i64, change: &Change) -> Result<()> {
    let Change { seq, recorded_at, new } = change;
    let subject = &new.subject;
    sql.run(
        "INSERT INTO change (app_no, seq, id, type, user_no, account_no, collection_no, provider, item,
           hook_no, order_key, occurred_at, recorded_at, origin, actor, traceparent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        values![
            app_no,
            seq,
            new.id.0.to_bytes(),
            &new.kind,
            subject.user_no,
            subject.account_no,
            subject.collection_no,
            &subject.provider,
            &subject.item,
            subject.hook_no,
            &new.order_key,
            new.occurred_at.0,
            recorded_at.0,
            new.origin.as_str(),
            &new.actor,
            &new.traceparent,
        ],
    )?;
    sql.run(
        "INSERT INTO change_body (app_no, seq, body) VALUES (?1, ?2, ?3)",
        values![app_no, seq, new.body.as_ref()],
    )?;
    Ok(())
}

/// Moves the counters and inserts everything in one statement, so that an append is one round trip and the
/// counters are locked for as short as can be.
const COLUMNS: &str = "
  WITH wanted AS (SELECT app_no, n, bytes FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]),
      CAST(?20 AS BIGINT[])) AS w (app_no, n, bytes)),
  locked AS (SELECT a.app_no, w.n, w.bytes FROM app a JOIN wanted w ON w.app_no = a.app_no
      WHERE a.deleted_at IS NULL ORDER BY a.app_no FOR NO KEY UPDATE OF a),
  moved AS (UPDATE app SET seq = app.seq + locked.n, journal_bytes = app.journal_bytes + locked.bytes
      FROM locked WHERE app.app_no = locked.app_no
      RETURNING app.app_no, app.seq - locked.n AS before),
  new AS (SELECT moved.before + c.place AS seq, c.* FROM unnest(CAST(?3 AS BIGINT[]), CAST(?4 AS BIGINT[]),
      CAST(?5 AS BYTEA[]), CAST(?6 AS TEXT[]), CAST(?7 AS BIGINT[]), CAST(?8 AS BIGINT[]),
      CAST(?9 AS BIGINT[]), CAST(?10 AS TEXT[]), CAST(?11 AS TEXT[]), CAST(?12 AS BIGINT[]),
      CAST(?13 AS TEXT[]), CAST(?14 AS BIGINT[]), CAST(?15 AS BIGINT[]), CAST(?16 AS TEXT[]),
      CAST(?17 AS TEXT[]), CAST(?18 AS TEXT[]), CAST(?19 AS BYTEA[]))
      AS c (app_no, place, id, type, user_no, account_no, collection_no, provider, item, hook_no,
        order_key, occurred_at, recorded_at, origin, actor, traceparent, body)
      JOIN moved ON moved.app_no = c.app_no),
  changes AS (INSERT INTO change (app_no, seq, id, type, user_no, account_no, collection_no, provider,
      item, hook_no, order_key, occurred_at, recorded_at, origin, actor, traceparent)
    SELECT app_no, seq, id, type, user_no, account_no, collection_no, provider, item, hook_no,
      order_key, occurred_at, recorded_at, origin, actor, traceparent FROM new),
  bodies AS (INSERT INTO change_body (app_no, seq, body) SELECT app_no, seq, body FROM new)
  SELECT app_no, before FROM moved";

fn insert_columns(sql: &Sql<'_>, appends: &mut [Append]) -> Result<BTreeMap<i64, u64>> {
    let mut places: BTreeMap<i64, i64> = BTreeMap::new();
    let mut bytes: BTreeMap<i64, u64> = BTreeMap::new();
    let mut rows: Vec<(i64, i64, &Change)> = Vec::new();
    for append in &*appends {
        *bytes.entry(append.app_no).or_default() += append.bytes();
        let place = places.entry(append.app_no).or_default();
        for change in &append.changes {
            *place += 1;
            rows.push((append.app_no, *place, change));
        }
    }
    let ids: Vec<_> = rows.iter().map(|(_, _, change)| change.new.id.0.to_bytes()).collect();
    let found = sql.rows(
        COLUMNS,
        &[
            Value::ints(places.keys()),
            Value::ints(places.values()),
            Value::ints(rows.iter().map(|(app_no, _, _)| *app_no)),
            Value::ints(rows.iter().map(|(_, place, _)| *place)),
            Value::Blobs(ids.iter().map(|id| Some(&id[..])).collect()),
            texts(&rows, |new| Some(&new.kind)),
            ints(&rows, |new| new.subject.user_no),
            ints(&rows, |new| new.subject.account_no),
            ints(&rows, |new| new.subject.collection_no),
            texts(&rows, |new| new.subject.provider.as_deref()),
            texts(&rows, |new| new.subject.item.as_deref()),
            ints(&rows, |new| new.subject.hook_no),
            texts(&rows, |new| new.order_key.as_deref()),
            ints(&rows, |new| Some(new.occurred_at.0)),
            Value::ints(rows.iter().map(|(_, _, change)| change.recorded_at.0)),
            texts(&rows, |new| Some(new.origin.as_str())),
            texts(&rows, |new| new.actor.as_deref()),
            texts(&rows, |new| new.traceparent.as_deref()),
            Value::Blobs(rows.iter().map(|(_, _, change)| Some(&change.new.body[..])).collect()),
            Value::ints(bytes.values()),
        ],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let before = found.into_iter().collect();
    number(appends, &before);
    // One statement moved the counters and inserted.
    fault::point("journal.counted");
    fault::point("journal.appended");
    Ok(before)
}

type Numbered<'a> = (i64, i64, &'a Change);

fn ints(rows: &[Numbered<'_>], of: impl Fn(&NewChange) -> Option<i64>) -> Value<'static> {
    Value::Ints(rows.iter().map(|(_, _, change)| of(&change.new)).collect())
}

fn texts<'a>(rows: &[Numbered<'a>], of: impl Fn(&'a NewChange) -> Option<&'a str>) -> Value<'a> {
    Value::Texts(rows.iter().map(|(_, _, change)| of(&change.new)).collect())
}
