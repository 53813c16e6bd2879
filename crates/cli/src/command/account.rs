//! `tidings account`: connected calendars.

use clap::Subcommand;
use http::Method;

use super::resource::{Fields, ListArgs, Resource, certain, text};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::{Printer, plain};

const ACCOUNTS: Resource = Resource {
    path: "accounts",
    columns: &[
        ("id", "/id"),
        ("provider", "/provider"),
        ("status", "/status"),
        ("name", "/name"),
        ("reason", "/status_reason"),
    ],
    empty: "no account is connected yet: connect one with `tidings account create PROVIDER`",
};

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// List accounts
    #[command(
        after_long_help = "Examples:\n  tidings account list\n  tidings account list --provider caldav --status active"
    )]
    List {
        #[command(flatten)]
        list: ListArgs,
        /// Only of this provider
        #[arg(long)]
        provider: Option<String>,
        /// Only in this state: active, inactive or deleted
        #[arg(long)]
        status: Option<String>,
    },
    /// Show an account
    #[command(after_long_help = "Examples:\n  tidings account show acc_01k4qzv6s8t2m9r3n5b0")]
    Show {
        /// Its id
        id: String,
    },
    /// Connect an account: CalDAV and iCloud by password, others by a URL that its owner opens in a browser
    #[command(after_long_help = "Examples:\n  \
        tidings account create caldav --server http://localhost:5232/ --username ada --password @password.txt\n  \
        tidings account create zoom --return-to https://example.com/connected")]
    Create {
        /// caldav, apple, google, microsoft or zoom
        provider: String,
        /// Address of its CalDAV server
        #[arg(long, value_name = "URL")]
        server: Option<String>,
        /// User name there
        #[arg(long)]
        username: Option<String>,
        /// Password there: @FILE, or @- for standard input
        #[arg(long, value_name = "@FILE")]
        password: Option<String>,
        /// Its end user
        #[arg(long)]
        user: Option<String>,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Where the browser is sent in the end
        #[arg(long, value_name = "URL")]
        return_to: Option<String>,
    },
    /// Change an account
    #[command(
        after_long_help = "Examples:\n  tidings account update acc_01k4qzv6s8t2m9r3n5b0 --name 'Ada at work'"
    )]
    Update {
        /// Its id
        id: String,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Its password: @FILE, or @- for standard input
        #[arg(long, value_name = "@FILE")]
        password: Option<String>,
    },
    /// Look for changes at its provider now
    #[command(after_long_help = "Examples:\n  tidings account sync acc_01k4qzv6s8t2m9r3n5b0")]
    Sync {
        /// Its id
        id: String,
    },
    /// List its calendars, and how each is watched
    #[command(after_long_help = "Examples:\n  tidings account calendars acc_01k4qzv6s8t2m9r3n5b0")]
    Calendars {
        /// Its id
        id: String,
    },
    /// Delete an account and erase its content
    #[command(
        after_long_help = "Examples:\n  tidings account delete acc_01k4qzv6s8t2m9r3n5b9 --yes"
    )]
    Delete {
        /// Its id
        id: String,
        /// It cannot be brought back, and that is meant
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(
    command: AccountCommand,
    client: &Client,
    printer: &mut Printer<'_>,
) -> Result<()> {
    match command {
        AccountCommand::List { list, provider, status } => {
            let query: Vec<_> = [("provider", provider.as_deref()), ("status", status.as_deref())]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
            ACCOUNTS.list(client, printer, &list, &query).await
        }
        AccountCommand::Show { id } => ACCOUNTS.show(client, printer, &id).await,
        AccountCommand::Create { provider, server, username, password, user, name, return_to } => {
            let fields =
                Fields::default().set("provider", Some(provider.as_str())).set("user", user);
            if matches!(provider.as_str(), "caldav" | "apple") {
                let fields = fields
                    .set("server_url", server)
                    .set("username", username)
                    .set("password", secret(password.as_deref())?)
                    .set("name", name);
                return printer.object(&client.post(&["accounts"], &fields.0).await?);
            }
            let fields = fields.set("return_to", return_to);
            let begun = client.post(&["connections"], &fields.0).await?;
            let open = format!(
                "open this in a browser within 10 minutes; it works once:\n{}",
                plain(&begun["authorize_url"])
            );
            printer.answer(&begun, open)
        }
        AccountCommand::Update { id, name, password } => {
            let password = secret(password.as_deref())?;
            let fields = Fields::default().set("name", name).set("password", password);
            ACCOUNTS.update(client, printer, &id, &fields).await
        }
        AccountCommand::Sync { id } => {
            let path = ["accounts", &id, "sync"];
            printer.object(&client.call(Method::POST, &path, &[], None::<&()>).await?)
        }
        AccountCommand::Calendars { id } => {
            let calendars = client.list(&["accounts", &id, "calendars"], &[], usize::MAX).await?;
            let columns = [
                ("id", "/id"),
                ("name", "/name"),
                ("watched", "/watch/how"),
                ("why", "/watch/reason"),
            ];
            printer.list(&calendars, &columns, "no calendar of this account is known yet")
        }
        AccountCommand::Delete { id, yes } => {
            certain(yes, "the account and its changes' content")?;
            ACCOUNTS.delete(client, printer, &id).await
        }
    }
}

/// A password, which never stands on the command line itself.
fn secret(given: Option<&str>) -> Result<Option<String>> {
    match given {
        None => Ok(None),
        Some(given) if given.starts_with('@') => {
            Ok(Some(text(given)?.trim_end_matches(['\r', '\n']).to_owned()))
        }
        Some(_) => Err(Error::Usage(
            "--password takes @FILE, or @- for standard input: others can read the command line"
                .into(),
        )),
    }
}
