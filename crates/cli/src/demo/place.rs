//! Where the demo's calendar is.

use std::net::Ipv4Addr;
use std::path::Path;

use tidings_core::id::Ids;
use tidings_engine::sync::Cadence;
use tidings_providers::settings::{GoogleSettings, Settings};
use tidings_simulators::google::{CLIENT_ID, CLIENT_SECRET, Google};
use tidings_simulators::server::Setup;
use tokio::net::TcpListener;
use url::Url;
use zeroize::Zeroizing;

use crate::demo_calendar::{self, DemoCalendar};
use crate::error::{Error, Result};
use crate::listener::{self, ListenerLimits};

/// The built-in calendar lets this user in, with the same word as the password.
const DEMO_USER: &str = "demo";

/// Whose calendar it is.
pub(super) enum Place {
    /// A CalDAV server's.
    Caldav(CaldavPlace),
    /// That of a simulated Google, which ends with the demo.
    Google(Google),
}

/// A CalDAV server and who may write there.
pub(super) struct CaldavPlace {
    pub(super) server: Url,
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
    /// Whether it ends with the demo.
    pub(super) built_in: bool,
}

impl Place {
    /// Starts the built-in calendar on a free port of this machine.
    pub(super) async fn built_in(ids: &Ids) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::failed("cannot start the built-in calendar"))?;
        let address = listener.local_addr().map_err(Error::failed("cannot listen"))?;
        let router = demo_calendar::router(DemoCalendar::new(DEMO_USER, DEMO_USER, ids));
        let until_the_end = std::future::pending();
        tokio::spawn(listener::serve(listener, router, until_the_end, ListenerLimits::default()));
        let server = format!("http://{address}/").parse().expect("an address makes a URL");
        let password = Zeroizing::new(DEMO_USER.to_owned());
        let user = DEMO_USER.to_owned();
        Ok(Self::Caldav(CaldavPlace { server, user, password, built_in: true }))
    }

    /// A server that is there.
    ///
    /// # Errors
    /// The file with the password cannot be read.
    pub(super) fn real(server: Url, user: String, password_file: &Path) -> Result<Self> {
        let read = std::fs::read_to_string(password_file);
        let text = read.map_err(|error| {
            Error::Usage(format!("--password-file {}: {error}", password_file.display()))
        })?;
        let password = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
        Ok(Self::Caldav(CaldavPlace { server, user, password, built_in: false }))
    }

    /// Starts a simulated Google on a free port of this machine.
    pub(super) async fn google(ids: &Ids) -> Result<Self> {
        let mut seed = [0; 8];
        ids.fill(&mut seed);
        // Another seed each time, so that a kept directory meets another Google, not the same one again.
        let setup = Setup { seed: u64::from_le_bytes(seed), ..Setup::default() };
        let google = Google::start(&setup).await;
        let google = google.map_err(Error::failed("cannot start the simulated Google"))?;
        // It pushes to this machine, where nothing is on https.
        google.switches(|switches| switches.https_only = false);
        Ok(Self::Google(google))
    }

    /// Its address.
    pub(super) fn address(&self) -> Url {
        match self {
            Self::Caldav(caldav) => caldav.server.clone(),
            Self::Google(google) => google.api_url(),
        }
    }

    /// Who the server is at providers.
    pub(super) fn providers(&self) -> Settings {
        let Self::Google(google) = self else { return Settings::default() };
        let mut settings = GoogleSettings::new(CLIENT_ID, CLIENT_SECRET);
        settings.api = google.api_url();
        settings.oauth.authorize_url = google.authorize_url();
        settings.oauth.token_url = google.token_url();
        settings.oauth.revoke_url = Some(google.revoke_url());
        Settings { google: Some(settings), ..Settings::default() }
    }

    /// How often it is looked at. One that pushes as seldom as in production: what arrives at once arrives
    /// by push.
    pub(super) fn cadence(&self) -> Cadence {
        match self {
            Self::Caldav(_) => Cadence::quick(),
            Self::Google(_) => Cadence::default(),
        }
    }
}
