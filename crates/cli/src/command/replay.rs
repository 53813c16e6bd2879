//! `tidings replay`: changes of the past once more.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::limits;
use tokio::time::sleep;

use super::resource::Fields;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::{Printer, plain};
use crate::signals::Signals;

/// Characters of the progress bar.
const BAR: u64 = 30;

#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  tidings replay hook_01k4qzv6s8t2m9r3n5b0 --since 2h --dry-run\n  \
    tidings replay hook_01k4qzv6s8t2m9r3n5b0 --since 2h --type 'invoice.*' --rate 50\n  \
    tidings replay hook_01k4qzv6s8t2m9r3n5b0 --since 1 --state exhausted --no-wait"
)]
pub(crate) struct Replay {
    /// The hook whose past it is
    hook: String,
    /// The first change: its seq, a time as 2026-12-31T09:00:00Z, or how long ago: 30s, 15m, 2h, 7d
    #[arg(long, value_name = "WHEN")]
    since: String,
    /// The last change, in the same way [default: the newest]
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only changes of this type; a.* and * cover several
    #[arg(long = "type", value_name = "TYPE")]
    kind: Vec<String>,
    /// Only changes of this account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only changes of which the ledger says this: exhausted, delivered, parked, pending, skipped or disabled
    #[arg(long)]
    state: Vec<String>,
    /// Another hook that receives them
    #[arg(long, value_name = "HOOK")]
    into: Option<String>,
    /// Requests that it begins in a second, at most
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Only count what it would take
    #[arg(long)]
    dry_run: bool,
    /// Begin it and do not wait for its end
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(replay: &Replay, client: &Client, printer: &mut Printer<'_>) -> Result<()> {
    let now = Clock::system().now();
    let until = replay.until.as_deref().map(|when| point(when, now)).transpose()?;
    let fields = Fields::default()
        .set("from", Some(point(&replay.since, now)?))
        .set("until", until)
        .list("types", &replay.kind)
        .set("account", replay.account.clone())
        .list("states", &replay.state)
        .set("into", replay.into.clone())
        .set("rate", replay.rate)
        .set("dry_run", replay.dry_run.then_some(true));
    let begun = client.post(&["hooks", &replay.hook, "replays"], &fields.0).await?;
    if replay.dry_run {
        return printer.answer(&begun, format!("it would take {} changes", plain(&begun["total"])));
    }
    if replay.no_wait {
        return printer.answer(&begun, format!("{} has begun", plain(&begun["id"])));
    }
    let ended = follow(begun, client).await?;
    let told = format!("{}: {} sent", plain(&ended["id"]), plain(&ended["sent"]));
    printer.answer(&ended, told)
}

/// Looks at a replay until it has ended, with a bar on a terminal. A signal ends the looking, not the
/// replay.
async fn follow(mut replay: Value, client: &Client) -> Result<Value> {
    let (hook, id) = (plain(&replay["hook"]), plain(&replay["id"]));
    let mut signals = Signals::listen()?;
    let mut bar = Bar { shown: std::io::stderr().is_terminal() };
    while replay["finished"] != true {
        bar.draw(&replay);
        tokio::select! {
            () = sleep(Duration::from_millis(limits::CLIENT_LOOK_MS)) => {}
            () = signals.told_to_stop() => {
                bar.clear();
                return Err(Error::Failed(format!("{id} goes on without being looked at")));
            }
        }
        replay = client.get(&["hooks", &hook, "replays", &id], &[]).await?;
    }
    bar.clear();
    Ok(replay)
}

/// A progress bar on standard error.
struct Bar {
    shown: bool,
}

impl Bar {
    fn draw(&mut self, replay: &Value) {
        if self.shown {
            // Where standard error is closed there is nobody to tell.
            drop(write!(std::io::stderr(), "\r{}", drawn(replay)));
        }
    }

    fn clear(&mut self) {
        if self.shown {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

fn drawn(replay: &Value) -> String {
    let sent = replay["sent"].as_u64().unwrap_or_default();
    let Some(total) = replay["total"].as_u64().filter(|total| *total > 0) else {
        return format!("{sent} sent");
    };
    let full = usize::try_from((sent * BAR / total).min(BAR)).unwrap_or_default();
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR as usize - full));
    format!("[{bar}] {sent} of {total}")
}

/// A point in the journal.
fn point(when: &str, now: Timestamp) -> Result<Value> {
    if let Ok(seq) = when.parse::<u64>() {
        return Ok(json!({ "seq": seq }));
    }
    let ago = || {
        let unit_ms = match when.chars().last()? {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        let count: i64 = when[..when.len() - 1].parse().ok().filter(|count| *count >= 0)?;
        Some(Timestamp(now.0.checked_sub(count.checked_mul(unit_ms)?)?))
    };
    match Timestamp::parse(when).or_else(ago) {
        Some(at) => Ok(json!({ "time": at.to_string() })),
        None => Err(Error::Usage(format!(
            "{when}: give a seq, a time as 2026-12-31T09:00:00Z, or how long ago: 30s, 15m, 2h, 7d"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_seq_a_time_or_how_long_ago() {
        let now = Timestamp::parse("2026-03-12T09:00:00Z").unwrap();
        for (when, wanted) in [
            ("42", Some(json!({"seq": 42}))),
            ("2026-03-12T08:00:00Z", Some(json!({"time": "2026-03-12T08:00:00.000Z"}))),
            ("30s", Some(json!({"time": "2026-03-12T08:59:30.000Z"}))),
            ("15m", Some(json!({"time": "2026-03-12T08:45:00.000Z"}))),
            ("2h", Some(json!({"time": "2026-03-12T07:00:00.000Z"}))),
            ("7d", Some(json!({"time": "2026-03-05T09:00:00.000Z"}))),
            ("-2h", None),
            ("2w", None),
            ("é", None),
            ("", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(point(when, now).ok(), wanted, "{when}");
        }
    }

    #[test]
    fn the_bar_shows_how_far_it_is() {
        for (replay, bar) in [
            (json!({"sent": 0, "total": 10}), "[------------------------------] 0 of 10"),
            (json!({"sent": 5, "total": 10}), "[###############---------------] 5 of 10"),
            (json!({"sent": 12, "total": 10}), "[##############################] 12 of 10"),
            (json!({"sent": 7, "total": null}), "7 sent"),
            (json!({"sent": 0, "total": 0}), "0 sent"),
        ] {
            assert_eq!(drawn(&replay), bar);
        }
    }
}
