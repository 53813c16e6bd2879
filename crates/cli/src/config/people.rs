//! Who may register as a person: the section `[pryv]`.

use tidings_service::Registration;
use zeroize::Zeroizing;

use super::typed::{RegistrationKind, TypedPryv};
use super::wrong;
use crate::error::Result;

/// Who may register.
///
/// # Errors
/// Invitations that nothing uses, or none where they are needed.
pub(super) fn registration(typed: TypedPryv) -> Result<Registration> {
    let kind = typed.registration.unwrap_or(RegistrationKind::Closed);
    let invitations = typed.invitations.unwrap_or_default();
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
