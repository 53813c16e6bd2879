//! How the whole installation stands: what an operator watches, in a few statements.

use tidings_core::clock::Timestamp;

use crate::sql::{Engine, Row, Sql, values};
use crate::{Result, Store};

/// How the whole installation stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Apps that are not deleted.
    pub apps: u64,
    /// Hooks by status: `active`, `paused`, `disabled`.
    pub hooks: Vec<(String, u64)>,
    /// Accounts by provider and status: `active`, `inactive`.
    pub accounts: Vec<(String, String, u64)>,
    /// Active accounts whose last pass met trouble.
    pub failing_accounts: u64,
    /// Deliveries that wait for a retry, or behind one.
    pub waiting: u64,
    /// Deliveries that were given up and are kept.
    pub exhausted: u64,
    /// Active hooks that have not been sent all that is for them; those with retries alone are not
    /// among them.
    pub hooks_behind: u64,
    /// When the oldest change was recorded that no hook was compared with yet. Our own lag: receivers have
    /// no part in it.
    pub unmatched_since: Option<Timestamp>,
    /// When the oldest change was recorded that an active hook has not been sent. A receiver that is down
    /// lets it age.
    pub owed_since: Option<Timestamp>,
    /// Size of the database, bytes; of the embedded store without its write-ahead log.
    pub store_bytes: u64,
}

const APPS: &str = "SELECT count(*) FROM app WHERE deleted_at IS NULL";
const HOOKS: &str = "SELECT status, count(*) FROM hook WHERE deleted_at IS NULL
  GROUP BY status ORDER BY status";
const ACCOUNTS: &str = "SELECT provider, status, count(*) FROM account WHERE deleted_at IS NULL
  GROUP BY provider, status ORDER BY provider, status";
const FAILING: &str = "SELECT count(*) FROM account WHERE deleted_at IS NULL AND status = 'active'
  AND failures > 0";
const WAITING: &str = "SELECT count(*) FROM parked WHERE due_at IS NOT NULL";
const PARKED: &str = "SELECT count(*) FROM parked";
const BEHIND: &str = "SELECT count(*) FROM cursor k JOIN hook h ON h.hook_no = k.hook_no
  WHERE k.cursor_no = 0 AND h.deleted_at IS NULL AND h.status = 'active'";
/// The first change above where an app is matched. What retention took away is owed to nobody. Apps that are
/// matched to their end, nearly all of them, cost no look into their journal.
const UNMATCHED: &str = "SELECT min(c.recorded_at) FROM app a
  LEFT JOIN matched m ON m.app_no = a.app_no AND m.shard = 0
  JOIN change c ON c.app_no = a.app_no AND c.seq = 1 + CASE
    WHEN coalesce(m.matched_seq, 0) < a.floor_seq THEN a.floor_seq ELSE coalesce(m.matched_seq, 0) END
  WHERE a.deleted_at IS NULL AND a.seq > coalesce(m.matched_seq, 0)";
/// The first change above where a lagging cursor stands.
const OWED: &str = "SELECT min(c.recorded_at) FROM cursor k
  JOIN hook h ON h.hook_no = k.hook_no AND h.deleted_at IS NULL AND h.status = 'active'
  JOIN app a ON a.app_no = h.app_no AND a.deleted_at IS NULL
  JOIN change c ON c.app_no = a.app_no AND c.seq = 1 + CASE
    WHEN k.settled_seq < a.floor_seq THEN a.floor_seq ELSE k.settled_seq END
  WHERE k.cursor_no = 0";

impl Store {
    /// How the installation stands. Counts a few tables: ask every few seconds at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn gauges(&self) -> Result<Gauges> {
        self.read(|sql| {
            let (waiting, parked) = (number(sql, WAITING)?, number(sql, PARKED)?);
            let unmatched_since = time(sql, UNMATCHED)?;
            let behind = time(sql, OWED)?;
            Ok(Gauges {
                apps: number(sql, APPS)?,
                hooks: sql.rows(HOOKS, values![], |row| Ok((row.get(0)?, row.get(1)?)))?,
                accounts: sql
                    .rows(ACCOUNTS, values![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?,
                failing_accounts: number(sql, FAILING)?,
                waiting,
                exhausted: parked.saturating_sub(waiting),
                hooks_behind: number(sql, BEHIND)?,
                unmatched_since,
                owed_since: [unmatched_since, behind].into_iter().flatten().min(),
                store_bytes: number(sql, size_of(sql.engine()))?,
            })
        })
        .await
    }

    /// When the oldest change was recorded that no hook was compared with yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unmatched_since(&self) -> Result<Option<Timestamp>> {
        self.read(|sql| time(sql, UNMATCHED)).await
    }
}

fn size_of(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        Engine::Postgres => "SELECT pg_database_size(current_database())",
    }
}

fn number(sql: &Sql<'_>, text: &str) -> Result<u64> {
    Ok(sql.row(text, values![], |row| row.get(0))?.unwrap_or_default())
}

fn time(sql: &Sql<'_>, text: &str) -> Result<Option<Timestamp>> {
    let first = |row: &Row<'_>| row.get::<Option<i64>>(0);
    Ok(sql.row(text, values![], first)?.flatten().map(Timestamp))
}
