//! The ends of grants: revoked with what they made, taken once, swept away.

use std::ops::ControlFlow;

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::GrantId;
use tidings_core::limits;

use super::{Grant, GrantKind, find};
use crate::app::{self, bits};
use crate::sql::values;
use crate::writer::Tx;
use crate::{App, AuditEntry, Result, Store, audit, hook, journal};

/// Revokes the grants of which `root` is true, where `?1` is `key`, and everything that was made with them,
/// directly or not, as far as one commit takes them, the last made first; adds to `ended` those that were not
/// revoked before. The hooks that such grants own are deleted. `true` once nothing is left.
pub(super) fn revoke_some(
    tx: &mut Tx<'_>,
    root: &str,
    key: i64,
    ended: &mut Vec<GrantId>,
    now: Timestamp,
) -> Result<bool> {
    let tree = format!(
        "WITH RECURSIVE tree (grant_no) AS (
           SELECT grant_no FROM access_grant WHERE {root}
           UNION
           SELECT t.grant_no FROM access_grant t JOIN tree ON t.parent_no = tree.grant_no)"
    );
    let hooks = tx.sql.rows(
        &format!(
            "{tree} SELECT h.hook_no FROM hook h JOIN tree ON h.owner_grant_no = tree.grant_no
             WHERE h.deleted_at IS NULL ORDER BY h.hook_no LIMIT ?2"
        ),
        values![key, limits::HOOKS_ENDED_AT_ONCE],
        |row| row.get::<i64>(0),
    )?;
    if !remove_all(tx, &hooks, now)? {
        return Ok(false);
    }
    let before = ended.len();
    tx.sql.each(
        &format!(
            "{tree} UPDATE access_grant SET revoked_at = ?2 WHERE grant_no IN
               (SELECT t.grant_no FROM access_grant t JOIN tree ON tree.grant_no = t.grant_no
                WHERE t.revoked_at IS NULL ORDER BY t.grant_no DESC LIMIT ?3) RETURNING id"
        ),
        values![key, now.0, limits::GRANTS_ENDED_AT_ONCE],
        |row| {
            ended.push(GrantId(bits(row, 0)?));
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(ended.len() - before < limits::GRANTS_ENDED_AT_ONCE)
}

/// Deletes the hooks that a step found; `true` when there were no more of them.
fn remove_all(tx: &mut Tx<'_>, hooks: &[i64], now: Timestamp) -> Result<bool> {
    for hook_no in hooks {
        hook::remove(tx, *hook_no, now)?;
    }
    Ok(hooks.len() < limits::HOOKS_ENDED_AT_ONCE)
}

/// Revokes grants of an end user and deletes the user's hooks, as far as one commit takes them; `true` once
/// none is left.
pub(crate) fn revoke_of_user(tx: &mut Tx<'_>, user_no: i64, now: Timestamp) -> Result<bool> {
    let hooks = tx.sql.rows(
        "SELECT h.hook_no FROM end_user u JOIN hook h ON h.app_no = u.app_no AND h.user_no = u.user_no
         WHERE u.user_no = ?1 AND h.deleted_at IS NULL ORDER BY h.hook_no LIMIT ?2",
        values![user_no, limits::HOOKS_ENDED_AT_ONCE],
        |row| row.get::<i64>(0),
    )?;
    Ok(remove_all(tx, &hooks, now)?
        && revoke_some(tx, "user_no = ?1", user_no, &mut Vec::new(), now)?)
}

impl Store {
    /// Revokes a grant; what it made stays.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn revoke_grant(
        &self,
        grant: &Grant,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        let (grant_no, app_no) = (grant.grant_no, grant.app_no);
        self.write(2, move |tx| {
            tx.sql.run(
                "UPDATE access_grant SET revoked_at = ?2 WHERE grant_no = ?1 AND revoked_at IS NULL",
                values![grant_no, now.0],
            )?;
            audit::insert(&tx.sql, app_no, &entry, now)
        })
        .await
    }

    /// Revokes a grant and everything below it, deletes the hooks that they own, and appends `changes`: one
    /// commit, after as many as it takes to leave it no more than fits. The grant itself is revoked by the
    /// last one, so that what was interrupted can be done again. Answers the ids of those that were not
    /// revoked before.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn revoke_grant_tree(
        &self,
        grant: &Grant,
        changes: Vec<NewChange>,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Vec<GrantId>> {
        let (grant_no, app_no) = (grant.grant_no, grant.app_no);
        let mut all = Vec::new();
        loop {
            let (changes, entry) = (changes.clone(), entry.clone());
            let step = self.write(16 + 2 * changes.len(), move |tx| {
                let mut ended = Vec::new();
                let is_done = revoke_some(tx, "grant_no = ?1", grant_no, &mut ended, now)?;
                if is_done {
                    journal::append_for(tx, app_no, changes, now)?;
                    audit::insert(&tx.sql, app_no, &entry, now)?;
                }
                Ok((ended, is_done))
            });
            let (ended, is_done) = step.await?;
            all.extend(ended);
            if is_done {
                return Ok(all);
            }
        }
    }

    /// Finds the working grant of a token of this kind, with its app, and revokes it: of several who try
    /// at the same time, one gets it.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn take_grant(
        &self,
        token_hash: [u8; 32],
        kind: GrantKind,
        now: Timestamp,
    ) -> Result<Option<(Grant, App)>> {
        self.write(1, move |tx| {
            let grant_no = tx.sql.row(
                "UPDATE access_grant SET revoked_at = ?3, last_used_at = ?3
                 WHERE token_hash = ?1 AND kind = ?2 AND revoked_at IS NULL
                   AND (expires_at IS NULL OR expires_at > ?3)
                   AND NOT EXISTS (SELECT 1 FROM end_user u
                     WHERE u.user_no = access_grant.user_no AND u.deleted_at IS NOT NULL)
                 RETURNING grant_no",
                values![token_hash, kind.as_str(), now.0],
                |row| row.get::<i64>(0),
            )?;
            let Some(grant_no) = grant_no else { return Ok(None) };
            let Some(grant) = find(&tx.sql, "t.grant_no = ?1", values![grant_no])? else {
                return Ok(None);
            };
            let Some(app_no) = grant.app_no else { return Ok(None) };
            Ok(app::get(&tx.sql, app_no)?.map(|app| (grant, app)))
        })
        .await
    }

    /// Deletes some codes, refresh tokens, what these were traded for, sessions, links into the portal, and accesses
    /// of persons who logged in, that ended before `until` and that nothing names any more; answers how many.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn sweep_grants(&self, until: Timestamp, limit: usize) -> Result<u64> {
        self.write(limit, move |tx| {
            tx.sql.run(
                "DELETE FROM access_grant WHERE grant_no IN (SELECT t.grant_no FROM access_grant t
                   WHERE t.kind IN ('code', 'refresh', 'session', 'connect', 'access', 'portal')
                     AND (t.kind <> 'access' OR t.parent_no IS NULL)
                     AND (t.kind <> 'connect' OR EXISTS (SELECT 1 FROM access_grant r
                       WHERE r.grant_no = t.parent_no AND r.kind = 'refresh'))
                     AND coalesce(t.revoked_at, t.expires_at) < ?1
                     AND NOT EXISTS (SELECT 1 FROM access_grant c WHERE c.parent_no = t.grant_no)
                     AND NOT EXISTS (SELECT 1 FROM hook h WHERE h.owner_grant_no = t.grant_no)
                   LIMIT ?2)",
                values![until.0, limit],
            )
        })
        .await
    }
}
