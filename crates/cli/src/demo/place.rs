//! Where the demo's calendar is.

use std::net::Ipv4Addr;
use std::path::Path;

use tidings_core::id::Ids;
use tokio::net::TcpListener;
use url::Url;
use zeroize::Zeroizing;

use crate::demo_calendar::{self, DemoCalendar};
use crate::error::{Error, Result};
use crate::listener::{self, ListenerLimits};

/// The built-in calendar lets this user in, with the same word as the password.
const DEMO_USER: &str = "demo";

/// A CalDAV server and who may write there.
pub(super) struct Place {
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
        Ok(Self { server, user: DEMO_USER.to_owned(), password, built_in: true })
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
        Ok(Self { server, user, password, built_in: false })
    }
}
