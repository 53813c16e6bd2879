//! Tokens of Connect's OAuth: codes are traded once, refresh tokens rotate.
//!
//! All tokens of an authorization hang below its first refresh token, which also counts: `newest` is the
//! generation of the refresh tokens that were made last. Clients refresh at the same time and lose
//! answers, so the generation before the newest still works. Whoever shows an older one has a copy that
//! was stolen, or was stolen from: the authorization ends.

use serde_json::json;
use sha2::{Digest, Sha256};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, GrantId};
use tidings_core::limits;
use tidings_store::{self as store, Grant, GrantKind, NewGrant, Rotation};
use zeroize::Zeroizing;

use super::access::{ConnectAccess, steward};
use super::jwt::{Claims, signed};
use crate::{Caller, Error, Result, Scope, Service};

/// Last digits of a token that are kept to tell it by.
const HINT_DIGITS: usize = 4;

/// A pair of new tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectTokens {
    /// The bearer.
    pub access: Zeroizing<String>,
    /// What is traded for the next pair.
    pub refresh: Zeroizing<String>,
    /// How long the bearer works, seconds.
    pub expires_in_s: i64,
}

impl std::fmt::Debug for ConnectTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectTokens")
            .field("expires_in_s", &self.expires_in_s)
            .finish_non_exhaustive()
    }
}

/// Why a code or refresh token is not traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantRefusal {
    /// The code is unknown or was used.
    Code,
    /// The code is too old.
    CodeExpired,
    /// It was given to another app.
    Client,
    /// It was sent to another address than the one named.
    RedirectUri,
    /// The refresh token is unknown, revoked, or too old a copy.
    Refresh,
    /// The end user is gone.
    Session,
}

impl Service {
    /// An app's server: `client_id` is the app's id, `secret` one of its keys that may mint tokens for its
    /// end users (scope `accounts`).
    ///
    /// # Errors
    /// Unauthenticated, whatever is wrong; unavailable.
    pub async fn connect_client(&self, client_id: &str, secret: &str) -> Result<Caller> {
        let app: AppId = client_id.parse().map_err(|_| Error::Unauthenticated)?;
        let caller = match self.authenticate(secret, Some(app)).await {
            Err(Error::NotFound(_)) => return Err(Error::Unauthenticated),
            other => other?,
        };
        caller.may(Scope::Accounts).map_err(|_| Error::Unauthenticated)?;
        Ok(caller)
    }

    /// Trades an authorization code for tokens.
    ///
    /// # Errors
    /// Forbidden; unavailable. What is wrong with the code is in the answer.
    pub async fn connect_exchange(
        &self,
        client: &Caller,
        code: &str,
        redirect_uri: &str,
    ) -> Result<std::result::Result<ConnectTokens, GrantRefusal>> {
        client.may(Scope::Accounts)?;
        let (app, now) = (client.app()?, self.now());
        let hash: [u8; 32] = Sha256::digest(code).into();
        let found = self.store.grant_of_token(hash).await?;
        let Some(found) = found.filter(|grant| grant.kind == GrantKind::Code) else {
            return Ok(Err(GrantRefusal::Code));
        };
        if found.app_no != Some(app.app_no) {
            return Ok(Err(GrantRefusal::Client));
        }
        if found.revoked_at.is_some() {
            // RFC 6749 section 4.1.2: what a code was traded for ends when the code is shown again.
            self.end_grants(client, &found).await?;
            return Ok(Err(GrantRefusal::Code));
        }
        if found.expires_at.is_none_or(|at| at <= now) {
            return Ok(Err(GrantRefusal::CodeExpired));
        }
        if found.details["redirect_uri"] != redirect_uri {
            return Ok(Err(GrantRefusal::RedirectUri));
        }
        let Some((code, _)) = self.store.take_grant(hash, GrantKind::Code, now).await? else {
            return Ok(Err(GrantRefusal::Code));
        };
        let Some(refresh) = self.mint_refresh(client, &code).await? else {
            return Ok(Err(GrantRefusal::Session));
        };
        let tokens = self.mint_access(client, &refresh.0, refresh.1).await?;
        self.watch_all_for_connect(app).await?;
        Ok(tokens.ok_or(GrantRefusal::Session))
    }

    /// Trades a refresh token for the next pair.
    ///
    /// # Errors
    /// Forbidden; unavailable. What is wrong with the token is in the answer.
    pub async fn connect_refresh(
        &self,
        client: &Caller,
        token: &str,
    ) -> Result<std::result::Result<ConnectTokens, GrantRefusal>> {
        client.may(Scope::Accounts)?;
        let (app, now) = (client.app()?, self.now());
        let hash: [u8; 32] = Sha256::digest(token).into();
        let found = self.store.grant_of_token(hash).await?;
        let Some(found) = found.filter(|grant| grant.kind == GrantKind::Refresh) else {
            return Ok(Err(GrantRefusal::Refresh));
        };
        if found.app_no != Some(app.app_no) {
            return Ok(Err(GrantRefusal::Client));
        }
        if found.revoked_at.is_some() || found.expires_at.is_some_and(|at| at <= now) {
            return Ok(Err(GrantRefusal::Refresh));
        }
        let Some(root) = self.root_of(&found).await? else { return Ok(Err(GrantRefusal::Refresh)) };
        let (shown, newest) = (generation(&found, "generation"), generation(&root, "newest"));
        if newest - shown >= 2 {
            self.end_grants(client, &root).await?;
            tracing::info!(authorization = %root.id, "an old copy of a refresh token was shown");
            return Ok(Err(GrantRefusal::Refresh));
        }
        let Some((new_refresh, refresh)) = self.next_refresh(client, &root, shown + 1)? else {
            return Ok(Err(GrantRefusal::Session));
        };
        let Some((new_access, access)) = self.next_access(client, &root)? else {
            return Ok(Err(GrantRefusal::Session));
        };
        let rotation = Rotation {
            root_no: root.grant_no,
            shown_no: found.grant_no,
            shown,
            // A client that lost the answer may show it once more, and as an old copy it is worth knowing.
            shown_until: now.plus_ms(limits::CONNECT_REFRESH_USED_MS),
            refresh: new_refresh,
            access: new_access,
        };
        let entry = client.did("connect.refresh", root.id);
        match self.store.rotate_grant(rotation, entry, now).await {
            Ok(true) => Ok(Ok(tokens(access, refresh))),
            Ok(false) => Ok(Err(GrantRefusal::Refresh)),
            Err(error) if error.is_not_found() => Ok(Err(GrantRefusal::Session)),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends whatever a token of Connect belongs to: all authorizations of its user in its app, or, of a
    /// token that was minted by itself, that token. Whoever holds a token may end it; an unknown one is no
    /// error.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn connect_revoke(&self, token: &str) -> Result<()> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let Some(found) = self.store.grant_of_token(hash).await? else { return Ok(()) };
        let is_connect = matches!(found.kind, GrantKind::Connect | GrantKind::Refresh);
        let (Some(app_no), true) = (found.app_no, is_connect) else { return Ok(()) };
        let Some(user_no) = found.user_no else { return Ok(()) };
        let Some(app) = self.store.app(app_no).await? else { return Ok(()) };
        let caller = steward(&app, found.id);
        if found.details["generation"].is_null() {
            self.store.revoke_grant(&found, caller.did("key.revoke", found.id), self.now()).await?;
            self.known.forget();
            return Ok(());
        }
        loop {
            let entry = caller.did("connect.revoke", found.id);
            let is_done =
                self.store.revoke_refresh_step(app_no, user_no, entry, self.now()).await?;
            self.known.forget();
            if is_done {
                return Ok(());
            }
        }
    }

    async fn end_grants(&self, caller: &Caller, root: &Grant) -> Result<()> {
        let entry = caller.did("connect.revoke", root.id);
        self.store.revoke_grant_tree(root, Vec::new(), entry, self.now()).await?;
        self.known.forget();
        Ok(())
    }

    /// The first refresh token of an authorization.
    async fn root_of(&self, refresh: &Grant) -> Result<Option<Grant>> {
        match refresh.parent_id {
            _ if generation(refresh, "generation") == 1 => Ok(Some(refresh.clone())),
            Some(parent) => Ok(self.store.grant_by_id(refresh.app_no, parent).await?),
            None => Ok(None),
        }
    }

    /// The first refresh token of an authorization, below its code; `None` when its user is gone.
    async fn mint_refresh(
        &self,
        client: &Caller,
        code: &Grant,
    ) -> Result<Option<(Grant, Zeroizing<String>)>> {
        let Some((new, token)) = self.next_refresh(client, code, 1)? else { return Ok(None) };
        Ok(Some((self.create_token(client, new).await?, token)))
    }

    async fn mint_access(
        &self,
        client: &Caller,
        root: &Grant,
        refresh: Zeroizing<String>,
    ) -> Result<Option<ConnectTokens>> {
        let Some((new, access)) = self.next_access(client, root)? else { return Ok(None) };
        self.create_token(client, new).await?;
        Ok(Some(tokens(access, refresh)))
    }

    async fn create_token(&self, client: &Caller, new: NewGrant) -> Result<Grant> {
        let entry = client.did("connect_token.create", new.id);
        Ok(self.store.create_grant(new, Vec::new(), entry, self.now()).await?)
    }

    fn next_refresh(
        &self,
        client: &Caller,
        parent: &Grant,
        generation: i64,
    ) -> Result<Option<(NewGrant, Zeroizing<String>)>> {
        let details = json!({ "scope": ConnectAccess::of(parent).as_str(), "generation": generation,
            "newest": generation });
        self.token_below(client, parent, GrantKind::Refresh, details, None)
    }

    fn next_access(
        &self,
        client: &Caller,
        root: &Grant,
    ) -> Result<Option<(NewGrant, Zeroizing<String>)>> {
        let details = json!({ "scope": ConnectAccess::of(root).as_str(), "generation": 0 });
        let ends = self.now().plus_ms(limits::CONNECT_ACCESS_MS);
        self.token_below(client, root, GrantKind::Connect, details, Some(ends))
    }

    /// A token below `parent`, to be stored; `None` when its user is gone.
    fn token_below(
        &self,
        client: &Caller,
        parent: &Grant,
        kind: GrantKind,
        details: serde_json::Value,
        expires_at: Option<Timestamp>,
    ) -> Result<Option<(NewGrant, Zeroizing<String>)>> {
        let (app, now) = (client.app()?, self.now());
        let Some(sub) = &parent.user_external_id else { return Ok(None) };
        let id = GrantId(self.ids.next(now));
        let (aud, jti) = (app.id.to_string(), self.random_text());
        let claims = Claims {
            sub,
            aud: &aud,
            project_id: &aud,
            kind: (kind == GrantKind::Refresh).then_some("refresh"),
            jti: &jti,
            iat: now.unix_seconds(),
            exp: expires_at.map(Timestamp::unix_seconds),
        };
        let token = signed(&claims, &*self.keyring.derived(app.id, "connect tokens", ""));
        let scopes = match kind {
            GrantKind::Connect => vec![Scope::Connect.as_str().to_owned()],
            _ => Vec::new(),
        };
        let new = NewGrant {
            id,
            app_no: Some(app.app_no),
            user_no: parent.user_no,
            parent_no: Some(parent.grant_no),
            kind,
            name: "connect".into(),
            scopes,
            details,
            token_hash: Sha256::digest(token.as_bytes()).into(),
            hint: token[token.len() - HINT_DIGITS..].to_owned(),
            expires_at,
        };
        Ok(Some((new, token)))
    }

    /// An authorization code for a user.
    pub(super) async fn mint_code(
        &self,
        caller: &Caller,
        user: &store::EndUser,
        access: ConnectAccess,
        redirect_uri: &str,
    ) -> Result<Zeroizing<String>> {
        let now = self.now();
        let id = GrantId(self.ids.next(now));
        let code = Zeroizing::new(self.random_text());
        let new = NewGrant {
            id,
            app_no: Some(caller.app()?.app_no),
            user_no: Some(user.user_no),
            parent_no: None,
            kind: GrantKind::Code,
            name: "connect".into(),
            scopes: Vec::new(),
            details: json!({ "scope": access.as_str(), "redirect_uri": redirect_uri }),
            token_hash: Sha256::digest(code.as_bytes()).into(),
            hint: code[code.len() - HINT_DIGITS..].to_owned(),
            expires_at: Some(now.plus_ms(limits::CONNECT_CODE_MS)),
        };
        self.store.create_grant(new, Vec::new(), caller.did("connect.code", id), now).await?;
        Ok(code)
    }
}

fn tokens(access: Zeroizing<String>, refresh: Zeroizing<String>) -> ConnectTokens {
    ConnectTokens { access, refresh, expires_in_s: limits::CONNECT_ACCESS_MS / 1_000 }
}

fn generation(grant: &Grant, name: &str) -> i64 {
    grant.details[name].as_i64().unwrap_or_default()
}
