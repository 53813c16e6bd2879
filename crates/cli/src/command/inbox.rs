//! `tidings inbox`: URLs for trying out.

use clap::Subcommand;
use serde_json::{Value, json};

use super::resource::Resource;
use crate::client::Client;
use crate::error::Result;
use crate::output::{Printer, plain};

const INBOXES: Resource = Resource {
    path: "inboxes",
    columns: &[("id", "/id"), ("requests", "/requests"), ("url", "/url")],
    empty: "there is no inbox: make one with `tidings inbox create`",
};

#[derive(Debug, Subcommand)]
pub(crate) enum InboxCommand {
    /// List the inboxes
    #[command(after_long_help = "Examples:\n  tidings inbox list")]
    List,
    /// Make an inbox: a URL that keeps what is sent to it, until the server stops
    #[command(after_long_help = "Examples:\n  tidings inbox create")]
    Create,
    /// Show what an inbox received, oldest first
    #[command(after_long_help = "Examples:\n  tidings inbox show inb_01k4qzv6s8t2m9r3n5b0\n  \
        tidings inbox show inb_01k4qzv6s8t2m9r3n5b0 --output json")]
    Show {
        /// Its id
        id: String,
    },
    /// Delete an inbox and what it holds
    #[command(after_long_help = "Examples:\n  tidings inbox delete inb_01k4qzv6s8t2m9r3n5b9")]
    Delete {
        /// Its id
        id: String,
    },
}

pub(crate) async fn run(
    command: InboxCommand,
    client: &Client,
    printer: &mut Printer<'_>,
) -> Result<()> {
    match command {
        InboxCommand::List => {
            let found = client.list(&[INBOXES.path], &[], usize::MAX).await?;
            let found: Vec<_> = found.into_iter().map(|inbox| with_url(inbox, client)).collect();
            printer.list(&found, INBOXES.columns, INBOXES.empty)
        }
        InboxCommand::Create => {
            let made = with_url(client.post(&[INBOXES.path], &json!({})).await?, client);
            printer.object(&made)
        }
        InboxCommand::Show { id } => {
            let found = client.list(&[INBOXES.path, &id, "requests"], &[], usize::MAX).await?;
            if printer.is_json() {
                return printer.answer(&found, "");
            }
            if found.is_empty() {
                return printer.line("nothing has arrived yet");
            }
            found.iter().try_for_each(|request| show(request, printer))
        }
        InboxCommand::Delete { id } => INBOXES.delete(client, printer, &id).await,
    }
}

fn with_url(mut inbox: Value, client: &Client) -> Value {
    let server = client.place().url.as_str().trim_end_matches('/');
    inbox["url"] = json!(format!("{server}{}", plain(&inbox["path"])));
    inbox
}

fn show(request: &Value, printer: &mut Printer<'_>) -> Result<()> {
    let word = |name: &str| plain(&request[name]);
    printer.line(format!("{}  {} {}", word("received_at"), word("method"), word("target")))?;
    for header in request["headers"].as_array().into_iter().flatten() {
        printer.line(format!("  {}: {}", plain(&header[0]), plain(&header[1])))?;
    }
    printer.line(format!("\n  {}\n", word("body")))
}
