//! Where a PostgreSQL database is and how it is reached.

mod tls;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tidings_core::limits;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config, Notification};

use crate::{Error, Result};
use tls::Tls;

/// How often an idle connection is tried.
const KEEPALIVE: Duration = Duration::from_secs(2);
const KEEPALIVES: u32 = 3;

/// A database as named by a URL. Its `Debug` and errors show no password.
#[derive(Clone)]
pub(crate) struct Database {
    config: Arc<Config>,
    tls: Tls,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}

impl Database {
    /// Reads `postgres://user:password@host:port/name`, which may end with `?sslmode=require`: then the
    /// connection is encrypted and the server's certificate verified, against the public authorities or
    /// those in the file `sslrootcert`.
    ///
    /// # Errors
    /// When it is not such a URL, or the file cannot be used.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (url, root) = split(url);
        let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
        // What the parser says may quote a part of the password.
        let config = url.parse::<Config>().ok();
        let config = config.filter(|config| known && !config.get_hosts().is_empty());
        let mut config = config.ok_or_else(|| {
            Error::schema(
                "cannot be read; write postgres://user:password@host:5432/name, with special characters \
                 of the password percent-encoded",
            )
        })?;
        let tls = match root {
            None => Tls::public(),
            Some(path) => {
                let pem = std::fs::read(&path)
                    .map_err(|error| Error::schema(format!("sslrootcert {path}: {error}")))?;
                Tls::of(&pem).ok_or_else(|| {
                    Error::schema(format!(
                        "sslrootcert {path} holds no PEM certificate of an authority"
                    ))
                })?
            }
        };
        if config.get_ssl_mode() != SslMode::Require {
            // A certificate that is not verified protects from nobody.
            config.ssl_mode(SslMode::Disable);
        }
        config
            .application_name("tidings")
            .connect_timeout(Duration::from_millis(limits::DATABASE_CONNECT_DEADLINE_MS))
            .tcp_user_timeout(Duration::from_millis(limits::DATABASE_SILENCE_MAX_MS))
            .keepalives(true)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(KEEPALIVES);
        Ok(Self { config: Arc::new(config), tls })
    }

    /// Where it is, for people: without the password.
    pub(crate) fn place(&self) -> String {
        let host = self.config.get_hosts().first().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("{name} at {}:{port}", host.unwrap_or_default())
    }

    /// Why it cannot be used, in words for whoever wrote the URL.
    pub(crate) fn refusal(&self, error: &Error) -> Error {
        let mut why = String::new();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            why = format!("{why}: {inner}");
            cause = inner.source();
        }
        if why.is_empty() {
            why = format!(": {error}");
        }
        Error::schema(format!("cannot use the database {}{why}", self.place()))
    }

    /// Connects; the task drives the connection until it ends and hands on what the server notifies of.
    pub(crate) async fn connect(
        &self,
        notified: Option<mpsc::Sender<Notification>>,
    ) -> Result<(Client, JoinHandle<()>)> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
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

/// The URL as its parser knows it, and the file of authorities. The stricter names of `require` mean what it
/// means here.
fn split(url: &str) -> (String, Option<String>) {
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut root = None;
    let kept: Vec<&str> = query
        .split('&')
        .filter_map(|pair| match pair.split_once('=') {
            Some(("sslrootcert", path)) => {
                root = Some(path.to_owned());
                None
            }
            Some(("sslmode", "verify-ca" | "verify-full")) => Some("sslmode=require"),
            _ => Some(pair),
        })
        .collect();
    (format!("{place}?{}", kept.join("&")), root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_asked_for_and_then_verified() {
        for (query, mode) in [
            ("", SslMode::Disable),
            ("?sslmode=prefer", SslMode::Disable),
            ("?sslmode=require", SslMode::Require),
            ("?connect_timeout=3&sslmode=verify-full", SslMode::Require),
        ] {
            let database = Database::parse(&format!("postgres://a:b@c/d{query}")).unwrap();
            assert_eq!(database.config.get_ssl_mode(), mode, "{query}");
        }
        let error = Database::parse("postgres://a:hunter2@c/d?sslrootcert=/none").unwrap_err();
        assert!(error.to_string().contains("/none"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_place_is_told_without_the_password() {
        let database = Database::parse("postgresql://a:hunter2@db.example:6543/d").unwrap();
        assert_eq!(format!("{database:?}"), "d at db.example:6543");
    }
}
