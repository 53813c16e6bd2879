//! CalDAV and iCloud: find the calendar home, list its calendars with their tags in one request, look
//! into each whose tag moved.

mod collection;

use tidings_core::seal::{Keyring, Place};
use tidings_providers::caldav::Login;
use tidings_providers::caldav::discovery::{Discovery, Next};
use tidings_providers::caldav::probe::{self, Calendar};
use tidings_providers::error::ProviderError;
use tidings_providers::listed::Listed;
use tidings_store::Account;
use url::Url;

use super::Stop;
use super::client::Client;
use super::pull::Pull;
use super::source::Calendars;

/// One account at its CalDAV server.
pub(super) struct Driver<'a> {
    client: &'a Client<'a>,
    server: &'a Url,
    account: &'a Account,
    /// As listed last.
    calendars: Vec<Calendar>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(account: &'a Account, client: &'a Client<'a>) -> Result<Self, Stop> {
        let login = client.login().ok_or_else(|| {
            ProviderError::permanent(format!("accounts of {} are not watched", account.provider))
        })?;
        Ok(Self { client, server: login.server(), account, calendars: Vec::new() })
    }

    /// The account's calendars, asked for in one request; and their home, when it had to be searched
    /// for, as it has to when the known one leads nowhere any more.
    pub(super) async fn calendars(&mut self) -> Result<Calendars, Stop> {
        let (home, calendars) = self.find().await?;
        self.calendars = calendars;
        let listed = self.calendars.iter().map(listed).collect();
        Ok(Calendars { whole: true, listed, home, ..Calendars::default() })
    }

    async fn find(&self) -> Result<(Option<String>, Vec<Calendar>), Stop> {
        let known = self.account.home_url.as_deref().and_then(|url| Url::parse(url).ok());
        if let Some(home) = known {
            match self.probe(home).await {
                Err(Stop::Provider(
                    ProviderError::Gone { .. } | ProviderError::Permanent { .. },
                )) => {}
                other => return Ok((None, other?)),
            }
        }
        let home = self.discover().await?;
        Ok((Some(home.to_string()), self.probe(home).await?))
    }

    async fn probe(&self, home: Url) -> Result<Vec<Calendar>, Stop> {
        let request = probe::request(&home);
        self.client.ask(request, move |response| probe::parse(&home, response)).await
    }

    async fn discover(&self) -> Result<Url, Stop> {
        let (mut discovery, mut request) = Discovery::start(self.server);
        loop {
            let response = self.client.send(request).await?;
            match discovery.next(&response)? {
                Next::Send(next) => request = next,
                Next::Done(home) => return Ok(home),
            }
        }
    }

    /// Looks into a calendar whose tag moved.
    pub(super) async fn pull(&self, pull: &mut Pull<'_>) -> Result<(), Stop> {
        let collection = pull.collection;
        let is = |calendar: &&Calendar| calendar.href.key == collection.external_id;
        let Some(calendar) = self.calendars.iter().find(is) else { return Ok(()) };
        let tag = calendar.tag();
        if collection.baseline_done && tag.is_some() && tag == collection.ctag {
            return Ok(());
        }
        collection::Watch { client: self.client, calendar, pull }.sync().await
    }
}

fn listed(calendar: &Calendar) -> Listed {
    Listed {
        external_id: calendar.href.key.clone(),
        name: calendar.name.clone(),
        details: serde_json::json!({ "color": calendar.color, "writable": calendar.writable }),
        primary: false,
        watchable: false,
    }
}

/// The account's credentials, opened.
pub(crate) fn login(keyring: &Keyring, account: &Account) -> Result<Login, ProviderError> {
    let missing = || {
        ProviderError::permanent("the account has no credentials; connect it again with a password")
    };
    let sealed = account.credential.as_deref().ok_or_else(missing)?;
    let user = account.username.as_deref().ok_or_else(missing)?;
    let place =
        Place { table: "account", column: "credential", app: account.app_id, row: account.id.0 };
    let password = keyring.open(place, sealed).map_err(|error| {
        ProviderError::permanent(format!("the stored password cannot be opened: {error}"))
    })?;
    let password = std::str::from_utf8(&password)
        .map_err(|_| ProviderError::permanent("the stored password is not text"))?;
    match account.provider.as_str() {
        "apple" => Login::apple(user, password),
        "caldav" => {
            let server = account.server_url.as_deref().and_then(|url| Url::parse(url).ok());
            let server = server.ok_or_else(|| {
                ProviderError::permanent("the account's server address is not a URL")
            })?;
            Login::caldav(&server, user, password)
        }
        other => Err(ProviderError::permanent(format!("accounts of {other} are not watched"))),
    }
}
