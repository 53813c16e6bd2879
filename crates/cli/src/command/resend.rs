//! `tidings resend`: a delivery once more.

use clap::Args;
use http::Method;

use crate::client::Client;
use crate::error::Result;
use crate::output::{Printer, plain};

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  tidings resend dlv_01k4qzv6s8t2m9r3n5b0")]
pub(crate) struct Resend {
    /// Its id, which is the webhook-id of its requests
    delivery: String,
}

pub(crate) async fn run(resend: &Resend, client: &Client, printer: &mut Printer<'_>) -> Result<()> {
    let path = ["deliveries", &resend.delivery, "resend"];
    let due = client.call(Method::POST, &path, &[], None::<&()>).await?;
    printer.answer(&due, format!("{} is sent again to {}", plain(&due["id"]), plain(&due["hook"])))
}
