//! Which schemes a hook's deliveries are signed with.

use serde::{Deserialize, Serialize};

/// A signature scheme of Standard Webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HMAC-SHA256 with the hook's secret.
    V1,
    /// Ed25519 with the app's signing key.
    V1a,
}

/// The schemes that a hook signs with: at least one, each at most once. `v1` unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Scheme>", into = "Vec<Scheme>")]
pub struct Signing {
    v1: bool,
    v1a: bool,
}

/// The list does not say how to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be [\"v1\"], [\"v1a\"] or [\"v1\", \"v1a\"]")]
pub struct SigningError;

impl Signing {
    /// With these schemes.
    ///
    /// # Errors
    /// None is named, or one twice.
    pub fn new(schemes: &[Scheme]) -> Result<Self, SigningError> {
        let named = |wanted| schemes.iter().filter(|scheme| **scheme == wanted).count();
        match (named(Scheme::V1), named(Scheme::V1a)) {
            (0, 0) | (2.., _) | (_, 2..) => Err(SigningError),
            (v1, v1a) => Ok(Self { v1: v1 == 1, v1a: v1a == 1 }),
        }
    }

    /// Whether deliveries are signed with this scheme.
    pub fn has(self, scheme: Scheme) -> bool {
        match scheme {
            Scheme::V1 => self.v1,
            Scheme::V1a => self.v1a,
        }
    }

    /// The schemes.
    pub fn schemes(self) -> Vec<Scheme> {
        [Scheme::V1, Scheme::V1a].into_iter().filter(|scheme| self.has(*scheme)).collect()
    }
}

impl Default for Signing {
    fn default() -> Self {
        Self { v1: true, v1a: false }
    }
}

impl TryFrom<Vec<Scheme>> for Signing {
    type Error = SigningError;
    fn try_from(schemes: Vec<Scheme>) -> Result<Self, SigningError> {
        Self::new(&schemes)
    }
}

impl From<Signing> for Vec<Scheme> {
    fn from(signing: Signing) -> Self {
        signing.schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_signs_with_one_scheme_or_both() {
        for (json, expected) in [
            (r#"["v1"]"#, Some(r#"["v1"]"#)),
            (r#"["v1a"]"#, Some(r#"["v1a"]"#)),
            (r#"["v1a","v1"]"#, Some(r#"["v1","v1a"]"#)),
            ("[]", None),
            (r#"["v1","v1"]"#, None),
            (r#"["v1a","v1","v1a"]"#, None),
            (r#"["v2"]"#, None),
            (r#""v1""#, None),
        ] {
            let read = serde_json::from_str::<Signing>(json);
            let printed = read.ok().map(|signing| serde_json::to_string(&signing).unwrap());
            assert_eq!(printed.as_deref(), expected, "{json}");
        }
        assert_eq!(Signing::default().schemes(), [Scheme::V1]);
    }
}
