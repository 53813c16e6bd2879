//! How much of a user's calendars a Connect token opens, and the caller it becomes within the service.

use tidings_core::id::GrantId;
use tidings_store::{self as store, Grant, GrantKind};

use crate::{Caller, Error, Result, Scope, Service};

/// [`Error::Forbidden`] of what only a token with [`ConnectAccess::ReadWrite`] may do.
pub const CONNECT_WRITE: &str = "connect:write";
/// [`Error::Forbidden`] of being told of changes with their content, which a token with
/// [`ConnectAccess::FreeBusy`] does not open.
pub const CONNECT_READ: &str = "connect:read";
/// [`Error::Forbidden`] of the list of calendars, which a token with [`ConnectAccess::FreeBusy`] does not
/// open.
pub const CONNECT_CALENDARS: &str = "connect:calendars";

/// How much of a user's calendars a Connect token opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectAccess {
    /// When the user is busy, and no more.
    FreeBusy,
    /// Everything, to be read.
    Read,
    /// Everything.
    #[default]
    ReadWrite,
}

impl ConnectAccess {
    /// The name used on Connect's wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FreeBusy => "free-busy",
            Self::Read => "read",
            Self::ReadWrite => "read-write",
        }
    }

    /// What a client asks for with `scope`. A word that Connect does not document (its Python SDK sends
    /// `calendar`) is as none: the default.
    pub fn asked(scope: &str) -> Self {
        let known = [Self::FreeBusy, Self::Read, Self::ReadWrite];
        known.into_iter().find(|access| access.as_str() == scope.trim()).unwrap_or_default()
    }

    pub(super) fn of(grant: &Grant) -> Self {
        Self::asked(grant.details["scope"].as_str().unwrap_or_default())
    }
}

impl Service {
    /// How much the caller's token opens.
    ///
    /// # Errors
    /// Forbidden for what is not a Connect token.
    pub fn connect_access(&self, caller: &Caller) -> Result<ConnectAccess> {
        caller.may(Scope::Connect)?;
        Ok(ConnectAccess::of(&caller.grant))
    }
}

/// The caller with the rights that Connect's verbs need inside. What it sees is the same: its user's.
pub(super) fn within(caller: &Caller) -> Result<Caller> {
    caller.may(Scope::Connect)?;
    user_no(caller)?;
    let mut inner = caller.clone();
    let rights = [Scope::Read, Scope::Accounts, Scope::Calendars];
    inner.grant.scopes.extend(rights.map(|scope| scope.as_str().to_owned()));
    Ok(inner)
}

/// As [`within`], for what changes calendars.
pub(super) fn writing(caller: &Caller) -> Result<Caller> {
    let inner = within(caller)?;
    match ConnectAccess::of(&caller.grant) {
        ConnectAccess::ReadWrite => Ok(inner),
        ConnectAccess::FreeBusy | ConnectAccess::Read => Err(Error::Forbidden(CONNECT_WRITE)),
    }
}

/// Store key of the user that a Connect token is for.
pub(super) fn user_no(caller: &Caller) -> Result<i64> {
    caller.grant.user_no.ok_or(Error::Forbidden(Scope::Connect.as_str()))
}

/// Who acts for an app where nobody has shown a token: a browser in the middle of an authorization, the
/// server itself. `id` is what the audit log calls it.
pub(crate) fn steward(app: &store::App, id: GrantId) -> Caller {
    let grant = Grant {
        grant_no: 0,
        id,
        app_no: Some(app.app_no),
        user_no: None,
        user_id: None,
        user_external_id: None,
        parent_id: None,
        // With all rights within the app, and without being the owner of what it makes.
        kind: GrantKind::Owner,
        name: "connect".into(),
        scopes: Vec::new(),
        details: serde_json::json!({}),
        hint: String::new(),
        created_at: app.created_at,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    Caller::new(grant, Some(app.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_that_are_not_documented_are_accepted_as_the_default() {
        for (scope, access) in [
            ("free-busy", ConnectAccess::FreeBusy),
            ("read", ConnectAccess::Read),
            ("read-write", ConnectAccess::ReadWrite),
            (" read ", ConnectAccess::Read),
            ("", ConnectAccess::ReadWrite),
            ("calendar", ConnectAccess::ReadWrite),
        ] {
            assert_eq!(ConnectAccess::asked(scope), access, "{scope}");
        }
    }
}
