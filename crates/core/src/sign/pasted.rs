//! Looking into why a signature is not accepted: for whoever pastes what a receiver got.

use super::{Secret, TOLERANCE_SECONDS, verify};
use crate::clock::Timestamp;

/// What somebody pasted of a webhook.
#[derive(Clone, Copy)]
pub struct Pasted<'a> {
    /// The headers as text, one a line, `name: value`; others than ours are passed over.
    pub headers: &'a str,
    /// The body.
    pub body: &'a str,
    /// The secret, `whsec_…`.
    pub secret: &'a str,
}

/// What is found in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The signature is right, and of now.
    Good,
    /// The signature is right but was made this many seconds away from now: a receiver refuses it by now.
    GoodButOld(u64),
    /// This header is not among those that were pasted.
    Missing(&'static str),
    /// The header `webhook-timestamp` is not a number of seconds.
    BadTimestamp,
    /// The secret is none.
    BadSecret,
    /// There is no signature of the scheme `v1`, the only one that is made with a secret.
    OtherScheme,
    /// The signature is right once line breaks at the end of the body are this way: they were lost or added on
    /// the way here.
    LineBreak,
    /// Signed with another secret, or the body is not, byte for byte, what was sent.
    Wrong,
}

impl Pasted<'_> {
    /// Looks into it as at `now`.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let Some(id) = self.header("webhook-id") else { return Verdict::Missing("webhook-id") };
        let Some(timestamp) = self.header("webhook-timestamp") else {
            return Verdict::Missing("webhook-timestamp");
        };
        let Some(signatures) = self.header("webhook-signature") else {
            return Verdict::Missing("webhook-signature");
        };
        let Some(at) = timestamp.parse::<i64>().ok().and_then(|at| at.checked_mul(1_000)) else {
            return Verdict::BadTimestamp;
        };
        let Ok(secret) = self.secret.trim().parse::<Secret>() else { return Verdict::BadSecret };
        if !signatures.split(' ').any(|signature| signature.starts_with("v1,")) {
            return Verdict::OtherScheme;
        }
        let at = Timestamp(at);
        let holds = |body: &str| verify(&secret, id, timestamp, signatures, body.as_bytes(), at);
        if holds(self.body) {
            let away = now.unix_seconds().abs_diff(at.unix_seconds());
            let is_recent = away <= TOLERANCE_SECONDS.unsigned_abs();
            return if is_recent { Verdict::Good } else { Verdict::GoodButOld(away) };
        }
        // A form sends line breaks as CR LF, and people copy one more or one less.
        let unix = self.body.replace("\r\n", "\n");
        let bare = unix.trim_end_matches('\n');
        let others = [unix.clone(), bare.to_owned(), format!("{bare}\n")];
        if others.iter().any(|body| holds(body)) { Verdict::LineBreak } else { Verdict::Wrong }
    }

    /// A header by its lower-case name.
    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (name, value) = line.trim().split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then_some(value.trim())
        })
    }
}

impl Verdict {
    /// Whether a receiver would accept it.
    pub fn is_good(&self) -> bool {
        *self == Self::Good
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Good => f.write_str("the signature is right"),
            Self::GoodButOld(away) => write!(
                f,
                "the signature is right, but it was made {away} s away from now; receivers accept \
                 {TOLERANCE_SECONDS} s: look at the clock of your server, or resend the delivery"
            ),
            Self::Missing(name) => write!(f, "the header {name} is missing; paste all headers"),
            Self::BadTimestamp => {
                f.write_str("the header webhook-timestamp is not a number of seconds")
            }
            Self::BadSecret => super::SecretError.fmt(f),
            Self::OtherScheme => f.write_str(
                "there is no v1 signature; one of the scheme v1a is verified with the app's public \
                 key, not with a secret",
            ),
            Self::LineBreak => f.write_str(
                "the signature is right but for line breaks: verify the raw body, before anything \
                 reads or trims it",
            ),
            Self::Wrong => f.write_str(
                "the signature is wrong: it was made with another secret, or the body is not byte \
                 for byte what was sent (verify the raw body, not JSON that was read and printed again)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const HEADERS: &str = "Webhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek\nhost: example.com\r\n\
        webhook-timestamp:1614265330\nwebhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const BODY: &str = r#"{"test": 2432232314}"#;

    #[test]
    fn each_mistake_is_told_apart() {
        let now = Timestamp(1_614_265_330_000);
        let without = |name: &str| {
            let kept = |line: &&str| !line.to_ascii_lowercase().starts_with(name);
            HEADERS.lines().filter(kept).collect::<Vec<_>>().join("\n")
        };
        let broken = format!("{BODY}\r\n");
        let public = HEADERS.replace("v1,", "v1a,");
        let undated = HEADERS.replace("1614265330", "now");
        let cases: &[(&str, &str, &str, i64, Verdict)] = &[
            (HEADERS, BODY, SECRET, 0, Verdict::Good),
            (HEADERS, BODY, SECRET, 300, Verdict::Good),
            (HEADERS, BODY, SECRET, 301, Verdict::GoodButOld(301)),
            (HEADERS, BODY, SECRET, -400, Verdict::GoodButOld(400)),
            (&without("webhook-id"), BODY, SECRET, 0, Verdict::Missing("webhook-id")),
            (&without("webhook-t"), BODY, SECRET, 0, Verdict::Missing("webhook-timestamp")),
            (&without("webhook-s"), BODY, SECRET, 0, Verdict::Missing("webhook-signature")),
            (&undated, BODY, SECRET, 0, Verdict::BadTimestamp),
            (HEADERS, BODY, "s3cret", 0, Verdict::BadSecret),
            (&public, BODY, SECRET, 0, Verdict::OtherScheme),
            (HEADERS, &broken, SECRET, 0, Verdict::LineBreak),
            (HEADERS, BODY, OTHER, 0, Verdict::Wrong),
            (HEADERS, "{}", SECRET, 0, Verdict::Wrong),
        ];
        for (headers, body, secret, late_s, expected) in cases {
            let found = Pasted { headers, body, secret }.verdict(now.plus_ms(late_s * 1_000));
            assert_eq!(found, *expected, "{headers} {body}");
            assert_eq!(found.is_good(), *expected == Verdict::Good);
            assert!(!found.to_string().contains("whsec_M"));
        }
    }
}
