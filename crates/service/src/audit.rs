//! Reading the audit log, and checking that nobody changed it.

use tidings_core::clock::Timestamp;
use tidings_store::AuditRow;
pub use tidings_store::{AuditBreak, AuditVerdict};

use crate::cursor::List;
use crate::{Caller, Page, PageInput, Result, Scope, Service};

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// Who: a key's or an operator's id, `system`, or `nobody` for a sign-in that failed.
    pub actor: String,
    /// What: `hook.create`, …
    pub action: String,
    /// To what: an id.
    pub object: String,
    /// Whether it was refused.
    pub denied: bool,
    /// Whence the request came, when that is known.
    pub address: Option<String>,
    /// More, without secrets.
    pub detail: serde_json::Value,
}

impl From<AuditRow> for AuditLine {
    fn from(row: AuditRow) -> Self {
        let AuditRow { audit_no: _, at, actor, action, object, denied, address, detail } = row;
        Self { at, actor, action, object, denied, address, detail }
    }
}

impl Service {
    /// The audit log of the app (of the installation for an owner that named no app), newest first.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn audit(&self, caller: &Caller, page: &PageInput) -> Result<Page<AuditLine>> {
        caller.may(Scope::Admin)?;
        let app_no = match &caller.app {
            Some(app) => Some(app.app_no),
            None => caller.must_own().map(|()| None)?,
        };
        self.audit_of(app_no, page).await
    }

    /// The audit log of the installation itself, whatever app the caller named: operators, owner keys. Owners only.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn audit_of_installation(
        &self,
        caller: &Caller,
        page: &PageInput,
    ) -> Result<Page<AuditLine>> {
        caller.must_own()?;
        self.audit_of(None, page).await
    }

    /// Follows the chains of the audit log from their first lines to their last ones. Writing goes on meanwhile.
    /// For whoever operates the server: it shows nothing of what the lines say.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verify_audit(&self) -> Result<AuditVerdict> {
        Ok(self.store.audit_log().verify().await?)
    }

    async fn audit_of(&self, app_no: Option<i64>, page: &PageInput) -> Result<Page<AuditLine>> {
        let list = List("audit", app_no.unwrap_or(0));
        let (before, limit) = list.begin(page, i64::MAX)?;
        let rows = self.store.audit_rows(app_no, Some(before), limit).await?;
        Ok(list.page(rows, limit, |row| row.audit_no, AuditLine::from))
    }
}
