//! `tidings trigger`: an example of a change, as if it had happened.

mod edit;

use clap::Args;
use serde_json::{Value, json};

use super::resource::document;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::{Printer, plain};

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  tidings trigger event.created\n  \
    tidings trigger invoice.paid --add amount=99 --add customer.name=Ada --remove note\n  \
    tidings trigger events.created --format pyas@1\n  \
    tidings trigger event.updated --data '{\"title\": \"mine\"}'\n  \
    tidings trigger --list")]
pub(crate) struct Trigger {
    /// A type of change, or a trigger in the words of a format
    #[arg(value_name = "TYPE", required_unless_present = "list")]
    kind: Option<String>,
    /// The format in whose words TYPE is, as vyte@1
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Content instead of the example's: JSON, @FILE, or @- for standard input
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// Set a part of the content: a path of names and places, and JSON or text
    #[arg(long, value_name = "PATH=JSON")]
    add: Vec<String>,
    /// Take a part of the content away
    #[arg(long, value_name = "PATH")]
    remove: Vec<String>,
    /// List every type there is an example of, and the triggers that ask for it
    #[arg(long)]
    list: bool,
}

pub(crate) async fn run(
    trigger: &Trigger,
    client: &Client,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let examples = client.list(&["examples"], &[], usize::MAX).await?;
    let Some(wanted) = trigger.kind.as_deref().filter(|_| !trigger.list) else {
        return list(&examples, printer);
    };
    let example = choose(&examples, wanted, trigger.format.as_deref())?;
    let kind = plain(&example["type"]);
    let mut data = match &trigger.data {
        Some(given) => document(given)?,
        None => example["data"].clone(),
    };
    for assignment in &trigger.add {
        edit::add(&mut data, assignment)?;
    }
    for path in &trigger.remove {
        edit::remove(&mut data, path)?;
    }
    let receipt = client.post(&["examples", &kind], &json!({ "data": data })).await?;
    let told = format!(
        "{kind} is change {} of the app, {}",
        plain(&receipt["seq"]),
        plain(&receipt["id"])
    );
    printer.answer(&receipt, told)
}

fn list(examples: &[Value], printer: &mut Printer<'_>) -> Result<()> {
    let with_words = |example: &Value| {
        let word =
            |asked: &Value| format!("{} ({})", plain(&asked["trigger"]), plain(&asked["format"]));
        let asked: Vec<_> =
            example["asked_by"].as_array().into_iter().flatten().map(word).collect();
        let mut example = example.clone();
        example["words"] = json!(asked.join(", "));
        example
    };
    if printer.is_json() {
        return printer.answer(&examples, "");
    }
    let shown: Vec<_> = examples.iter().map(with_words).collect();
    let columns = [("type", "/type"), ("what", "/about"), ("asked for by", "/words")];
    printer.list(&shown, &columns, "there is no example")
}

/// The example that is meant: of a type, or of the type that a trigger asks for.
fn choose<'e>(examples: &'e [Value], wanted: &str, format: Option<&str>) -> Result<&'e Value> {
    let asks = |example: &&Value| {
        let mut asked = example["asked_by"].as_array().into_iter().flatten();
        asked.any(|asked| {
            asked["trigger"] == wanted && format.is_none_or(|format| asked["format"] == format)
        })
    };
    let named = examples.iter().find(|example| example["type"] == wanted);
    if let (None, Some(example)) = (format, named) {
        return Ok(example);
    }
    examples.iter().find(asks).ok_or_else(|| {
        let of = format.map_or_else(String::new, |format| format!(" in {format}"));
        let why = format!(
            "there is no example of {wanted}{of}: `tidings trigger --list` shows all; \
             an app's own types come from `tidings event-type create`, or use `tidings send`"
        );
        Error::NotFound(why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_goes_before_a_trigger_and_a_format_says_whose_words_are_meant() {
        let example = |kind: &str, asked: &[(&str, &str)]| {
            let asked =
                asked.iter().map(|(format, trigger)| json!({"format": format, "trigger": trigger}));
            json!({"type": kind, "asked_by": asked.collect::<Vec<_>>()})
        };
        let examples = [
            example(
                "event.created",
                &[("pyas@1", "events.created"), ("native@1", "event.created")],
            ),
            example("scheduling.created", &[("vyte@1", "event.created")]),
        ];
        for (wanted, format, found) in [
            ("event.created", None, Some("event.created")),
            ("event.created", Some("vyte@1"), Some("scheduling.created")),
            ("event.created", Some("native@1"), Some("event.created")),
            ("events.created", None, Some("event.created")),
            ("scheduling.created", None, Some("scheduling.created")),
            ("scheduling.created", Some("vyte@1"), None),
            ("events.created", Some("vyte@1"), None),
            ("nothing", None, None),
        ] {
            let chosen = choose(&examples, wanted, format).ok();
            assert_eq!(chosen.map(|example| plain(&example["type"])).as_deref(), found, "{wanted}");
        }
    }
}
