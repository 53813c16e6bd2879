//! `tidings verify`: whether a signature is right, and if not, what is wrong. Asks no server.

use clap::Args;
use serde_json::json;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::sign::{Pasted, PublicKey, Verdict, verify_public};

use super::resource::bytes;
use super::sign::SecretArgs;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::profile::Variables;

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    tidings verify body.json --headers headers.txt --secret-file secret.txt --any-time\n  \
    tidings verify body.json --id msg_1 --timestamp 1614265330 --signature \"$SIGNATURE\" \
    --secret-file secret.txt --any-time")]
pub(crate) struct Verify {
    /// The body exactly as it arrived [default: standard input]
    #[arg(default_value = "-", hide_default_value = true, value_name = "FILE")]
    body: String,
    /// A file with the headers, one a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "timestamp", "signature"])]
    headers: Option<String>,
    /// The webhook-id
    #[arg(long, required_unless_present = "headers")]
    id: Option<String>,
    /// The webhook-timestamp
    #[arg(long, value_name = "SECONDS", required_unless_present = "headers")]
    timestamp: Option<String>,
    /// The webhook-signature
    #[arg(long, required_unless_present = "headers")]
    signature: Option<String>,
    /// Accept any time; otherwise it must be within five minutes of now
    #[arg(long)]
    any_time: bool,
    #[command(flatten)]
    secret: SecretArgs,
}

pub(crate) fn run(verify: &Verify, variables: &Variables, printer: &mut Printer<'_>) -> Result<()> {
    let secret = verify.secret.needed(variables)?;
    let headers = headers(verify)?;
    let body = bytes(&verify.body)?;
    let now = Clock::system().now();
    let fault = match secret.parse::<PublicKey>() {
        Ok(key) => with_public_key(&key, &headers, &body, verify.any_time, now),
        Err(_) => with_secret(&secret, &headers, &body, verify.any_time, now)?,
    };
    let Some(why) = fault else {
        return printer.answer(&json!({"valid": true}), "the signature is right");
    };
    if printer.is_json() {
        printer.answer(&json!({"valid": false, "reason": why}), "")?;
    }
    Err(Error::Failed(why))
}

fn headers(verify: &Verify) -> Result<String> {
    if let Some(file) = &verify.headers {
        let text = String::from_utf8(bytes(file)?);
        return text.map_err(|_| Error::Usage(format!("{file} is not text")));
    }
    let given = [
        ("webhook-id", &verify.id),
        ("webhook-timestamp", &verify.timestamp),
        ("webhook-signature", &verify.signature),
    ];
    let line =
        |(name, value): (&str, &Option<String>)| Some(format!("{name}: {}\n", value.as_ref()?));
    Ok(given.into_iter().filter_map(line).collect())
}

/// What is wrong; nothing when it is right.
fn with_secret(
    secret: &str,
    headers: &str,
    body: &[u8],
    any_time: bool,
    now: Timestamp,
) -> Result<Option<String>> {
    let body = std::str::from_utf8(body);
    let body = body.map_err(|_| Error::Failed("the body is not UTF-8".into()))?;
    Ok(match (Pasted { headers, body, secret }).verdict(now) {
        Verdict::Good => None,
        Verdict::GoodButOld(_) if any_time => None,
        Verdict::BadSecret => return Err(Error::Usage(Verdict::BadSecret.to_string())),
        verdict => Some(verdict.to_string()),
    })
}

fn with_public_key(
    key: &PublicKey,
    headers: &str,
    body: &[u8],
    any_time: bool,
    now: Timestamp,
) -> Option<String> {
    let header = |wanted: &str| {
        headers.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let (Some(id), Some(timestamp), Some(signature)) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
    else {
        return Some("give webhook-id, webhook-timestamp and webhook-signature".into());
    };
    let then =
        timestamp.parse::<i64>().ok().map(|seconds| Timestamp(seconds.saturating_mul(1_000)));
    let right_at = |now| verify_public(key, id, timestamp, signature, body, now);
    if right_at(now) || (any_time && then.is_some_and(right_at)) {
        return None;
    }
    let why =
        "there is no v1a signature of this key over this body, made within five minutes of now";
    Some(why.into())
}
