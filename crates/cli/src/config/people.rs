//! Who may register as a person, and how the platform presents itself to persons: the section `[pryv]`.

use tidings_core::limits;
use tidings_service::Registration;
use url::Url;
use zeroize::Zeroizing;

use super::typed::{RegistrationKind, TypedPryv};
use super::wrong;
use crate::error::Result;

/// How the platform presents itself to persons and their apps.
#[cfg_attr(not(feature = "pryv"), expect(dead_code, reason = "the Pryv surface reads the rest"))]
#[derive(Clone, Debug, Default)]
pub(crate) struct Platform {
    /// Persons have hosts below this one, besides their paths.
    pub(crate) domain: Option<String>,
    /// Origins whose apps may log persons in.
    pub(crate) trusted_origins: Vec<String>,
    /// Its name.
    pub(crate) name: Option<String>,
    /// Least time between two calls of a webhook, ms; absent: as documented, as for all that follow.
    pub(crate) min_interval_ms: Option<u64>,
    /// How often a failed call of a webhook is tried again.
    pub(crate) max_retries: Option<u32>,
    /// Runs that a webhook shows.
    pub(crate) runs_size: Option<u32>,
}

/// The platform of `[pryv]`.
///
/// # Errors
/// A domain that is none, an origin without its scheme, a pace out of bounds.
pub(super) fn platform(typed: &TypedPryv, public_url: Option<&Url>) -> Result<Platform> {
    let domain = typed.domain.as_ref().map(|domain| domain.to_ascii_lowercase());
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    if domain.as_ref().is_some_and(|domain| domain.is_empty() || !domain.bytes().all(letter)) {
        return Err(wrong("pryv.domain", "give a host name alone, such as pryv.example.com"));
    }
    let mut trusted_origins = typed.trusted_origins.clone().unwrap_or_default();
    if trusted_origins.iter().any(|origin| origin != "*" && !origin.contains("://")) {
        let why = "give origins such as https://app.example.com or https://*.example.com, or *";
        return Err(wrong("pryv.trusted_origins", why));
    }
    if trusted_origins.is_empty() && domain.is_none() {
        // A public server without a word on it trusts its own pages; one on this machine, every page.
        trusted_origins.extend(public_url.map(ToString::to_string));
    }
    let TypedPryv { min_interval_ms, max_retries, runs_size, .. } = *typed;
    let intervals = (limits::PRYV_INTERVAL_MS_MIN, limits::PRYV_INTERVAL_MS_MAX);
    range("pryv.min_interval_ms", min_interval_ms, intervals)?;
    range("pryv.max_retries", max_retries.map(u64::from), (0, limits::PRYV_RETRIES_MAX.into()))?;
    range("pryv.runs_size", runs_size.map(u64::from), (1, limits::HOOK_RUNS_MAX.into()))?;
    let name = typed.name.clone();
    Ok(Platform { domain, trusted_origins, name, min_interval_ms, max_retries, runs_size })
}

fn range(key: &str, value: Option<u64>, (least, most): (u64, u64)) -> Result<()> {
    match value.filter(|value| !(least..=most).contains(value)) {
        Some(_) => Err(wrong(key, format!("must be {least} to {most}"))),
        None => Ok(()),
    }
}

/// Who may register.
///
/// # Errors
/// Invitations that nothing uses, or none where they are needed.
pub(super) fn registration(typed: &TypedPryv) -> Result<Registration> {
    let kind = typed.registration.unwrap_or(RegistrationKind::Closed);
    let invitations = typed.invitations.as_deref().unwrap_or_default();
    if kind != RegistrationKind::Invited && !invitations.is_empty() {
        return Err(wrong("pryv.invitations", "give pryv.registration = \"invited\" too"));
    }
    Ok(match kind {
        RegistrationKind::Closed => Registration::Closed,
        RegistrationKind::Open => Registration::Open,
        RegistrationKind::Invited => {
            if invitations.is_empty() || invitations.iter().any(|one| one.reveal().is_empty()) {
                return Err(wrong("pryv.invitations", "give at least one, and none that is empty"));
            }
            let secret = |one: &super::SecretText| Zeroizing::new(one.reveal().to_owned());
            Registration::Invited(invitations.iter().map(secret).collect())
        }
    })
}
