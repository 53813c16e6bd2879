//! Operators, who sign in to the console: who they are, and what they may do.

mod managing;
mod password;
mod sessions;
mod setup;
mod signing_in;
mod throttle;
mod totp;

use std::fmt;
use std::net::IpAddr;

use serde_json::json;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, GrantId, OperatorId, SessionId};
use tidings_core::limits;
use tidings_core::seal::Place;
use tidings_store::{self as store, AuditEntry, Grant, GrantKind, Role};
use zeroize::Zeroizing;

use crate::{Caller, Error, Result, Scope, Service};

pub use managing::OperatorChanges;
pub(crate) use throttle::SignIns;
pub use totp::TotpOffer;

/// Somebody who signs in to the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Their id, under which the audit log has what they do.
    pub id: OperatorId,
    /// What they sign in as, in lower case; unique.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether signing in takes a code besides the password.
    pub has_totp: bool,
    /// When they were created.
    pub created_at: Timestamp,
    /// Since when they cannot sign in.
    pub disabled_at: Option<Timestamp>,
}

impl From<store::Operator> for Operator {
    fn from(operator: store::Operator) -> Self {
        let store::Operator { id, email, name, role, has_totp, created_at, disabled_at, .. } =
            operator;
        Self { id, email, name, role, has_totp, created_at, disabled_at }
    }
}

/// An operator to create. `Debug` does not show the password.
#[derive(Clone)]
pub struct NewOperator {
    /// What they sign in as; its case does not matter.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// What they may do; of no effect on the first one, who is an owner.
    pub role: Role,
    /// 8 to 1,024 bytes, and none of the most common passwords.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for NewOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOperator").field("role", &self.role).finish_non_exhaustive()
    }
}

/// Whence a request came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client, when that is known.
    pub address: Option<IpAddr>,
    /// What the client calls itself; empty when it does not.
    pub agent: String,
}

impl Origin {
    fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// What is kept of the client's name.
    fn agent_text(&self) -> String {
        let mut text: String = self.agent.chars().filter(|c| !crate::is_deceptive(*c)).collect();
        let end = text.floor_char_boundary(limits::AGENT_BYTES_MAX);
        text.truncate(end);
        text
    }
}

/// The outcome of a right password.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a sign-in, taken apart at once")]
pub enum SignIn {
    /// The operator is in.
    In(SignedIn),
    /// The password is right, and a code is asked for.
    NeedsCode,
}

/// A session that has just begun. `Debug` does not show the token.
pub struct SignedIn {
    /// What the browser has to show from now on; it is not kept.
    pub token: String,
    /// The session.
    pub session: OperatorSession,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("session", &self.session).finish_non_exhaustive()
    }
}

/// A session of an operator. `Debug` does not show what its forms carry.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is, as they are now.
    pub operator: Operator,
    /// What a form of this session carries: random, and nobody else knows it.
    pub csrf: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When it ends whatever its use.
    pub expires_at: Timestamp,
    /// When the password was last given.
    pub authenticated_at: Timestamp,
    /// Whence the request came, or in a list whence it was last used.
    pub address: Option<IpAddr>,
    /// The browser, in its own words.
    pub agent: String,
    pub(crate) operator_no: i64,
    pub(crate) session_no: i64,
}

impl fmt::Debug for OperatorSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("OperatorSession");
        shown.field("id", &self.id).field("operator", &self.operator.id).finish_non_exhaustive()
    }
}

impl From<store::OperatorSession> for OperatorSession {
    fn from(session: store::OperatorSession) -> Self {
        let operator_no = session.operator.operator_no;
        Self {
            id: session.id,
            operator: session.operator.into(),
            csrf: session.csrf,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            authenticated_at: session.authenticated_at,
            address: session.address.and_then(|address| address.parse().ok()),
            agent: session.agent,
            operator_no,
            session_no: session.session_no,
        }
    }
}

impl OperatorSession {
    /// The operator as a caller that named no app.
    pub fn caller_of_installation(&self) -> Caller {
        self.caller(None)
    }

    /// Whether the password was given lately enough for what asks for it anew: 10 minutes.
    pub fn recently_authenticated(&self, now: Timestamp) -> bool {
        now.0 - self.authenticated_at.0 <= limits::OPERATOR_AUTHENTICATED_MS
    }

    /// The operator as a caller, by a grant that is made for this request and stored nowhere.
    fn caller(&self, app: Option<store::App>) -> Caller {
        let scopes: &[Scope] = match self.operator.role {
            Role::Owner | Role::Admin => &[Scope::Admin],
            Role::Viewer => &[Scope::Read],
        };
        let grant = Grant {
            grant_no: 0,
            id: GrantId(self.operator.id.0),
            app_no: app.as_ref().map(|app| app.app_no),
            user_no: None,
            user_id: None,
            user_external_id: None,
            parent_id: None,
            kind: GrantKind::Operator,
            name: self.operator.name.clone(),
            scopes: scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            details: json!({}),
            hint: String::new(),
            created_at: self.created_at,
            expires_at: Some(self.expires_at),
            last_used_at: None,
            revoked_at: None,
        };
        let acting =
            Acting { operator: self.operator.id, role: self.operator.role, session: self.id };
        Caller { grant, app, acting: Some(acting), address: self.address }
    }

    /// An audit line of what this operator does to themselves.
    fn did(&self, action: &'static str) -> AuditEntry {
        self.caller(None).did(action, self.operator.id)
    }
}

/// The operator behind a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acting {
    pub(crate) operator: OperatorId,
    pub(crate) role: Role,
    pub(crate) session: SessionId,
}

impl Service {
    /// An operator as a caller in an app.
    ///
    /// # Errors
    /// Not found (the app).
    pub async fn operator_caller(&self, session: &OperatorSession, app: AppId) -> Result<Caller> {
        let app = self.store.app_by_id(app).await?.ok_or(Error::NotFound("app"))?;
        Ok(session.caller(Some(app)))
    }
}

/// An e-mail address as it is kept and looked for.
fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Where the secret of an operator's codes is kept sealed. It belongs to no app.
fn totp_place(operator: OperatorId) -> Place {
    let app = AppId(tidings_core::id::Bits96::new(0));
    Place { table: "operator", column: "totp", app, row: operator.0 }
}
