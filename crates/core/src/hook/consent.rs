//! Whether a receiver agreed to be sent to, when its hook's owner asked that it be asked (HTTP 1.1 Web Hooks
//! for Event Delivery of CloudEvents, version 1.0.2, §4).

use serde::{Deserialize, Serialize};

/// How far the question has come. The hook is disabled until it is `Given`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// The receiver is to be asked.
    Asked,
    /// It agreed.
    Given,
    /// It did not; the hook's status says why.
    Refused,
}

impl Consent {
    /// What a disabled hook says while its receiver is asked.
    pub const WAITING: &'static str = "waiting for the receiver's consent (OPTIONS)";
    /// How the reason of a hook begins whose receiver did not agree.
    pub const REFUSED: &'static str = "the receiver did not consent";
}
