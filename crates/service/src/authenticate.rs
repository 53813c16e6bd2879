//! Who is calling, and what they may do.

use std::fmt::Display;
use std::net::IpAddr;

use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, GrantId, UserId};
use tidings_core::key::{self, Token, TokenKind};
use tidings_core::limits;
use tidings_store::{App, AuditEntry, Grant, GrantKind, Role, Store};

use crate::operators::Acting;
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
    /// Read and write the application's own records.
    Records,
    /// The Mobiscroll Connect surface, as one end user.
    Connect,
}

impl Scope {
    const ALL: [Self; 8] = [
        Self::Admin,
        Self::Publish,
        Self::Read,
        Self::Hooks,
        Self::Accounts,
        Self::Calendars,
        Self::Records,
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
            Self::Records => "records",
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
    /// The operator whom the grant was made for.
    pub(crate) acting: Option<Acting>,
    /// Whence the request came.
    pub(crate) address: Option<IpAddr>,
}

impl Caller {
    /// Whoever holds a grant.
    pub(crate) fn new(grant: Grant, app: Option<App>) -> Self {
        Self { grant, app, acting: None, address: None }
    }

    /// The same caller, whose request came from this address: the audit log says so.
    #[must_use]
    pub fn with_address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// Who the audit log and the journal say did it: the operator's id, or the grant's.
    pub(crate) fn actor(&self) -> String {
        match self.acting {
            Some(acting) => acting.operator.to_string(),
            None => self.grant.id.to_string(),
        }
    }

    /// Id of the grant.
    pub fn grant_id(&self) -> GrantId {
        self.grant.id
    }

    /// What the grant opens.
    pub fn kind(&self) -> GrantKind {
        self.grant.kind
    }

    /// What people call the grant.
    pub fn name(&self) -> &str {
        &self.grant.name
    }

    /// What its dialect keeps with the grant: a JSON object.
    pub fn details(&self) -> &Value {
        &self.grant.details
    }

    /// When the grant stops working by itself.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.grant.expires_at
    }

    /// The grant that made this one.
    pub fn parent_id(&self) -> Option<GrantId> {
        self.grant.parent_id
    }

    /// The end user whose grant it is: then the caller sees only what is that user's.
    pub fn user_id(&self) -> Option<UserId> {
        self.grant.user_id
    }

    /// The id by which the app itself knows that end user.
    pub fn user_external_id(&self) -> Option<&str> {
        self.grant.user_external_id.as_deref()
    }

    /// What people call the app that the caller acts in.
    pub fn app_name(&self) -> Option<&str> {
        self.app.as_ref().map(|app| app.name.as_str())
    }

    /// The app's id elsewhere.
    pub fn app_external_id(&self) -> Option<&str> {
        self.app.as_ref().and_then(|app| app.external_id.as_deref())
    }

    /// Store key of the grant, when it is stored: that of a person at the door is not.
    pub(crate) fn grant_no(&self) -> Option<i64> {
        (self.grant.grant_no > 0).then_some(self.grant.grant_no)
    }

    /// Store key of the grant that a new hook belongs to and ends with; none for those whose hooks stay.
    pub(crate) fn owns_hooks_as(&self) -> Option<i64> {
        let stays = self.is_owner() || self.grant.kind == GrantKind::Portal;
        self.grant_no().filter(|_| !stays)
    }

    /// Id of the app the caller acts in; absent for an owner key that named none.
    pub fn app_id(&self) -> Option<AppId> {
        self.app.as_ref().map(|app| app.id)
    }

    /// Whether the caller holds an owner key, or is an operator who is an owner.
    pub fn is_owner(&self) -> bool {
        self.grant.kind == GrantKind::Owner || self.has_role(Role::Owner)
    }

    /// Whether the caller is not confined to one app: holds an owner key or is an operator.
    pub(crate) fn spans_apps(&self) -> bool {
        self.is_owner() || self.acting.is_some()
    }

    /// Checks for who may create and delete apps: owners, and operators who are admins.
    pub(crate) fn may_manage_apps(&self) -> Result<()> {
        if self.has_role(Role::Admin) { Ok(()) } else { self.must_own() }
    }

    fn has_role(&self, role: Role) -> bool {
        self.acting.is_some_and(|acting| acting.role == role)
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

    /// Checks a scope for what concerns all of an app: a grant of an end user has no part in it.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub(crate) fn may_for_all(&self, scope: Scope) -> Result<()> {
        self.may(scope)?;
        self.must_be_unbound()
    }

    /// Whether the caller sees only what is one end user's.
    pub(crate) fn is_bound(&self) -> bool {
        self.grant.user_no.is_some()
    }

    /// Checks that the caller is not confined to what is one end user's.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub(crate) fn must_be_unbound(&self) -> Result<()> {
        if self.is_bound() { Err(Error::Forbidden("admin")) } else { Ok(()) }
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
            actor: self.actor(),
            action,
            object: object.to_string(),
            denied: false,
            address: self.address.map(|address| address.to_string()),
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
        match Token::parse(bearer) {
            Some((TokenKind::ApiKey | TokenKind::Connect, token)) => {
                self.let_in(token.hash(), app).await
            }
            _ => Err(Error::Unauthenticated),
        }
    }

    /// As [`Service::authenticate`], for a token of any shape: an API key, a session, a bearer that a dialect
    /// made, or, with its `app`, an access whose token was chosen. Only tokens of these `kinds` let in here,
    /// so that one that was made for another surface opens nothing. Codes and refresh tokens let nobody in
    /// anywhere. The use of a session prolongs it.
    ///
    /// # Errors
    /// As [`Service::authenticate`].
    pub async fn authenticate_text(
        &self,
        token: &str,
        app: Option<AppId>,
        kinds: &[GrantKind],
    ) -> Result<Caller> {
        if token.is_empty() || token.len() > limits::TOKEN_BYTES_MAX {
            return Err(Error::Unauthenticated);
        }
        let (plain, chosen) = (key::hash(token), app.map(|named| key::hash_within(named, token)));
        // One that we made is hardly ever one that somebody chose.
        let (first, second) = match chosen {
            Some(chosen) if Token::parse(token).is_some() => (plain, Some(chosen)),
            Some(chosen) => (chosen, Some(plain)),
            None => (plain, None),
        };
        let caller = match (self.let_in(first, app).await, second) {
            (Err(Error::Unauthenticated), Some(second)) => self.let_in(second, app).await?,
            (found, _) => found?,
        };
        if kinds.contains(&caller.kind()) { Ok(caller) } else { Err(Error::Unauthenticated) }
    }

    /// Lets in whoever has the token of this hash.
    async fn let_in(&self, token_hash: [u8; 32], app: Option<AppId>) -> Result<Caller> {
        let now = self.now();
        let presented = (token_hash, app);
        let forgotten = match self.known.find(presented, now) {
            Ok(caller) => return Ok(caller),
            Err(forgotten) => forgotten,
        };
        let found = self.store.grant_by_token(token_hash, now).await?;
        let bearer = found.filter(|(grant, _)| grant.kind.is_bearer());
        let (mut grant, own) = bearer.ok_or(Error::Unauthenticated)?;
        if Store::is_use_due(&grant, now) {
            self.note_use(&mut grant, now).await?;
        }
        let app = match (own, app) {
            (Some(own), Some(named)) if own.id != named => return Err(Error::NotFound("app")),
            (Some(own), _) => Some(own),
            (None, Some(named)) => {
                Some(self.store.app_by_id(named).await?.ok_or(Error::NotFound("app"))?)
            }
            (None, None) => self.only_app().await?,
        };
        let caller = Caller::new(grant, app);
        self.known.remember(forgotten, presented, &caller, now);
        Ok(caller)
    }

    async fn note_use(&self, grant: &mut Grant, now: Timestamp) -> Result<()> {
        if grant.kind == GrantKind::Session {
            // Without this note the session would end although it is used.
            self.store.touch_grant(grant, now).await?;
            grant.last_used_at = Some(now);
            grant.expires_at = Some(now.plus_ms(limits::SESSION_IDLE_MS));
            return Ok(());
        }
        // Losing this note is harmless, waiting for its commit is not.
        let (store, grant) = (self.store.clone(), grant.clone());
        tokio::spawn(async move { drop(store.touch_grant(&grant, now).await) });
        Ok(())
    }

    /// Checks that a caller of some time ago would still be let in.
    ///
    /// # Errors
    /// Unauthenticated otherwise; unavailable.
    pub async fn check_still_valid(&self, caller: &Caller) -> Result<()> {
        let works = match caller.acting {
            Some(acting) => self.still_acts(acting).await?,
            None => self.still_works(&caller.grant).await?,
        };
        let app_lives = match &caller.app {
            Some(app) => self.store.app(app.app_no).await?.is_some(),
            None => true,
        };
        if works && app_lives { Ok(()) } else { Err(Error::Unauthenticated) }
    }

    async fn still_works(&self, grant: &Grant) -> Result<bool> {
        let now = self.now();
        let found = self.store.grant_by_id(grant.app_no, grant.id).await?;
        Ok(found.is_some_and(|grant| {
            grant.revoked_at.is_none() && grant.expires_at.is_none_or(|at| at > now)
        }))
    }

    /// Whether an operator is still signed in, in the same role.
    async fn still_acts(&self, acting: Acting) -> Result<bool> {
        let found = self.store.session_by_id(acting.session, self.now()).await?;
        Ok(found.is_some_and(|session| session.operator.role == acting.role))
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

    pub(crate) async fn note_refusal(
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
