//! How an app stands: what its hooks owe, how far its accounts are synced, and what is in trouble.

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::id::{AccountId, HookId};
use tidings_core::limits::OVERVIEW_NAMED_MAX;

use crate::account::AccountStatus;
use crate::app::bits;
use crate::sql::{Row, Sql, values};
use crate::{Error, Result, Store};

/// What an app's hooks have before them.
#[derive(Clone, Debug, Default)]
pub struct Owed {
    /// Hooks by status: active, paused, disabled.
    pub hooks: [u64; 3],
    /// Changes that are not matched with the hooks yet.
    pub unmatched: u64,
    /// Changes that active hooks have yet to go through, added up; not each of them is one they select.
    pub behind: u64,
    /// Deliveries that wait for their retry.
    pub parked: u64,
    /// Deliveries that were given up and can be resent.
    pub exhausted: u64,
    /// When the oldest change that an active hook has not settled was recorded.
    pub oldest_owed_at: Option<Timestamp>,
    /// The hooks that have most before them.
    pub most: Vec<HookBacklog>,
}

/// What a hook has before it.
#[derive(Clone, Debug)]
pub struct HookBacklog {
    /// The hook.
    pub id: HookId,
    /// Where it delivers.
    pub url: Option<String>,
    /// Whether its cursor moves.
    pub status: HookStatus,
    /// Changes that it has yet to go through.
    pub behind: u64,
    /// Its deliveries that wait for their retry.
    pub parked: u64,
}

/// A hook in trouble.
#[derive(Clone, Debug)]
pub struct HookTrouble {
    /// The hook.
    pub id: HookId,
    /// Where it delivers.
    pub url: Option<String>,
    /// Whether its cursor moves.
    pub status: HookStatus,
    /// Why not, in plain words.
    pub status_reason: Option<String>,
    /// Failed attempts since the last success.
    pub consecutive_failures: u64,
    /// Since when nothing but failures.
    pub failing_since: Option<Timestamp>,
    /// The newest delivery that was given up: its hook's store key, what it stands for, why and when.
    pub given_up: Option<(i64, Members, String, Timestamp)>,
}

/// How far the accounts of an app are synced.
#[derive(Clone, Debug, Default)]
pub struct Syncing {
    /// Accounts that are watched.
    pub active: u64,
    /// Accounts whose owner must act first.
    pub inactive: u64,
    /// Accounts of the application's own records.
    pub record: u64,
    /// The watched accounts whose last good pass is longest ago.
    pub slowest: Vec<AccountTrouble>,
    /// Accounts in trouble.
    pub trouble: Vec<AccountTrouble>,
}

/// An account, and what is wrong with it if anything is.
#[derive(Clone, Debug)]
pub struct AccountTrouble {
    /// The account.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// `google`, `caldav`, …
    pub provider: String,
    /// Whether it is watched.
    pub status: AccountStatus,
    /// What is wrong, in plain words.
    pub why: Option<String>,
    /// When the last pass ended well.
    pub last_sync_at: Option<Timestamp>,
    /// When it was connected.
    pub created_at: Timestamp,
}

impl Store {
    /// What the hooks of an app have before them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn owed(&self, app_no: i64) -> Result<Owed> {
        self.read(move |sql| {
            let mut owed = Owed { most: most(sql, app_no)?, ..Owed::default() };
            by_status(sql, app_no, &mut owed)?;
            let sums = sql.row(
                "SELECT a.seq - coalesce(m.matched_seq, 0),
                   (SELECT count(*) FROM hook h JOIN parked p USING (hook_no)
                      WHERE h.app_no = ?1 AND h.deleted_at IS NULL AND p.due_at IS NOT NULL),
                   (SELECT count(*) FROM hook h JOIN parked p USING (hook_no)
                      WHERE h.app_no = ?1 AND h.deleted_at IS NULL)
                 FROM app a LEFT JOIN matched m ON m.app_no = a.app_no AND m.shard = 0
                 WHERE a.app_no = ?1",
                values![app_no],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            // What was given up is the rest: counting all of them reads an index only.
            let all: u64;
            (owed.unmatched, owed.parked, all) = sums.ok_or(Error::not_found("app"))?;
            owed.exhausted = all.saturating_sub(owed.parked);
            owed.oldest_owed_at = oldest(sql, app_no)?;
            Ok(owed)
        })
        .await
    }

    /// Hooks of an app that are disabled, fail, or gave a delivery up; those with the newest trouble first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hooks_in_trouble(&self, app_no: i64) -> Result<Vec<HookTrouble>> {
        self.read(move |sql| {
            let mut found = sql.rows(
                "SELECT h.hook_no, h.id, coalesce(h.url, a.webhook_url), h.status, h.status_reason,
                   h.consecutive_failures, h.failing_since
                 FROM hook h JOIN app a USING (app_no)
                 WHERE h.app_no = ?1 AND h.deleted_at IS NULL AND (h.status = 'disabled'
                   OR h.failing_since IS NOT NULL
                   OR EXISTS (SELECT 1 FROM parked p WHERE p.hook_no = h.hook_no AND p.due_at IS NULL))
                 ORDER BY coalesce(h.failing_since, h.updated_at) DESC LIMIT ?2",
                values![app_no, OVERVIEW_NAMED_MAX],
                |row| Ok((row.get::<i64>(0)?, trouble(row)?)),
            )?;
            for (hook_no, hook) in &mut found {
                hook.given_up = given_up(sql, *hook_no)?;
            }
            Ok(found.into_iter().map(|(_, hook)| hook).collect())
        })
        .await
    }

    /// How far the accounts of an app are synced.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn syncing(&self, app_no: i64) -> Result<Syncing> {
        self.read(move |sql| {
            let mut found = Syncing::default();
            let counts = sql.rows(
                "SELECT CASE WHEN provider = 'record' THEN 'record' ELSE status END AS kind, count(*)
                 FROM account WHERE app_no = ?1 AND deleted_at IS NULL GROUP BY kind",
                values![app_no],
                |row| Ok((row.get::<String>(0)?, row.get(1)?)),
            )?;
            for (kind, count) in counts {
                match kind.as_str() {
                    "record" => found.record = count,
                    "active" => found.active = count,
                    _ => found.inactive += count,
                }
            }
            let slowest = "status = 'active' AND provider <> 'record'
                ORDER BY coalesce(last_sync_at, created_at)";
            found.slowest = accounts(sql, app_no, slowest)?;
            let trouble = "(status = 'inactive' OR last_error IS NOT NULL) ORDER BY updated_at DESC";
            found.trouble = accounts(sql, app_no, trouble)?;
            Ok(found)
        })
        .await
    }
}

/// Where an active hook's live cursor stands lower than the journal's end, and the app's end.
const LAGGING: &str = "FROM hook h JOIN cursor c ON c.hook_no = h.hook_no AND c.cursor_no = 0
    JOIN app a ON a.app_no = h.app_no
  WHERE h.app_no = ?1 AND h.deleted_at IS NULL";

fn by_status(sql: &Sql<'_>, app_no: i64, owed: &mut Owed) -> Result<()> {
    let counts = sql.rows(
        "SELECT status, count(*) FROM hook WHERE app_no = ?1 AND deleted_at IS NULL GROUP BY status",
        values![app_no],
        |row| Ok((status(row, 0)?, row.get(1)?)),
    )?;
    for (status, count) in counts {
        owed.hooks[status as usize] = count;
    }
    let behind = sql.row(
        &format!(
            "SELECT CAST(coalesce(sum(a.seq - c.settled_seq), 0) AS BIGINT) {LAGGING}
               AND h.status = 'active'"
        ),
        values![app_no],
        |row| row.get(0),
    )?;
    owed.behind = behind.unwrap_or(0);
    Ok(())
}

fn most(sql: &Sql<'_>, app_no: i64) -> Result<Vec<HookBacklog>> {
    sql.rows(
        &format!(
            "SELECT h.id, coalesce(h.url, a.webhook_url), h.status, a.seq - c.settled_seq AS behind,
               (SELECT count(*) FROM parked p WHERE p.hook_no = h.hook_no AND p.due_at IS NOT NULL)
             {LAGGING} AND c.settled_seq < a.seq ORDER BY behind DESC, h.hook_no LIMIT ?2"
        ),
        values![app_no, OVERVIEW_NAMED_MAX],
        |row| {
            Ok(HookBacklog {
                id: HookId(bits(row, 0)?),
                url: row.get(1)?,
                status: status(row, 2)?,
                behind: row.get(3)?,
                parked: row.get(4)?,
            })
        },
    )
}

/// When the oldest change was recorded that lies behind an active hook's cursor, or is parked.
fn oldest(sql: &Sql<'_>, app_no: i64) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sql.row(
        &format!(
            "SELECT t.recorded_at FROM change t WHERE t.app_no = ?1 AND t.seq = (SELECT min(seq) FROM (
               SELECT c.settled_seq + 1 AS seq {LAGGING} AND h.status = 'active'
                 AND c.settled_seq < a.seq
               UNION ALL
               SELECT p.first_seq FROM hook h JOIN parked p USING (hook_no)
                 WHERE h.app_no = ?1 AND h.deleted_at IS NULL AND h.status = 'active'
                   AND p.due_at IS NOT NULL) owed)"
        ),
        values![app_no],
        |row| row.get(0),
    )?;
    Ok(at.map(Timestamp))
}

fn status(row: &Row<'_>, column: usize) -> Result<HookStatus> {
    HookStatus::parse(&row.get::<String>(column)?).ok_or(Error::corrupt("hook"))
}

fn trouble(row: &Row<'_>) -> Result<HookTrouble> {
    Ok(HookTrouble {
        id: HookId(bits(row, 1)?),
        url: row.get(2)?,
        status: status(row, 3)?,
        status_reason: row.get(4)?,
        consecutive_failures: row.get(5)?,
        failing_since: row.get::<Option<i64>>(6)?.map(Timestamp),
        given_up: None,
    })
}

fn given_up(sql: &Sql<'_>, hook_no: i64) -> Result<Option<(i64, Members, String, Timestamp)>> {
    sql.row(
        "SELECT first_seq, last_seq, members, group_key, reason, parked_at FROM parked
         WHERE hook_no = ?1 AND due_at IS NULL ORDER BY first_seq DESC LIMIT 1",
        values![hook_no],
        |row| {
            let members = Members {
                first_seq: row.get(0)?,
                last_seq: row.get(1)?,
                count: row.get(2)?,
                group: row.get(3)?,
            };
            Ok((hook_no, members, row.get(4)?, Timestamp(row.get(5)?)))
        },
    )
}

fn accounts(sql: &Sql<'_>, app_no: i64, which: &str) -> Result<Vec<AccountTrouble>> {
    sql.rows(
        &format!(
            "SELECT id, name, provider, status, coalesce(status_reason, last_error), last_sync_at,
               created_at
             FROM account WHERE app_no = ?1 AND deleted_at IS NULL AND {which} LIMIT ?2"
        ),
        values![app_no, OVERVIEW_NAMED_MAX],
        |row| {
            let status: String = row.get(3)?;
            Ok(AccountTrouble {
                id: AccountId(bits(row, 0)?),
                name: row.get(1)?,
                provider: row.get(2)?,
                status: AccountStatus::parse(&status).ok_or(Error::corrupt("account"))?,
                why: row.get(4)?,
                last_sync_at: row.get::<Option<i64>>(5)?.map(Timestamp),
                created_at: Timestamp(row.get(6)?),
            })
        },
    )
}
