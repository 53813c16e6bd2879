//! A person in a browser connects accounts for an app. All that is known of it is in a sealed cookie: an
//! authorization that nobody finishes leaves nothing behind.
//!
//! The flow belongs to the browser that began it: a form must bring `csrf` back, and a provider's answer
//! counts only when it comes to the browser that was sent to the provider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::COOKIE;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, AppId, GrantId};
use tidings_core::limits;
use tidings_core::seal::Place;
use tidings_store::{self as store, AccountStatus};
use url::Url;
use zeroize::Zeroizing;

use super::PROVIDERS;
use super::access::{ConnectAccess, steward};
use crate::validate::Checks;
use crate::{AccountChanges, Caller, Error, NewAccount, NewConnection, Password, Result, Service};

/// The cookie's name (documented).
const COOKIE_NAME: &str = "oauth_req";

/// What an app asks for when it sends a person here.
#[derive(Clone, Debug, Default)]
pub struct AuthorizationInput {
    /// The app.
    pub client_id: String,
    /// The app's own id of the end user.
    pub user_id: String,
    /// `free-busy`, `read` or `read-write`; see [`ConnectAccess::asked`].
    pub scope: Option<String>,
    /// Comes back with the code.
    pub state: Option<String>,
    /// The language of the pages that the person reads.
    pub language: Option<String>,
    /// Which providers to offer; what is not known is passed over, none means all.
    pub providers: Vec<String>,
}

/// An authorization, as its page shows it.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// What the cookie holds.
    pub cookie: String,
    /// What people call the app.
    pub app: String,
    /// Where the person is sent in the end.
    pub redirect_uri: String,
    /// How much the app will be let see.
    pub access: ConnectAccess,
    /// The language asked for.
    pub language: Option<String>,
    /// The providers to offer: those asked for that this server can connect.
    pub providers: Vec<String>,
    /// The accounts connected in it, oldest first.
    pub accounts: Vec<Connecting>,
    /// What a form must bring back.
    pub csrf: String,
}

/// An account that was connected in an authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connecting {
    /// Its provider.
    pub provider: String,
    /// What people call it.
    pub name: String,
    /// Whether it was read; absent: not yet.
    pub works: Option<bool>,
    /// What is wrong, in plain words.
    pub why: Option<String>,
}

/// A server and a password, as a form sends them.
#[derive(Clone, Debug)]
pub struct ConnectLogin {
    /// `caldav` or `apple`.
    pub provider: String,
    /// The server's address; known for `apple`.
    pub server_url: Option<String>,
    /// The user name there.
    pub username: String,
    /// The password there.
    pub password: Password,
}

/// What the cookie keeps.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    user: String,
    scope: String,
    state: Option<String>,
    language: Option<String>,
    providers: Vec<String>,
    nonce: String,
    accounts: Vec<String>,
    ends: i64,
}

/// An authorization under way.
struct Flow {
    app: store::App,
    id: GrantId,
    kept: Kept,
}

impl Flow {
    /// Nothing can be made of it but by who holds the cookie.
    fn csrf(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(["csrf ", &self.kept.nonce].concat()))
    }

    fn caller(&self) -> Caller {
        steward(&self.app, self.id)
    }

    fn redirect_uri(&self) -> Result<Url> {
        let first = self.app.settings.redirect_uris.first();
        first.and_then(|uri| Url::parse(uri).ok()).ok_or_else(no_redirect_uri)
    }

    /// Where the person goes in the end, with what the app is told.
    fn leading_back(&self, name: &str, value: &str) -> Result<Url> {
        let mut url = self.redirect_uri()?;
        url.query_pairs_mut().append_pair(name, value);
        if let Some(state) = &self.kept.state {
            url.query_pairs_mut().append_pair("state", state);
        }
        Ok(url)
    }
}

impl Service {
    /// Begins an authorization.
    ///
    /// # Errors
    /// Unauthenticated for an unknown client; malformed for an app without `redirect_uris`; invalid.
    pub async fn connect_authorize(&self, input: AuthorizationInput) -> Result<Authorization> {
        let id: AppId = input.client_id.parse().map_err(|_| Error::Unauthenticated)?;
        let app = self.store.app_by_id(id).await?.ok_or(Error::Unauthenticated)?;
        let mut checks = Checks::default();
        checks.name("/user_id", &input.user_id);
        checks.optional_name("/lng", input.language.as_deref());
        if input.state.as_ref().is_some_and(|state| state.len() > limits::CONNECT_STATE_BYTES_MAX) {
            let why = format!("must be at most {} bytes", limits::CONNECT_STATE_BYTES_MAX);
            checks.refuse("/state", "too_long", why);
        }
        checks.done()?;
        let asked = |name: &str| input.providers.iter().any(|asked| asked.trim() == name);
        let now = self.now();
        let kept = Kept {
            user: input.user_id,
            scope: ConnectAccess::asked(&input.scope.unwrap_or_default()).as_str().to_owned(),
            state: input.state,
            language: input.language,
            providers: PROVIDERS.map(String::from).into_iter().filter(|name| asked(name)).collect(),
            nonce: self.random_text(),
            accounts: Vec::new(),
            ends: now.plus_ms(limits::CONNECT_AUTHORIZATION_MS).0,
        };
        let flow = Flow { app, id: GrantId(self.ids.next(now)), kept };
        flow.redirect_uri()?;
        self.shown(&flow).await
    }

    /// The authorization of a request's cookie; `None` when there is none, or no longer.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn connect_authorization(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Authorization>> {
        match self.flow(headers).await? {
            Some(flow) => self.shown(&flow).await.map(Some),
            None => Ok(None),
        }
    }

    /// Sends the person on to a provider; `back` is where to they come back in the end.
    ///
    /// # Errors
    /// Not found (no authorization); forbidden without `csrf`; invalid; not configured.
    pub async fn connect_leave(
        &self,
        headers: &HeaderMap,
        csrf: &str,
        provider: &str,
        back: &str,
    ) -> Result<String> {
        let flow = self.checked_flow(headers, csrf).await?;
        let input = NewConnection {
            provider: provider.to_owned(),
            user_named: Some(flow.kept.user.clone()),
            return_to: Some(back.to_owned()),
            browser: Some(flow.kept.nonce.clone()),
            ..NewConnection::default()
        };
        Ok(self.begin_connection(&flow.caller(), input).await?.authorize_url)
    }

    /// The person is back from a provider, with an account of theirs.
    ///
    /// # Errors
    /// Not found (no authorization, or no such account of its user); unavailable.
    pub async fn connect_back(&self, headers: &HeaderMap, account: &str) -> Result<Authorization> {
        let mut flow = self.flow(headers).await?.ok_or(Error::NotFound("authorization"))?;
        let unknown = Error::NotFound("account");
        let Ok(id) = account.parse::<AccountId>() else { return Err(unknown) };
        let found = self.find_account(&flow.caller(), id).await?;
        if found.user_external_id.as_ref() != Some(&flow.kept.user) {
            return Err(unknown);
        }
        note(&mut flow, id);
        self.shown(&flow).await
    }

    /// Connects an account by password, or gives a new password to the one that is there already and does
    /// not work. One that works keeps its password: a client id and the id of an end user are no secrets,
    /// and whoever has both could break it.
    ///
    /// # Errors
    /// Not found (no authorization); forbidden without `csrf`; invalid; too many accounts.
    pub async fn connect_login(
        &self,
        headers: &HeaderMap,
        csrf: &str,
        login: ConnectLogin,
    ) -> Result<Authorization> {
        let mut flow = self.checked_flow(headers, csrf).await?;
        let caller = flow.caller();
        let id = match self.same_login(&flow, &login).await? {
            Some(known) if works(&known) == Some(true) => known.id,
            Some(known) => {
                let password = Some(login.password);
                let changes = AccountChanges { password, ..AccountChanges::default() };
                self.update_account(&caller, known.id, changes).await?.id
            }
            None => {
                let ConnectLogin { provider, server_url, username, password } = login;
                let mut new = NewAccount {
                    provider,
                    user: None,
                    external_id: None,
                    name: None,
                    server_url,
                    username,
                    password,
                };
                // Not before: what is refused leaves no end user behind.
                self.check_new(&new)?;
                let (user, _) = self.upsert_user(&caller, flow.kept.user.clone()).await?;
                new.user = Some(user.id);
                self.connect_account(&caller, new).await?.id
            }
        };
        note(&mut flow, id);
        self.shown(&flow).await
    }

    /// The account of the flow's user that a login is for.
    async fn same_login(
        &self,
        flow: &Flow,
        login: &ConnectLogin,
    ) -> Result<Option<store::Account>> {
        let app_no = flow.app.app_no;
        let user = self.store.user_named(app_no, flow.kept.user.clone()).await?;
        let Some(user) = user else { return Ok(None) };
        let known = self.accounts_of_user(app_no, user.user_no).await?;
        Ok(known.into_iter().find(|account| {
            account.provider == login.provider
                && account.server_url == login.server_url
                && account.username.as_ref() == Some(&login.username)
        }))
    }

    /// Ends an authorization: where to send the person, with a code for the app.
    ///
    /// # Errors
    /// Not found (no authorization); forbidden without `csrf`; conflict before an account was connected.
    pub async fn connect_finish(
        &self,
        headers: &HeaderMap,
        csrf: &str,
    ) -> Result<Zeroizing<String>> {
        let flow = self.checked_flow(headers, csrf).await?;
        let accounts = self.connecting(&flow).await?;
        if accounts.iter().all(|account| account.works == Some(false)) {
            return Err(Error::Conflict("connect an account first".into()));
        }
        let caller = flow.caller();
        let (user, _) = self.upsert_user(&caller, flow.kept.user.clone()).await?;
        let user = self.find_user(&caller, user.id).await?;
        let redirect_uri = flow.redirect_uri()?;
        // The app compares what it registered, not what a URL parser makes of it.
        let registered = flow.app.settings.redirect_uris.first().cloned().unwrap_or_default();
        let access = ConnectAccess::asked(&flow.kept.scope);
        let code = self.mint_code(&caller, &user, access, &registered).await?;
        self.watch_all_for_connect(&flow.app).await?;
        tracing::debug!(app = %flow.app.id, host = redirect_uri.host_str(), "an authorization ended");
        Ok(Zeroizing::new(flow.leading_back("code", &code)?.into()))
    }

    /// Where to send a person who does not want to: the app is told so.
    ///
    /// # Errors
    /// Not found (no authorization).
    pub async fn connect_cancel(&self, headers: &HeaderMap) -> Result<String> {
        let flow = self.flow(headers).await?.ok_or(Error::NotFound("authorization"))?;
        Ok(flow.leading_back("error", "access_denied")?.into())
    }

    /// What tells the browser of an authorization from others; `None` for one without. A connection that
    /// was begun in a browser ends only there.
    pub async fn connect_browser(&self, headers: &HeaderMap) -> Option<String> {
        self.flow(headers).await.ok().flatten().map(|flow| flow.kept.nonce)
    }

    /// The address of this server as people know it, if the operator has said.
    pub fn public_url(&self) -> Option<&Url> {
        self.providers.settings.public_url.as_ref()
    }

    async fn checked_flow(&self, headers: &HeaderMap, csrf: &str) -> Result<Flow> {
        let flow = self.flow(headers).await?.ok_or(Error::NotFound("authorization"))?;
        if !bool::from(flow.csrf().as_bytes().ct_eq(csrf.as_bytes())) {
            return Err(Error::Forbidden("csrf"));
        }
        Ok(flow)
    }

    async fn shown(&self, flow: &Flow) -> Result<Authorization> {
        let offered = PROVIDERS.iter().filter(|name| self.can_connect(name));
        let all: Vec<String> = offered.map(|&name| name.to_owned()).collect();
        let mut providers = all.clone();
        providers.retain(|name| flow.kept.providers.contains(name));
        Ok(Authorization {
            cookie: self.seal_flow_cookie(flow),
            app: flow.app.name.clone(),
            redirect_uri: flow.redirect_uri()?.into(),
            access: ConnectAccess::asked(&flow.kept.scope),
            language: flow.kept.language.clone(),
            providers: if providers.is_empty() { all } else { providers },
            accounts: self.connecting(flow).await?,
            csrf: flow.csrf(),
        })
    }

    fn can_connect(&self, provider: &str) -> bool {
        let by_password = ["apple", "caldav"].contains(&provider);
        by_password || self.consenting(provider).is_some() && self.public_url().is_some()
    }

    async fn connecting(&self, flow: &Flow) -> Result<Vec<Connecting>> {
        let mut connecting = Vec::new();
        for id in &flow.kept.accounts {
            let Ok(id) = id.parse::<AccountId>() else { continue };
            let found = self.store.account_by_id(flow.app.app_no, id).await?;
            let Some(account) = found else { continue };
            connecting.push(Connecting {
                works: works(&account),
                provider: account.provider,
                name: account.name,
                why: account.status_reason.or(account.last_error),
            });
        }
        Ok(connecting)
    }

    async fn flow(&self, headers: &HeaderMap) -> Result<Option<Flow>> {
        let Some(text) = cookie(headers) else { return Ok(None) };
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().unwrap_or_default();
        let (app, id, sealed) = (part().parse::<AppId>(), part().parse::<GrantId>(), part());
        let (Ok(app), Ok(id), Ok(sealed)) = (app, id, URL_SAFE_NO_PAD.decode(sealed)) else {
            return Ok(None);
        };
        let Ok(plain) = self.keyring.open(place(app, id), &sealed) else { return Ok(None) };
        let Ok(kept) = serde_json::from_slice::<Kept>(&plain) else { return Ok(None) };
        if Timestamp(kept.ends) <= self.now() {
            return Ok(None);
        }
        Ok(self.store.app_by_id(app).await?.map(|app| Flow { app, id, kept }))
    }

    fn seal_flow_cookie(&self, flow: &Flow) -> String {
        let plain = serde_json::to_vec(&flow.kept).expect("a flow has only plain fields");
        let sealed = self.keyring.seal(place(flow.app.id, flow.id), &plain, &self.ids);
        format!("{}.{}.{}", flow.app.id, flow.id, URL_SAFE_NO_PAD.encode(sealed))
    }
}

fn place(app: AppId, id: GrantId) -> Place {
    Place { table: "connect_authorization", column: "cookie", app, row: id.0 }
}

/// Whether an account was read and can be; `None`: nobody knows yet.
fn works(account: &store::Account) -> Option<bool> {
    match account.status {
        AccountStatus::Active if account.last_sync_at.is_some() => Some(true),
        AccountStatus::Active => None,
        _ => Some(false),
    }
}

fn note(flow: &mut Flow, account: AccountId) {
    let account = account.to_string();
    flow.kept.accounts.retain(|known| *known != account);
    if flow.kept.accounts.len() < limits::CONNECT_AUTHORIZATION_ACCOUNTS_MAX {
        flow.kept.accounts.push(account);
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE_NAME).map(|(_, value)| value.trim())
}

fn no_redirect_uri() -> Error {
    let why = "the application has no redirect uri; give it one: PATCH /api/v1/apps/{id} with \
               settings.redirect_uris";
    Error::Malformed(why.into())
}
