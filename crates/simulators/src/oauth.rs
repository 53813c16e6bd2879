//! An authorization server: the code flow with PKCE, refresh with or without rotation, revocation. It
//! asks nobody: whoever comes is signed in at once, or after a click on a tiny page.

mod authorize;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::id::Ids;

use crate::server::{Call, Setup, lock};

/// Whose manners the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// Refresh tokens for `access_type=offline` with a consent; client secret in the body.
    Google,
    /// Refresh tokens for `offline_access`, a new one at each refresh; error codes `AADSTS…`.
    Microsoft,
    /// Client id and secret as Basic authorization; a new refresh token at each refresh.
    Zoom,
}

/// Somebody who can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The provider's id (`sub`, `oid`).
    pub id: String,
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
}

impl Person {
    /// Somebody with an address such as `ada@example.com`.
    pub fn new(email: &str) -> Self {
        let name = email.split('@').next().unwrap_or_default();
        Self { id: format!("person-{name}"), email: email.to_owned(), name: name.to_owned() }
    }
}

/// What the server does; change it through [`OAuth::rules`].
#[derive(Clone, Debug)]
pub struct Rules {
    /// Milliseconds that an access token lives.
    pub access_ms: i64,
    /// Milliseconds that a code lives.
    pub code_ms: i64,
    /// A refresh answers with a new refresh token, and the old one ends.
    pub rotate: bool,
    /// The PKCE challenge (RFC 7636) must be there.
    pub pkce: bool,
    /// Shows a page with a link instead of sending the browser back at once.
    pub ask: bool,
    /// The person says no.
    pub refuse: bool,
    /// Only these scopes are granted (unticked boxes); `None`: whatever is asked for.
    pub scopes: Option<Vec<String>>,
    /// The only addresses that a browser is sent back to; empty: any.
    pub redirect_uris: Vec<String>,
    /// The next token requests fail so, in this order, each being used up.
    pub failures: Vec<TokenFailure>,
}

/// How a token request fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFailure {
    /// An error of RFC 6749 section 5.2 with status 400 (`invalid_client`: 401), such as `invalid_grant`.
    Error(String),
    /// A status without a useful body, such as 503.
    Status(u16),
    /// It is carried out, but answered 503: the rotated token is lost on the way.
    Lost,
}

/// How often the token endpoint did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Codes turned into tokens.
    pub exchanges: u64,
    /// Refreshes.
    pub refreshes: u64,
    /// Revocations of a token that was there.
    pub revocations: u64,
    /// Token requests refused, for whatever reason.
    pub refusals: u64,
}

/// Why a request with a token is refused: it is missing, unknown, expired or revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthorized;

/// The server; clones share it.
#[derive(Clone, Debug)]
pub struct OAuth(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    manners: Manners,
    clock: Clock,
    ids: Ids,
    client: (String, String),
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    people: Vec<Person>,
    /// Those who have consented before: Google gives them no refresh token unless `prompt=consent`.
    consented: BTreeSet<String>,
    codes: BTreeMap<String, Code>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Grant>,
    counts: Counts,
}

#[derive(Clone, Debug)]
struct Code {
    grant: Grant,
    redirect_uri: String,
    challenge: Option<String>,
    offline: bool,
    expires_at: Timestamp,
}

#[derive(Clone, Debug)]
struct Access {
    grant: Grant,
    expires_at: Timestamp,
}

#[derive(Clone, Debug)]
struct Grant {
    person: Person,
    scopes: Vec<String>,
}

impl OAuth {
    /// A server for one client and, to begin with, one person.
    pub fn new(manners: Manners, setup: &Setup, client: (&str, &str), person: Person) -> Self {
        let rules = Rules {
            access_ms: 3_599_000,
            code_ms: 600_000,
            rotate: manners != Manners::Google,
            pkce: true,
            ask: false,
            refuse: false,
            scopes: None,
            redirect_uris: Vec::new(),
            failures: Vec::new(),
        };
        let state = State {
            rules,
            people: vec![person],
            consented: BTreeSet::new(),
            codes: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            counts: Counts::default(),
        };
        Self(Arc::new(Shared {
            manners,
            clock: setup.clock.clone(),
            ids: Ids::seeded(setup.seed),
            client: (client.0.to_owned(), client.1.to_owned()),
            state: Mutex::new(state),
        }))
    }

    /// Client id and client secret.
    pub fn client(&self) -> (&str, &str) {
        (&self.0.client.0, &self.0.client.1)
    }

    /// Changes what the server does.
    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut lock(&self.0.state).rules);
    }

    /// Somebody else who can sign in: with `login_hint` in the authorization request. Without it, the first.
    pub fn add_person(&self, person: Person) {
        lock(&self.0.state).people.push(person);
    }

    /// Everybody who can sign in.
    pub fn people(&self) -> Vec<Person> {
        lock(&self.0.state).people.clone()
    }

    /// How often the token endpoint did what.
    pub fn counts(&self) -> Counts {
        lock(&self.0.state).counts
    }

    /// Ends every access token; refresh tokens go on.
    pub fn expire_access(&self) {
        lock(&self.0.state).access.clear();
    }

    /// The person takes the consent back: every token of theirs ends, `invalid_grant` from now on.
    pub fn withdraw(&self, email: &str) {
        let mut state = lock(&self.0.state);
        state.access.retain(|_, access| access.grant.person.email != email);
        state.refresh.retain(|_, grant| grant.person.email != email);
        state.consented.remove(email);
    }

    /// An access token and a refresh token without the flow, for tests that begin later.
    ///
    /// # Panics
    /// When nobody has this address.
    pub fn tokens_for(&self, email: &str, scopes: &[&str]) -> (String, String) {
        let mut state = lock(&self.0.state);
        let person = state.people.iter().find(|person| person.email == email);
        let person = person.expect("a person of the server").clone();
        let grant = Grant { person, scopes: scopes.iter().map(|one| (*one).to_owned()).collect() };
        let refresh = self.secret("refresh");
        state.refresh.insert(refresh.clone(), grant.clone());
        (self.access_token(&mut state, grant), refresh)
    }

    /// How many refresh tokens of the person live.
    pub fn refresh_tokens(&self, email: &str) -> usize {
        lock(&self.0.state).refresh.values().filter(|grant| grant.person.email == email).count()
    }

    /// Who asks, and with which scopes.
    ///
    /// # Errors
    /// The bearer token is not one that lives.
    pub fn bearer(&self, call: &Call) -> Result<(Person, Vec<String>), Unauthorized> {
        let state = lock(&self.0.state);
        let access = call.bearer().and_then(|token| state.access.get(token)).ok_or(Unauthorized)?;
        if access.expires_at <= self.0.clock.now() {
            return Err(Unauthorized);
        }
        Ok((access.grant.person.clone(), access.grant.scopes.clone()))
    }

    fn access_token(&self, state: &mut State, grant: Grant) -> String {
        let token = self.secret("access");
        let expires_at = self.0.clock.now().plus_ms(state.rules.access_ms);
        state.access.insert(token.clone(), Access { grant, expires_at });
        token
    }

    fn secret(&self, what: &str) -> String {
        let mut bytes = [0; 24];
        self.0.ids.fill(&mut bytes);
        format!("{what}-{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests;
