//! The configuration as it is typed: what the TOML file may say, all of it optional.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

/// Every key there is; any other is an error.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Typed {
    /// Address and port to listen on.
    pub(crate) listen: Option<String>,
    /// Directory of the embedded store.
    pub(crate) data_dir: Option<PathBuf>,
    /// A PostgreSQL database instead of the embedded store.
    pub(crate) database_url: Option<SecretText>,
    /// A file that holds it.
    pub(crate) database_url_file: Option<PathBuf>,
    /// Where clients reach this server, when a proxy is in front.
    pub(crate) public_url: Option<String>,
    /// Master keys in base 64, separated by white space; the first seals, all open.
    pub(crate) master_key: Option<SecretText>,
    /// A file that holds them.
    pub(crate) master_key_file: Option<PathBuf>,
    /// The first owner key.
    pub(crate) bootstrap_key: Option<SecretText>,
    /// A file that holds it.
    pub(crate) bootstrap_key_file: Option<PathBuf>,
    /// Free bytes of the disk of the embedded store below which nothing is published.
    pub(crate) disk_reserve: Option<u64>,
    pub(crate) egress: TypedEgress,
    pub(crate) log: TypedLog,
    pub(crate) retention: TypedRetention,
    pub(crate) sync: TypedSync,
    pub(crate) google: TypedClient,
    pub(crate) microsoft: TypedMicrosoft,
    pub(crate) zoom: TypedZoom,
    pub(crate) pryv: TypedPryv,
    pub(crate) metrics: TypedMetrics,
}

/// Who may read the metrics, and where.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedMetrics {
    /// An address and port of their own, where nobody is asked for a key.
    pub(crate) listen: Option<String>,
    /// Whether they need no owner key at `listen` of everything else.
    pub(crate) open: Option<bool>,
}

/// Who may register as a person of the Pryv surface.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedPryv {
    pub(crate) registration: Option<RegistrationKind>,
    /// Whoever knows one of these may register, when registration is `invited`.
    pub(crate) invitations: Option<Vec<SecretText>>,
    /// Persons have hosts below this one, besides their paths.
    pub(crate) domain: Option<String>,
    /// Origins whose apps may log persons in.
    pub(crate) trusted_origins: Option<Vec<String>>,
    /// Name of the platform.
    pub(crate) name: Option<String>,
    /// Least time between two calls of a webhook, ms.
    pub(crate) min_interval_ms: Option<u64>,
    /// How often a failed call of a webhook is tried again.
    pub(crate) max_retries: Option<u32>,
    /// Runs that a webhook shows.
    pub(crate) runs_size: Option<u32>,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RegistrationKind {
    /// Nobody but those whom an owner key registers.
    Closed,
    /// Whoever has an invitation.
    Invited,
    /// Anybody.
    Open,
}

/// Who we are at Google, and where Google is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedClient {
    /// Our OAuth client's id.
    pub(crate) client_id: Option<String>,
    /// Its secret.
    pub(crate) client_secret: Option<SecretText>,
    /// A file that holds it.
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Where the API is, instead of the vendor's own.
    pub(crate) api_url: Option<String>,
    /// Where people consent, instead of the vendor's own.
    pub(crate) authorize_url: Option<String>,
    /// Where tokens are fetched, instead of the vendor's own.
    pub(crate) token_url: Option<String>,
    /// Where tokens are revoked, instead of the vendor's own.
    pub(crate) revoke_url: Option<String>,
    /// What people are asked to consent to, instead of what is needed.
    pub(crate) scopes: Option<Vec<String>>,
}

/// Who we are at Microsoft, and where Microsoft is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedMicrosoft {
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<SecretText>,
    pub(crate) client_secret_file: Option<PathBuf>,
    /// `common`, `organizations`, `consumers`, or one tenant.
    pub(crate) tenant: Option<String>,
    pub(crate) api_url: Option<String>,
    pub(crate) authorize_url: Option<String>,
    pub(crate) token_url: Option<String>,
    pub(crate) revoke_url: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
}

/// Who we are at Zoom, and where Zoom is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedZoom {
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<SecretText>,
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Signs Zoom's notifications ("secret token" of the Zoom app).
    pub(crate) webhook_secret: Option<SecretText>,
    /// A file that holds it.
    pub(crate) webhook_secret_file: Option<PathBuf>,
    pub(crate) api_url: Option<String>,
    pub(crate) authorize_url: Option<String>,
    pub(crate) token_url: Option<String>,
    pub(crate) revoke_url: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
}

impl TypedMicrosoft {
    /// What it has in common with the other providers.
    pub(super) fn client(&self) -> TypedClient {
        TypedClient {
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            client_secret_file: self.client_secret_file.clone(),
            api_url: self.api_url.clone(),
            authorize_url: self.authorize_url.clone(),
            token_url: self.token_url.clone(),
            revoke_url: self.revoke_url.clone(),
            scopes: self.scopes.clone(),
        }
    }
}

impl TypedZoom {
    /// What it has in common with the other providers.
    pub(super) fn client(&self) -> TypedClient {
        TypedClient {
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            client_secret_file: self.client_secret_file.clone(),
            api_url: self.api_url.clone(),
            authorize_url: self.authorize_url.clone(),
            token_url: self.token_url.clone(),
            revoke_url: self.revoke_url.clone(),
            scopes: self.scopes.clone(),
        }
    }
}

/// How long apps that do not say otherwise keep what they did.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedRetention {
    /// Age at which changes go, days.
    pub(crate) journal_days: Option<u32>,
    /// Size of one app's journal beyond which its oldest changes go before their time, bytes.
    pub(crate) journal_bytes: Option<u64>,
    /// Age at which attempts go, days.
    pub(crate) attempt_days: Option<u32>,
}

/// What may be reached beyond `https` to public addresses.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedEgress {
    /// Networks (CIDR) that are allowed although they are not public.
    pub(crate) allow: Option<Vec<String>>,
    /// Whether `http` is allowed.
    pub(crate) allow_http: Option<bool>,
    /// The ports that are allowed, instead of 443 and 8443.
    pub(crate) ports: Option<Vec<u16>>,
    /// Certificate authorities to trust besides the public ones, PEM.
    pub(crate) extra_ca_file: Option<PathBuf>,
    /// `http://[user:password@]host:port`: everything that goes out goes through this proxy by `CONNECT`.
    pub(crate) proxy: Option<SecretText>,
    /// Whether the proxy itself keeps requests from forbidden addresses: it is then asked for names.
    pub(crate) proxy_filtering: Option<bool>,
}

/// What is logged, on standard error.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedLog {
    pub(crate) format: Option<LogFormat>,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,tidings_engine=debug`.
    pub(crate) level: Option<String>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// How often calendars are asked for changes, seconds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TypedSync {
    /// Those that changed lately.
    pub(crate) fast_seconds: Option<u32>,
    /// Others.
    pub(crate) normal_seconds: Option<u32>,
    /// Those that have not changed for long.
    pub(crate) idle_seconds: Option<u32>,
}

/// A secret; neither `Debug` nor serialisation show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The secret itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(set, not shown)")
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}
