//! End users of an app, and the tokens minted for them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidings_core::change::Subject;
use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, UserId};
use tidings_core::key::{Token, TokenKind};
use tidings_core::limits;
use tidings_store::{AccountFilter, EndUser, EndUserUpdate, GrantKind, NewEndUser, NewGrant};

use crate::cursor::List;
use crate::validate::Checks;
use crate::{Announcement, Caller, CreatedKey, Error, Page, PageInput, Result, Scope, Service};

/// An end user of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The id that the app itself uses; unique in the app.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Value,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
}

impl From<EndUser> for User {
    fn from(user: EndUser) -> Self {
        let EndUser { user_no: _, id, external_id, name, details, created_at, updated_at } = user;
        Self { id, external_id, name, details, created_at, updated_at }
    }
}

impl User {
    /// The reverse of `From<EndUser>`.
    fn stored_as(self, user_no: i64) -> EndUser {
        let Self { id, external_id, name, details, created_at, updated_at } = self;
        EndUser { user_no, id, external_id, name, details, created_at, updated_at }
    }
}

/// An end user to create.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The id that the app itself uses.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Value,
}

impl Default for NewUser {
    fn default() -> Self {
        Self { external_id: None, name: None, details: json!({}) }
    }
}

/// What to change about an end user; what is absent stays, an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    /// The id that the app itself uses.
    pub external_id: Option<Option<String>>,
    /// What people call it.
    pub name: Option<Option<String>>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Option<Value>,
    /// The user as it was read: when it is another one by now, nothing is changed.
    pub expected: Option<User>,
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
        let new = NewUser { external_id: Some(external_id), ..NewUser::default() };
        self.create_user(caller, new, |_| Vec::new()).await
    }

    /// Creates an end user, or finds the one with this external id as it is; says whether it was created.
    /// What is announced is appended when it was.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn create_user(
        &self,
        caller: &Caller,
        new: NewUser,
        announce: impl FnOnce(&User) -> Vec<Announcement>,
    ) -> Result<(User, bool)> {
        let now = self.now();
        let id = UserId(self.ids.next(now));
        let NewUser { external_id, name, details } = new;
        let user = User { id, external_id, name, details, created_at: now, updated_at: now };
        let announced = announce(&user);
        self.allow(caller, Scope::Accounts, "user.create", id).await?;
        let mut checks = Checks::default();
        checks.optional_name("/external_id", user.external_id.as_deref());
        checks.optional_name("/name", user.name.as_deref());
        checks.details("/details", &user.details);
        checks.done()?;
        let app_no = caller.app()?.app_no;
        let User { external_id, name, details, .. } = user;
        let new = NewEndUser { id, app_no, external_id, name, details, password: None };
        let changes = self.all_announced(caller, announced, &Subject::default(), now);
        let entry = caller.did("user.create", id);
        let (user, created) = self.store.create_user(new, changes, entry, now).await?;
        if !caller.sees_user(Some(user.user_no)) && !created {
            return Err(Error::Conflict("another user has this external id".into()));
        }
        Ok((user.into(), created))
    }

    /// Changes an end user; `announce` is given the user as it will be.
    ///
    /// # Errors
    /// Forbidden; not found; invalid; stale when it is not as expected; conflict when another user of the app
    /// has the external id.
    pub async fn update_user(
        &self,
        caller: &Caller,
        id: UserId,
        changes: UserChanges,
        announce: impl FnOnce(&User) -> Vec<Announcement>,
    ) -> Result<User> {
        let now = self.now();
        self.allow(caller, Scope::Accounts, "user.update", id).await?;
        let found = self.find_user(caller, id).await?;
        let mut checks = Checks::default();
        checks.optional_name(
            "/external_id",
            changes.external_id.iter().flatten().next().map(String::as_str),
        );
        checks.optional_name("/name", changes.name.iter().flatten().next().map(String::as_str));
        if let Some(details) = &changes.details {
            checks.details("/details", details);
        }
        checks.done()?;
        let user_no = found.user_no;
        let update = EndUserUpdate {
            external_id: changes.external_id.clone(),
            name: changes.name.clone(),
            details: changes.details.clone(),
            password: None,
            expected: changes.expected.map(|user| user.stored_as(user_no)),
        };
        let before = User::from(found);
        let after = User {
            external_id: changes.external_id.unwrap_or(before.external_id),
            name: changes.name.unwrap_or(before.name),
            details: changes.details.unwrap_or(before.details),
            updated_at: now,
            ..before
        };
        let subject = Subject { user_no: Some(user_no), ..Subject::default() };
        let changes = self.all_announced(caller, announce(&after), &subject, now);
        let entry = caller.did("user.update", id);
        let user = self.store.update_user(user_no, update, changes, entry, now).await?;
        self.known.forget();
        Ok(user.into())
    }

    /// Deletes an end user: its accounts as by [`Service::delete_account`], then what is kept of the person,
    /// its tokens and hooks. When this fails half way, it can be done again.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when an account was connected meanwhile.
    pub async fn delete_user(&self, caller: &Caller, id: UserId) -> Result<()> {
        self.allow(caller, Scope::Accounts, "user.delete", id).await?;
        let user = self.find_user(caller, id).await?;
        let of_user = AccountFilter { user_no: Some(user.user_no), ..AccountFilter::default() };
        let app_no = caller.app()?.app_no;
        let mut after = 0;
        loop {
            let page =
                self.store.accounts(app_no, of_user.clone(), after, limits::PAGE_MAX).await?;
            let Some(last) = page.last() else { break };
            after = last.account_no;
            for account in page {
                match self.delete_account(caller, account.id).await {
                    Err(Error::NotFound(_)) | Ok(()) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let entry = caller.did("user.delete", id);
        self.store.delete_user(user.user_no, entry, self.now()).await?;
        self.known.forget();
        Ok(())
    }

    /// The end user that the app itself knows by `external_id`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn user_named(&self, caller: &Caller, external_id: &str) -> Result<Option<User>> {
        caller.may_either(Scope::Read, Scope::Accounts)?;
        let found = self.store.user_named(caller.app()?.app_no, external_id.to_owned()).await?;
        Ok(found.filter(|user| caller.sees_user(Some(user.user_no))).map(User::from))
    }

    /// One end user.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn user(&self, caller: &Caller, id: UserId) -> Result<User> {
        caller.may(Scope::Read)?;
        Ok(self.find_user(caller, id).await?.into())
    }

    /// Those of these end users that there are.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn users_by_id(&self, caller: &Caller, ids: Vec<UserId>) -> Result<Vec<User>> {
        caller.may(Scope::Read)?;
        let found = self.store.users_by_id(caller.app()?.app_no, ids).await?;
        let seen = found.into_iter().filter(|user| caller.sees_user(Some(user.user_no)));
        Ok(seen.map(User::from).collect())
    }

    /// At which providers these end users have accounts; who has none is left out.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn providers_of_users(
        &self,
        caller: &Caller,
        ids: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, BTreeSet<String>>> {
        caller.may(Scope::Read)?;
        let mut providers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(providers) };
        let app_no = caller.app()?.app_no;
        let own = caller.user_id();
        for (id, provider) in self.store.providers_of_users(app_no, *first, *last).await? {
            if ids.contains(&id) && own.is_none_or(|own| own == id) {
                providers.entry(id).or_default().insert(provider);
            }
        }
        Ok(providers)
    }

    /// End users of the app, oldest first; for a caller bound to one, only that one.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn users(&self, caller: &Caller, page: &PageInput) -> Result<Page<User>> {
        caller.may(Scope::Read)?;
        let app_no = caller.app()?.app_no;
        let list = List("users", app_no);
        let (after, limit) = list.begin(page, 0)?;
        let rows = match caller.grant.user_no {
            None => self.store.users(app_no, after, limit).await?,
            Some(own) if own > after => self.store.user(own).await?.into_iter().collect(),
            Some(_) => Vec::new(),
        };
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
            parent_no: caller.grant_no(),
            kind: GrantKind::Connect,
            name: input.name.unwrap_or_else(|| "connect".into()),
            scopes: vec![Scope::Connect.as_str().into()],
            details: json!({}),
            token_hash: token.hash(),
            hint: token.hint().to_owned(),
            expires_at: input.expires_at,
        };
        let entry = caller.did("connect_token.create", id);
        let grant = self.store.create_grant(new, Vec::new(), entry, now).await?;
        Ok(CreatedKey { key: grant.into(), token })
    }

    pub(crate) async fn find_user(&self, caller: &Caller, id: UserId) -> Result<EndUser> {
        let found = self.store.user_by_id(caller.app()?.app_no, id).await?;
        found.filter(|user| caller.sees_user(Some(user.user_no))).ok_or(Error::NotFound("user"))
    }
}
