//! Old attempts: they go from the low end of the log, whose numbers grow with time.

use std::collections::HashMap;
use std::ops::ControlFlow;

use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_core::retention::Retention;

use super::own;
use crate::sql::{Sql, values};
use crate::{Result, Store};

impl Store {
    /// Removes old attempts among those numbered after `after`, in one bounded commit. Answers after which
    /// number to go on; `None` when what follows is too young for every app.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget_attempts(
        &self,
        after: i64,
        installation: Retention,
        now: Timestamp,
    ) -> Result<Option<i64>> {
        let page = self.read(move |sql| old_attempts(sql, after, &installation, now)).await?;
        if !page.runs.is_empty() {
            self.write(limits::RETENTION_COMMIT_CHANGES, move |tx| {
                for (first, last) in &page.runs {
                    tx.sql.run(
                        "DELETE FROM attempt WHERE attempt_no BETWEEN ?1 AND ?2",
                        values![first, last],
                    )?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(page.next)
    }
}

/// A look at the low end of the log.
#[derive(Debug, Default)]
struct Page {
    /// First and last number of old attempts that follow one another.
    runs: Vec<(i64, i64)>,
    next: Option<i64>,
}

fn old_attempts(
    sql: &Sql<'_>,
    after: i64,
    installation: &Retention,
    now: Timestamp,
) -> Result<Page> {
    let apps: HashMap<i64, Timestamp> = sql
        .rows("SELECT app_no, retention FROM app WHERE retention IS NOT NULL", values![], |row| {
            Ok((row.get(0)?, own(row, 1)?.within(installation).attempts_before(now)))
        })?
        .into_iter()
        .collect();
    let usual = installation.attempts_before(now);
    let youngest = apps.values().copied().max().unwrap_or(usual).max(usual);
    let (mut page, mut bytes, mut in_run) = (Page::default(), 0, false);
    sql.each(
        "SELECT t.attempt_no, t.started_at, h.app_no, coalesce(length(t.response_body), 0)
         FROM attempt t LEFT JOIN hook h ON h.hook_no = t.hook_no
         WHERE t.attempt_no > ?1 ORDER BY t.attempt_no LIMIT ?2",
        values![after, limits::RETENTION_COMMIT_CHANGES],
        |row| {
            let attempt_no: i64 = row.get(0)?;
            let started_at = Timestamp(row.get(1)?);
            if started_at >= youngest {
                page.next = None;
                return Ok(ControlFlow::Break(()));
            }
            let before = row.get::<Option<i64>>(2)?.and_then(|app_no| apps.get(&app_no));
            let old = started_at < *before.unwrap_or(&usual);
            match page.runs.last_mut() {
                Some((_, last)) if old && in_run => *last = attempt_no,
                _ if old => page.runs.push((attempt_no, attempt_no)),
                _ => {}
            }
            in_run = old;
            page.next = Some(attempt_no);
            bytes += row.get::<u64>(3)?;
            let more = bytes < limits::RETENTION_COMMIT_BYTES;
            Ok(if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        },
    )?;
    Ok(page)
}
