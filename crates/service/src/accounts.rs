//! Connected accounts.

mod ending;
mod telling;

use tidings_core::change::types;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, UserId};
use tidings_core::limits;
use tidings_core::seal::Place;
use tidings_providers::provider::Provider;
use tidings_store::{self as store, AccountFilter, AccountStatus};
use zeroize::Zeroizing;

use crate::cursor::List;
use crate::validate::Checks;
use crate::{Caller, Error, Page, PageInput, Result, Scope, Service, records};

/// The providers that can be connected by server address and password.
const PROVIDERS: [&str; 2] = ["caldav", "apple"];

/// A password on its way to the store; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A connected account, without its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its end user.
    pub user_id: Option<UserId>,
    /// The id that the app itself uses for its end user.
    pub user_external_id: Option<String>,
    /// `caldav`, `apple`, …
    pub provider: String,
    /// Its id elsewhere.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: String,
    /// Address of its server, as given.
    pub server_url: Option<String>,
    /// User name at its server.
    pub username: Option<String>,
    /// Whether it is watched.
    pub status: AccountStatus,
    /// Why not, in plain words.
    pub status_reason: Option<String>,
    /// Whether the first, silent sync is done; changes are reported from then on.
    pub baseline_done: bool,
    /// When the next sync is due.
    pub next_sync_at: Timestamp,
    /// When the last sync ended well.
    pub last_sync_at: Option<Timestamp>,
    /// When a sync last found a change.
    pub last_change_at: Option<Timestamp>,
    /// Syncs that failed since the last one that ended well.
    pub failures: u32,
    /// What is wrong, in plain words.
    pub last_error: Option<String>,
    /// Why its list of calendars is only polled, in plain words, where its provider could push about it.
    pub watch_error: Option<String>,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl From<store::Account> for Account {
    fn from(account: store::Account) -> Self {
        Self {
            id: account.id,
            user_id: account.user_id,
            user_external_id: account.user_external_id,
            provider: account.provider,
            external_id: account.external_id,
            name: account.name,
            server_url: account.server_url,
            username: account.username,
            status: account.status,
            status_reason: account.status_reason,
            baseline_done: account.baseline_done,
            next_sync_at: account.next_sync_at,
            last_sync_at: account.last_sync_at,
            last_change_at: account.last_change_at,
            failures: account.failures,
            last_error: account.last_error,
            watch_error: account.watch_error,
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

/// An account to connect.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// `caldav` or `apple`.
    pub provider: String,
    /// Its end user.
    pub user: Option<UserId>,
    /// Its id elsewhere.
    pub external_id: Option<String>,
    /// What people call it; the user name when absent.
    pub name: Option<String>,
    /// Address of its server: needed for `caldav`, known for `apple`.
    pub server_url: Option<String>,
    /// User name at its server.
    pub username: String,
    /// Password there; for `apple` an app-specific one.
    pub password: Password,
}

/// What to change about an account; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChanges {
    /// A new name.
    pub name: Option<String>,
    /// A new user name at its server; comes with a password.
    pub username: Option<String>,
    /// A new password: the account becomes active again and is synced at once.
    pub password: Option<Password>,
}

/// Which accounts to list.
#[derive(Clone, Debug, Default)]
pub struct AccountQuery {
    /// Only those of this end user.
    pub user: Option<UserId>,
    /// Only those at this provider.
    pub provider: Option<String>,
    /// Only those of this status.
    pub status: Option<AccountStatus>,
}

impl Service {
    /// Connects an account. It is stored and due for its first sync at once; whether server and password
    /// are good shows in its status, `last_error` and the change `account.connected`.
    ///
    /// # Errors
    /// Forbidden; not found (the user); invalid; too many accounts.
    pub async fn connect_account(&self, caller: &Caller, input: NewAccount) -> Result<Account> {
        let now = self.now();
        let id = AccountId(self.ids.next(now));
        self.allow(caller, Scope::Accounts, "account.create", id).await?;
        let app = caller.app()?;
        self.check_new(&input)?;
        let user_no = match input.user {
            Some(user) => Some(self.find_user(caller, user).await?.user_no),
            None => caller.grant.user_no,
        };
        if self.store.app_counts(app.app_no).await?.accounts
            >= tidings_core::limits::APP_ACCOUNTS_MAX
        {
            return Err(Error::limit("accounts of an app"));
        }
        let new = store::NewAccount {
            id,
            app_no: app.app_no,
            user_no,
            provider: input.provider,
            external_id: input.external_id,
            name: input.name.unwrap_or_else(|| input.username.clone()),
            server_url: input.server_url,
            credential: Some(self.seal_password(app, id, &input.password)),
            username: Some(input.username),
        };
        let entry = caller.did("account.create", id);
        Ok(self.store.create_account(new, entry, now).await?.into())
    }

    /// One account.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn account(&self, caller: &Caller, id: AccountId) -> Result<Account> {
        caller.may_either(Scope::Read, Scope::Accounts)?;
        Ok(self.find_account(caller, id).await?.into())
    }

    /// Accounts of the app, oldest first; for a caller bound to an end user, those of that user.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn accounts(
        &self,
        caller: &Caller,
        query: AccountQuery,
        page: &PageInput,
    ) -> Result<Page<Account>> {
        caller.may_either(Scope::Read, Scope::Accounts)?;
        let app_no = caller.app()?.app_no;
        let list = List("accounts", app_no);
        let (after, limit) = list.begin(page, 0)?;
        let AccountQuery { user, provider, status } = query;
        let user_no = match user {
            None => caller.grant.user_no,
            Some(user) => match self.store.user_by_id(app_no, user).await? {
                Some(user) if caller.sees_user(Some(user.user_no)) => Some(user.user_no),
                _ => return Ok(Page { items: Vec::new(), next: None }),
            },
        };
        let filter = AccountFilter { user_no, provider, status };
        let rows = self.store.accounts(app_no, filter, after, limit).await?;
        Ok(list.page(rows, limit, |account| account.account_no, Account::from))
    }

    /// Changes an account's name or credential. A new password makes an inactive account active again,
    /// which the change `account.connected` tells.
    ///
    /// # Errors
    /// Forbidden; not found; invalid.
    pub async fn update_account(
        &self,
        caller: &Caller,
        id: AccountId,
        changes: AccountChanges,
    ) -> Result<Account> {
        self.allow(caller, Scope::Accounts, "account.update", id).await?;
        let account = self.find_account(caller, id).await?;
        let mut checks = Checks::default();
        checks.optional_name("/name", changes.name.as_deref());
        check_login(&mut checks, changes.username.as_deref(), changes.password.as_ref());
        let by_consent = Provider::parse(&account.provider).is_some_and(Provider::uses_oauth);
        let by_us = account.provider == records::PROVIDER;
        if by_us && (changes.username.is_some() || changes.password.is_some()) {
            checks.refuse("/password", "provider", "has no meaning for a record account");
        } else if by_consent && (changes.username.is_some() || changes.password.is_some()) {
            let why = "has no meaning here: connect the account again by POST /connections";
            checks.refuse("/password", "provider", why);
        } else if changes.username.is_some() && changes.password.is_none() {
            checks.refuse("/password", "required", "must come with a new user name");
        }
        checks.done()?;
        let app = caller.app()?;
        let credential = changes.password.map(|password| self.seal_password(app, id, &password));
        let entry = store::AuditEntry {
            detail: serde_json::json!({ "credential": credential.is_some() }),
            ..caller.did("account.update", id)
        };
        let AccountChanges { name, username, .. } = changes;
        let told = store::Account { name: name.clone().unwrap_or(account.name), ..account };
        let actor = Some(caller.actor());
        let connected = Some(self.account_change(types::ACCOUNT_CONNECTED, &told, actor));
        let update = store::AccountUpdate { name, username, credential, connected };
        Ok(self.store.update_account(told.account_no, update, entry, self.now()).await?.into())
    }

    /// Asks for a sync of an account at once.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when it is inactive.
    pub async fn sync_account(&self, caller: &Caller, id: AccountId) -> Result<Account> {
        self.allow(caller, Scope::Accounts, "account.sync", id).await?;
        let account = self.find_account(caller, id).await?;
        if account.status != AccountStatus::Active {
            return Err(Error::Conflict(inactive(&account)));
        }
        if account.provider == records::PROVIDER {
            let why = "a record account is written by the application; there is nothing to sync";
            return Err(Error::Conflict(why.into()));
        }
        let entry = caller.did("account.sync", id);
        self.store.wake_account(account.account_no, Some(entry), self.now()).await?;
        Ok(self.find_account(caller, id).await?.into())
    }

    pub(crate) async fn find_account(
        &self,
        caller: &Caller,
        id: AccountId,
    ) -> Result<store::Account> {
        let found = self.store.account_by_id(caller.app()?.app_no, id).await?;
        found.filter(|account| caller.sees_user(account.user_no)).ok_or(Error::NotFound("account"))
    }

    pub(crate) fn check_new(&self, input: &NewAccount) -> Result<()> {
        let mut checks = Checks::default();
        if !PROVIDERS.contains(&input.provider.as_str()) {
            let why = format!(
                "must be one of {}; google, microsoft and zoom are connected by POST /connections",
                PROVIDERS.join(", ")
            );
            checks.refuse("/provider", "provider", why);
        }
        checks.optional_name("/external_id", input.external_id.as_deref());
        checks.optional_name("/name", input.name.as_deref());
        check_login(&mut checks, Some(&input.username), Some(&input.password));
        match (input.provider.as_str(), &input.server_url) {
            ("caldav", None) => {
                checks.refuse("/server_url", "required", "must be given for the provider caldav");
            }
            ("apple", Some(_)) => {
                checks.refuse("/server_url", "superfluous", "is known for apple; leave it out");
            }
            (_, Some(url)) => checks.url("/server_url", url, &self.egress),
            (_, None) => {}
        }
        checks.done()
    }

    /// The password, sealed for its row.
    fn seal_password(&self, app: &store::App, id: AccountId, password: &Password) -> Vec<u8> {
        let place = Place { table: "account", column: "credential", app: app.id, row: id.0 };
        self.keyring.seal(place, password.0.as_bytes(), &self.ids)
    }
}

fn check_login(checks: &mut Checks, username: Option<&str>, password: Option<&Password>) {
    checks.optional_name("/username", username);
    if username.is_some_and(|name| name.contains(':')) {
        // RFC 7617 §2: the colon separates user name and password.
        checks.refuse("/username", "characters", "must not contain a colon");
    }
    let Some(Password(text)) = password else { return };
    if text.is_empty() || text.len() > limits::PASSWORD_BYTES_MAX {
        let why = format!("must be 1 to {} bytes", limits::PASSWORD_BYTES_MAX);
        checks.refuse("/password", "length", why);
    }
    if text.chars().any(char::is_control) {
        checks.refuse("/password", "characters", "must not contain control characters");
    }
}

/// What must be done before an inactive account can be used.
pub(crate) fn inactive(account: &store::Account) -> String {
    match Provider::parse(&account.provider) {
        Some(provider) if provider.uses_oauth() => {
            "account is inactive; connect it again first: POST /connections with its id".into()
        }
        _ => "account is inactive; give it a new password first".into(),
    }
}
