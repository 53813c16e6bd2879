//! Identities: 96 opaque, time-ordered bits, printed with a prefix that says what they name.
//!
//! 48 bits of milliseconds and 48 random bits with a monotonic step. Printed as 20 digits of
//! Crockford's base 32 in lower case. 96 bits is what other systems' id shapes can hold (24 hex
//! digits; 24 base-36 digits), so a dialect prints the same id in its own shape, reversibly.
//! Ids are never secrets.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use crate::clock::Timestamp;

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const PRINTED_DIGITS: usize = 20;
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const HEX_DIGITS: usize = 24;
const CUID_DIGITS: usize = 24;

/// 96 opaque bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bits96(u128);

impl Bits96 {
    /// Takes the low 96 bits of `value`.
    pub fn new(value: u128) -> Self {
        Self(value & ((1 << 96) - 1))
    }

    /// The bits as a number below 2^96.
    pub fn value(self) -> u128 {
        self.0
    }

    /// The bits as 12 bytes, most significant first: the form the store keeps.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&self.0.to_be_bytes()[4..]);
        bytes
    }

    /// The reverse of [`Bits96::to_bytes`]; `None` when there are not exactly 12 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 12] = bytes.try_into().ok()?;
        let mut wide = [0; 16];
        wide[4..].copy_from_slice(&bytes);
        Some(Self(u128::from_be_bytes(wide)))
    }

    /// The bits as 24 hexadecimal digits in lower case: the shape of Sync's and Vyte's ids. The order of
    /// such texts is the order of the ids.
    pub fn to_hex24(self) -> String {
        format!("{:024x}", self.0)
    }

    /// The reverse of [`Bits96::to_hex24`], in either case; `None` when the text has another shape.
    pub fn from_hex24(text: &str) -> Option<Self> {
        if text.len() != HEX_DIGITS || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(Self)
    }

    /// The bits as `c` and 24 digits of base 36 in lower case: the shape of Pryv's ids. The order of such
    /// texts is the order of the ids.
    pub fn to_cuid25(self) -> String {
        let mut digits = [b'0'; CUID_DIGITS];
        let mut rest = self.0;
        for digit in digits.iter_mut().rev() {
            *digit = BASE36[(rest % 36) as usize];
            rest /= 36;
        }
        std::iter::once('c').chain(digits.into_iter().map(char::from)).collect()
    }

    /// The reverse of [`Bits96::to_cuid25`]; `None` when the text has another shape or more than 96 bits.
    pub fn from_cuid25(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('c').filter(|digits| digits.len() == CUID_DIGITS)?;
        let mut value = 0u128;
        for byte in digits.bytes() {
            let digit = BASE36.iter().position(|&digit| digit == byte)?;
            // 36^24 is below 2^125: no overflow.
            value = value * 36 + digit as u128;
        }
        (value >> 96 == 0).then_some(Self(value))
    }

    fn print(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..PRINTED_DIGITS).rev() {
            let digit = (self.0 >> (5 * place)) & 31;
            write!(f, "{}", char::from(DIGITS[digit as usize]))?;
        }
        Ok(())
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() != PRINTED_DIGITS {
            return None;
        }
        let mut value = 0u128;
        for byte in text.bytes() {
            let digit = DIGITS.iter().position(|&digit| digit == byte)?;
            value = (value << 5) | digit as u128;
        }
        (value >> 96 == 0).then_some(Self(value))
    }
}

/// The text is not an id of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 20 digits")]
pub struct ParseIdError {
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Bits96);

        impl $name {
            /// What the printed form begins with, without the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                self.0.print(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(Bits96::parse)
                    .map(Self)
                    .ok_or(ParseIdError { prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An app, the tenant.
    AppId = "app";
    /// An end user of an app.
    UserId = "usr";
    /// A grant: an API key or another dialect's token.
    GrantId = "key";
    /// A connected account.
    AccountId = "acc";
    /// A collection of an account, such as a calendar.
    CollectionId = "col";
    /// A subscription: our watch at a provider.
    SubscriptionId = "sub";
    /// A hook.
    HookId = "hook";
    /// A change in an app's journal.
    ChangeId = "chg";
    /// A delivery; computed, see [`crate::delivery`].
    DeliveryId = "dlv";
    /// An attempt.
    AttemptId = "att";
    /// A replay.
    ReplayId = "rpl";
    /// A signing key of an app.
    SigningKeyId = "sgk";
    /// A request inbox.
    InboxId = "inb";
    /// An operator, who signs in to the console.
    OperatorId = "opr";
    /// A session of an operator.
    SessionId = "ses";
}

/// Makes identities and other random values. Clones share the state, so ids of one process are
/// strictly increasing even within a millisecond.
#[derive(Clone, Debug)]
pub struct Ids(Arc<Mutex<IdState>>);

#[derive(Debug)]
struct IdState {
    rng: StdRng,
    last: u128,
}

impl Ids {
    /// Seeded from the operating system.
    pub fn from_os() -> Self {
        Self::with_rng(StdRng::from_os_rng())
    }

    /// The same seed yields the same values: for tests and the simulator.
    pub fn seeded(seed: u64) -> Self {
        Self::with_rng(StdRng::seed_from_u64(seed))
    }

    fn with_rng(rng: StdRng) -> Self {
        Self(Arc::new(Mutex::new(IdState { rng, last: 0 })))
    }

    /// A new id for `now`: greater than every id made before by these `Ids`.
    pub fn next(&self, now: Timestamp) -> Bits96 {
        let mut state = self.lock();
        let millis = u128::from(now.0.max(0).unsigned_abs()) & ((1 << 48) - 1);
        let random = u128::from(state.rng.next_u64() >> 16);
        let fresh = (millis << 48) | random;
        let value = if fresh > state.last { fresh } else { state.last + 1 + (random >> 24) };
        state.last = value;
        Bits96::new(value)
    }

    /// Fills `bytes` with cryptographically strong random bytes.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.lock().rng.fill_bytes(bytes);
    }

    /// A number in `0.0..1.0`, for jitter.
    pub fn fraction(&self) -> f64 {
        (self.lock().rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, IdState> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_form_round_trips_and_keeps_order() {
        let ids = Ids::seeded(7);
        let mut previous = String::new();
        for step in 0..1000 {
            let id = HookId(ids.next(Timestamp(1_790_000_000_000 + step / 100)));
            let text = id.to_string();
            assert_eq!(text.parse::<HookId>().unwrap(), id);
            assert_eq!(Bits96::from_bytes(&id.0.to_bytes()), Some(id.0));
            assert!(text > previous, "{text} after {previous}");
            previous = text;
        }
    }

    #[test]
    fn ids_print_in_the_shapes_of_dialects_reversibly_and_keep_their_order() {
        let ids = Ids::seeded(3);
        let mut all = vec![Bits96::new(0), Bits96::new(1)];
        all.extend((0..1000).map(|step| ids.next(Timestamp(1_790_000_000_000 + step / 100))));
        all.push(Bits96::new(u128::MAX));
        let mut previous = (String::new(), String::new());
        for id in all {
            let texts = (id.to_hex24(), id.to_cuid25());
            assert_eq!((texts.0.len(), texts.1.len()), (24, 25), "{texts:?}");
            assert_eq!(Bits96::from_hex24(&texts.0), Some(id));
            assert_eq!(Bits96::from_hex24(&texts.0.to_uppercase()), Some(id));
            assert_eq!(Bits96::from_cuid25(&texts.1), Some(id));
            assert!(texts.0 > previous.0 && texts.1 > previous.1, "{texts:?} after {previous:?}");
            previous = texts;
        }
    }

    #[test]
    fn strangers_to_the_shapes_of_dialects_do_not_parse() {
        for text in
            ["", "+23456789012345678901234", "g00000000000000000000000", "é0000000000000000000000"]
        {
            assert_eq!(Bits96::from_hex24(text), None, "{text}");
        }
        for text in [
            "",
            "c",
            "czzzzzzzzzzzzzzzzzzzzzzzz",
            "d000000000000000000000000",
            "c00000000000000000000000A",
            "c00000000000000000000000é",
            "c00000000000000000000000",
        ] {
            assert_eq!(Bits96::from_cuid25(text), None, "{text}");
        }
    }

    #[test]
    fn strangers_do_not_parse() {
        for text in [
            "",
            "hook_",
            "app_00000000000000000000",
            "hook_0000000000000000000",
            "hook_zzzzzzzzzzzzzzzzzzzz",
            "hook_0000000000000000000I",
            "hook_000000000000000000000",
        ] {
            assert!(text.parse::<HookId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_stay_monotonic_when_the_clock_goes_back() {
        let ids = Ids::seeded(1);
        let later = ids.next(Timestamp(2000));
        assert!(ids.next(Timestamp(1000)) > later);
    }
}
