//! `tidings hook`: where changes are delivered.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::resource::{Fields, ListArgs, Resource, document, text};
use crate::client::Client;
use crate::error::Result;
use crate::output::Printer;

const HOOKS: Resource = Resource {
    path: "hooks",
    columns: &[
        ("id", "/id"),
        ("status", "/status"),
        ("format", "/format"),
        ("triggers", "/triggers"),
        ("url", "/url"),
    ],
    empty: "the app has no hook yet: make one with `tidings hook create URL`",
};

#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// List hooks
    #[command(after_long_help = "Examples:\n  tidings hook list")]
    List(ListArgs),
    /// Show a hook
    #[command(after_long_help = "Examples:\n  tidings hook show hook_01k4qzv6s8t2m9r3n5b0")]
    Show {
        /// Its id
        id: String,
    },
    /// Create a hook; its secret is shown this once
    #[command(
        after_long_help = "Examples:\n  tidings hook create http://localhost:3000/webhooks\n  \
        tidings hook create http://localhost:3000/webhooks --trigger event.created --trigger 'invoice.*'\n  \
        tidings hook create http://localhost:3000/connect --format connect@1 --trigger 'event.*' --set concurrency=4"
    )]
    Create {
        /// Where it delivers
        target: String,
        #[command(flatten)]
        fields: HookFields,
        /// The format of its requests, as native@1
        #[arg(long, value_name = "FORMAT")]
        format: Option<String>,
    },
    /// Change a hook
    #[command(after_long_help = "Examples:\n  \
        tidings hook update hook_01k4qzv6s8t2m9r3n5b0 --to http://localhost:3000/new\n  \
        tidings hook update hook_01k4qzv6s8t2m9r3n5b0 --trigger 'invoice.*' --set 'retry=[0, 5, 30]'")]
    Update {
        /// Its id
        id: String,
        /// Where it delivers from now on
        #[arg(long, value_name = "URL")]
        to: Option<String>,
        #[command(flatten)]
        fields: HookFields,
    },
    /// Delete a hook
    #[command(after_long_help = "Examples:\n  tidings hook delete hook_01k4qzv6s8t2m9r3n5b9")]
    Delete {
        /// Its id
        id: String,
    },
    /// Send a test event to a hook, whatever its triggers
    #[command(after_long_help = "Examples:\n  tidings hook test hook_01k4qzv6s8t2m9r3n5b0")]
    Test {
        /// Its id
        id: String,
    },
    /// Stop a hook for a while; what it misses waits for it
    #[command(after_long_help = "Examples:\n  tidings hook pause hook_01k4qzv6s8t2m9r3n5b0")]
    Pause {
        /// Its id
        id: String,
    },
    /// Start a paused or disabled hook again
    #[command(after_long_help = "Examples:\n  tidings hook enable hook_01k4qzv6s8t2m9r3n5b0\n  \
        tidings hook enable hook_01k4qzv6s8t2m9r3n5b0 --from now")]
    Enable {
        /// Its id
        id: String,
        /// Where it goes on: backlog or now
        #[arg(long, value_name = "WHERE")]
        from: Option<String>,
    },
    /// Stop a hook until it is enabled
    #[command(after_long_help = "Examples:\n  tidings hook disable hook_01k4qzv6s8t2m9r3n5b0")]
    Disable {
        /// Its id
        id: String,
    },
    /// Give a hook a new secret, shown this once; the earlier ones sign beside it for a while
    #[command(after_long_help = "Examples:\n  tidings hook rotate hook_01k4qzv6s8t2m9r3n5b0\n  \
        tidings hook rotate hook_01k4qzv6s8t2m9r3n5b0 --overlap-hours 1")]
    Rotate {
        /// Its id
        id: String,
        /// How long the earlier secrets go on signing
        #[arg(long, value_name = "HOURS")]
        overlap_hours: Option<u32>,
    },
}

/// What a hook may be told on the command line; anything else by `--set`.
#[derive(Args, Debug)]
pub(crate) struct HookFields {
    /// What it asks for, in the words of its format [default: everything]
    #[arg(long, value_name = "TRIGGER")]
    trigger: Vec<String>,
    /// Free text
    #[arg(long)]
    description: Option<String>,
    /// Only changes whose content is like this: JSON, or @FILE
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,
    /// A script that reshapes its requests: its text, or @FILE
    #[arg(long, value_name = "SCRIPT")]
    transform: Option<String>,
    /// Any other field of the API
    #[arg(long, value_name = "FIELD=JSON")]
    set: Vec<String>,
}

impl HookFields {
    fn fields(&self) -> Result<Fields> {
        Fields::default()
            .list("triggers", &self.trigger)
            .set("description", self.description.clone())
            .set("filter", self.filter.as_deref().map(document).transpose()?)
            .set("transform", self.transform.as_deref().map(text).transpose()?)
            .assigned(&self.set)
    }
}

pub(crate) async fn run(
    command: HookCommand,
    client: &Client,
    printer: &mut Printer<'_>,
) -> Result<()> {
    match command {
        HookCommand::List(args) => HOOKS.list(client, printer, &args, &[]).await,
        HookCommand::Show { id } => HOOKS.show(client, printer, &id).await,
        HookCommand::Create { target, fields, format } => {
            let fields = fields.fields()?.set("url", Some(target)).set("format", format);
            let made = client.post(&["hooks"], &fields.0).await?;
            if printer.is_json() {
                return printer.object(&made);
            }
            printer.object(&made["hook"])?;
            printer
                .line(format!("secret, shown this once: {}", crate::output::plain(&made["secret"])))
        }
        HookCommand::Update { id, to, fields } => {
            let fields = fields.fields()?.set("url", to);
            HOOKS.update(client, printer, &id, &fields).await
        }
        HookCommand::Delete { id } => HOOKS.delete(client, printer, &id).await,
        HookCommand::Test { id } => act(client, printer, &id, &["test"], None).await,
        HookCommand::Pause { id } => act(client, printer, &id, &["pause"], None).await,
        HookCommand::Disable { id } => act(client, printer, &id, &["disable"], None).await,
        HookCommand::Enable { id, from } => {
            let how = from.map(|from| json!({ "from": from }));
            act(client, printer, &id, &["enable"], how).await
        }
        HookCommand::Rotate { id, overlap_hours } => {
            let overlap = |hours: u32| json!({ "overlap_ms": u64::from(hours) * 3_600_000 });
            act(client, printer, &id, &["secrets", "rotate"], overlap_hours.map(overlap)).await
        }
    }
}

async fn act(
    client: &Client,
    printer: &mut Printer<'_>,
    id: &str,
    action: &[&str],
    input: Option<Value>,
) -> Result<()> {
    let path = [&["hooks", id], action].concat();
    printer.object(&client.call(Method::POST, &path, &[], input.as_ref()).await?)
}
