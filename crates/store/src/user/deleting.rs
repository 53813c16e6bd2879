//! The end of an end user: in bounded commits, of which the last one marks the user deleted.

use tidings_core::clock::Timestamp;
use tidings_core::limits;

use super::{find, unnamed};
use crate::sql::{Sql, values};
use crate::writer::Tx;
use crate::{AuditEntry, Error, Result, Store, audit, grant};

impl Store {
    /// Deletes an end user: the grants are revoked and the hooks deleted, what is kept of the person is erased,
    /// also from the journal. Many of them take several commits; until the last one the user is there, so that
    /// what was interrupted can be done again. The accounts are to be deleted before.
    ///
    /// # Errors
    /// Not found; conflict when the user still has an account.
    pub async fn delete_user(&self, user_no: i64, entry: AuditEntry, now: Timestamp) -> Result<()> {
        let mut erased = 0;
        loop {
            let entry = entry.clone();
            let step = self.write(16, move |tx| delete_some(tx, user_no, erased, &entry, now));
            match step.await? {
                Step::Done => return Ok(()),
                Step::ErasedUpTo(seq) => erased = seq,
            }
        }
    }
}

/// How far a step came.
enum Step {
    /// The user is deleted.
    Done,
    /// There is more; of the journal all is erased up to this `seq`.
    ErasedUpTo(u64),
}

fn delete_some(
    tx: &mut Tx<'_>,
    user_no: i64,
    erased: u64,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<Step> {
    let user = find(&tx.sql, "user_no = ?1", values![user_no])?;
    let user = user.ok_or(Error::not_found("user"))?;
    let account = tx.sql.row(
        "SELECT 1 FROM account a JOIN end_user u ON u.app_no = a.app_no
         WHERE u.user_no = ?1 AND a.user_no = ?1 AND a.deleted_at IS NULL LIMIT 1",
        values![user_no],
        |row| row.get::<i64>(0),
    )?;
    if account.is_some() {
        return Err(Error::conflict("the user still has an account; delete it first"));
    }
    if !grant::revoke_of_user(tx, user_no, now)? || !erase_grants(&tx.sql, user_no)? {
        return Ok(Step::ErasedUpTo(erased));
    }
    if let Some(seq) = erase_told(&tx.sql, user_no, erased)? {
        return Ok(Step::ErasedUpTo(seq));
    }
    let app_no = tx.sql.row(
        "UPDATE end_user SET external_id = ?2, name = NULL, details = '{}', password = NULL,
           updated_at = ?3, deleted_at = ?3 WHERE user_no = ?1 RETURNING app_no",
        values![user_no, unnamed(user.id), now.0],
        |row| row.get::<i64>(0),
    )?;
    audit::insert(&tx.sql, app_no, entry, now)?;
    Ok(Step::Done)
}

/// Erases what some grants of the user say; `true` once none says anything.
fn erase_grants(sql: &Sql<'_>, user_no: i64) -> Result<bool> {
    let erased = sql.run(
        "UPDATE access_grant SET name = '', details = '{}' WHERE grant_no IN
           (SELECT grant_no FROM access_grant
            WHERE user_no = ?1 AND (name <> '' OR details <> '{}') LIMIT ?2)",
        values![user_no, limits::GRANTS_ENDED_AT_ONCE],
    )?;
    Ok(erased < limits::GRANTS_ENDED_AT_ONCE as u64)
}

/// Erases the bodies of some changes after `after` that are about the user and no account. Answers after which
/// `seq` to go on, `None` at the end.
fn erase_told(sql: &Sql<'_>, user_no: i64, after: u64) -> Result<Option<u64>> {
    let found: Vec<u64> = sql.rows(
        "SELECT seq FROM change WHERE user_no = ?1 AND account_no IS NULL AND seq > ?2
         ORDER BY seq LIMIT ?3",
        values![user_no, after, limits::COMMIT_ROWS_MAX],
        |row| row.get(0),
    )?;
    let Some(&last) = found.last() else { return Ok(None) };
    sql.run(
        "UPDATE app SET journal_bytes = journal_bytes -
           (SELECT coalesce(sum(length(b.body)), 0) FROM change c JOIN change_body b
              ON b.app_no = c.app_no AND b.seq = c.seq
            WHERE c.user_no = ?1 AND c.account_no IS NULL AND c.seq > ?2 AND c.seq <= ?3)
         WHERE app_no = (SELECT app_no FROM end_user WHERE user_no = ?1)",
        values![user_no, after, last],
    )?;
    sql.run(
        "DELETE FROM change_body WHERE (app_no, seq) IN
           (SELECT app_no, seq FROM change
            WHERE user_no = ?1 AND account_no IS NULL AND seq > ?2 AND seq <= ?3)",
        values![user_no, after, last],
    )?;
    Ok((found.len() == limits::COMMIT_ROWS_MAX).then_some(last))
}
