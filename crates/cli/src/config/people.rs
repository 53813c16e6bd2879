//! Who may register as a person, and how the platform presents itself to persons: the section `[pryv]`.

use tidings_service::Registration;
use zeroize::Zeroizing;

use super::typed::{RegistrationKind, TypedPryv};
use super::wrong;
use crate::error::Result;

/// How the platform presents itself to persons and their apps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Platform {
    /// Persons have hosts below this one, besides their paths.
    pub(crate) domain: Option<String>,
    /// Origins whose apps may log persons in.
    pub(crate) trusted_origins: Vec<String>,
    /// Its name.
    pub(crate) name: Option<String>,
}

/// The platform of `[pryv]`.
///
/// # Errors
/// A domain that is none, an origin without its scheme.
pub(super) fn platform(typed: &TypedPryv) -> Result<Platform> {
    let domain = typed.domain.as_ref().map(|domain| domain.to_ascii_lowercase());
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    if domain.as_ref().is_some_and(|domain| domain.is_empty() || !domain.bytes().all(letter)) {
        return Err(wrong("pryv.domain", "give a host name alone, such as pryv.example.com"));
    }
    let trusted_origins = typed.trusted_origins.clone().unwrap_or_default();
    if trusted_origins.iter().any(|origin| origin != "*" && !origin.contains("://")) {
        let why = "give origins such as https://app.example.com or https://*.example.com, or *";
        return Err(wrong("pryv.trusted_origins", why));
    }
    Ok(Platform { domain, trusted_origins, name: typed.name.clone() })
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
