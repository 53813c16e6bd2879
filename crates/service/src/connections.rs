//! Connecting accounts by consent: OAuth 2.0 with a code, PKCE, and a state that works once.

mod code;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tidings_core::change::types;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, AppId, Bits96, UserId};
use tidings_core::limits;
use tidings_core::seal::Place;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::oauth::{self, Credential, Identity, Pkce};
use tidings_providers::provider::Provider;
use tidings_store::{self as store, AuditEntry};
use url::Url;
use zeroize::Zeroizing;

use crate::connect::steward;
use crate::validate::Checks;
use crate::{Caller, Error, Result, Scope, Service};

pub use code::{CodeConnection, ConnectedByCode, ConsentPage};

const STATE_BYTES: usize = 32;

/// An account to connect by its owner's consent.
#[derive(Clone, Debug, Default)]
pub struct NewConnection {
    /// `google`, `microsoft` or `zoom`.
    pub provider: String,
    /// Its end user.
    pub user: Option<UserId>,
    /// Its end user, as the app itself knows them: made when the person has consented, unless there is one.
    pub user_named: Option<String>,
    /// The account to connect again; the consent must be that of the same person.
    pub account: Option<AccountId>,
    /// Where the person's browser is sent in the end.
    pub return_to: Option<String>,
    /// Whom the provider shall offer to sign in, usually an address.
    pub login_hint: Option<String>,
    /// What tells the browser in which alone the connection may end; absent: any. `return_to` is our own
    /// then.
    pub browser: Option<String>,
}

/// Where to send a person to consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The provider's page.
    pub authorize_url: String,
    /// Until when the person must be back.
    pub expires_at: Timestamp,
}

/// What became of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The account, or why there is none.
    pub outcome: std::result::Result<AccountId, NotConnected>,
    /// Where to send the browser, if whoever began the connection said so.
    pub return_to: Option<Url>,
}

/// Why an account was not connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotConnected {
    /// A stable code for programs, `access_denied`.
    pub code: &'static str,
    /// Plain words.
    pub why: String,
}

impl NotConnected {
    fn new(code: &'static str, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }

    fn unknown() -> Self {
        Self::new(
            "unknown_state",
            "this page was used already or is too old: begin to connect the account once more",
        )
    }
}

/// What is kept of a flow, sealed.
#[derive(Serialize, Deserialize)]
struct Flow {
    verifier: String,
    return_to: Option<String>,
    actor: String,
    #[serde(default)]
    browser: Option<String>,
    /// The end user to make by the time there is an account for them.
    #[serde(default)]
    user_named: Option<String>,
}

impl Service {
    /// Begins to connect an account: the answer says where to send its owner. Nothing is stored of the
    /// account until the owner has consented.
    ///
    /// # Errors
    /// Forbidden; not found (the user or account); invalid; not configured.
    pub async fn begin_connection(
        &self,
        caller: &Caller,
        input: NewConnection,
    ) -> Result<Connection> {
        let now = self.now();
        self.allow(caller, Scope::Accounts, "connection.begin", caller.actor().as_str()).await?;
        let app = caller.app()?;
        let account = match input.account {
            Some(id) => Some(self.find_account(caller, id).await?),
            None => None,
        };
        let user_no = match (input.user, &account) {
            (Some(user), _) => Some(self.find_user(caller, user).await?.user_no),
            (None, Some(account)) => account.user_no,
            (None, None) => caller.grant.user_no,
        };
        let provider = self.check_connection(&input, account.as_ref(), user_no)?;
        let redirect_uri = self.redirect_uri(provider)?;
        let settings = &self.providers.settings;
        let client = settings.oauth(provider).ok_or(Error::Internal)?;
        let (state, state_hash) = self.fresh_state();
        let pkce = Pkce::new(&self.ids);
        let flow = Flow {
            verifier: pkce.verifier.to_string(),
            return_to: input.return_to.clone(),
            actor: caller.actor(),
            browser: input.browser.clone(),
            user_named: input.user_named.clone(),
        };
        let authorize_url =
            oauth::authorize(client, &redirect_uri, &state, &pkce, input.login_hint.as_deref());
        let expires_at = now.plus_ms(limits::CONNECTING_MAX_MS);
        let begun = store::OAuthState {
            app_no: app.app_no,
            user_no,
            provider: provider.as_str().into(),
            account_no: account.map(|account| account.account_no),
            sealed: self.seal_flow(app.id, state_hash, &flow),
            expires_at,
        };
        let entry = AuditEntry {
            detail: serde_json::json!({ "provider": provider.as_str() }),
            ..caller.did("connection.begin", caller.actor().as_str())
        };
        self.store.create_oauth_state(state_hash, begun, entry, now).await?;
        Ok(Connection { authorize_url: authorize_url.into(), expires_at })
    }

    fn check_connection(
        &self,
        input: &NewConnection,
        account: Option<&store::Account>,
        user_no: Option<i64>,
    ) -> Result<Provider> {
        let mut checks = Checks::default();
        let provider = self.consenting(&input.provider);
        match Provider::parse(&input.provider).filter(|provider| provider.uses_oauth()) {
            None => {
                let why =
                    "must be google, microsoft or zoom; others are connected by POST /accounts";
                checks.refuse("/provider", "provider", why);
            }
            Some(known) if provider.is_none() => {
                let why =
                    format!("is not configured here: the operator must set {known}.client_id");
                checks.refuse("/provider", "not_configured", why);
            }
            Some(_) => {}
        }
        if account.is_some_and(|account| account.provider != input.provider) {
            checks.refuse("/provider", "provider", "is not the provider of the account");
        }
        if account.is_some_and(|account| account.user_no != user_no) {
            checks.refuse("/user", "user", "is not the end user of the account");
        }
        checks.optional_name("/user", input.user_named.as_deref());
        checks.optional_name("/login_hint", input.login_hint.as_deref());
        if let (Some(url), None) = (&input.return_to, &input.browser) {
            checks.url("/return_to", url, &self.egress);
        }
        checks.done()?;
        provider.ok_or(Error::Internal)
    }

    /// Whether accounts of a provider can be connected by consent here: it is configured, and the provider can
    /// send people back.
    pub fn offers_consent(&self, provider: &str) -> bool {
        self.consenting(provider).is_some_and(|provider| self.redirect_uri(provider).is_ok())
    }

    /// Ends what [`Service::begin_connection`] began: `answer` is the code that the provider sent the
    /// person back with, or the provider's error. A state works once, whatever comes of it.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn finish_connection(
        &self,
        provider: &str,
        state: &str,
        answer: std::result::Result<String, String>,
    ) -> Result<Finished> {
        self.finish_connection_in(&[], provider, state, answer).await
    }

    /// As [`Service::finish_connection`], in a browser that is told from others by any of these.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn finish_connection_in(
        &self,
        browsers: &[String],
        provider: &str,
        state: &str,
        answer: std::result::Result<String, String>,
    ) -> Result<Finished> {
        let lost = Finished { outcome: Err(NotConnected::unknown()), return_to: None };
        if state.len() > limits::CALLBACK_VALUE_BYTES_MAX {
            return Ok(lost);
        }
        let hash: [u8; 32] = Sha256::digest(state.as_bytes()).into();
        let Some(row) = self.store.take_oauth_state(hash, self.now()).await? else {
            return Ok(lost);
        };
        let Some(app) = self.store.app(row.app_no).await? else { return Ok(lost) };
        let Some(flow) = self.open_flow(app.id, hash, &row.sealed) else { return Ok(lost) };
        let return_to = flow.return_to.as_deref().and_then(|url| Url::parse(url).ok());
        let is_elsewhere = flow.browser.as_ref().is_some_and(|browser| !browsers.contains(browser));
        if row.provider != provider || is_elsewhere {
            return Ok(lost);
        }
        let Some(provider) = self.consenting(provider) else { return Ok(lost) };
        let outcome = match answer {
            Err(error) => Err(refused_by_provider(&error)),
            Ok(code) => self.connect_with(&app, &row, provider, flow, code).await?,
        };
        if let Err(refusal) = &outcome {
            tracing::info!(
                provider = provider.as_str(),
                code = refusal.code,
                "an account was not connected"
            );
        }
        Ok(Finished { outcome, return_to })
    }

    /// Trades the code for tokens and stores the account.
    async fn connect_with(
        &self,
        app: &store::App,
        row: &store::OAuthState,
        provider: Provider,
        flow: Flow,
        code: String,
    ) -> Result<std::result::Result<AccountId, NotConnected>> {
        let verifier = Zeroizing::new(flow.verifier.clone());
        let traded = self.trade(provider, code, verifier, self.redirect_uri(provider)?).await?;
        let (tokens, identity) = match traded {
            Ok(connected) => connected,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(account_no) = row.account_no {
            let Some(account) = self.store.account(account_no).await? else {
                let why = "the account was deleted in the meantime";
                return Ok(Err(NotConnected::new("account_deleted", why)));
            };
            if account.external_id.as_deref() != Some(&identity.external_id) {
                let why =
                    "this is another account than the one to be connected again: sign in with that";
                return Ok(Err(NotConnected::new("other_account", why)));
            }
        }
        let (actor, mut user_no) = (&flow.actor, row.user_no);
        if let Some(name) = flow.user_named {
            let caller = steward(app, actor.parse().map_err(|_| Error::Internal)?);
            let (user, _) = self.upsert_user(&caller, name).await?;
            user_no = Some(self.find_user(&caller, user.id).await?.user_no);
        }
        let connected = self.keep_account(app, user_no, provider, actor, &tokens, identity).await;
        match connected {
            Ok(account) => Ok(Ok(account)),
            Err(Error::Conflict(why)) => Ok(Err(NotConnected::new("limit_exceeded", why))),
            Err(error) => Err(error),
        }
    }

    /// Tokens for a code, and whose they are.
    async fn trade(
        &self,
        provider: Provider,
        code: String,
        verifier: Zeroizing<String>,
        redirect_uri: Url,
    ) -> Result<std::result::Result<(Credential, Identity), NotConnected>> {
        if code.is_empty() || code.len() > limits::CALLBACK_VALUE_BYTES_MAX {
            return Ok(Err(NotConnected::new("invalid_code", "the provider sent no usable code")));
        }
        let code = Zeroizing::new(code);
        let errand = Errand::Exchange { provider, code, verifier, redirect_uri };
        match self.errand(errand, limits::ERRAND_DEADLINE_MS).await {
            Ok(Reply::Connected { tokens, identity }) => Ok(Ok((tokens, identity))),
            Ok(_) => Err(Error::Internal),
            Err(refusal) => Ok(Err(refused_exchange(refusal))),
        }
    }

    /// Stores a new account, or the one of the same identity with its new credential.
    async fn keep_account(
        &self,
        app: &store::App,
        user_no: Option<i64>,
        provider: Provider,
        actor: &str,
        tokens: &Credential,
        identity: Identity,
    ) -> Result<AccountId> {
        let Identity { external_id, email, name } = identity;
        let label = name.or_else(|| email.clone()).unwrap_or_else(|| external_id.clone());
        let plain = Zeroizing::new(tokens.to_json());
        // Once more when another callback of the same person was faster.
        let mut tries = 2;
        loop {
            tries -= 1;
            let now = self.now();
            let known = self.store.account_by_identity(
                app.app_no,
                provider.as_str().into(),
                external_id.clone(),
                user_no,
            );
            let known = known.await?;
            let again = known.is_some();
            let id = known.as_ref().map_or_else(|| AccountId(self.ids.next(now)), |known| known.id);
            let connected = known.map(|known| {
                let told = store::Account { name: label.clone(), ..known };
                self.account_change(types::ACCOUNT_CONNECTED, &told, Some(actor.to_owned()))
            });
            let place = Place { table: "account", column: "credential", app: app.id, row: id.0 };
            let new = store::NewAccount {
                id,
                app_no: app.app_no,
                user_no,
                provider: provider.as_str().into(),
                external_id: Some(external_id.clone()),
                name: label.clone(),
                server_url: None,
                username: email.clone(),
                credential: Some(self.keyring.seal(place, &plain, &self.ids)),
            };
            let entry = AuditEntry {
                actor: actor.to_owned(),
                action: "account.connect",
                object: id.to_string(),
                denied: false,
                address: None,
                detail: serde_json::json!({ "provider": provider.as_str(), "again": again }),
            };
            match self.store.connect_oauth_account(new, connected, entry, now).await {
                Ok((account, _)) => return Ok(account.id),
                Err(error) if error.is_conflict() && tries > 0 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A state and its hash. The state itself is kept nowhere.
    fn fresh_state(&self) -> (String, [u8; 32]) {
        let mut random = [0; STATE_BYTES];
        self.ids.fill(&mut random);
        let state = URL_SAFE_NO_PAD.encode(random);
        let hash = Sha256::digest(state.as_bytes()).into();
        (state, hash)
    }

    fn seal_flow(&self, app: AppId, state_hash: [u8; 32], flow: &Flow) -> Vec<u8> {
        let plain = serde_json::to_vec(flow).expect("a flow has only plain fields");
        self.keyring.seal(flow_place(app, state_hash), &Zeroizing::new(plain), &self.ids)
    }

    fn open_flow(&self, app: AppId, state_hash: [u8; 32], sealed: &[u8]) -> Option<Flow> {
        let plain = self.keyring.open(flow_place(app, state_hash), sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

/// A flow has no id of its own: the head of its hash stands for one.
fn flow_place(app: AppId, state_hash: [u8; 32]) -> Place {
    let row = Bits96::from_bytes(&state_hash[..12]).expect("12 bytes are 96 bits");
    Place { table: "oauth_state", column: "sealed", app, row }
}

/// What the provider says about the person's consent (RFC 6749 §4.1.2.1).
fn refused_by_provider(error: &str) -> NotConnected {
    match error {
        "access_denied" | "consent_required" => {
            NotConnected::new("access_denied", "the consent was not given")
        }
        "temporarily_unavailable" | "server_error" => {
            NotConnected::new("provider_unavailable", "the provider cannot now: try again later")
        }
        _ => NotConnected::new(
            "provider_error",
            "the provider refused to let the account be connected",
        ),
    }
}

fn refused_exchange(refusal: Refusal) -> NotConnected {
    match refusal {
        Refusal::Operator(why) => {
            tracing::error!(why, "a provider does not accept this server's configuration");
            NotConnected::new(
                "not_configured",
                "this server is not configured rightly for the provider",
            )
        }
        Refusal::Unavailable { .. } | Refusal::Busy => {
            NotConnected::new("provider_unavailable", "the provider cannot now: try again later")
        }
        // People may untick single boxes.
        Refusal::Forbidden(why) => NotConnected::new("missing_scopes", why),
        Refusal::NotFound(why)
        | Refusal::Conflict(why)
        | Refusal::Invalid(why)
        | Refusal::Inactive(why) => NotConnected::new("invalid_code", why),
    }
}
