//! A calendar as a provider lists it.

use serde_json::Value;

/// One calendar of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id at the provider.
    pub external_id: String,
    /// What people call it.
    pub name: String,
    /// `color`, `time_zone`, `writable` and `primary`, as far as known.
    pub details: Value,
    /// Whether it is the account's main calendar.
    pub primary: bool,
    /// Whether the provider can be asked to push its changes.
    pub watchable: bool,
}
