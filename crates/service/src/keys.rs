//! API keys.

use tidings_core::clock::Timestamp;
use tidings_core::id::GrantId;
use tidings_core::key::{Token, TokenKind};
use tidings_store::{Grant, GrantKind, NewGrant};

use crate::cursor::List;
use crate::validate::Checks;
use crate::{Caller, Error, Page, PageInput, Result, Scope, Service};

/// What a key opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// One app, within its scopes.
    #[default]
    App,
    /// The whole installation. Only an owner key can make, see or revoke one.
    Owner,
    /// The Mobiscroll Connect surface, for one end user; see [`Service::mint_connect_token`].
    Connect,
}

/// A key, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: GrantId,
    /// What it opens.
    pub kind: KeyKind,
    /// What people call it.
    pub name: String,
    /// What it may do in its app.
    pub scopes: Vec<Scope>,
    /// The last four digits of its token.
    pub hint: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl From<Grant> for Key {
    fn from(grant: Grant) -> Self {
        let kind = match grant.kind {
            GrantKind::Owner => KeyKind::Owner,
            GrantKind::App => KeyKind::App,
            GrantKind::Connect => KeyKind::Connect,
        };
        Self {
            id: grant.id,
            kind,
            name: grant.name,
            scopes: grant.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
            hint: grant.hint,
            created_at: grant.created_at,
            expires_at: grant.expires_at,
            last_used_at: grant.last_used_at,
            revoked_at: grant.revoked_at,
        }
    }
}

/// A key to create.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    /// [`KeyKind::App`] or [`KeyKind::Owner`].
    pub kind: KeyKind,
    /// What people call it.
    pub name: String,
    /// What it may do; at least one for a key of an app, none for an owner key.
    pub scopes: Vec<Scope>,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
}

/// A new key and its token, which is shown this once.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    /// The key.
    pub key: Key,
    /// Its token.
    pub token: Token,
}

impl Service {
    /// Creates a key.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn create_key(&self, caller: &Caller, input: NewKey) -> Result<CreatedKey> {
        let now = self.now();
        let id = GrantId(self.ids.next(now));
        let app_no = self.key_realm(caller, input.kind, "key.create", id).await?;
        check(&input, now)?;
        let token = Token::generate(TokenKind::ApiKey, &self.ids);
        let new = NewGrant {
            id,
            app_no,
            user_no: None,
            parent_no: Some(caller.grant.grant_no),
            kind: if app_no.is_some() { GrantKind::App } else { GrantKind::Owner },
            name: input.name,
            scopes: input.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            token_hash: token.hash(),
            hint: token.hint().to_owned(),
            expires_at: input.expires_at,
        };
        let grant = self.store.create_grant(new, caller.did("key.create", id), now).await?;
        Ok(CreatedKey { key: grant.into(), token })
    }

    /// One key of the caller's app, or, for an owner key, of the installation.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn key(&self, caller: &Caller, id: GrantId) -> Result<Key> {
        caller.may(Scope::Admin)?;
        Ok(self.find_key(caller, id).await?.into())
    }

    /// Keys, oldest first: those of the installation for [`KeyKind::Owner`], else all of the app.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn keys(
        &self,
        caller: &Caller,
        kind: KeyKind,
        page: &PageInput,
    ) -> Result<Page<Key>> {
        caller.may(Scope::Admin)?;
        let app_no = if kind == KeyKind::Owner {
            caller.must_own()?;
            None
        } else {
            Some(caller.app()?.app_no)
        };
        let list = List("keys", app_no.unwrap_or(0));
        let (after, limit) = list.begin(page, 0)?;
        let rows = self.store.grants(app_no, after, limit).await?;
        Ok(list.page(rows, limit, |grant| grant.grant_no, Key::from))
    }

    /// Revokes a key: the next request with it is refused. Revoking twice is no error.
    ///
    /// # Errors
    /// Forbidden; not found; conflict for the key of the request itself.
    pub async fn revoke_key(&self, caller: &Caller, id: GrantId) -> Result<()> {
        self.allow(caller, Scope::Admin, "key.revoke", id).await?;
        let grant = self.find_key(caller, id).await?;
        if grant.grant_no == caller.grant.grant_no {
            let why =
                "a key cannot revoke itself; use another one, so that you do not lock yourself out";
            return Err(Error::Conflict(why.into()));
        }
        self.store.revoke_grant(&grant, caller.did("key.revoke", id), self.now()).await?;
        self.known.forget();
        Ok(())
    }

    /// Where a key of `kind` belongs, once the caller may write there.
    async fn key_realm(
        &self,
        caller: &Caller,
        kind: KeyKind,
        action: &'static str,
        id: GrantId,
    ) -> Result<Option<i64>> {
        if kind == KeyKind::Owner {
            self.allow_owner(caller, action, id).await?;
            return Ok(None);
        }
        self.allow(caller, Scope::Admin, action, id).await?;
        Ok(Some(caller.app()?.app_no))
    }

    async fn find_key(&self, caller: &Caller, id: GrantId) -> Result<Grant> {
        if let Some(app) = &caller.app
            && let Some(grant) = self.store.grant_by_id(Some(app.app_no), id).await?
        {
            return Ok(grant);
        }
        let owned = if caller.is_owner() { self.store.grant_by_id(None, id).await? } else { None };
        owned.ok_or(Error::NotFound("key"))
    }
}

fn check(input: &NewKey, now: Timestamp) -> Result<()> {
    let mut checks = Checks::default();
    checks.name("/name", &input.name);
    checks.future("/expires_at", input.expires_at, now);
    match input.kind {
        KeyKind::Connect => {
            checks.refuse("/kind", "kind", "must be app or owner; connect tokens belong to a user");
        }
        KeyKind::Owner if !input.scopes.is_empty() => {
            checks.refuse("/scopes", "scopes", "must be empty: an owner key may do everything");
        }
        KeyKind::App if input.scopes.is_empty() => {
            checks.refuse("/scopes", "scopes", "must name at least one scope");
        }
        KeyKind::Owner | KeyKind::App => {}
    }
    if input.scopes.contains(&Scope::Connect) {
        let why = "connect is only for the tokens of end users";
        checks.refuse("/scopes", "scopes", why);
    }
    checks.done()
}
