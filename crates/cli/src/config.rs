//! Configuration: flags over environment over one TOML file over defaults. It is read as it is typed
//! ([`Typed`]) and turned once into what it means ([`Config`]).

mod environment;
mod layer;
mod metrics;
mod people;
mod providers;
mod typed;

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use ipnet::IpNet;
use tidings_core::egress::EgressPolicy;
use tidings_core::key::{Token, TokenKind};
use tidings_core::retention::Retention;
use tidings_engine::egress::Proxy;
use tidings_engine::sync::Cadence;
use tidings_providers::settings::Settings;
use tidings_service::Registration;
use tidings_store::Store;
use toml::{Table, Value};
use url::Url;

pub(crate) use metrics::Metrics;
pub(crate) use people::Platform;
pub(crate) use typed::{LogFormat, SecretText};
use typed::{Typed, TypedRetention};

use crate::error::{Error, Result};
use crate::master_key;

/// Read when `--config` names no other, if it is there.
const FILE_DEFAULT: &str = "tidings.toml";

const DEFAULTS: &str = r#"
listen = "127.0.0.1:8480"
data_dir = "./tidings-data"
disk_reserve = 268435456
[egress]
allow = []
allow_http = false
[log]
format = "human"
level = "info"
[retention]
journal_days = 30
attempt_days = 14
[pryv]
registration = "closed"
[sync]
fast_seconds = 60
normal_seconds = 300
idle_seconds = 900
"#;

/// The configuration flags of every command that needs it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Flags {
    /// Configuration file (TOML) [default: ./tidings.toml if it is there]
    #[arg(long, value_name = "FILE", env = "TIDINGS_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Directory of the embedded store
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where clients reach this server, when a proxy is in front
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// How log lines look: human or json
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
}

/// The configuration as it is meant.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    /// A PostgreSQL database; absent: the embedded store in the data directory.
    pub(crate) database_url: Option<SecretText>,
    pub(crate) public_url: Option<Url>,
    /// Absent: a key file in the data directory.
    pub(crate) master_key: Option<SecretText>,
    pub(crate) bootstrap_key: Option<SecretText>,
    /// Networks that are allowed although they are not public.
    pub(crate) allowed: Vec<IpNet>,
    pub(crate) egress: EgressPolicy,
    /// PEM.
    pub(crate) extra_ca: Option<Vec<u8>>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) log: Log,
    pub(crate) cadence: Cadence,
    pub(crate) retention: Retention,
    /// Free bytes of the disk of the embedded store below which nothing is published.
    pub(crate) disk_reserve: u64,
    /// The providers that the operator has credentials for.
    pub(crate) providers: Settings,
    /// Who may register as a person.
    pub(crate) registration: Registration,
    /// How the platform presents itself to persons.
    pub(crate) platform: Platform,
    /// Who may read the metrics, and where.
    pub(crate) metrics: Metrics,
}

/// What is logged and how.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    /// Directives of the subscriber.
    pub(crate) level: String,
}

impl Config {
    /// Reads everything.
    ///
    /// # Errors
    /// [`Error::Usage`] that names the key and what to give instead.
    pub(crate) fn load(flags: &Flags, variables: &[(String, String)]) -> Result<Self> {
        Self::mean(typed(flags, variables)?)
    }

    /// The same for development: webhooks may go to this machine and over `http`, calendars are asked
    /// often.
    #[must_use]
    pub(crate) fn for_development(self) -> Self {
        let egress = allowing(EgressPolicy::dev(), &self.allowed);
        Self { egress, cadence: Cadence::quick(), ..self }
    }

    fn mean(typed: Typed) -> Result<Self> {
        let public_url = typed.public_url.as_deref().map(public_url).transpose()?;
        let providers = providers::settings(&typed, public_url.clone())?;
        let platform = people::platform(&typed.pryv, public_url.as_ref())?;
        let listen = required("listen", typed.listen)?;
        let listen = parse("listen", &listen, "an address and a port, such as 127.0.0.1:8480")?;
        let texts = typed.egress.allow.unwrap_or_default();
        let net = |text: &String| parse("egress.allow", text, "a network, such as 10.0.0.0/8");
        let allowed: Vec<IpNet> = texts.iter().map(net).collect::<Result<_>>()?;
        let mut policy = allowing(EgressPolicy::public_only(), &allowed);
        policy = policy.allow_http(typed.egress.allow_http.unwrap_or_default());
        if let Some(ports) = typed.egress.ports {
            policy = policy.ports(ports);
        }
        let extra_ca = typed.egress.extra_ca_file.map(|path| {
            let named = |error| unreadable("egress.extra_ca_file", &path, &error);
            std::fs::read(&path).map_err(named)
        });
        let filtering = typed.egress.proxy_filtering;
        if filtering.is_some() && typed.egress.proxy.is_none() {
            return Err(wrong("egress.proxy_filtering", "give egress.proxy too"));
        }
        let proxy = typed.egress.proxy.map(|url| {
            let parsed = Proxy::parse(url.reveal(), filtering.unwrap_or_default());
            parsed.map_err(|error| wrong("egress.proxy", error))
        });
        let proxy = proxy.transpose()?;
        let master_key = secret("master_key", typed.master_key, typed.master_key_file.as_deref())?;
        if let Some(key) = &master_key {
            master_key::parse(key.reveal()).map_err(|why| wrong("master_key", why))?;
        }
        let bootstrap_key =
            secret("bootstrap_key", typed.bootstrap_key, typed.bootstrap_key_file.as_deref())?;
        if let Some(key) = &bootstrap_key
            && !matches!(Token::parse(key.reveal()), Some((TokenKind::ApiKey, _)))
        {
            let why = "not an owner key; make one with `tidings key generate`";
            return Err(wrong("bootstrap_key", why));
        }
        let database_url =
            secret("database_url", typed.database_url, typed.database_url_file.as_deref())?;
        if let Some(url) = &database_url {
            Store::check_url(url.reveal()).map_err(|why| wrong("database_url", why))?;
        }
        let level = required("log.level", typed.log.level)?;
        parse::<tracing_subscriber::EnvFilter>("log.level", &level, "a level, such as info")?;
        Ok(Self {
            listen,
            data_dir: required("data_dir", typed.data_dir)?,
            database_url,
            public_url,
            master_key,
            bootstrap_key,
            allowed,
            egress: policy,
            extra_ca: extra_ca.transpose()?,
            proxy,
            log: Log { format: required("log.format", typed.log.format)?, level },
            cadence: Cadence {
                fast: milliseconds("sync.fast_seconds", typed.sync.fast_seconds)?,
                normal: milliseconds("sync.normal_seconds", typed.sync.normal_seconds)?,
                idle: milliseconds("sync.idle_seconds", typed.sync.idle_seconds)?,
                ..Cadence::default()
            },
            retention: retention(&typed.retention)?,
            disk_reserve: required("disk_reserve", typed.disk_reserve)?,
            providers,
            registration: people::registration(&typed.pryv)?,
            platform,
            metrics: metrics::metrics(&typed.metrics)?,
        })
    }
}

/// What apps keep when they do not say otherwise.
fn retention(typed: &TypedRetention) -> Result<Retention> {
    let retention = Retention {
        journal_days: required("retention.journal_days", typed.journal_days)?,
        journal_bytes: typed.journal_bytes,
        attempt_days: required("retention.attempt_days", typed.attempt_days)?,
    };
    match retention.faults().into_iter().next() {
        Some((name, why)) => Err(wrong(&format!("retention.{name}"), why)),
        None => Ok(retention),
    }
}

fn allowing(policy: EgressPolicy, nets: &[IpNet]) -> EgressPolicy {
    nets.iter().fold(policy, |policy, net| policy.allow(*net))
}

/// The whole configuration as TOML, without the secrets.
///
/// # Errors
/// As [`Config::load`], but values are not judged.
pub(crate) fn show(flags: &Flags, variables: &[(String, String)]) -> Result<String> {
    let typed = typed(flags, variables)?;
    toml::to_string(&typed).map_err(Error::failed("cannot print the configuration"))
}

/// The variables of this process.
pub(crate) fn variables() -> Vec<(String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

fn typed(flags: &Flags, variables: &[(String, String)]) -> Result<Typed> {
    let defaults = DEFAULTS.parse::<Table>().expect("the defaults are TOML");
    let sources = [file(flags.config.as_deref())?, environment::read(variables)?, given(flags)];
    let merged = sources.into_iter().fold(defaults, layer::lay);
    Value::Table(merged).try_into().map_err(|error: toml::de::Error| {
        Error::Usage(format!("configuration: {}", error.message()))
    })
}

/// The file's keys; unknown ones are reported with their line.
fn file(named: Option<&Path>) -> Result<Table> {
    let path = named.unwrap_or(Path::new(FILE_DEFAULT));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Table::new());
        }
        Err(error) => return Err(unreadable("--config", path, &error)),
    };
    let refused = |error: toml::de::Error| {
        let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
        let line = line.map_or(String::new(), |line| format!(" line {line}"));
        Error::Usage(format!("{}{line}: {}", path.display(), error.message()))
    };
    // Not the whole error: it would quote the line, and with it a secret.
    toml::from_str::<Typed>(&text).map_err(refused)?;
    toml::from_str(&text).map_err(refused)
}

fn given(flags: &Flags) -> Table {
    let data_dir = flags.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    let mut table = Table::new();
    for (key, value) in [
        ("listen", &flags.listen),
        ("data_dir", &data_dir),
        ("public_url", &flags.public_url),
        ("log.format", &flags.log_format),
        ("log.level", &flags.log_level),
    ] {
        if let Some(value) = value {
            layer::set(&mut table, key, Value::String(value.clone()));
        }
    }
    table
}

fn secret(
    key: &str,
    itself: Option<SecretText>,
    file: Option<&Path>,
) -> Result<Option<SecretText>> {
    match (itself, file) {
        (Some(_), Some(_)) => Err(wrong(key, format!("give either {key} or {key}_file"))),
        (Some(secret), None) => Ok(Some(secret)),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(SecretText::from(text.trim().to_owned()))),
            Err(error) => Err(unreadable(&format!("{key}_file"), path, &error)),
        },
        (None, None) => Ok(None),
    }
}

fn public_url(text: &str) -> Result<Url> {
    let url: Url = parse("public_url", text, "a URL, such as https://hooks.example.com")?;
    if matches!(url.scheme(), "http" | "https") && url.query().is_none() {
        return Ok(url);
    }
    Err(wrong("public_url", "give an https:// or http:// URL without a query"))
}

/// A whole number of seconds, at most a day, as milliseconds.
fn milliseconds(key: &str, seconds: Option<u32>) -> Result<i64> {
    match required(key, seconds)? {
        seconds @ 1..=86_400 => Ok(i64::from(seconds) * 1000),
        _ => Err(wrong(key, "give 1 to 86400 seconds")),
    }
}

fn required<T>(key: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| wrong(key, "is needed"))
}

fn parse<T: std::str::FromStr>(key: &str, text: &str, wanted: &str) -> Result<T> {
    text.parse().map_err(|_| wrong(key, format!("{text:?} is not {wanted}")))
}

fn wrong(key: &str, why: impl Display) -> Error {
    Error::Usage(format!("configuration key {key}: {why}"))
}

fn unreadable(key: &str, path: &Path, error: &std::io::Error) -> Error {
    wrong(key, format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
