//! `tidings app`: the tenants.

use clap::Subcommand;
use serde_json::Value;

use super::resource::{Fields, ListArgs, Resource, certain};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::Printer;

const APPS: Resource = Resource {
    path: "apps",
    columns: &[
        ("id", "/id"),
        ("name", "/name"),
        ("changes", "/seq"),
        ("webhook url", "/webhook_url"),
    ],
    empty: "there is no app yet: make one with `tidings app create NAME`",
};

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// List the apps that the key can see
    #[command(after_long_help = "Examples:\n  tidings app list\n  tidings app list --output json")]
    List(ListArgs),
    /// Show an app
    #[command(
        after_long_help = "Examples:\n  tidings app show\n  tidings app show app_01k4qzv6s8t2m9r3n5b0"
    )]
    Show {
        /// Its id; the one of the key, or the only one, when absent
        id: Option<String>,
    },
    /// Create an app; needs an owner key
    #[command(after_long_help = "Examples:\n  tidings app create Acme\n  \
        tidings app create 'Acme two' --external-id tenant-2 --webhook-url http://localhost:3000/webhooks")]
    Create {
        /// What people call it
        name: String,
        /// Its id elsewhere
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        /// Where hooks without a URL of their own deliver
        #[arg(long, value_name = "URL")]
        webhook_url: Option<String>,
    },
    /// Change an app
    #[command(after_long_help = "Examples:\n  tidings app update --name 'Acme & Sons'\n  \
        tidings app update app_01k4qzv6s8t2m9r3n5b0 --validation warn --set 'retention={\"journal_days\": 30}'")]
    Update {
        /// Its id; the one of the key, or the only one, when absent
        id: Option<String>,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Where hooks without a URL of their own deliver
        #[arg(long, value_name = "URL")]
        webhook_url: Option<String>,
        /// What happens to changes that are not as the catalogue says: off, warn or enforce
        #[arg(long, value_name = "HOW")]
        validation: Option<String>,
        /// Any other field of the API
        #[arg(long, value_name = "FIELD=JSON")]
        set: Vec<String>,
    },
    /// Delete an app and erase its content; needs an owner key
    #[command(after_long_help = "Examples:\n  tidings app delete app_01k4qzv6s8t2m9r3n5b9 --yes")]
    Delete {
        /// Its id
        id: String,
        /// It cannot be brought back, and that is meant
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(
    command: AppCommand,
    client: &Client,
    printer: &mut Printer<'_>,
) -> Result<()> {
    match command {
        AppCommand::List(args) => APPS.list(client, printer, &args, &[]).await,
        AppCommand::Show { id } => APPS.show(client, printer, &which(id, client).await?).await,
        AppCommand::Create { name, external_id, webhook_url } => {
            let fields = Fields::default()
                .set("name", Some(name))
                .set("external_id", external_id)
                .set("webhook_url", webhook_url);
            printer.object(&client.post(&["apps"], &fields.0).await?)
        }
        AppCommand::Update { id, name, webhook_url, validation, set } => {
            let fields = Fields::default()
                .set("name", name)
                .set("webhook_url", webhook_url)
                .set("validation", validation)
                .assigned(&set)?;
            APPS.update(client, printer, &which(id, client).await?, &fields).await
        }
        AppCommand::Delete { id, yes } => {
            certain(yes, "the app, its hooks and its journal")?;
            APPS.delete(client, printer, &id).await
        }
    }
}

/// The app that is meant.
pub(super) async fn which(id: Option<String>, client: &Client) -> Result<String> {
    if let Some(id) = id.or_else(|| client.place().app.clone()) {
        return Ok(id);
    }
    match client.list(&["apps"], &[], 2).await?.as_slice() {
        [app] => Ok(app["id"].as_str().unwrap_or_default().to_owned()),
        [] => Err(Error::NotFound(APPS.empty.into())),
        apps => {
            let ids: Vec<_> = apps.iter().filter_map(|app| Value::as_str(&app["id"])).collect();
            let why = format!("name the app with --app: there are {} and more", ids.join(", "));
            Err(Error::Usage(why))
        }
    }
}
