//! Tokens: every kind of grant that a dialect hands out.

use serde_json::{Value, json};
use tidings_core::change::Subject;
use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, UserId};
use tidings_core::key::{self, Token, TokenKind};
use tidings_core::limits;
use tidings_store::{Grant, GrantKind, GrantUpdate, NewGrant};
use zeroize::Zeroizing;

use crate::validate::Checks;
use crate::{Announcement, Caller, Error, Key, Result, Scope, Service};

/// A token to mint.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it opens: anything but [`GrantKind::Owner`] and [`GrantKind::App`], which are keys.
    pub kind: GrantKind,
    /// Its end user; it sees only what is that user's.
    pub user: Option<UserId>,
    /// The token that it is revoked with; the caller's when absent.
    pub parent: Option<GrantId>,
    /// What people call it.
    pub name: String,
    /// What it may do: no more than the caller.
    pub scopes: Vec<Scope>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Value,
    /// When it stops working by itself; a session lasts [`limits::SESSION_IDLE_MS`] after its last use.
    pub expires_at: Option<Timestamp>,
    /// How it looks.
    pub text: TokenText,
}

/// How a token looks.
#[derive(Clone)]
pub enum TokenText {
    /// A prefix for its kind, random digits and a checksum.
    Made,
    /// 64 random hexadecimal digits.
    Hex64,
    /// This text: one that the dialect made or, for an access, its maker chose. A chosen one works only where
    /// its app is named; another app may have the same.
    Given(Zeroizing<String>),
}

impl std::fmt::Debug for TokenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Made => "Made",
            Self::Hex64 => "Hex64",
            Self::Given(_) => "Given(…)",
        })
    }
}

/// What to change about a token; what is absent stays, an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct TokenChanges {
    /// What people call it.
    pub name: Option<String>,
    /// What it may do: no more than the caller.
    pub scopes: Option<Vec<Scope>>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Option<Value>,
    /// When it stops working by itself.
    pub expires_at: Option<Option<Timestamp>>,
}

impl Service {
    /// Mints a token; the answer holds it, and nothing else does. Whoever has the scope `accounts` may mint
    /// for any end user, a grant of an end user for that user; neither may give more than it has itself.
    ///
    /// # Errors
    /// Forbidden; not found (the user or parent); invalid; conflict when a given token exists already.
    pub async fn mint_token(
        &self,
        caller: &Caller,
        new: NewToken,
        announce: Vec<Announcement>,
    ) -> Result<(Key, Zeroizing<String>)> {
        let now = self.now();
        let id = GrantId(self.ids.next(now));
        let may = caller.may_grant(new.user, &new.scopes);
        self.note_refusal(caller, may, "token.create", id).await?;
        check(&new, now)?;
        let app = caller.app()?;
        let user_no = match new.user {
            Some(user) => Some(self.find_user(caller, user).await?.user_no),
            None => None,
        };
        let parent_no = match new.parent {
            Some(parent) => Some(self.find_token(caller, parent).await?.grant_no),
            None => caller.grant_no(),
        };
        let text = self.text_of(&new);
        let session = now.plus_ms(limits::SESSION_IDLE_MS);
        let expires_at = match new.kind {
            GrantKind::Session => new.expires_at.or(Some(session)),
            _ => new.expires_at,
        };
        let hint = hint(&text);
        let grant = NewGrant {
            id,
            app_no: Some(app.app_no),
            user_no,
            parent_no,
            kind: new.kind,
            name: new.name,
            scopes: names(&new.scopes),
            details: new.details,
            token_hash: match (new.kind, &new.text) {
                (GrantKind::Access, TokenText::Given(_)) => key::hash_within(app.id, &text),
                _ => key::hash(&text),
            },
            hint,
            expires_at,
        };
        let subject = Subject { user_no, ..Subject::default() };
        let changes = self.all_announced(caller, announce, &subject, now);
        let entry = caller.did("token.create", id);
        let grant = self.store.create_grant(grant, changes, entry, now).await?;
        Ok((grant.into(), text))
    }

    /// Takes a token that works once: it is revoked in the commit that finds it. The answer may act for what
    /// the token was made for, such as minting the tokens that it is traded for. `None` when it does not
    /// work, or does not work any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take_token(&self, token: &str, kind: GrantKind) -> Result<Option<Caller>> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return Ok(None);
        }
        let taken = self.store.take_grant(key::hash(token), kind, self.now()).await?;
        if taken.is_some() && kind.is_bearer() {
            self.known.forget();
        }
        Ok(taken.map(|(grant, app)| Caller::new(grant, Some(app))))
    }

    /// Tokens of these kinds that are not revoked, oldest first, at most [`limits::TOKENS_LISTED_MAX`]; of a
    /// caller that is an end user's only those of that user.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn tokens(&self, caller: &Caller, kinds: &[GrantKind]) -> Result<Vec<Key>> {
        caller.may_either(Scope::Read, Scope::Accounts)?;
        let (app_no, user_no) = (caller.app()?.app_no, caller.grant.user_no);
        let limit = limits::TOKENS_LISTED_MAX;
        let found = self.store.grants_of_kinds(app_no, user_no, kinds.to_vec(), limit).await?;
        Ok(found.into_iter().map(Key::from).collect())
    }

    /// One token, whether it still works or not.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn token(&self, caller: &Caller, id: GrantId) -> Result<Key> {
        if id != caller.grant_id() {
            caller.may_either(Scope::Read, Scope::Accounts)?;
        }
        Ok(self.find_token(caller, id).await?.into())
    }

    /// Changes a token.
    ///
    /// # Errors
    /// Forbidden; not found, also when it was revoked; invalid.
    pub async fn update_token(
        &self,
        caller: &Caller,
        id: GrantId,
        changes: TokenChanges,
        announce: Vec<Announcement>,
    ) -> Result<Key> {
        let now = self.now();
        let grant = self.find_token(caller, id).await?;
        let may = caller.may_end(&grant).and_then(|()| {
            caller.may_grant(grant.user_id, changes.scopes.as_deref().unwrap_or(&[]))
        });
        self.note_refusal(caller, may, "token.update", id).await?;
        let mut checks = Checks::default();
        checks.optional_name("/name", changes.name.as_deref());
        checks.future("/expires_at", changes.expires_at.flatten(), now);
        if let Some(details) = &changes.details {
            checks.details("/details", details);
        }
        checks.done()?;
        let update = GrantUpdate {
            name: changes.name,
            scopes: changes.scopes.as_deref().map(names),
            details: changes.details,
            expires_at: changes.expires_at,
        };
        let subject = Subject { user_no: grant.user_no, ..Subject::default() };
        let announced = self.all_announced(caller, announce, &subject, now);
        let entry = caller.did("token.update", id);
        let grant = self.store.update_grant(grant.grant_no, update, announced, entry, now).await?;
        self.known.forget();
        Ok(grant.into())
    }

    /// Revokes a token and everything that was made with it, and deletes the hooks that they own: one commit.
    /// The answer names the tokens that worked until now. A caller without the scope `accounts` may end
    /// itself and what it made.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn revoke_token_tree(
        &self,
        caller: &Caller,
        id: GrantId,
        announce: Vec<Announcement>,
    ) -> Result<Vec<GrantId>> {
        let now = self.now();
        let grant = self.find_token(caller, id).await?;
        self.note_refusal(caller, caller.may_end(&grant), "token.revoke", id).await?;
        let subject = Subject { user_no: grant.user_no, ..Subject::default() };
        let changes = self.all_announced(caller, announce, &subject, now);
        let entry = caller.did("token.revoke", id);
        let revoked = self.store.revoke_grant_tree(&grant, changes, entry, now).await?;
        self.known.forget();
        Ok(revoked)
    }

    /// The changes that a verb's announcements become.
    pub(crate) fn all_announced(
        &self,
        caller: &Caller,
        announce: Vec<Announcement>,
        subject: &Subject,
        now: Timestamp,
    ) -> Vec<tidings_core::change::NewChange> {
        let all = announce.into_iter();
        all.map(|one| self.announced(caller, one, subject.clone(), now)).collect()
    }

    /// A token that the caller may know: one of its app, and of its end user if it has one.
    async fn find_token(&self, caller: &Caller, id: GrantId) -> Result<Grant> {
        let found = self.store.grant_by_id(Some(caller.app()?.app_no), id).await?;
        found.filter(|grant| caller.sees_user(grant.user_no)).ok_or(Error::NotFound("token"))
    }

    fn text_of(&self, new: &NewToken) -> Zeroizing<String> {
        match &new.text {
            TokenText::Given(text) => text.clone(),
            TokenText::Hex64 => key::hex64(&self.ids),
            TokenText::Made => {
                let token = Token::generate(kind_of(new.kind), &self.ids);
                Zeroizing::new(token.reveal().to_owned())
            }
        }
    }
}

impl Caller {
    /// A caller of this request that no stored grant stands for.
    pub(crate) fn unstored(
        id: GrantId,
        app: tidings_store::App,
        user: Option<&tidings_store::EndUser>,
        name: &str,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Self {
        let grant = Grant {
            grant_no: 0,
            id,
            app_no: Some(app.app_no),
            user_no: user.map(|user| user.user_no),
            user_id: user.map(|user| user.id),
            user_external_id: user.and_then(|user| user.external_id.clone()),
            parent_id: None,
            kind: GrantKind::Access,
            name: name.to_owned(),
            scopes: names(scopes),
            details: json!({}),
            hint: String::new(),
            created_at: now,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        Self::new(grant, Some(app))
    }

    /// Whether it may hand out these scopes for this end user.
    pub(crate) fn may_grant(&self, user: Option<UserId>, scopes: &[Scope]) -> Result<()> {
        // A link into the portal ends when it was said to: it makes nothing that lasts longer.
        if self.grant.kind == GrantKind::Portal {
            return Err(Error::Forbidden(Scope::Accounts.as_str()));
        }
        let own = self.grant.user_id.is_some() && self.grant.user_id == user;
        if !own {
            self.may(Scope::Accounts)?;
        }
        if self.grant.user_id.is_some() && !own {
            return Err(Error::Forbidden(Scope::Accounts.as_str()));
        }
        for &scope in scopes {
            // Whoever may write accounts has always been able to make bearers of the Connect surface.
            if !(scope == Scope::Connect && self.may(Scope::Accounts).is_ok()) {
                self.may(scope)?;
            }
        }
        Ok(())
    }

    /// Whether it may change or end a grant: its own, one that it made, or any with `accounts`. Keys are for
    /// admins.
    fn may_end(&self, grant: &Grant) -> Result<()> {
        if grant.id == self.grant.id || grant.parent_id == Some(self.grant.id) {
            return Ok(());
        }
        match grant.kind {
            GrantKind::Owner | GrantKind::App => self.may(Scope::Admin),
            _ => self.may(Scope::Accounts),
        }
    }
}

fn check(new: &NewToken, now: Timestamp) -> Result<()> {
    let mut checks = Checks::default();
    checks.name("/name", &new.name);
    checks.future("/expires_at", new.expires_at, now);
    checks.details("/details", &new.details);
    match new.kind {
        GrantKind::Owner | GrantKind::App => {
            checks.refuse("/kind", "kind", "must not be owner or app: those are keys");
        }
        GrantKind::Operator => checks.refuse("/kind", "kind", "must not be operator: they sign in"),
        GrantKind::Portal if new.user.is_none() || new.scopes != [Scope::Hooks] => {
            let why = "portal must be for a user, with the scope hooks and no other";
            checks.refuse("/kind", "kind", why);
        }
        _ => {}
    }
    if let TokenText::Given(text) = &new.text {
        let fits = (limits::TOKEN_BYTES_MIN..=limits::TOKEN_BYTES_MAX).contains(&text.len());
        if !fits || !text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            let why = format!(
                "must be {} to {} visible ASCII characters",
                limits::TOKEN_BYTES_MIN,
                limits::TOKEN_BYTES_MAX
            );
            checks.refuse("/token", "token", why);
        }
    }
    checks.done()
}

fn names(scopes: &[Scope]) -> Vec<String> {
    scopes.iter().map(|scope| scope.as_str().to_owned()).collect()
}

/// The last digits of a token that is long enough to stay unguessable without them.
fn hint(text: &str) -> String {
    let digits: Vec<_> = text.chars().rev().take(4).collect();
    if text.len() < 20 { String::new() } else { digits.into_iter().rev().collect() }
}

fn kind_of(kind: GrantKind) -> TokenKind {
    match kind {
        GrantKind::Owner | GrantKind::App => TokenKind::ApiKey,
        GrantKind::Portal => TokenKind::Portal,
        GrantKind::Operator => TokenKind::Operator,
        GrantKind::Connect => TokenKind::Connect,
        GrantKind::Code => TokenKind::Code,
        GrantKind::Refresh => TokenKind::Refresh,
        GrantKind::Session => TokenKind::Session,
        GrantKind::Access => TokenKind::Access,
    }
}
