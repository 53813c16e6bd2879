//! `tidings event-type`: what an app says about the changes that it publishes.

use clap::{Args, Subcommand};
use http::Method;

use super::resource::{Fields, ListArgs, Resource, document};
use crate::client::Client;
use crate::error::Result;
use crate::output::Printer;

const EVENT_TYPES: Resource = Resource {
    path: "event-types",
    columns: &[("name", "/name"), ("description", "/description"), ("deprecated", "/deprecated")],
    empty: "the catalogue is empty: add a type with `tidings event-type create NAME`",
};

#[derive(Debug, Subcommand)]
pub(crate) enum EventTypeCommand {
    /// List the types of the catalogue
    #[command(after_long_help = "Examples:\n  tidings event-type list")]
    List(ListArgs),
    /// Show a type
    #[command(after_long_help = "Examples:\n  tidings event-type show invoice.paid")]
    Show {
        /// Its name
        name: String,
    },
    /// Add a type to the catalogue
    #[command(
        after_long_help = "Examples:\n  tidings event-type create invoice.sent --description 'an invoice was sent'\n  \
        tidings event-type create invoice.due --schema '{\"type\": \"object\"}' --example '{\"invoice\": \"in_1\"}'"
    )]
    Create {
        /// Its name, the type of its changes
        name: String,
        #[command(flatten)]
        fields: TypeFields,
    },
    /// Write a type anew: what is not given is cleared
    #[command(
        after_long_help = "Examples:\n  tidings event-type update invoice.paid --description 'it was paid' \
        --example '{\"invoice\": \"in_1\"}'"
    )]
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        fields: TypeFields,
    },
    /// Remove a type from the catalogue; its changes stay
    #[command(after_long_help = "Examples:\n  tidings event-type delete invoice.old")]
    Delete {
        /// Its name
        name: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct TypeFields {
    /// What it means
    #[arg(long)]
    description: Option<String>,
    /// JSON Schema of its data: JSON, or @FILE
    #[arg(long, value_name = "JSON")]
    schema: Option<String>,
    /// An example of its data: JSON, or @FILE
    #[arg(long, value_name = "JSON")]
    example: Option<String>,
    /// It should not be used any more
    #[arg(long)]
    deprecated: bool,
}

impl TypeFields {
    fn fields(&self) -> Result<Fields> {
        Ok(Fields::default()
            .set("description", self.description.clone())
            .set("schema", self.schema.as_deref().map(document).transpose()?)
            .set("example", self.example.as_deref().map(document).transpose()?)
            .set("deprecated", self.deprecated.then_some(true)))
    }
}

pub(crate) async fn run(
    command: EventTypeCommand,
    client: &Client,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let path = EVENT_TYPES.path;
    match command {
        EventTypeCommand::List(args) => EVENT_TYPES.list(client, printer, &args, &[]).await,
        EventTypeCommand::Show { name } => EVENT_TYPES.show(client, printer, &name).await,
        EventTypeCommand::Create { name, fields } => {
            let fields = fields.fields()?.set("name", Some(name));
            printer.object(&client.post(&[path], &fields.0).await?)
        }
        EventTypeCommand::Update { name, fields } => {
            let fields = fields.fields()?;
            let written = client.call(Method::PUT, &[path, &name], &[], Some(&fields.0)).await?;
            printer.object(&written)
        }
        EventTypeCommand::Delete { name } => EVENT_TYPES.delete(client, printer, &name).await,
    }
}
