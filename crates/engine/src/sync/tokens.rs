//! Access tokens: refreshed one at a time for each account, and a new refresh token is stored before
//! anything is asked with its access token.
//!
//! A refresh that has begun comes to its end, whoever gave up waiting for it: a rotated token that is not
//! stored is lost, and the account with it. Whoever comes too late to refresh, in this process or in another, adopts what the first stored. A
//! credential that could not be stored is kept and stored first the next time: a provider that rotates
//! refresh tokens does not take the old one again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tidings_core::limits::{
    CREDENTIAL_ADOPT_PAUSE_MS, CREDENTIAL_ADOPT_TRIES, CREDENTIAL_STORE_PAUSE_MS,
    CREDENTIAL_STORE_TRIES, TOKEN_DEADLINE_MS, TOKEN_EARLY_MS, TOKEN_RESPONSE_BYTES_MAX,
};
use tidings_core::seal::Place;
use tidings_providers::error::ProviderError;
use tidings_providers::oauth::{self, Credential, TokenError};
use tidings_providers::provider::Provider;
use tidings_store::Account;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Stop;
use super::client::send;
use super::locks::Locks;
use super::providers::Providers;
use crate::egress::Budget;

/// The refreshes under way.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    turns: Locks,
    refreshing: Mutex<JoinSet<()>>,
    /// Sealed credentials that could not be stored yet, with the generation that they replace.
    unsaved: Mutex<HashMap<i64, (i64, Vec<u8>)>>,
}

/// An access token.
pub(crate) struct Token {
    header: HeaderValue,
    /// `credential_gen` of the credential that it is from.
    pub(crate) generation: i64,
}

/// Why there is no access token.
pub(crate) struct NoToken {
    pub(crate) stop: Stop,
    /// `credential_gen` of the credential that gave none.
    pub(crate) generation: i64,
}

fn early(stop: Stop) -> NoToken {
    NoToken { stop, generation: 0 }
}

impl Token {
    /// The value of `authorization`.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

impl Tokens {
    /// An access token that is good for a while, and not of the credential of `refused`.
    ///
    /// # Errors
    /// `Reauthorise` when the provider says that its consent is withdrawn; nothing else proves that.
    pub(crate) async fn access(
        &self,
        providers: &Providers,
        account_no: i64,
        refused: Option<&Token>,
    ) -> Result<Token, NoToken> {
        let refused = refused.map(|token| token.generation);
        let (account, credential) = opened(providers, account_no).await.map_err(early)?;
        if let Some(token) = usable(providers, &account, &credential, refused) {
            return Ok(token);
        }
        let (answer, heard) = oneshot::channel();
        let owned = providers.clone();
        self.spawn(async move {
            let renewed = owned.tokens.renew(&owned, account_no, refused).await;
            // Whoever asked may have given up; what was stored stays.
            let _unheard = answer.send(renewed).is_err();
        });
        heard.await.unwrap_or_else(|_| {
            Err(early(ProviderError::retry("refreshing the account's tokens failed").into()))
        })
    }

    /// Refreshes when it is this one's turn, unless another did meanwhile.
    async fn renew(
        &self,
        providers: &Providers,
        account_no: i64,
        refused: Option<i64>,
    ) -> Result<Token, NoToken> {
        let _turn = self.turns.turn(account_no).await;
        self.save_unsaved(providers, account_no).await.map_err(early)?;
        let (account, credential) = opened(providers, account_no).await.map_err(early)?;
        if let Some(token) = usable(providers, &account, &credential, refused) {
            return Ok(token);
        }
        let refreshed = refresh(providers, &account, &credential).await;
        let fresh = match refreshed {
            Ok(fresh) => fresh,
            Err(stop) => {
                let generation = account.credential_gen;
                let adopted =
                    adopt(providers, account_no, generation, &stop).await.map_err(early)?;
                return adopted.ok_or(NoToken { stop, generation });
            }
        };
        let (account, fresh) = self.store(providers, account, fresh).await.map_err(early)?;
        token(&account, &fresh).map_err(|error| early(error.into()))
    }

    fn spawn(&self, refresh: impl Future<Output = ()> + Send + 'static) {
        let mut refreshing = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        while refreshing.try_join_next().is_some() {}
        refreshing.spawn(refresh);
    }

    /// Waits until the refreshes under way have come to their end.
    pub(crate) async fn settled(&self) {
        let mut under_way = {
            let mut refreshing = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *refreshing)
        };
        while under_way.join_next().await.is_some() {}
    }

    /// Stores a refreshed credential; answers with the one that is stored now, which is another's when
    /// that was first.
    async fn store(
        &self,
        providers: &Providers,
        mut account: Account,
        fresh: Credential,
    ) -> Result<(Account, Credential), Stop> {
        let sealed = seal(providers, &account, &fresh);
        self.unsaved().insert(account.account_no, (account.credential_gen, sealed));
        if self.save_unsaved(providers, account.account_no).await? {
            account.credential_gen += 1;
            return Ok((account, fresh));
        }
        opened(providers, account.account_no).await
    }

    /// Stores what could not be stored before. `false` when there was nothing, or another was first.
    async fn save_unsaved(&self, providers: &Providers, account_no: i64) -> Result<bool, Stop> {
        let waiting = self.unsaved().get(&account_no).cloned();
        let Some((generation, sealed)) = waiting else { return Ok(false) };
        let mut tries = 0;
        let stored = loop {
            let now = providers.clock.now();
            let replaced =
                providers.store.replace_credential(account_no, generation, sealed.clone(), now);
            match replaced.await {
                Ok(stored) => break stored,
                Err(error) if error.is_not_found() => {
                    self.unsaved().remove(&account_no);
                    return Err(Stop::AccountGone);
                }
                Err(error) => {
                    tries += 1;
                    if tries == CREDENTIAL_STORE_TRIES {
                        return Err(Stop::Store(error));
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(CREDENTIAL_STORE_PAUSE_MS << tries)).await;
        };
        self.unsaved().remove(&account_no);
        Ok(stored)
    }

    fn unsaved(&self) -> std::sync::MutexGuard<'_, HashMap<i64, (i64, Vec<u8>)>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refresh token that another process used up is refused, too: then theirs is stored by now, or in a
/// moment.
async fn adopt(
    providers: &Providers,
    account_no: i64,
    refused: i64,
    stop: &Stop,
) -> Result<Option<Token>, Stop> {
    if !matches!(stop, Stop::Provider(ProviderError::Reauthorise { .. })) {
        return Ok(None);
    }
    for _ in 0..CREDENTIAL_ADOPT_TRIES {
        let (account, credential) = opened(providers, account_no).await?;
        if account.credential_gen != refused {
            return Ok(usable(providers, &account, &credential, None));
        }
        tokio::time::sleep(Duration::from_millis(CREDENTIAL_ADOPT_PAUSE_MS)).await;
    }
    Ok(None)
}

/// The account as it is, and its credential opened.
pub(crate) async fn opened(
    providers: &Providers,
    account_no: i64,
) -> Result<(Account, Credential), Stop> {
    let account = providers.store.account(account_no).await?.ok_or(Stop::AccountGone)?;
    let sealed = account
        .credential
        .as_deref()
        .ok_or_else(|| ProviderError::permanent("the account has no tokens; connect it again"))?;
    let plain = providers.keyring.open(place(&account), sealed).map_err(|error| {
        ProviderError::permanent(format!("the stored tokens cannot be opened: {error}"))
    })?;
    let credential = Credential::from_json(&plain).ok_or_else(|| {
        ProviderError::permanent("the stored tokens cannot be read; connect the account again")
    })?;
    Ok((account, credential))
}

fn seal(providers: &Providers, account: &Account, credential: &Credential) -> Vec<u8> {
    providers.keyring.seal(place(account), &credential.to_json(), &providers.ids)
}

fn place(account: &Account) -> Place {
    Place { table: "account", column: "credential", app: account.app_id, row: account.id.0 }
}

fn usable(
    providers: &Providers,
    account: &Account,
    credential: &Credential,
    refused: Option<i64>,
) -> Option<Token> {
    let is_refused = refused == Some(account.credential_gen);
    let lasts = credential.lives(providers.clock.now(), TOKEN_EARLY_MS);
    if is_refused || !lasts { None } else { token(account, credential).ok() }
}

fn token(account: &Account, credential: &Credential) -> Result<Token, ProviderError> {
    let mut header = HeaderValue::try_from(format!("Bearer {}", credential.access_token.reveal()))
        .map_err(|_| {
            ProviderError::retry("the provider gave a token with characters that HTTP forbids")
        })?;
    header.set_sensitive(true);
    Ok(Token { header, generation: account.credential_gen })
}

async fn refresh(
    providers: &Providers,
    account: &Account,
    credential: &Credential,
) -> Result<Credential, Stop> {
    let provider = Provider::parse(&account.provider).ok_or_else(|| {
        ProviderError::permanent(format!("accounts of {} have no tokens", account.provider))
    })?;
    let app = providers.oauth(provider)?;
    let Some(refresh_token) = &credential.refresh_token else {
        let why = "the access token has expired and there is no refresh token; connect the account \
                   again";
        return Err(ProviderError::Reauthorise { why: why.into() }.into());
    };
    let request = oauth::refresh(app, refresh_token.reveal());
    let response = send(&providers.egress, request, budget()).await?;
    let tokens = oauth::tokens(provider, &response).map_err(explained)?;
    Ok(credential.refreshed(tokens, providers.clock.now()))
}

/// What a token request may cost.
pub(crate) fn budget() -> Budget {
    Budget {
        total: Duration::from_millis(TOKEN_DEADLINE_MS),
        read_bytes: TOKEN_RESPONSE_BYTES_MAX,
        store_bytes: TOKEN_RESPONSE_BYTES_MAX,
        ..Budget::provider()
    }
}

/// Only a withdrawn consent is proof against the account; what the operator did wrong is not.
fn explained(error: TokenError) -> ProviderError {
    match error {
        TokenError::Withdrawn { why } => ProviderError::Reauthorise { why },
        TokenError::Operator { why } => ProviderError::permanent(why),
        TokenError::Retry { after_ms, why } => ProviderError::Retry { after_ms, why },
    }
}
