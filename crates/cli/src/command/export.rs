//! `tidings export`: an app's settings, event types and hooks as a document, without secrets.

use clap::Args;
use serde_json::{Map, Value, json};

use super::app;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::Printer;

/// What the document says of itself.
pub(super) const VERSION: &str = "tidings/app@1";
/// What the app's own document says of it. Not its name and its external id: those are another app's.
pub(super) const APP_FIELDS: [&str; 4] = ["webhook_url", "retention", "validation", "settings"];
/// What is said of an event type.
const TYPE_FIELDS: [&str; 5] = ["name", "description", "schema", "example", "deprecated"];
/// What is said of a hook; what is not there follows from its life, or is a secret.
pub(super) const HOOK_FIELDS: [&str; 28] = [
    "url",
    "description",
    "format",
    "triggers",
    "providers",
    "user",
    "account",
    "calendar",
    "echoes",
    "filter",
    "named",
    "except_calendars",
    "transform",
    "external_id",
    "retry",
    "concurrency",
    "timeout_ms",
    "rate",
    "ordering",
    "order_key",
    "on_exhausted",
    "coalesce",
    "disable",
    "breaker",
    "jitter",
    "merges",
    "signing",
    "expires_at",
];

#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  tidings export > app.json\n  tidings export --file app.json"
)]
pub(crate) struct Export {
    /// Where the document goes [default: standard output]
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
}

pub(crate) async fn run(export: &Export, client: &Client, printer: &mut Printer<'_>) -> Result<()> {
    let document = document(client).await?;
    let text = serde_json::to_string_pretty(&document).map_err(Error::failed("cannot print"))?;
    let Some(file) = &export.file else { return printer.script(format!("{text}\n").as_bytes()) };
    std::fs::write(file, format!("{text}\n"))
        .map_err(Error::failed(format!("cannot write {file}")))?;
    let count = |part: &str| document[part].as_array().map_or(0, Vec::len);
    let (hooks, types) = (count("hooks"), count("event_types"));
    let told = format!("{hooks} hooks and {types} event types are in {file}; secrets are not");
    printer.answer(&json!({"file": file, "hooks": hooks, "event_types": types}), told)
}

/// The app as it is now.
pub(super) async fn document(client: &Client) -> Result<Value> {
    let app = client.get(&["apps", &app::which(None, client).await?], &[]).await?;
    let types = client.list(&["event-types"], &[], usize::MAX).await?;
    let hooks = client.list(&["hooks"], &[], usize::MAX).await?;
    let all = |items: &[Value], fields: &[&str]| {
        items.iter().map(|item| picked(item, fields)).collect::<Vec<_>>()
    };
    Ok(json!({
        "version": VERSION,
        "app": picked(&app, &APP_FIELDS),
        "event_types": all(&types, &TYPE_FIELDS),
        "hooks": all(&hooks, &HOOK_FIELDS),
    }))
}

/// Some fields of an object, those that it has.
pub(super) fn picked(object: &Value, fields: &[&str]) -> Value {
    let kept = |field: &&str| Some(((*field).to_owned(), object.get(*field)?.clone()));
    Value::Object(fields.iter().filter_map(kept).collect::<Map<_, _>>())
}
