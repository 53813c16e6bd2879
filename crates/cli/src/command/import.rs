//! `tidings import`: makes an app as a document of `tidings export` says. Doing it again changes nothing.

use clap::Args;
use http::Method;
use serde_json::{Map, Value, json};

use super::app;
use super::export::{self, APP_FIELDS, HOOK_FIELDS, VERSION, picked};
use super::resource::document;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::{Printer, plain};

/// What makes a hook the same one when it has no id elsewhere.
const IDENTITY: [&str; 6] = ["url", "format", "description", "user", "account", "calendar"];
/// What cannot be changed once a hook is made.
const FIXED: [&str; 6] = ["format", "user", "account", "calendar", "external_id", "expires_at"];

#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  tidings import app.json --dry-run\n  tidings import app.json"
)]
pub(crate) struct Import {
    /// The document; - for standard input
    file: String,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// A step from the app as it is to the app as it is to be.
#[derive(Debug, PartialEq)]
struct Step {
    method: Method,
    path: Vec<String>,
    body: Value,
    what: String,
}

pub(crate) async fn run(import: &Import, client: &Client, printer: &mut Printer<'_>) -> Result<()> {
    let wanted = document(&format!("@{}", import.file))?;
    if wanted["version"] != VERSION {
        let why = format!("{} is not a document of `tidings export` ({VERSION})", import.file);
        return Err(Error::Usage(why));
    }
    let app = app::which(None, client).await?;
    let current = export::document(client).await?;
    let hooks = client.list(&["hooks"], &[], usize::MAX).await?;
    let steps = steps(&app, &wanted, &current, &hooks);
    let mut done = Vec::new();
    for step in &steps {
        let answer = if import.dry_run { Value::Null } else { take(step, client).await? };
        let secret = answer.get("secret").cloned();
        let told = match &secret {
            Some(secret) => {
                format!("{}; its secret, shown this once: {}", step.what, plain(secret))
            }
            None => step.what.clone(),
        };
        printer.line(told)?;
        done.push(json!({"did": step.what, "id": answer.pointer("/hook/id"), "secret": secret}));
    }
    let would = if import.dry_run { "would be " } else { "" };
    let told = format!("{} things {would}changed", steps.len());
    printer.answer(&json!({"dry_run": import.dry_run, "steps": done}), told)
}

async fn take(step: &Step, client: &Client) -> Result<Value> {
    let path: Vec<_> = step.path.iter().map(String::as_str).collect();
    let taken = client.call(step.method.clone(), &path, &[], Some(&step.body)).await;
    let blame = |why: String| format!("{}: {why}", step.what);
    taken.map_err(|error| match error {
        Error::Refused(why) => Error::Refused(blame(why)),
        Error::NotFound(why) => Error::NotFound(blame(why)),
        other => other,
    })
}

/// What is to be done. Nothing is taken away that the document does not name.
fn steps(app: &str, wanted: &Value, current: &Value, hooks: &[Value]) -> Vec<Step> {
    let mut steps = Vec::new();
    let settings = picked(&wanted["app"], &APP_FIELDS);
    let changed = differing(&settings, &current["app"]);
    if !changed.is_empty() {
        steps.push(Step {
            method: Method::PATCH,
            path: vec!["apps".into(), app.into()],
            what: format!("change {} of the app", names(&changed)),
            body: Value::Object(changed),
        });
    }
    for kind in items(&wanted["event_types"]) {
        steps.extend(event_type_step(kind, items(&current["event_types"])));
    }
    let mut free: Vec<&Value> = hooks.iter().collect();
    for hook in items(&wanted["hooks"]) {
        let hook = picked(hook, &HOOK_FIELDS);
        let same = free.iter().position(|existing| is_same(&hook, existing));
        steps.extend(hook_step(&hook, same.map(|place| free.remove(place))));
    }
    steps
}

fn event_type_step(wanted: &Value, current: &[Value]) -> Option<Step> {
    let name = plain(&wanted["name"]);
    let Some(existing) = current.iter().find(|kind| kind["name"] == wanted["name"]) else {
        return Some(Step {
            method: Method::POST,
            path: vec!["event-types".into()],
            what: format!("add the event type {name}"),
            body: wanted.clone(),
        });
    };
    let mut body = wanted.clone();
    body.as_object_mut()?.remove("name");
    (existing != wanted).then(|| Step {
        method: Method::PUT,
        path: vec!["event-types".into(), name.clone()],
        what: format!("write the event type {name} anew"),
        body,
    })
}

fn hook_step(wanted: &Value, existing: Option<&Value>) -> Option<Step> {
    let where_to = wanted["url"].as_str().unwrap_or("the app's webhook_url");
    let Some(existing) = existing else {
        return Some(Step {
            method: Method::POST,
            path: vec!["hooks".into()],
            what: format!("create a hook to {where_to}"),
            body: wanted.clone(),
        });
    };
    let mut changed = differing(wanted, existing);
    changed.retain(|field, _| !FIXED.contains(&field.as_str()));
    let id = plain(&existing["id"]);
    (!changed.is_empty()).then(|| Step {
        method: Method::PATCH,
        path: vec!["hooks".into(), id.clone()],
        what: format!("change {} of {id}, a hook to {where_to}", names(&changed)),
        body: Value::Object(changed),
    })
}

/// Whether a hook of the app is the one in the document: by its id elsewhere, else by what it is for.
fn is_same(wanted: &Value, existing: &Value) -> bool {
    let field = |hook: &Value, name: &str| hook.get(name).cloned().unwrap_or_default();
    match wanted["external_id"].as_str() {
        Some(id) => existing["external_id"] == id,
        None => IDENTITY.iter().all(|name| field(wanted, name) == field(existing, name)),
    }
}

/// The fields of `wanted` that `current` has otherwise.
fn differing(wanted: &Value, current: &Value) -> Map<String, Value> {
    let fields = wanted.as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| current.get(*name) != Some(*value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn names(fields: &Map<String, Value>) -> String {
    fields.keys().cloned().collect::<Vec<_>>().join(", ")
}
