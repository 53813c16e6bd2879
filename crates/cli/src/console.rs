//! Where the console is, for whoever reads the terminal.

use std::fmt;

use tidings_service::Service;

/// The console's address, and the way in while nobody can sign in yet.
#[derive(Debug)]
pub(crate) struct Links {
    console: String,
    set_up: Option<String>,
}

impl Links {
    /// The links of a server that people reach at `url`. A new link to set the console up takes the place of
    /// the last one; it works once, and for a day. A store that takes no writes now gives none, and the server
    /// is there all the same.
    pub(crate) async fn of(service: &Service, url: &str) -> Self {
        let console = format!("{}/console/", url.trim_end_matches('/'));
        let token = service.setup_link().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "no link to set up the console can be made");
            None
        });
        let set_up = token.map(|token| format!("{console}setup/{token}"));
        Self { console, set_up }
    }
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "console: {}", self.console)?;
        match &self.set_up {
            Some(link) => write!(f, "\nset up the console: {link}"),
            None => Ok(()),
        }
    }
}
