//! Counts for charts: attempts by hook and minute, and by app and minute.

mod overview;

use std::collections::BTreeMap;

use tidings_core::limits;
use tidings_core::tally::{BUCKETS, Tally};

pub use overview::{AccountTrouble, HookBacklog, HookTrouble, Owed, Syncing};

use crate::sql::{Engine, Row, Sql, Value, values};
use crate::{Result, Store};

/// The row of an app's sum: no hook has this store key.
const WHOLE_APP: i64 = 0;

/// Attempts of a hook in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookMinute {
    /// Store key of the app.
    pub app_no: i64,
    /// Store key of the hook.
    pub hook_no: i64,
    /// Minutes since 1970.
    pub minute: i64,
    /// What is to be added.
    pub tally: Tally,
}

const COLUMNS: &str =
    "app_no, hook_no, minute, delivered, failed, latency_us, le_5, le_10, le_25, le_50,
    le_100, le_250, le_500, le_1000, le_2500, le_5000, le_10000, longer";

const ADD: &str = "ON CONFLICT (app_no, hook_no, minute) DO UPDATE SET
    delivered = hook_minute.delivered + excluded.delivered, failed = hook_minute.failed + excluded.failed,
    latency_us = hook_minute.latency_us + excluded.latency_us,
    le_5 = hook_minute.le_5 + excluded.le_5, le_10 = hook_minute.le_10 + excluded.le_10,
    le_25 = hook_minute.le_25 + excluded.le_25, le_50 = hook_minute.le_50 + excluded.le_50,
    le_100 = hook_minute.le_100 + excluded.le_100, le_250 = hook_minute.le_250 + excluded.le_250,
    le_500 = hook_minute.le_500 + excluded.le_500, le_1000 = hook_minute.le_1000 + excluded.le_1000,
    le_2500 = hook_minute.le_2500 + excluded.le_2500, le_5000 = hook_minute.le_5000 + excluded.le_5000,
    le_10000 = hook_minute.le_10000 + excluded.le_10000, longer = hook_minute.longer + excluded.longer";

impl Store {
    /// Adds what was counted to hooks and to their apps, a bounded number of rows in a commit.
    ///
    /// # Errors
    /// When the store cannot write; a part may be written then.
    pub async fn add_minutes(&self, minutes: Vec<HookMinute>) -> Result<()> {
        let mut sums = BTreeMap::<(i64, i64, i64), Tally>::new();
        for HookMinute { app_no, hook_no, minute, tally } in minutes {
            for hook_no in [WHOLE_APP, hook_no] {
                sums.entry((app_no, hook_no, minute)).or_default().add(&tally);
            }
        }
        let rows: Vec<HookMinute> = sums
            .into_iter()
            .map(|((app_no, hook_no, minute), tally)| HookMinute { app_no, hook_no, minute, tally })
            .collect();
        for some in rows.chunks(limits::STATS_COMMIT_ROWS) {
            let some = some.to_vec();
            self.write(some.len(), move |tx| add(&tx.sql, &some)).await?;
        }
        Ok(())
    }

    /// What was counted of an app, or of one hook of it, from `minute` on: sums of `step` minutes, named by
    /// their number (minute / step), ascending. Those without an attempt are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tallies(
        &self,
        app_no: i64,
        hook_no: Option<i64>,
        minute: i64,
        step: i64,
    ) -> Result<Vec<(i64, Tally)>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT slot, CAST(sum(delivered) AS BIGINT), CAST(sum(failed) AS BIGINT),
                   CAST(sum(latency_us) AS BIGINT), CAST(sum(le_5) AS BIGINT),
                   CAST(sum(le_10) AS BIGINT), CAST(sum(le_25) AS BIGINT), CAST(sum(le_50) AS BIGINT),
                   CAST(sum(le_100) AS BIGINT), CAST(sum(le_250) AS BIGINT),
                   CAST(sum(le_500) AS BIGINT), CAST(sum(le_1000) AS BIGINT),
                   CAST(sum(le_2500) AS BIGINT), CAST(sum(le_5000) AS BIGINT),
                   CAST(sum(le_10000) AS BIGINT), CAST(sum(longer) AS BIGINT)
                 FROM (SELECT m.*, m.minute / ?4 AS slot FROM hook_minute m
                   WHERE app_no = ?1 AND hook_no = ?2 AND minute >= ?3) s
                 GROUP BY slot ORDER BY slot",
                values![app_no, hook_no.unwrap_or(WHOLE_APP), minute, step],
                |row| Ok((row.get(0)?, tally(row)?)),
            )
        })
        .await
    }

    /// Forgets what was counted before `minute`, a bounded number of rows; answers how many went.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn forget_minutes(&self, minute: i64) -> Result<u64> {
        self.write(limits::STATS_COMMIT_ROWS, move |tx| {
            tx.sql.run(
                "DELETE FROM hook_minute WHERE (app_no, hook_no, minute) IN
                   (SELECT app_no, hook_no, minute FROM hook_minute WHERE minute < ?1 LIMIT ?2)",
                values![minute, limits::STATS_COMMIT_ROWS],
            )
        })
        .await
    }
}

fn tally(row: &Row<'_>) -> Result<Tally> {
    let mut buckets = [0; BUCKETS];
    for (bucket, count) in buckets.iter_mut().enumerate() {
        *count = row.get(4 + bucket)?;
    }
    Ok(Tally { delivered: row.get(1)?, failed: row.get(2)?, latency_us: row.get(3)?, buckets })
}

/// Row by row what the embedded store does fastest, in one statement what PostgreSQL does.
fn add(sql: &Sql<'_>, rows: &[HookMinute]) -> Result<()> {
    match sql.engine() {
        Engine::Sqlite => {
            let text = format!(
                "INSERT INTO hook_minute ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                   ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) {ADD}"
            );
            for row in rows {
                sql.run(&text, &numbers(row).map(Value::from))?;
            }
        }
        Engine::Postgres => {
            let columns: Vec<Value<'_>> = (0..WIDTH)
                .map(|column| Value::ints(rows.iter().map(|row| numbers(row)[column])))
                .collect();
            let arrays: Vec<String> =
                (1..=WIDTH).map(|column| format!("CAST(?{column} AS BIGINT[])")).collect();
            let arrays = arrays.join(", ");
            let text =
                format!("INSERT INTO hook_minute ({COLUMNS}) SELECT * FROM unnest({arrays}) {ADD}");
            sql.run(&text, &columns)?;
        }
    }
    Ok(())
}

/// Columns of the table.
const WIDTH: usize = 6 + BUCKETS;

/// A row as it is written.
fn numbers(row: &HookMinute) -> [u64; WIDTH] {
    let Tally { delivered, failed, latency_us, buckets } = row.tally;
    let key = [row.app_no, row.hook_no, row.minute].map(i64::unsigned_abs);
    let mut numbers = [0; WIDTH];
    numbers[..3].copy_from_slice(&key);
    numbers[3..6].copy_from_slice(&[delivered, failed, latency_us]);
    numbers[6..].copy_from_slice(&buckets);
    numbers
}
