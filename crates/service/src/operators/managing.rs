//! Operators managed by owners, and each one's own password.

use serde_json::json;
use tidings_core::id::OperatorId;
use tidings_core::limits;
use tidings_store::{self as store, AuditEntry, OperatorUpdate, Role};
use zeroize::Zeroizing;

use super::{NewOperator, Operator, OperatorSession, normal, password};
use crate::validate::Checks;
use crate::{Caller, Error, Result, Service};

/// What to change about an operator; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorChanges {
    /// What people call them.
    pub name: Option<String>,
    /// What they may do; it holds from their next request on.
    pub role: Option<Role>,
    /// Whether they cannot sign in; then their sessions end at once.
    pub disabled: Option<bool>,
    /// Whether they sign in without a code from now on, for those who lost their authenticator.
    pub remove_totp: bool,
}

impl Service {
    /// All operators, oldest first. Owners only.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn operators(&self, caller: &Caller) -> Result<Vec<Operator>> {
        caller.must_own()?;
        let all = self.store.operators(limits::OPERATORS_MAX).await?;
        Ok(all.into_iter().map(Operator::from).collect())
    }

    /// One operator. Owners only.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn operator(&self, caller: &Caller, id: OperatorId) -> Result<Operator> {
        caller.must_own()?;
        Ok(self.find_operator(id).await?.into())
    }

    /// Creates an operator. Owners only.
    ///
    /// # Errors
    /// Forbidden; invalid; conflict when the e-mail address is taken; too many operators.
    pub async fn create_operator(&self, caller: &Caller, new: NewOperator) -> Result<Operator> {
        let now = self.now();
        let id = OperatorId(self.ids.next(now));
        self.allow_owner(caller, "operator.create", id).await?;
        let new = self.check_new_operator(new)?;
        if self.store.operators(limits::OPERATORS_MAX).await?.len() >= limits::OPERATORS_MAX {
            return Err(Error::limit("operators of an installation"));
        }
        let entry = AuditEntry {
            detail: json!({ "role": new.role.as_str() }),
            ..caller.did("operator.create", id)
        };
        let new = store::NewOperator {
            id,
            email: new.email,
            name: new.name,
            role: new.role,
            password: self.passwords.hash(new.password, &self.ids).await?,
        };
        Ok(self.store.create_operator(new, entry, now).await?.into())
    }

    /// Changes an operator. Owners only.
    ///
    /// # Errors
    /// Forbidden; not found; invalid; conflict when no owner would be left who can sign in.
    pub async fn update_operator(
        &self,
        caller: &Caller,
        id: OperatorId,
        changes: OperatorChanges,
    ) -> Result<Operator> {
        self.allow_owner(caller, "operator.update", id).await?;
        let operator = self.find_operator(id).await?;
        let mut checks = Checks::default();
        checks.optional_name("/name", changes.name.as_deref());
        checks.done()?;
        let OperatorChanges { name, role, disabled, remove_totp } = changes;
        let detail = json!({ "role": role.map(Role::as_str), "disabled": disabled,
            "totp_removed": remove_totp });
        let entry = AuditEntry { detail, ..caller.did("operator.update", id) };
        let update = OperatorUpdate {
            name,
            role,
            disabled,
            totp: remove_totp.then_some(None),
            ..OperatorUpdate::default()
        };
        let no = operator.operator_no;
        Ok(self.store.update_operator(no, update, entry, self.now()).await?.into())
    }

    /// Gives an operator another password, for those who forgot theirs; their sessions end. Owners only.
    ///
    /// # Errors
    /// Forbidden; not found; invalid.
    pub async fn set_operator_password(
        &self,
        caller: &Caller,
        id: OperatorId,
        new: Zeroizing<String>,
    ) -> Result<()> {
        self.allow_owner(caller, "operator.password.set", id).await?;
        let operator = self.find_operator(id).await?;
        let mut checks = Checks::default();
        password::check(&mut checks, &new, &operator.email);
        checks.done()?;
        let update = OperatorUpdate {
            password: Some(self.passwords.hash(new, &self.ids).await?),
            end_sessions_but: Some(None),
            ..OperatorUpdate::default()
        };
        let entry = caller.did("operator.password.set", id);
        self.store.update_operator(operator.operator_no, update, entry, self.now()).await?;
        Ok(())
    }

    /// Deletes an operator; their sessions end. Owners only.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when no owner would be left who can sign in.
    pub async fn delete_operator(&self, caller: &Caller, id: OperatorId) -> Result<()> {
        self.allow_owner(caller, "operator.delete", id).await?;
        let operator = self.find_operator(id).await?;
        let entry = caller.did("operator.delete", id);
        Ok(self.store.delete_operator(operator.operator_no, entry, self.now()).await?)
    }

    /// Gives the operator whose session it is another password; the present one must be given. Their other
    /// sessions end.
    ///
    /// # Errors
    /// Unauthenticated when `present` is wrong; invalid; limit exceeded after too many wrong ones.
    pub async fn change_own_password(
        &self,
        session: &OperatorSession,
        present: &str,
        new: Zeroizing<String>,
    ) -> Result<()> {
        let mut checks = Checks::default();
        password::check(&mut checks, &new, &session.operator.email);
        checks.done()?;
        self.check_own_password(session, present).await?;
        let update = OperatorUpdate {
            password: Some(self.passwords.hash(new, &self.ids).await?),
            end_sessions_but: Some(Some(session.session_no)),
            ..OperatorUpdate::default()
        };
        let entry = session.did("operator.password.change");
        self.store.update_operator(session.operator_no, update, entry, self.now()).await?;
        Ok(())
    }

    pub(super) fn check_new_operator(&self, new: NewOperator) -> Result<NewOperator> {
        let new = NewOperator { email: normal(&new.email), ..new };
        let mut checks = Checks::default();
        checks.name("/name", &new.name);
        check_email(&mut checks, &new.email);
        password::check(&mut checks, &new.password, &new.email);
        checks.done()?;
        Ok(new)
    }

    async fn find_operator(&self, id: OperatorId) -> Result<store::Operator> {
        self.store.operator_by_id(id).await?.ok_or(Error::NotFound("operator"))
    }
}

fn check_email(checks: &mut Checks, email: &str) {
    let shape = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@')
    });
    let plain = !email.chars().any(|c| c.is_whitespace() || crate::is_deceptive(c));
    if !shape || !plain || email.len() > limits::EMAIL_BYTES_MAX {
        checks.refuse("/email", "email", "must be an e-mail address");
    }
}
