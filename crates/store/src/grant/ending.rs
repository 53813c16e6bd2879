//! The ends of grants: revoked with what they made, taken once, swept away.

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::GrantId;

use super::{Grant, GrantKind, find};
use crate::app::{self, bits};
use crate::sql::values;
use crate::writer::Tx;
use crate::{App, AuditEntry, Result, Store, audit, hook, journal};

/// Revokes the grants of which `root` is true, where `?1` is `key`, and everything that was made with them,
/// directly or not; answers those that were not revoked before. The hooks that such grants own are deleted.
fn revoke(tx: &mut Tx<'_>, root: &str, key: i64, now: Timestamp) -> Result<Vec<GrantId>> {
    let tree = format!(
        "WITH RECURSIVE tree (grant_no) AS (
           SELECT grant_no FROM access_grant WHERE {root}
           UNION
           SELECT t.grant_no FROM access_grant t JOIN tree ON t.parent_no = tree.grant_no)"
    );
    let hooks = tx.sql.rows(
        &format!(
            "{tree} SELECT h.hook_no FROM hook h JOIN tree ON h.owner_grant_no = tree.grant_no
             WHERE h.deleted_at IS NULL ORDER BY h.hook_no"
        ),
        values![key],
        |row| row.get::<i64>(0),
    )?;
    for hook_no in hooks {
        hook::remove(tx, hook_no, now)?;
    }
    tx.sql.rows(
        &format!(
            "{tree} UPDATE access_grant SET revoked_at = ?2
             WHERE revoked_at IS NULL AND grant_no IN (SELECT grant_no FROM tree) RETURNING id"
        ),
        values![key, now.0],
        |row| Ok(GrantId(bits(row, 0)?)),
    )
}

/// Revokes all grants of an end user and deletes the user's hooks.
pub(crate) fn revoke_of_user(tx: &mut Tx<'_>, user_no: i64, now: Timestamp) -> Result<()> {
    let hooks = tx.sql.rows(
        "SELECT h.hook_no FROM end_user u JOIN hook h ON h.app_no = u.app_no AND h.user_no = u.user_no
         WHERE u.user_no = ?1 AND h.deleted_at IS NULL ORDER BY h.hook_no",
        values![user_no],
        |row| row.get::<i64>(0),
    )?;
    for hook_no in hooks {
        hook::remove(tx, hook_no, now)?;
    }
    revoke(tx, "user_no = ?1", user_no, now).map(drop)
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

    /// Revokes a grant and everything below it, deletes the hooks that they own, and appends `changes`:
    /// one commit. Answers the ids of those that were not revoked before.
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
        self.write(16 + 2 * changes.len(), move |tx| {
            let revoked = revoke(tx, "grant_no = ?1", grant_no, now)?;
            journal::append_for(tx, app_no, changes, now)?;
            audit::insert(&tx.sql, app_no, &entry, now)?;
            Ok(revoked)
        })
        .await
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
                   AND (expires_at IS NULL OR expires_at > ?3) RETURNING grant_no",
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

    /// Deletes some codes, refresh tokens, what these were traded for, and sessions that ended before `until`
    /// and that nothing names any more; answers how many.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn sweep_grants(&self, until: Timestamp, limit: usize) -> Result<u64> {
        self.write(limit, move |tx| {
            tx.sql.run(
                "DELETE FROM access_grant WHERE grant_no IN (SELECT t.grant_no FROM access_grant t
                   WHERE (t.kind IN ('code', 'refresh', 'session') OR t.kind = 'connect' AND EXISTS
                       (SELECT 1 FROM access_grant r WHERE r.grant_no = t.parent_no AND r.kind = 'refresh'))
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
