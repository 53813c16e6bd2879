//! `tidings send`: publishes a change.

use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use super::resource::text;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::{Printer, plain};

#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  tidings send invoice.paid --data '{\"invoice\": \"in_1\", \"amount\": 12.50}'\n  \
    echo '{\"invoice\": \"in_2\"}' | tidings send invoice.paid --data @- --order-key in_2\n  \
    tidings send invoice.paid --data '{}' --once import-7"
)]
pub(crate) struct Send {
    /// Its type: dotted words
    kind: String,
    /// Its content, kept byte for byte: JSON, @FILE, or @- for standard input
    #[arg(long, value_name = "JSON")]
    data: String,
    /// The account that it is about
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Changes with equal keys can be delivered in order
    #[arg(long, value_name = "KEY")]
    order_key: Option<String>,
    /// When it happened, as 2026-12-31T09:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    occurred_at: Option<String>,
    /// An idempotency key: the same key within a day publishes once
    #[arg(long, value_name = "KEY")]
    once: Option<String>,
}

/// A change as the API takes it.
#[derive(Serialize)]
struct Publication<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    data: Box<RawValue>,
    account: Option<&'a str>,
    order_key: Option<&'a str>,
    occurred_at: Option<&'a str>,
}

pub(crate) async fn run(send: &Send, client: &Client, printer: &mut Printer<'_>) -> Result<()> {
    let publication = Publication {
        kind: &send.kind,
        data: raw(&send.data)?,
        account: send.account.as_deref(),
        order_key: send.order_key.as_deref(),
        occurred_at: send.occurred_at.as_deref(),
    };
    let once: Vec<_> = send.once.iter().map(|key| ("idempotency-key", key.as_str())).collect();
    let path = ["changes"];
    let receipt = client.call_with(Method::POST, &path, &[], &once, Some(&publication)).await?;
    let told = format!(
        "{} is change {} of the app, {}",
        plain(&receipt["type"]),
        plain(&receipt["seq"]),
        plain(&receipt["id"])
    );
    printer.answer(&receipt, told)?;
    for warning in receipt["warnings"].as_array().into_iter().flatten() {
        let (at, why) = (plain(&warning["pointer"]), plain(&warning["detail"]));
        printer.line(format!("  warning: {at}: {why}"))?;
    }
    Ok(())
}

/// A document, byte for byte as it was given.
pub(super) fn raw(given: &str) -> Result<Box<RawValue>> {
    RawValue::from_string(text(given)?.trim().to_owned())
        .map_err(|error| Error::Usage(format!("--data is no JSON: {error}")))
}
