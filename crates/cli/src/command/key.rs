//! `tidings key`: API keys.

use clap::Subcommand;
use serde_json::json;
use tidings_core::id::Ids;
use tidings_core::key::{Token, TokenKind};

use super::resource::{Fields, ListArgs, Resource};
use crate::client::Client;
use crate::error::Result;
use crate::output::{Printer, plain};

const KEYS: Resource = Resource {
    path: "keys",
    columns: &[
        ("id", "/id"),
        ("name", "/name"),
        ("scopes", "/scopes"),
        ("ends in", "/hint"),
        ("last used", "/last_used_at"),
        ("revoked", "/revoked_at"),
    ],
    empty: "the app has no key yet: make one with `tidings key create NAME --scope SCOPE`",
};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Print a fresh owner key, for TIDINGS_BOOTSTRAP_KEY
    #[command(after_long_help = "Examples:\n  TIDINGS_BOOTSTRAP_KEY=$(tidings key generate)")]
    Generate,
    /// List keys
    #[command(after_long_help = "Examples:\n  tidings key list\n  tidings key list --owner")]
    List {
        /// Those of the installation
        #[arg(long)]
        owner: bool,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a key, without its token
    #[command(after_long_help = "Examples:\n  tidings key show key_01k4qzv6s8t2m9r3n5b0")]
    Show {
        /// Its id
        id: String,
    },
    /// Make a key; its token is shown this once
    #[command(
        after_long_help = "Examples:\n  tidings key create billing --scope publish --scope read\n  \
        tidings key create second --owner"
    )]
    Create {
        /// What people call it
        name: String,
        /// What it may do: admin, publish, read, hooks, accounts, calendars or records
        #[arg(long, required_unless_present = "owner")]
        scope: Vec<String>,
        /// A key of the whole installation
        #[arg(long, conflicts_with = "scope")]
        owner: bool,
        /// When it stops working by itself, as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Revoke a key
    #[command(after_long_help = "Examples:\n  tidings key delete key_01k4qzv6s8t2m9r3n5b9")]
    Delete {
        /// Its id
        id: String,
    },
}

/// Prints a fresh owner key; asks nobody.
pub(crate) fn generate(printer: &mut Printer<'_>) -> Result<()> {
    let key = Token::generate(TokenKind::ApiKey, &Ids::from_os());
    printer.answer(&json!({"key": key.reveal()}), key.reveal())
}

pub(crate) async fn run(
    command: KeyCommand,
    client: &Client,
    printer: &mut Printer<'_>,
) -> Result<()> {
    match command {
        KeyCommand::Generate => generate(printer),
        KeyCommand::List { owner, list } => {
            let query: &[_] = if owner { &[("kind", "owner")] } else { &[] };
            KEYS.list(client, printer, &list, query).await
        }
        KeyCommand::Show { id } => KEYS.show(client, printer, &id).await,
        KeyCommand::Create { name, scope, owner, expires_at } => {
            let fields = Fields::default()
                .set("name", Some(name))
                .set("kind", owner.then_some("owner"))
                .list("scopes", &scope)
                .set("expires_at", expires_at);
            let made = client.post(&["keys"], &fields.0).await?;
            if printer.is_json() {
                return printer.object(&made);
            }
            printer.object(&made["key"])?;
            printer.line(format!("key, shown this once: {}", plain(&made["token"])))
        }
        KeyCommand::Delete { id } => KEYS.delete(client, printer, &id).await,
    }
}
