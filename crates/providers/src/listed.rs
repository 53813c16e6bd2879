//! A calendar as a provider lists it.

use serde_json::Value;

/// The member of a calendar's details that holds the provider's own object, where it has one.
pub const ORIGINAL: &str = "original";

/// One calendar of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id at the provider.
    pub external_id: String,
    /// What people call it.
    pub name: String,
    /// `color`, `time_zone`, `writable` and `primary`, as far as known, and [`ORIGINAL`].
    pub details: Value,
    /// Whether it is the account's main calendar.
    pub primary: bool,
    /// Whether the provider can be asked to push its changes.
    pub watchable: bool,
}

impl Listed {
    /// The details but for [`ORIGINAL`]: what people see of a calendar. The provider's own object moves
    /// with more than that.
    pub fn seen(&self) -> Value {
        seen(self.details.clone())
    }
}

/// Details without [`ORIGINAL`].
pub fn seen(mut details: Value) -> Value {
    if let Some(members) = details.as_object_mut() {
        members.remove(ORIGINAL);
    }
    details
}
