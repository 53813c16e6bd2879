//! Reading the audit log.

use tidings_core::clock::Timestamp;
use tidings_store::AuditRow;

use crate::cursor::List;
use crate::{Caller, Page, PageInput, Result, Scope, Service};

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// Who: a key's id, or `system`.
    pub actor: String,
    /// What: `hook.create`, …
    pub action: String,
    /// To what: an id.
    pub object: String,
    /// Whether it was refused.
    pub denied: bool,
    /// More, without secrets.
    pub detail: serde_json::Value,
}

impl From<AuditRow> for AuditLine {
    fn from(row: AuditRow) -> Self {
        let AuditRow { audit_no: _, at, actor, action, object, denied, detail } = row;
        Self { at, actor, action, object, denied, detail }
    }
}

impl Service {
    /// The audit log of the app (of the installation for an owner key that named no app), newest first.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn audit(&self, caller: &Caller, page: &PageInput) -> Result<Page<AuditLine>> {
        caller.may(Scope::Admin)?;
        let app_no = match &caller.app {
            Some(app) => Some(app.app_no),
            None => caller.must_own().map(|()| None)?,
        };
        let list = List("audit", app_no.unwrap_or(0));
        let (before, limit) = list.begin(page, i64::MAX)?;
        let rows = self.store.audit_rows(app_no, Some(before), limit).await?;
        Ok(list.page(rows, limit, |row| row.audit_no, AuditLine::from))
    }
}
