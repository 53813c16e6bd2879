//! Retention: what is old goes, in bounded commits, and no change goes in silence.
//!
//! A pass over an app's journal has a goal, the last change to go. First every hook that still waits for
//! something up to there is passed over it, which is noted and told ([`gap`]); then the journal is trimmed
//! from its old end ([`trim`]), and what became of the trimmed changes is added to each hook's sums.

mod attempts;
mod gap;
mod trim;

use std::ops::ControlFlow;

use tidings_core::clock::Timestamp;
use tidings_core::id::AppId;
use tidings_core::limits;
use tidings_core::retention::{AppRetention, Retention};

pub use gap::Gap;
pub use trim::Trimmed;

use crate::app::bits;
use crate::sql::{Row, Sql, values};
use crate::{Error, Result, Store};

/// An app, deleted or not, as the retention sees it.
#[derive(Clone, Debug)]
pub struct KeptApp {
    /// Store key.
    pub app_no: i64,
    /// Its id.
    pub id: AppId,
    /// What it keeps, where it says so itself.
    pub own: AppRetention,
}

/// How an app's journal stands.
struct Journal {
    floor_seq: u64,
    /// The last change that every hook was matched with.
    matched_seq: u64,
    seq: u64,
    body_bytes: u64,
}

impl Journal {
    fn bytes(&self) -> u64 {
        self.body_bytes + limits::CHANGE_BYTES * (self.seq - self.floor_seq)
    }
}

/// Reads the JSON of the column `app.retention`.
pub(crate) fn own(row: &Row<'_>, column: usize) -> Result<AppRetention> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default())
}

impl Store {
    /// Apps that hold changes, after store key `after`; deleted ones too, for what they hold grows old.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn kept_apps(&self, after: i64, limit: u32) -> Result<Vec<KeptApp>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT app_no, id, retention FROM app WHERE app_no > ?1 AND seq > floor_seq
                 ORDER BY app_no LIMIT ?2",
                values![after, limit],
                |row| {
                    Ok(KeptApp { app_no: row.get(0)?, id: AppId(bits(row, 1)?), own: own(row, 2)? })
                },
            )
        })
        .await
    }

    /// What an app that exists keeps, where it says so itself.
    ///
    /// # Errors
    /// Not found.
    pub async fn app_retention(&self, app_no: i64) -> Result<AppRetention> {
        self.read(move |sql| {
            let text = "SELECT retention FROM app WHERE app_no = ?1 AND deleted_at IS NULL";
            sql.row(text, values![app_no], |row| own(row, 0))?.ok_or(Error::not_found("app"))
        })
        .await
    }

    /// The last change of an app that is to go, if so many are that it is worth to begin: those too old,
    /// and the oldest while the journal is too large. Never one that was not matched with every hook.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn trim_goal(
        &self,
        app_no: i64,
        keep: Retention,
        now: Timestamp,
    ) -> Result<Option<u64>> {
        let old = keep.journal_before(now);
        let by_age = match self.is_worth_it(app_no, old).await? {
            true => self.last_seq_before(app_no, old).await?,
            false => 0,
        };
        let by_size = match keep.journal_bytes {
            Some(most) => {
                let kept = now.plus_ms(-limits::IDEMPOTENCY_TTL_MS);
                self.too_large(app_no, most).await?.min(self.last_seq_before(app_no, kept).await?)
            }
            None => 0,
        };
        self.read(move |sql| {
            let Some(journal) = journal(sql, app_no)? else { return Ok(None) };
            let goal = by_age.max(by_size).min(journal.matched_seq);
            Ok((goal > journal.floor_seq).then_some(goal))
        })
        .await
    }

    /// Whether an app's oldest change is so much older than `old` that trimming begins.
    async fn is_worth_it(&self, app_no: i64, old: Timestamp) -> Result<bool> {
        self.read(move |sql| {
            let oldest: Option<i64> = sql.row(
                "SELECT c.recorded_at FROM app a JOIN change c
                   ON c.app_no = a.app_no AND c.seq = a.floor_seq + 1 WHERE a.app_no = ?1",
                values![app_no],
                |row| row.get(0),
            )?;
            Ok(oldest.is_some_and(|at| at < old.plus_ms(-limits::RETENTION_SLACK_MS).0))
        })
        .await
    }

    /// The last of the oldest changes without which the journal is a tenth below `most` bytes; 0 when it is
    /// not too large.
    async fn too_large(&self, app_no: i64, most: u64) -> Result<u64> {
        self.read(move |sql| {
            let Some(journal) = journal(sql, app_no)? else { return Ok(0) };
            if journal.bytes() <= most {
                return Ok(0);
            }
            let excess = journal.bytes() - (most - most / 10);
            let (mut last, mut weighed) = (0, 0);
            weigh(sql, app_no, journal.floor_seq, limits::RETENTION_WEIGHED_MAX, |seq, bytes| {
                last = seq;
                weighed += bytes + limits::CHANGE_BYTES;
                weighed < excess
            })?;
            Ok(last)
        })
        .await
    }
}

fn journal(sql: &Sql<'_>, app_no: i64) -> Result<Option<Journal>> {
    // A deleted app has no hooks, and nobody matches it any more.
    sql.row(
        "SELECT a.floor_seq, CASE WHEN a.deleted_at IS NULL THEN coalesce(m.matched_seq, 0) ELSE a.seq END,
           a.seq, a.journal_bytes
         FROM app a LEFT JOIN matched m ON m.app_no = a.app_no AND m.shard = 0 WHERE a.app_no = ?1",
        values![app_no],
        |row| {
            let bytes: i64 = row.get(3)?;
            Ok(Journal {
                floor_seq: row.get(0)?,
                matched_seq: row.get(1)?,
                seq: row.get(2)?,
                body_bytes: bytes.max(0).unsigned_abs(),
            })
        },
    )
}

/// Tells `seq` and the bytes of the body of each change above `after`, until `go_on` says no.
fn weigh(
    sql: &Sql<'_>,
    app_no: i64,
    after: u64,
    limit: usize,
    mut go_on: impl FnMut(u64, u64) -> bool,
) -> Result<()> {
    sql.each(
        "SELECT c.seq, coalesce(length(b.body), 0) FROM change c
           LEFT JOIN change_body b ON b.app_no = c.app_no AND b.seq = c.seq
         WHERE c.app_no = ?1 AND c.seq > ?2 ORDER BY c.seq LIMIT ?3",
        values![app_no, after, limit],
        |row| {
            let more = go_on(row.get(0)?, row.get(1)?);
            Ok(if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        },
    )
}
