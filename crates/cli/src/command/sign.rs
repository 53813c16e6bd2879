//! `tidings sign`: the headers that a delivery of a body would have. Asks no server.

use clap::Args;
use serde_json::json;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::sign::Secret;

use super::resource::bytes;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::profile::{Variables, get};

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    echo '{\"a\": 1}' | TIDINGS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw tidings sign --id msg_1\n  \
    tidings sign body.json --id msg_1 --timestamp 1614265330 --secret-file secret.txt")]
pub(crate) struct Sign {
    /// The body [default: standard input]
    #[arg(default_value = "-", hide_default_value = true, value_name = "FILE")]
    body: String,
    /// The webhook-id
    #[arg(long)]
    id: String,
    /// The webhook-timestamp, seconds since 1970 [default: now]
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<i64>,
    #[command(flatten)]
    secret: SecretArgs,
}

/// Where the secret is: never on the command line itself.
#[derive(Args, Debug)]
pub(crate) struct SecretArgs {
    /// A file that holds the secret, whsec_…; it may be in TIDINGS_SECRET itself
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<String>,
}

impl SecretArgs {
    /// The text of the secret, if one is given.
    ///
    /// # Errors
    /// Usage: the file cannot be read.
    pub(crate) fn text(&self, variables: &Variables) -> Result<Option<String>> {
        let Some(file) = &self.secret_file else {
            return Ok(get(variables, "TIDINGS_SECRET").map(str::to_owned));
        };
        let text = String::from_utf8(bytes(file)?);
        let text = text.map_err(|_| Error::Usage(format!("{file} holds no secret")))?;
        Ok(Some(text.trim().to_owned()))
    }

    /// The text of the secret.
    ///
    /// # Errors
    /// Usage: there is none, or the file cannot be read.
    pub(crate) fn needed(&self, variables: &Variables) -> Result<String> {
        self.text(variables)?.ok_or_else(|| {
            Error::Usage("there is no secret: set TIDINGS_SECRET or give --secret-file".into())
        })
    }
}

pub(crate) fn run(sign: &Sign, variables: &Variables, printer: &mut Printer<'_>) -> Result<()> {
    let secret: Secret = (sign.secret.needed(variables)?.parse())
        .map_err(|error| Error::Usage(format!("the secret: {error}")))?;
    let body = bytes(&sign.body)?;
    let seconds = sign.timestamp.unwrap_or_else(|| Clock::system().now().unix_seconds());
    let signature =
        secret.sign(&sign.id, Timestamp(seconds.saturating_mul(1_000)).unix_seconds(), &body);
    let id = &sign.id;
    printer.answer(
        &json!({"webhook-id": id, "webhook-timestamp": seconds.to_string(), "webhook-signature": signature}),
        format!("webhook-id: {id}\nwebhook-timestamp: {seconds}\nwebhook-signature: {signature}"),
    )
}
