//! End users of an app, and the tokens minted for them.

use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, UserId};
use tidings_core::key::{Token, TokenKind};
use tidings_store::{EndUser, GrantKind, NewGrant};

use crate::cursor::List;
use crate::validate::Checks;
use crate::{Caller, CreatedKey, Error, Page, PageInput, Result, Scope, Service};

/// An end user of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The id that the app itself uses.
    pub external_id: String,
    /// When it was created.
    pub created_at: Timestamp,
}

impl From<EndUser> for User {
    fn from(user: EndUser) -> Self {
        Self { id: user.id, external_id: user.external_id, created_at: user.created_at }
    }
}

/// A Connect token to mint.
#[derive(Clone, Debug, Default)]
pub struct ConnectToken {
    /// What people call it; `connect` when absent.
    pub name: Option<String>,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
}

impl Service {
    /// Creates an end user, or finds the one with this external id; says whether it was created.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn upsert_user(&self, caller: &Caller, external_id: String) -> Result<(User, bool)> {
        let now = self.now();
        let id = UserId(self.ids.next(now));
        self.allow(caller, Scope::Accounts, "user.create", id).await?;
        let mut checks = Checks::default();
        checks.name("/external_id", &external_id);
        checks.done()?;
        let (app_no, entry) = (caller.app()?.app_no, caller.did("user.create", id));
        let (user, created) = self.store.upsert_user(app_no, id, external_id, entry, now).await?;
        Ok((user.into(), created))
    }

    /// One end user.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn user(&self, caller: &Caller, id: UserId) -> Result<User> {
        caller.may(Scope::Read)?;
        Ok(self.find_user(caller, id).await?.into())
    }

    /// End users of the app, oldest first.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn users(&self, caller: &Caller, page: &PageInput) -> Result<Page<User>> {
        caller.may(Scope::Read)?;
        let app_no = caller.app()?.app_no;
        let list = List("users", app_no);
        let (after, limit) = list.begin(page, 0)?;
        let rows = self.store.users(app_no, after, limit).await?;
        Ok(list.page(rows, limit, |user| user.user_no, User::from))
    }

    /// Mints a bearer of the Connect surface for one end user. It sees only that user's accounts and
    /// subscriptions. Revoke it as a key.
    ///
    /// # Errors
    /// Forbidden; not found; invalid.
    pub async fn mint_connect_token(
        &self,
        caller: &Caller,
        user: UserId,
        input: ConnectToken,
    ) -> Result<CreatedKey> {
        let now = self.now();
        let id = GrantId(self.ids.next(now));
        self.allow(caller, Scope::Accounts, "connect_token.create", id).await?;
        let user = self.find_user(caller, user).await?;
        let mut checks = Checks::default();
        checks.optional_name("/name", input.name.as_deref());
        checks.future("/expires_at", input.expires_at, now);
        checks.done()?;
        let token = Token::generate(TokenKind::Connect, &self.ids);
        let new = NewGrant {
            id,
            app_no: Some(caller.app()?.app_no),
            user_no: Some(user.user_no),
            parent_no: Some(caller.grant.grant_no),
            kind: GrantKind::Connect,
            name: input.name.unwrap_or_else(|| "connect".into()),
            scopes: vec![Scope::Connect.as_str().into()],
            token_hash: token.hash(),
            hint: token.hint().to_owned(),
            expires_at: input.expires_at,
        };
        let entry = caller.did("connect_token.create", id);
        let grant = self.store.create_grant(new, entry, now).await?;
        Ok(CreatedKey { key: grant.into(), token })
    }

    pub(crate) async fn find_user(&self, caller: &Caller, id: UserId) -> Result<EndUser> {
        let found = self.store.user_by_id(caller.app()?.app_no, id).await?;
        found.ok_or(Error::NotFound("user"))
    }
}
