//! Refresh tokens that are traded for the next pair, and their common end.

use tidings_core::clock::Timestamp;

use super::ending::revoke_some;
use super::{NewGrant, find, insert};
use crate::sql::values;
use crate::{AuditEntry, Result, Store, audit};

/// A refresh token that is traded. All tokens of an authorization hang below its first refresh token, whose
/// details count in `newest` the generations made so far.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Store key of the first refresh token.
    pub root_no: i64,
    /// Store key of the one that is traded.
    pub shown_no: i64,
    /// The generation of that one. It may be the newest, or the one before.
    pub shown: i64,
    /// Until when that one is worth knowing, unless it is the first.
    pub shown_until: Timestamp,
    /// The next refresh token.
    pub refresh: NewGrant,
    /// The next access token.
    pub access: NewGrant,
}

impl Store {
    /// Trades a refresh token: one commit. Nothing is done when it works no longer, or is too old by now.
    ///
    /// # Errors
    /// Not found (the end user); when the commit fails.
    pub async fn rotate_grant(
        &self,
        rotation: Rotation,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(8, move |tx| {
            let Rotation { root_no, shown_no, shown, .. } = rotation;
            // Whoever else trades one of the same authorization waits here.
            tx.sql.run(
                "UPDATE access_grant SET last_used_at = ?2 WHERE grant_no = ?1",
                values![root_no, now.0],
            )?;
            let works = "t.grant_no = ?1 AND t.revoked_at IS NULL
                AND (t.expires_at IS NULL OR t.expires_at > ?2)";
            let root = find(&tx.sql, works, values![root_no, now.0])?;
            let (Some(root), Some(_)) = (root, find(&tx.sql, works, values![shown_no, now.0])?)
            else {
                return Ok(false);
            };
            let newest = root.details["newest"].as_i64().unwrap_or_default();
            if newest - shown >= 2 {
                return Ok(false);
            }
            insert(&tx.sql, &rotation.refresh, now)?;
            insert(&tx.sql, &rotation.access, now)?;
            let mut details = root.details;
            details["newest"] = newest.max(shown + 1).into();
            tx.sql.run(
                "UPDATE access_grant SET details = ?2 WHERE grant_no = ?1",
                values![root_no, details.to_string()],
            )?;
            if shown_no != root_no {
                tx.sql.run(
                    "UPDATE access_grant SET expires_at = coalesce(expires_at, ?2) WHERE grant_no = ?1",
                    values![shown_no, rotation.shown_until.0],
                )?;
            }
            audit::insert(&tx.sql, root.app_no, &entry, now)?;
            Ok(true)
        })
        .await
    }

    /// Revokes an end user's refresh tokens and everything below them, as far as one commit takes them; `true`
    /// once none is left.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn revoke_refresh_step(
        &self,
        app_no: i64,
        user_no: i64,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(16, move |tx| {
            let mut ended = Vec::new();
            let roots = "user_no = ?1 AND kind = 'refresh'";
            let is_done = revoke_some(tx, roots, user_no, &mut ended, now)?;
            if !ended.is_empty() {
                audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            }
            Ok(is_done)
        })
        .await
    }
}
