//! Writes to hooks: each under the app's seq lock where it concerns what the hook selects.

use tidings_core::clock::Timestamp;
use tidings_core::hook::{HookStatus, Selection};
use tidings_core::limits;

use super::{Hook, HookUpdate, NewHook, NewSecret, access, find};
use crate::account::calendar_is_there;
use crate::audit::{self, AuditEntry};
use crate::cursor::unsettled;
use crate::sql::{Sql, values};
use crate::writer::Tx;
use crate::{Committed, Error, Result, Store, app};

/// Takes the app's seq lock for a change of what its hooks select; answers the app's last `seq`.
fn lock_seq(tx: &Tx<'_>, app_no: i64) -> Result<u64> {
    let seq = tx.sql.row(
        "UPDATE app SET hooks_version = hooks_version + 1
         WHERE app_no = ?1 AND deleted_at IS NULL RETURNING seq",
        values![app_no],
        |row| row.get(0),
    )?;
    seq.ok_or(Error::not_found("app"))
}

/// Writes a hook's selection from the app's next change on (or `after`), under the app's seq lock.
fn write_version(
    tx: &Tx<'_>,
    app_no: i64,
    hook_no: i64,
    selection: &Selection,
    after: Option<u64>,
) -> Result<()> {
    let seq = lock_seq(tx, app_no)?;
    let after = after.unwrap_or(seq).min(seq);
    tx.sql.run(
        "INSERT INTO hook_version (hook_no, from_seq, selection) VALUES (?1, ?2, ?3)
         ON CONFLICT (hook_no, from_seq) DO UPDATE SET selection = excluded.selection",
        values![hook_no, after + 1, serde_json::to_string(selection)?],
    )?;
    Ok(())
}

fn insert_secret(sql: &Sql<'_>, hook_no: i64, secret: &NewSecret, now: Timestamp) -> Result<()> {
    sql.run(
        "INSERT INTO hook_secret (hook_no, id, sealed, created_at) VALUES (?1, ?2, ?3, ?4)",
        values![hook_no, secret.id.to_bytes(), &secret.sealed, now.0],
    )?;
    Ok(())
}

/// Creates a hook inside a job.
fn insert(tx: &mut Tx<'_>, new: &NewHook, secret: &NewSecret, now: Timestamp) -> Result<i64> {
    if app::hooks(&tx.sql, new.app_no)? >= limits::APP_HOOKS_MAX {
        return Err(Error::conflict("app has as many hooks as it may have"));
    }
    let hook_no = tx.sql.row(
        "INSERT INTO hook (id, app_no, owner_grant_no, user_no, external_id, description, url,
           service, status, expires_at, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'active', ?9, ?10, ?10) RETURNING hook_no",
        values![
            new.id.0.to_bytes(),
            new.app_no,
            new.owner_grant_no,
            new.user_no,
            &new.external_id,
            &new.description,
            &new.url,
            serde_json::to_string(&new.service)?,
            new.expires_at.map(|at| at.0),
            now.0,
        ],
        |row| row.get(0),
    )?;
    let hook_no = hook_no.ok_or(Error::failed())?;
    write_version(tx, new.app_no, hook_no, &new.selection, new.after_seq)?;
    if let Some(after) = new.after_seq {
        start_cursor(&tx.sql, new.app_no, hook_no, after, now)?;
    }
    insert_secret(&tx.sql, hook_no, secret, now)?;
    if new.access.is_some() {
        access::put(&tx.sql, hook_no, new.access.as_ref(), now)?;
    }
    if let Some(reason) = &new.disabled {
        set_status(&tx.sql, hook_no, HookStatus::Disabled, Some(reason))?;
    }
    tx.announce.push(Committed::Hook(hook_no));
    Ok(hook_no)
}

/// Gives a new hook a lagging cursor, so that it receives what is already in the journal.
fn start_cursor(
    sql: &Sql<'_>,
    app_no: i64,
    hook_no: i64,
    after: u64,
    now: Timestamp,
) -> Result<()> {
    let app = app::get(sql, app_no)?.ok_or(Error::not_found("app"))?;
    if after < app.floor_seq {
        return Err(Error::gone(app.floor_seq + 1));
    }
    sql.run(
        "INSERT INTO cursor (hook_no, cursor_no, kind, settled_seq, created_at)
         VALUES (?1, 0, 'live', ?2, ?3)",
        values![hook_no, after.min(app.seq), now.0],
    )?;
    Ok(())
}

/// Deletes a hook inside a job.
pub(crate) fn remove(tx: &mut Tx<'_>, hook_no: i64, now: Timestamp) -> Result<()> {
    tx.sql.run("UPDATE hook SET deleted_at = ?2 WHERE hook_no = ?1", values![hook_no, now.0])?;
    for table in ["cursor", "parked", "hook_secret", "hook_access"] {
        tx.sql.run(&format!("DELETE FROM {table} WHERE hook_no = ?1"), values![hook_no])?;
    }
    tx.announce.push(Committed::Hook(hook_no));
    Ok(())
}

/// The hook as the job's transaction sees it.
fn get(sql: &Sql<'_>, hook_no: i64) -> Result<Hook> {
    find(sql, "hook_no = ?1", values![hook_no])?.ok_or(Error::not_found("hook"))
}

impl Store {
    /// Creates a hook with its first secret; removes those of `replaces` in the same transaction.
    ///
    /// # Errors
    /// Conflict when the app has too many hooks; gone when `after_seq` lies below what is kept.
    pub async fn create_hook(
        &self,
        new: NewHook,
        secret: NewSecret,
        replaces: Vec<i64>,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<Hook> {
        self.write(8, move |tx| {
            for hook_no in replaces {
                remove(tx, hook_no, now)?;
            }
            let hook_no = insert(tx, &new, &secret, now)?;
            audit::insert(&tx.sql, Some(new.app_no), &audit, now)?;
            get(&tx.sql, hook_no)
        })
        .await
    }

    /// Changes a hook.
    ///
    /// # Errors
    /// Not found when it does not exist.
    pub async fn update_hook(
        &self,
        hook_no: i64,
        update: HookUpdate,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<Hook> {
        self.write(8, move |tx| {
            let hook = get(&tx.sql, hook_no)?;
            apply(tx, &hook, &update, now)?;
            audit::insert(&tx.sql, Some(hook.app_no), &audit, now)?;
            tx.announce.push(Committed::Hook(hook_no));
            get(&tx.sql, hook_no)
        })
        .await
    }

    /// Has collections leave a hook's selection for good, from the app's next change on; says whether one of
    /// them had not left before. When more than `most` have left, those that are gone are forgotten.
    ///
    /// # Errors
    /// Not found when the hook does not exist; conflict when more than `most` are left.
    pub async fn leave_hook(
        &self,
        hook: &Hook,
        collection_nos: Vec<i64>,
        most: usize,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<bool> {
        let (hook_no, app_no) = (hook.hook_no, hook.app_no);
        self.write(8, move |tx| {
            let from = lock_seq(tx, app_no)? + 1;
            let mut hook = get(&tx.sql, hook_no)?;
            let Some((version, mut selection)) = hook.versions.pop() else { return Ok(false) };
            let left = collection_nos.iter().filter(|no| selection.leave(**no, from)).count();
            if left == 0 {
                return Ok(false);
            }
            if selection.left.len() > most {
                let mut there = Vec::new();
                for left in selection.left {
                    there.extend(calendar_is_there(&tx.sql, left.0)?.then_some(left));
                }
                selection.left = there;
            }
            if selection.left.len() > most {
                return Err(Error::conflict("too many calendars have left the hook"));
            }
            tx.sql.run(
                "UPDATE hook_version SET selection = ?3 WHERE hook_no = ?1 AND from_seq = ?2",
                values![hook_no, version, serde_json::to_string(&selection)?],
            )?;
            tx.sql.run(
                "UPDATE hook SET updated_at = ?2 WHERE hook_no = ?1",
                values![hook_no, now.0],
            )?;
            audit::insert(&tx.sql, Some(app_no), &audit, now)?;
            tx.announce.push(Committed::Hook(hook_no));
            Ok(true)
        })
        .await
    }

    /// Deletes a hook; its attempts stay until their age ends.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn delete_hook(&self, hook: &Hook, audit: AuditEntry, now: Timestamp) -> Result<()> {
        let (hook_no, app_no) = (hook.hook_no, hook.app_no);
        self.write(8, move |tx| {
            remove(tx, hook_no, now)?;
            audit::insert(&tx.sql, Some(app_no), &audit, now)
        })
        .await
    }

    /// Adds a secret; the earlier ones go on signing until `overlap_until`.
    ///
    /// # Errors
    /// Conflict when too many secrets would sign.
    pub async fn rotate_hook_secret(
        &self,
        hook: &Hook,
        secret: NewSecret,
        overlap_until: Timestamp,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        let (hook_no, app_no) = (hook.hook_no, hook.app_no);
        self.write(4, move |tx| {
            tx.sql.run(
                "DELETE FROM hook_secret WHERE hook_no = ?1 AND expires_at <= ?2",
                values![hook_no, now.0],
            )?;
            tx.sql.run(
                "UPDATE hook_secret SET expires_at = ?2
                 WHERE hook_no = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
                values![hook_no, overlap_until.0],
            )?;
            insert_secret(&tx.sql, hook_no, &secret, now)?;
            let secrets = tx.sql.rows(
                "SELECT secret_no FROM hook_secret WHERE hook_no = ?1",
                values![hook_no],
                |row| row.get::<i64>(0),
            )?;
            if secrets.len() > limits::HOOK_SECRETS_MAX {
                return Err(Error::conflict("too many secrets sign; wait until an overlap ends"));
            }
            audit::insert(&tx.sql, Some(app_no), &audit, now)?;
            tx.announce.push(Committed::Hook(hook_no));
            Ok(())
        })
        .await
    }
}

fn apply(tx: &mut Tx<'_>, hook: &Hook, update: &HookUpdate, now: Timestamp) -> Result<()> {
    if let Some(selection) = &update.selection {
        write_version(tx, hook.app_no, hook.hook_no, selection, None)?;
    }
    let service = update.service.as_ref().map(serde_json::to_string).transpose()?;
    tx.sql.run(
        "UPDATE hook SET description = coalesce(?2, description), url = coalesce(?3, url),
           service = coalesce(?4, service), updated_at = ?5 WHERE hook_no = ?1",
        values![hook.hook_no, &update.description, &update.url, service, now.0],
    )?;
    if let Some(access) = &update.access {
        access::put(&tx.sql, hook.hook_no, access.as_ref(), now)?;
    }
    if let Some((status, reason)) = &update.status {
        set_status(&tx.sql, hook.hook_no, *status, reason.as_deref())?;
    }
    if let Some(reason) = &update.skip_backlog {
        skip_backlog(&tx.sql, hook, reason, now)?;
        if update.give_up_parked {
            tx.sql.run(
                "UPDATE parked SET due_at = NULL, waits = 0, reason = ?2, parked_at = ?3
                 WHERE hook_no = ?1 AND cursor_no = 0 AND due_at IS NOT NULL",
                values![hook.hook_no, reason, now.0],
            )?;
        }
    }
    Ok(())
}

/// Sets a hook's status; an active one begins with a clean count of failures.
pub(crate) fn set_status(
    sql: &Sql<'_>,
    hook_no: i64,
    status: HookStatus,
    reason: Option<&str>,
) -> Result<()> {
    sql.run(
        "UPDATE hook SET status = ?2, status_reason = ?3,
           consecutive_failures = CASE WHEN ?2 = 'active' THEN 0 ELSE consecutive_failures END,
           failing_since = CASE WHEN ?2 = 'active' THEN NULL ELSE failing_since END
         WHERE hook_no = ?1",
        values![hook_no, status.as_str(), reason],
    )?;
    Ok(())
}

/// Lets a disabled hook go on; one that its owner paused meanwhile stays paused.
pub(crate) fn enable(sql: &Sql<'_>, hook_no: i64) -> Result<()> {
    sql.run(
        "UPDATE hook SET status = 'active', status_reason = NULL, consecutive_failures = 0,
           failing_since = NULL WHERE hook_no = ?1 AND status = 'disabled'",
        values![hook_no],
    )?;
    Ok(())
}

/// Moves a hook's live cursor to the end of the journal and notes what it jumped.
fn skip_backlog(sql: &Sql<'_>, hook: &Hook, reason: &str, now: Timestamp) -> Result<()> {
    let found: Option<(u64, u64, Option<Vec<u8>>)> = sql.row(
        "SELECT a.seq, coalesce(c.settled_seq, m.matched_seq, 0), c.delivered FROM app a
           LEFT JOIN cursor c ON c.hook_no = ?2 AND c.cursor_no = 0
           LEFT JOIN matched m ON m.app_no = a.app_no AND m.shard = 0
         WHERE a.app_no = ?1",
        values![hook.app_no, hook.hook_no],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let (seq, settled, above) = found.ok_or(Error::not_found("app"))?;
    if settled >= seq {
        return Ok(());
    }
    for (from_seq, to_seq) in unsettled(settled, &above.unwrap_or_default(), seq) {
        sql.run(
            "INSERT INTO skipped (hook_no, from_seq, to_seq, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (hook_no, from_seq) DO UPDATE SET
               to_seq = excluded.to_seq, reason = excluded.reason, at = excluded.at",
            values![hook.hook_no, from_seq, to_seq, reason, now.0],
        )?;
    }
    sql.run(
        "INSERT INTO cursor (hook_no, cursor_no, kind, settled_seq, created_at)
         VALUES (?1, 0, 'live', ?2, ?3)
         ON CONFLICT (hook_no, cursor_no) DO UPDATE SET
           settled_seq = excluded.settled_seq, delivered = excluded.delivered",
        values![hook.hook_no, seq, now.0],
    )?;
    Ok(())
}
