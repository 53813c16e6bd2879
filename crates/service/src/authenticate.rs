//! Who is calling, and what they may do.

use std::fmt::Display;

use tidings_core::id::{AppId, GrantId};
use tidings_core::key::Token;
use tidings_store::{App, AuditEntry, Grant, GrantKind, Store};

use crate::{Error, Result, Service};

/// What a key may do in its app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Admin,
    /// Publish changes.
    Publish,
    /// Read everything but secrets.
    Read,
    /// Create, change, test and delete hooks; resend and replay.
    Hooks,
    /// Create end users; connect, change and delete accounts; mint Connect tokens.
    Accounts,
    /// Read and write calendars and their events.
    Calendars,
    /// The Mobiscroll Connect surface, as one end user.
    Connect,
}

impl Scope {
    const ALL: [Self; 7] = [
        Self::Admin,
        Self::Publish,
        Self::Read,
        Self::Hooks,
        Self::Accounts,
        Self::Calendars,
        Self::Connect,
    ];

    /// The name used in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Hooks => "hooks",
            Self::Accounts => "accounts",
            Self::Calendars => "calendars",
            Self::Connect => "connect",
        }
    }

    /// The reverse of [`Scope::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// An authenticated caller: a grant, and the app that it acts in.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(crate) grant: Grant,
    pub(crate) app: Option<App>,
}

impl Caller {
    /// Id of the grant.
    pub fn grant_id(&self) -> GrantId {
        self.grant.id
    }

    /// Id of the app the caller acts in; absent for an owner key that named none.
    pub fn app_id(&self) -> Option<AppId> {
        self.app.as_ref().map(|app| app.id)
    }

    /// Whether the caller holds an owner key.
    pub fn is_owner(&self) -> bool {
        self.grant.kind == GrantKind::Owner
    }

    /// Checks a scope: owner keys have all, `admin` covers all of an app but `connect`.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn may(&self, scope: Scope) -> Result<()> {
        let has = |scope: Scope| self.grant.scopes.iter().any(|held| held == scope.as_str());
        let covered = self.is_owner() || has(Scope::Admin);
        let allowed = if scope == Scope::Connect { has(scope) } else { covered || has(scope) };
        if allowed { Ok(()) } else { Err(Error::Forbidden(scope.as_str())) }
    }

    /// Checks for at least one of two scopes.
    ///
    /// # Errors
    /// [`Error::Forbidden`], naming the first.
    pub(crate) fn may_either(&self, scope: Scope, other: Scope) -> Result<()> {
        self.may(other).or_else(|_| self.may(scope))
    }

    /// Checks for at least one of some scopes.
    ///
    /// # Errors
    /// [`Error::Forbidden`], naming the first.
    pub(crate) fn may_any(&self, scopes: &[Scope]) -> Result<()> {
        let first = scopes.first().copied().unwrap_or(Scope::Admin);
        if scopes.iter().any(|scope| self.may(*scope).is_ok()) { Ok(()) } else { self.may(first) }
    }

    /// Whether a thing of this end user may be known to the caller: a grant of an end user sees only
    /// what is that user's.
    pub(crate) fn sees_user(&self, user_no: Option<i64>) -> bool {
        self.grant.user_no.is_none() || self.grant.user_no == user_no
    }

    /// Checks for an owner key.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_own(&self) -> Result<()> {
        if self.is_owner() { Ok(()) } else { Err(Error::Forbidden("owner")) }
    }

    /// The app that the caller acts in.
    ///
    /// # Errors
    /// [`Error::Malformed`] when an owner key named none and there is not exactly one.
    pub(crate) fn app(&self) -> Result<&App> {
        self.app.as_ref().ok_or_else(|| {
            Error::Malformed("name the app: send its id in the header tidings-app".into())
        })
    }

    /// An audit line of something that this caller did.
    pub(crate) fn did(&self, action: &'static str, object: impl Display + Copy) -> AuditEntry {
        AuditEntry {
            actor: self.grant.id.to_string(),
            action,
            object: object.to_string(),
            denied: false,
            detail: serde_json::json!({}),
        }
    }
}

impl Service {
    /// Finds out who calls. `bearer` is the token without its scheme; `app` is the app that an owner
    /// key names (needed when there are several).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for a malformed, unknown, revoked and expired token; not
    /// found when `app` is not one that the token may act in.
    pub async fn authenticate(&self, bearer: &str, app: Option<AppId>) -> Result<Caller> {
        let (_, token) = Token::parse(bearer).ok_or(Error::Unauthenticated)?;
        let now = self.now();
        let presented = (token.hash(), app);
        let forgotten = match self.known.find(presented, now) {
            Ok(caller) => return Ok(caller),
            Err(forgotten) => forgotten,
        };
        let found = self.store.grant_by_token(token.hash(), now).await?;
        let (grant, own) = found.ok_or(Error::Unauthenticated)?;
        if Store::is_use_due(&grant, now) {
            // Losing this note is harmless, waiting for its commit is not.
            let (store, grant_no) = (self.store.clone(), grant.grant_no);
            tokio::spawn(async move { drop(store.touch_grant(grant_no, now).await) });
        }
        let app = match (own, app) {
            (Some(own), Some(named)) if own.id != named => return Err(Error::NotFound("app")),
            (Some(own), _) => Some(own),
            (None, Some(named)) => {
                Some(self.store.app_by_id(named).await?.ok_or(Error::NotFound("app"))?)
            }
            (None, None) => self.only_app().await?,
        };
        let caller = Caller { grant, app };
        self.known.remember(forgotten, presented, &caller, now);
        Ok(caller)
    }

    /// Checks that a caller of some time ago would still be let in.
    pub(crate) async fn check_still_valid(&self, caller: &Caller) -> Result<()> {
        let Grant { app_no, id, .. } = caller.grant;
        let now = self.now();
        let found = self.store.grant_by_id(app_no, id).await?;
        let works = found.is_some_and(|grant| {
            grant.revoked_at.is_none() && grant.expires_at.is_none_or(|at| at > now)
        });
        let app_lives = match &caller.app {
            Some(app) => self.store.app(app.app_no).await?.is_some(),
            None => true,
        };
        if works && app_lives { Ok(()) } else { Err(Error::Unauthenticated) }
    }

    async fn only_app(&self) -> Result<Option<App>> {
        let mut apps = self.store.apps(0, 2).await?;
        Ok(if apps.len() == 1 { apps.pop() } else { None })
    }

    /// Checks a scope for a mutating verb; a refusal is written into the audit log.
    pub(crate) async fn allow(
        &self,
        caller: &Caller,
        scope: Scope,
        action: &'static str,
        object: impl Display + Copy,
    ) -> Result<()> {
        self.note_refusal(caller, caller.may(scope), action, object).await
    }

    /// As [`Service::allow`], for what only owner keys may do.
    pub(crate) async fn allow_owner(
        &self,
        caller: &Caller,
        action: &'static str,
        object: impl Display + Copy,
    ) -> Result<()> {
        self.note_refusal(caller, caller.must_own(), action, object).await
    }

    async fn note_refusal(
        &self,
        caller: &Caller,
        verdict: Result<()>,
        action: &'static str,
        object: impl Display + Copy,
    ) -> Result<()> {
        let Err(Error::Forbidden(needed)) = verdict else { return verdict };
        let entry = AuditEntry {
            denied: true,
            detail: serde_json::json!({ "needed": needed }),
            ..caller.did(action, object)
        };
        let app_no = caller.app.as_ref().map(|app| app.app_no);
        self.store.audit(app_no, entry, self.now()).await?;
        Err(Error::Forbidden(needed))
    }
}
