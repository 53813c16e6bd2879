//! The audit log: who did what to which object, and what was refused. A verb's row is written in the
//! verb's own transaction, and chained to the row before it.

mod chain;

use std::sync::Arc;

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;

use crate::sql::{Row, Sql, values};
use crate::{Appended, Error, Result, Store, app, journal};

pub use chain::{AuditBreak, AuditLog, AuditVerdict};

/// One line that a verb writes into the audit log.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// Who: a grant's or an operator's id, or `system`.
    pub actor: String,
    /// What: `hook.create`, `account.delete`, …
    pub action: &'static str,
    /// To what: an id.
    pub object: String,
    /// Whether it was refused.
    pub denied: bool,
    /// Whence the request came, when that is known.
    pub address: Option<String>,
    /// More, with every secret left out.
    pub detail: serde_json::Value,
}

/// A line of the audit log.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// Its number; later lines have greater ones.
    pub audit_no: i64,
    /// When.
    pub at: Timestamp,
    /// Who: a grant's or an operator's id, or `system`.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// Whether it was refused.
    pub denied: bool,
    /// Whence the request came, when that is known.
    pub address: Option<String>,
    /// More.
    pub detail: serde_json::Value,
}

/// Writes one line as part of the transaction; without an app it is about the installation itself.
pub(crate) fn insert(
    sql: &Sql<'_>,
    app_no: Option<i64>,
    entry: &AuditEntry,
    now: Timestamp,
) -> Result<()> {
    let previous = chain::take_head(sql, app_no)?;
    let detail = entry.detail.to_string();
    let outcome = if entry.denied { "denied" } else { "done" };
    let line = chain::Line {
        app_no,
        at: now.0,
        actor: &entry.actor,
        action: entry.action,
        object: &entry.object,
        outcome,
        detail: &detail,
        address: entry.address.as_deref(),
    };
    let hash = line.hash_after(&previous);
    let audit_no = sql.row(
        "INSERT INTO audit (app_no, at, actor, action, object, outcome, detail, address, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING audit_no",
        values![
            app_no,
            now.0,
            &entry.actor,
            entry.action,
            &entry.object,
            outcome,
            &detail,
            &entry.address,
            hash,
        ],
        |row| row.get::<i64>(0),
    )?;
    chain::put_head(sql, app_no, audit_no.ok_or(Error::failed())?, hash)
}

impl Store {
    /// Writes a line on its own: for what was refused, which has no transaction.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn audit(
        &self,
        app_no: Option<i64>,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.write(1, move |tx| insert(&tx.sql, app_no, &entry, now)).await
    }

    /// Appends a change and its audit line together.
    ///
    /// # Errors
    /// As for publishing.
    pub async fn append_audited(
        &self,
        app_no: i64,
        change: NewChange,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Arc<Appended>> {
        self.write(4, move |tx| {
            let appended = journal::append(tx, app_no, vec![change], now)?;
            insert(&tx.sql, Some(app_no), &entry, now)?;
            Ok(appended)
        })
        .await
    }

    /// Lines of an app (of the installation when absent), newest first, older than line `before`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn audit_rows(
        &self,
        app_no: Option<i64>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        self.read(move |sql| {
            let of_app = app::of(app_no);
            sql.rows(
                &format!(
                    "SELECT audit_no, at, actor, action, object, outcome, detail, address FROM audit t
                     WHERE {of_app} AND audit_no < ?2 ORDER BY audit_no DESC LIMIT ?3"
                ),
                values![app_no, before.unwrap_or(i64::MAX), limit],
                from_row,
            )
        })
        .await
    }
}

fn from_row(row: &Row<'_>) -> Result<AuditRow> {
    Ok(AuditRow {
        audit_no: row.get(0)?,
        at: Timestamp(row.get(1)?),
        actor: row.get(2)?,
        action: row.get(3)?,
        object: row.get(4)?,
        denied: row.get::<String>(5)? == "denied",
        address: row.get(7)?,
        detail: serde_json::from_str(&row.get::<String>(6)?)?,
    })
}
