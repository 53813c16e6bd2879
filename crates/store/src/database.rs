//! Where a PostgreSQL database is and how it is reached.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Notification};

use crate::{Error, Result};

/// A connection is made, or given up, within this time.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Sent data that nobody acknowledges ends a connection after this time, and so does silence.
const SILENCE_MAX: Duration = Duration::from_secs(8);
const KEEPALIVE: Duration = Duration::from_secs(2);

/// A database as named by a URL. Its `Debug` and errors show no password.
#[derive(Clone)]
pub(crate) struct Database(Arc<Config>);

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}

impl Database {
    /// Reads `postgres://user:password@host:port/name`.
    ///
    /// # Errors
    /// When it is not such a URL.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
        // What the parser says may quote a part of the password.
        let config =
            url.parse::<Config>().ok().filter(|config| known && !config.get_hosts().is_empty());
        let mut config = config.ok_or_else(|| {
            Error::schema(
                "database_url cannot be read; write postgres://user:password@host:5432/name, with special \
                 characters of the password percent-encoded",
            )
        })?;
        config
            .application_name("tidings")
            .connect_timeout(CONNECT_MAX)
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(3);
        Ok(Self(Arc::new(config)))
    }

    /// Where it is, for people: without the password.
    pub(crate) fn place(&self) -> String {
        let host = self.0.get_hosts().first().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let port = self.0.get_ports().first().copied().unwrap_or(5432);
        let name = self.0.get_dbname().or(self.0.get_user()).unwrap_or_default();
        format!("{name} at {}:{port}", host.unwrap_or_default())
    }

    /// Why it cannot be used, in words for whoever wrote the URL.
    pub(crate) fn refusal(&self, error: &Error) -> Error {
        let mut why = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            why = format!("{why}: {inner}");
            cause = inner.source();
        }
        Error::schema(format!("cannot use the database {}: {why}", self.place()))
    }

    /// Connects; the task drives the connection until it ends and hands on what the server notifies of.
    pub(crate) async fn connect(
        &self,
        notified: Option<mpsc::Sender<Notification>>,
    ) -> Result<(Client, JoinHandle<()>)> {
        let (client, mut connection) = self.0.connect(NoTls).await?;
        let driver = tokio::spawn(async move {
            let mut messages = stream::poll_fn(|cx| connection.poll_message(cx));
            // How it ends is told to whoever uses the client.
            while let Some(Ok(message)) = messages.next().await {
                if let (AsyncMessage::Notification(hint), Some(notified)) = (message, &notified) {
                    // When it is full, enough was said.
                    drop(notified.try_send(hint));
                }
            }
        });
        Ok((client, driver))
    }
}
