//! Codes of an authenticator as the second factor: RFC 6238 with HMAC-SHA-1, six digits and steps of 30 seconds,
//! which every authenticator does.

use std::fmt;

use ring::hmac;
use subtle::ConstantTimeEq;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, Bits96};
use tidings_store::{self as store, OperatorUpdate};
use zeroize::Zeroizing;

use super::{OperatorSession, totp_place};
use crate::{Error, Result, Service};

const STEP_MS: i64 = 30_000;
/// Codes of the steps before and after the present one are taken, for clocks that differ.
const DRIFT: i64 = 1;
const DIGITS: u32 = 6;
/// Bytes of a secret (RFC 4226, section 4: at least 16, better 20).
const SECRET_BYTES: usize = 20;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ISSUER: &str = "Tidings";

/// A secret for an authenticator, to be confirmed by a code. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpOffer {
    /// The secret in base 32 (RFC 4648), to be typed in.
    pub secret_base32: String,
    /// The same as an `otpauth://` URI, to be shown as a QR code.
    pub uri: String,
}

impl fmt::Debug for TotpOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TotpOffer").finish_non_exhaustive()
    }
}

impl Service {
    /// A secret for the operator's authenticator. Nothing changes until it is confirmed, and until then it stays
    /// the same in this session.
    ///
    /// # Errors
    /// Refused when the password was not given lately; conflict when there is one already.
    pub async fn begin_totp(&self, session: &OperatorSession) -> Result<TotpOffer> {
        let secret = self.offered(session).await?;
        let secret_base32 = base32(&*secret);
        let mut uri = url::Url::parse("otpauth://totp/").map_err(|_| Error::Internal)?;
        uri.set_path(&format!("{ISSUER}:{}", session.operator.email));
        uri.query_pairs_mut()
            .append_pair("secret", &secret_base32)
            .append_pair("issuer", ISSUER)
            .append_pair("algorithm", "SHA1")
            .append_pair("digits", "6")
            .append_pair("period", "30");
        Ok(TotpOffer { secret_base32, uri: uri.into() })
    }

    /// Asks for a code at every sign-in from now on. `code` shows that the authenticator has the secret that
    /// [`Service::begin_totp`] offered. The operator's other sessions end.
    ///
    /// # Errors
    /// As [`Service::begin_totp`]; invalid when the code is wrong; limit exceeded after too many wrong ones.
    pub async fn confirm_totp(&self, session: &OperatorSession, code: &str) -> Result<()> {
        let now = self.now();
        let secret = self.offered(session).await?;
        let step = matching_step(&*secret, code, now);
        let name = code_name(session);
        if !self.passwords.check_with(&name, &self.clock, async { Ok(step.is_some()) }).await? {
            let why =
                "is not the present code; look at the authenticator and at this device's clock";
            return Err(Error::invalid("/code", "code", why));
        }
        let id = session.operator.id;
        let sealed = self.keyring.seal(totp_place(id), &*secret, &self.ids);
        let update = OperatorUpdate {
            totp: Some(Some(sealed)),
            end_sessions_but: Some(Some(session.session_no)),
            ..OperatorUpdate::default()
        };
        let (entry, operator_no) = (session.did("operator.totp.set"), session.operator_no);
        self.store.update_operator(operator_no, update, entry, now).await?;
        self.store.use_totp_step(operator_no, step.unwrap_or_default()).await?;
        Ok(())
    }

    /// Asks for no code any more. The present password must be given.
    ///
    /// # Errors
    /// Unauthenticated when the password is wrong; limit exceeded after too many wrong ones.
    pub async fn remove_totp(&self, session: &OperatorSession, password: &str) -> Result<()> {
        self.check_own_password(session, password).await?;
        let update = OperatorUpdate { totp: Some(None), ..OperatorUpdate::default() };
        let (entry, now) = (session.did("operator.totp.remove"), self.now());
        self.store.update_operator(session.operator_no, update, entry, now).await?;
        Ok(())
    }

    /// Whether a code is the operator's present one; each works once.
    pub(super) async fn check_totp(
        &self,
        operator: &store::Operator,
        sealed: &[u8],
        code: &str,
    ) -> Result<bool> {
        let place = totp_place(operator.id);
        let secret = self.keyring.open(place, sealed).map_err(|error| {
            tracing::error!(operator.id = %operator.id, %error, "the secret of codes does not open");
            Error::Internal
        })?;
        let step = matching_step(&secret, code, self.now());
        let fresh = async {
            match step {
                Some(step) => Ok(self.store.use_totp_step(operator.operator_no, step).await?),
                None => Ok(false),
            }
        };
        let name = format!("code of {}", operator.id);
        self.passwords.check_with(&name, &self.clock, fresh).await
    }

    /// The secret that this session is offered: another one after each change of the operator.
    async fn offered(&self, session: &OperatorSession) -> Result<Zeroizing<[u8; SECRET_BYTES]>> {
        if !session.recently_authenticated(self.now()) {
            return Err(Error::Refused("give your password again first".into()));
        }
        let operator = self.store.operator_by_id(session.operator.id).await?;
        let operator = operator.ok_or(Error::Unauthenticated)?;
        if operator.has_totp {
            let why = "there is an authenticator already; remove it before you add another one";
            return Err(Error::Conflict(why.into()));
        }
        let word = format!("{}|{}", session.id, operator.updated_at.0);
        let app = AppId(Bits96::new(0));
        let derived = self.keyring.derived(app, "authenticator of an operator", &word);
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        secret.copy_from_slice(&derived[..SECRET_BYTES]);
        Ok(secret)
    }
}

/// The name under which wrong codes of an operator are counted.
fn code_name(session: &OperatorSession) -> String {
    format!("code of {}", session.operator.id)
}

/// The step whose code this is, if it is one of the present.
fn matching_step(secret: &[u8], code: &str, now: Timestamp) -> Option<u64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let present = now.0 / STEP_MS;
    let steps = (present - DRIFT..=present + DRIFT).filter_map(|step| u64::try_from(step).ok());
    let mut found = None;
    for step in steps {
        let right = format!("{:06}", hotp(secret, step, DIGITS));
        if bool::from(right.as_bytes().ct_eq(code.as_bytes())) {
            found = Some(step);
        }
    }
    found
}

/// The value of a counter (RFC 4226, section 5.3).
fn hotp(secret: &[u8], counter: u64, digits: u32) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 15);
    let mut word = [0; 4];
    word.copy_from_slice(&tag[offset..offset + 4]);
    (u32::from_be_bytes(word) & 0x7fff_ffff) % 10_u32.pow(digits)
}

/// RFC 4648, section 6, without padding.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for some in bytes.chunks(5) {
        let mut block = [0; 8];
        block[3..3 + some.len()].copy_from_slice(some);
        let value = u64::from_be_bytes(block);
        for place in 0..(some.len() * 8).div_ceil(5) {
            let digit = (value >> (35 - 5 * place)) & 31;
            text.push(char::from(BASE32[digit as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the rows of SHA-1.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(hotp(b"12345678901234567890", seconds / 30, 8), code, "{seconds}");
        }
    }

    #[test]
    fn codes_of_the_neighbouring_steps_are_taken_and_no_others() {
        let secret = b"12345678901234567890";
        let now = Timestamp(1_111_111_111_000);
        let present = 1_111_111_111 / 30;
        for (step, taken) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let step = (present + step) as u64;
            let code = format!("{:06}", hotp(secret, step, 6));
            assert_eq!(matching_step(secret, &code, now), taken.then_some(step), "{step}");
        }
        let code = format!("{:06}", hotp(secret, present as u64, 6));
        let spaced = format!(" {} {} ", &code[..3], &code[3..]);
        assert_eq!(matching_step(secret, &spaced, now), Some(present as u64));
        for wrong in ["", "0", &code[..5], &format!("{code}0"), "······"] {
            assert_eq!(matching_step(secret, wrong, now), None, "{wrong}");
        }
    }

    /// RFC 4648, section 10.
    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
