//! The environment's part of the configuration: `TIDINGS_` and the key, with `__` or `_` for the dot
//! (`TIDINGS_EGRESS__ALLOW_HTTP` or `TIDINGS_EGRESS_ALLOW_HTTP`). Lists are separated by commas.

use toml::{Table, Value};

use super::layer;
use crate::error::{Error, Result};

const PREFIX: &str = "TIDINGS_";
/// Names the configuration file itself; read with the flags.
const FILE_VARIABLE: &str = "TIDINGS_CONFIG";
/// What commands read that ask a server; a server may be started in the same shell.
const CLIENT_VARIABLES: [&str; 6] = [
    "TIDINGS_URL",
    "TIDINGS_KEY",
    "TIDINGS_KEY_FILE",
    "TIDINGS_APP",
    "TIDINGS_PROFILE",
    "TIDINGS_SECRET",
];

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Switch,
    Number,
    Texts,
    Numbers,
}

/// Every key, with what the text of its variable stands for.
pub(super) const KEYS: [(&str, Kind); 61] = [
    ("listen", Kind::Text),
    ("data_dir", Kind::Text),
    ("database_url", Kind::Text),
    ("database_url_file", Kind::Text),
    ("public_url", Kind::Text),
    ("master_key", Kind::Text),
    ("master_key_file", Kind::Text),
    ("bootstrap_key", Kind::Text),
    ("bootstrap_key_file", Kind::Text),
    ("disk_reserve", Kind::Number),
    ("egress.allow", Kind::Texts),
    ("egress.allow_http", Kind::Switch),
    ("egress.ports", Kind::Numbers),
    ("egress.extra_ca_file", Kind::Text),
    ("egress.proxy", Kind::Text),
    ("egress.proxy_filtering", Kind::Switch),
    ("log.format", Kind::Text),
    ("log.level", Kind::Text),
    ("retention.journal_days", Kind::Number),
    ("retention.journal_bytes", Kind::Number),
    ("retention.attempt_days", Kind::Number),
    ("sync.fast_seconds", Kind::Number),
    ("sync.normal_seconds", Kind::Number),
    ("sync.idle_seconds", Kind::Number),
    ("google.client_id", Kind::Text),
    ("google.client_secret", Kind::Text),
    ("google.client_secret_file", Kind::Text),
    ("google.api_url", Kind::Text),
    ("google.authorize_url", Kind::Text),
    ("google.token_url", Kind::Text),
    ("google.revoke_url", Kind::Text),
    ("google.scopes", Kind::Texts),
    ("microsoft.client_id", Kind::Text),
    ("microsoft.client_secret", Kind::Text),
    ("microsoft.client_secret_file", Kind::Text),
    ("microsoft.tenant", Kind::Text),
    ("microsoft.api_url", Kind::Text),
    ("microsoft.authorize_url", Kind::Text),
    ("microsoft.token_url", Kind::Text),
    ("microsoft.revoke_url", Kind::Text),
    ("microsoft.scopes", Kind::Texts),
    ("zoom.client_id", Kind::Text),
    ("zoom.client_secret", Kind::Text),
    ("zoom.client_secret_file", Kind::Text),
    ("zoom.webhook_secret", Kind::Text),
    ("zoom.webhook_secret_file", Kind::Text),
    ("zoom.api_url", Kind::Text),
    ("zoom.authorize_url", Kind::Text),
    ("zoom.token_url", Kind::Text),
    ("zoom.revoke_url", Kind::Text),
    ("zoom.scopes", Kind::Texts),
    ("pryv.registration", Kind::Text),
    ("pryv.invitations", Kind::Texts),
    ("pryv.domain", Kind::Text),
    ("pryv.trusted_origins", Kind::Texts),
    ("pryv.name", Kind::Text),
    ("pryv.min_interval_ms", Kind::Number),
    ("pryv.max_retries", Kind::Number),
    ("pryv.runs_size", Kind::Number),
    ("metrics.listen", Kind::Text),
    ("metrics.open", Kind::Switch),
];

/// The keys that `variables` set.
///
/// # Errors
/// A variable with our prefix that names no key, or whose text is not of the key's kind.
pub(super) fn read(variables: &[(String, String)]) -> Result<Table> {
    let mut table = Table::new();
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        if variable == FILE_VARIABLE || CLIENT_VARIABLES.contains(&variable.as_str()) {
            continue;
        }
        let known = KEYS.iter().find(|(key, _)| is_named(name, key));
        let Some((key, kind)) = known else {
            let known: Vec<_> = KEYS.iter().map(|(key, _)| variable_of(key)).collect();
            let known = known.join(", ");
            let why = format!("unknown environment variable {variable}: remove it; known: {known}");
            return Err(Error::Usage(why));
        };
        let value = kind
            .parse(text)
            .map_err(|wanted| Error::Usage(format!("environment variable {variable}: {wanted}")))?;
        layer::set(&mut table, key, value);
    }
    Ok(table)
}

fn is_named(name: &str, key: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == key.replace('.', "__") || name == key.replace('.', "_")
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

impl Kind {
    fn parse(self, text: &str) -> std::result::Result<Value, &'static str> {
        let number = |text: &str| text.trim().parse().map(Value::Integer);
        let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
        match self {
            Self::Text => Ok(Value::String(text.to_owned())),
            Self::Switch => match text {
                "true" | "1" => Ok(Value::Boolean(true)),
                "false" | "0" => Ok(Value::Boolean(false)),
                _ => Err("give true or false"),
            },
            Self::Number => number(text).map_err(|_| "give a whole number"),
            Self::Texts => {
                Ok(Value::Array(parts().map(|part| Value::String(part.to_owned())).collect()))
            }
            Self::Numbers => parts()
                .map(number)
                .collect::<std::result::Result<Vec<_>, _>>()
                .map(Value::Array)
                .map_err(|_| "give whole numbers separated by commas"),
        }
    }
}

#[cfg(test)]
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}
