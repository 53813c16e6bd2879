//! API keys.

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, UserId};
use tidings_core::key::{Token, TokenKind};
use tidings_store::{Grant, GrantKind, NewGrant};

use crate::cursor::List;
use crate::validate::Checks;
use crate::{Caller, Error, Page, PageInput, Result, Scope, Service};

/// A key, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: GrantId,
    /// What it opens.
    pub kind: GrantKind,
    /// What people call it.
    pub name: String,
    /// Its end user.
    pub user: Option<UserId>,
    /// The id by which the app itself knows its end user.
    pub user_external_id: Option<String>,
    /// The grant that made it.
    pub parent: Option<GrantId>,
    /// What it may do in its app.
    pub scopes: Vec<Scope>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Value,
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
        Self {
            id: grant.id,
            kind: grant.kind,
            name: grant.name,
            user: grant.user_id,
            user_external_id: grant.user_external_id,
            parent: grant.parent_id,
            details: grant.details,
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
    /// [`GrantKind::App`] or [`GrantKind::Owner`].
    pub kind: GrantKind,
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
            parent_no: caller.grant_no(),
            kind: if app_no.is_some() { GrantKind::App } else { GrantKind::Owner },
            name: input.name,
            scopes: input.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            details: json!({}),
            token_hash: token.hash(),
            hint: token.hint().to_owned(),
            expires_at: input.expires_at,
        };
        let grant =
            self.store.create_grant(new, Vec::new(), caller.did("key.create", id), now).await?;
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

    /// Keys, oldest first: those of the installation for [`GrantKind::Owner`], else all of the app.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn keys(
        &self,
        caller: &Caller,
        kind: GrantKind,
        page: &PageInput,
    ) -> Result<Page<Key>> {
        caller.may(Scope::Admin)?;
        let app_no = if kind == GrantKind::Owner {
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

    /// Revokes a key: the next request with it is refused, and so is one with a session that it made; keys
    /// and hooks that it made stay. With another token ends all that was made with it, as by
    /// [`Service::revoke_token_tree`]. Revoking twice is no error.
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
        let (entry, now) = (caller.did("key.revoke", id), self.now());
        match grant.kind {
            GrantKind::Owner | GrantKind::App => {
                self.store.revoke_grant(&grant, entry, now).await?;
            }
            _ => drop(self.store.revoke_grant_tree(&grant, Vec::new(), entry, now).await?),
        }
        self.known.forget();
        Ok(())
    }

    /// Where a key of `kind` belongs, once the caller may write there.
    async fn key_realm(
        &self,
        caller: &Caller,
        kind: GrantKind,
        action: &'static str,
        id: GrantId,
    ) -> Result<Option<i64>> {
        if kind == GrantKind::Owner {
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
        GrantKind::Owner if !input.scopes.is_empty() => {
            checks.refuse("/scopes", "scopes", "must be empty: an owner key may do everything");
        }
        GrantKind::App if input.scopes.is_empty() => {
            checks.refuse("/scopes", "scopes", "must name at least one scope");
        }
        GrantKind::Owner | GrantKind::App => {}
        _ => checks.refuse(
            "/kind",
            "kind",
            "must be app or owner; other tokens are minted for a user",
        ),
    }
    if input.scopes.contains(&Scope::Connect) {
        let why = "connect is only for the tokens of end users";
        checks.refuse("/scopes", "scopes", why);
    }
    checks.done()
}
