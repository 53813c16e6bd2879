//! `tidings tail`: what happens, as it happens.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;
use tidings_core::hook::pattern_covers;
use tidings_core::limits;
use tokio::time::sleep;

use crate::client::{Client, Follow, News};
use crate::error::{Error, Result};
use crate::output::{Printer, Tone, plain};
use crate::signals::Signals;

#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  tidings tail\n  tidings tail changes --type 'invoice.*' --output json\n  \
    tidings tail deliveries --hook hook_01k4qzv6s8t2m9r3n5b0"
)]
pub(crate) struct Tail {
    /// What is shown
    #[arg(value_enum, default_value_t)]
    what: What,
    /// Only changes of this type; a.* and * cover several
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only deliveries of this hook [default: of every hook]
    #[arg(long)]
    hook: Option<String>,
    /// Begin with the deliveries that are there already
    #[arg(long)]
    all: bool,
    /// End after so many
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum What {
    /// Changes as they become durable
    #[default]
    Changes,
    /// Deliveries as their state changes
    Deliveries,
}

pub(crate) async fn run(tail: &Tail, client: &Client, printer: &mut Printer<'_>) -> Result<()> {
    let mut signals = Signals::listen()?;
    let shown = async {
        match tail.what {
            What::Changes => changes(tail, client, printer).await,
            What::Deliveries => deliveries(tail, client, printer).await,
        }
    };
    tokio::select! {
        ended = shown => ended,
        () = signals.told_to_stop() => Ok(()),
    }
}

async fn changes(tail: &Tail, client: &Client, printer: &mut Printer<'_>) -> Result<()> {
    let silence = Duration::from_secs(limits::CLIENT_SILENCE_S);
    let mut follow = Follow::new(client.clone(), None, silence);
    let mut left = tail.count.unwrap_or(u64::MAX);
    while left > 0 {
        let arrived = follow.next(&mut |news| tell(&news)).await?;
        let Some(document) = arrived.change else { continue };
        let unreadable = "the server sent a change that is no JSON";
        let change: Value = serde_json::from_str(&document).map_err(Error::failed(unreadable))?;
        let kind = plain(&change["type"]);
        if tail.kind.as_deref().is_some_and(|pattern| !pattern_covers(pattern, &kind)) {
            continue;
        }
        let quiet = printer.tone(Tone::Quiet, plain(&change["recorded_at"]));
        let line =
            format!("{quiet}  {:>6}  {kind}  {}", plain(&change["seq"]), plain(&change["data"]));
        if printer.is_json() {
            // As it came: numbers keep their digits.
            printer.script(format!("{}\n", document.replace('\n', " ")).as_bytes())?;
        }
        printer.line(line)?;
        left -= 1;
    }
    Ok(())
}

/// On standard error: what is shown may be read by a program.
fn tell(news: &News) -> Result<()> {
    match news {
        News::Connected => say("following the changes"),
        News::Lost(why) => say(&format!("{why}; connecting again")),
    }
    Ok(())
}

fn say(words: &str) {
    // Where standard error is closed there is nobody to tell.
    drop(writeln!(io::stderr(), "{words}"));
}

/// Deliveries have no stream: the newest of each hook are looked at again and again.
async fn deliveries(tail: &Tail, client: &Client, printer: &mut Printer<'_>) -> Result<()> {
    let mut seen: HashMap<String, Value> = HashMap::new();
    let mut left = tail.count.unwrap_or(u64::MAX);
    let mut first = !tail.all;
    say("looking at deliveries");
    loop {
        for hook in hooks(tail, client).await? {
            let query = [("hook", hook.as_str())];
            let mut found =
                client.list(&["deliveries"], &query, limits::PAGE_DEFAULT as usize).await?;
            found.reverse();
            for delivery in found {
                let known = seen.insert(plain(&delivery["id"]), delivery.clone());
                if first || known.as_ref() == Some(&delivery) {
                    continue;
                }
                show(&delivery, printer)?;
                left -= 1;
                if left == 0 {
                    return Ok(());
                }
            }
        }
        first = false;
        sleep(Duration::from_millis(limits::CLIENT_LOOK_MS)).await;
    }
}

async fn hooks(tail: &Tail, client: &Client) -> Result<Vec<String>> {
    if let Some(hook) = &tail.hook {
        return Ok(vec![hook.clone()]);
    }
    let hooks = client.list(&["hooks"], &[], limits::PAGE_MAX as usize).await?;
    Ok(hooks.iter().map(|hook| plain(&hook["id"])).collect())
}

fn show(delivery: &Value, printer: &mut Printer<'_>) -> Result<()> {
    let word = |name: &str| plain(&delivery[name]);
    let tone = match delivery["status"].as_str() {
        Some("delivered") => Tone::Good,
        Some("exhausted") => Tone::Bad,
        _ => Tone::Uneasy,
    };
    let status = printer.tone(tone, format!("{:<9}", word("status")));
    let line = format!(
        "{}  {status}  seq {:>6}  attempt {}  {}  {}",
        word("id"),
        word("first_seq"),
        word("attempts"),
        word("hook"),
        word("reason")
    );
    printer.answer(delivery, line.trim_end())
}
