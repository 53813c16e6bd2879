//! `tidings listen`: the changes of an app, forwarded to a receiver on this machine.
//!
//! A tunnel through the live stream. Where it has come to is written down, durably, after the receiver took
//! a change and before the next goes out: whatever ends it, no change is lost, and only one that was on its
//! way can arrive twice.

mod forward;
mod state;
mod target;

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tidings_core::clock::Clock;
use tidings_core::hook::pattern_covers;
use tidings_core::limits;
use tokio::time::sleep;

use self::forward::{Forwarder, Outcome};
use self::state::State;
use super::app;
use super::sign::SecretArgs;
use crate::client::{Client, Follow, News};
use crate::error::{Error, Result};
use crate::output::{Printer, Tone, plain};
use crate::profile::Variables;
use crate::signals::Signals;

#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  tidings listen --forward-to http://localhost:3000/webhooks\n  \
    tidings listen --forward-to localhost:3000 --type 'invoice.*' --type event.created\n  \
    tidings listen --print-secret"
)]
pub(crate) struct Listen {
    /// Where changes go: a URL or a port [default: the first of 3000, 8000, 8080, 4000, 5000, 5173 and 8888
    /// on which something listens]
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// Only changes of this type; a.* covers several [default: *]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Vec<String>,
    /// Where to begin, instead of where it ended last time
    #[arg(long, value_enum)]
    from: Option<From>,
    /// Print the secret that forwarded requests are signed with, and end
    #[arg(long)]
    print_secret: bool,
    #[command(flatten)]
    secret: SecretArgs,
    /// Forward to another machine
    #[arg(long)]
    allow_remote: bool,
    /// Give a change up after so many attempts [default: never]
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// End after so many changes were forwarded
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Connect again when nothing is heard of the server for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = limits::CLIENT_SILENCE_S,
        value_parser = clap::value_parser!(u64).range(1..))]
    silence: u64,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    /// With what is new
    Now,
    /// With the oldest change that is kept
    Oldest,
}

/// The parts of a change that the webhook has; the same bytes as the format native@1 sends.
#[derive(Deserialize)]
struct Change<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    seq: u64,
    #[serde(borrow)]
    data: &'a RawValue,
}

pub(crate) async fn run(
    listen: &Listen,
    variables: &Variables,
    client: impl FnOnce() -> Result<Client>,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let given = listen.secret.text(variables)?;
    let secret = state::secret(variables, given.as_deref())?;
    if listen.print_secret {
        return printer.answer(&json!({"secret": secret.reveal()}), secret.reveal());
    }
    let client = client()?;
    let target = target::find(listen.forward_to.as_deref(), listen.allow_remote, &client).await?;
    let app = app::which(None, &client).await?;
    let mut signals = Signals::listen()?;
    let state = State::open(variables, &client.place().url, &app, &target)?;
    let ca_file = client.place().ca_file.clone();
    let forwarder = Forwarder::new(target, secret, Clock::system(), ca_file.as_deref())?;
    let mut tunnel = Tunnel { listen, client, state, forwarder, left: listen.count };
    tunnel.run(&mut signals, printer).await
}

/// A listener at work.
struct Tunnel<'l> {
    listen: &'l Listen,
    client: Client,
    state: State,
    forwarder: Forwarder,
    /// How many changes are left to forward; absent: all that come.
    left: Option<u64>,
}

impl Tunnel<'_> {
    async fn run(&mut self, signals: &mut Signals, printer: &mut Printer<'_>) -> Result<()> {
        if self.begin(signals, printer).await? {
            return Ok(());
        }
        let silence = Duration::from_secs(self.listen.silence);
        let cursor = self.state.cursor().map(str::to_owned);
        let mut follow = Follow::new(self.client.clone(), cursor, silence);
        let (server, target) = (self.client.place().url.clone(), self.forwarder.target().clone());
        let mut tell = |news: News| {
            let words = match news {
                News::Connected => format!("listening to {server}, forwarding to {target}"),
                News::Lost(why) => format!("{why}; connecting again"),
            };
            // Where standard error is closed there is nobody to tell.
            drop(writeln!(io::stderr(), "{words}"));
            Ok(())
        };
        while self.left != Some(0) {
            let arrived = tokio::select! {
                arrived = follow.next(&mut tell) => arrived.map_err(begin_anew)?,
                () = signals.told_to_stop() => break,
            };
            if let Some(change) = &arrived.change
                && !self.pass(change, signals, printer).await?
            {
                break;
            }
            self.state.keep(&arrived.cursor)?;
        }
        Ok(())
    }

    /// Goes to where the caller wants to begin. Answers whether it was told to stop meanwhile.
    async fn begin(&mut self, signals: &mut Signals, printer: &mut Printer<'_>) -> Result<bool> {
        match self.listen.from {
            None => {}
            Some(From::Now) => self.state.forget(),
            Some(From::Oldest) => {
                let page = self.client.get(&["changes"], &[("limit", "1")]).await?;
                if let Some(change) = page["data"].get(0) {
                    // Of this one alone numbers may lose digits that no double holds.
                    if !self.pass(&change.to_string(), signals, printer).await? {
                        return Ok(true);
                    }
                }
                self.state.keep(&plain(&page["next_cursor"]))?;
            }
        }
        Ok(false)
    }

    /// Forwards a change until it is taken or given up, if it is one of those wanted. Answers whether to go
    /// on; if not, the change is not dealt with.
    async fn pass(
        &mut self,
        document: &str,
        signals: &mut Signals,
        printer: &mut Printer<'_>,
    ) -> Result<bool> {
        let unreadable = "the server sent a change that cannot be read";
        let change: Change<'_> =
            serde_json::from_str(document).map_err(Error::failed(unreadable))?;
        if !self.wants(&change.kind) {
            return Ok(true);
        }
        let mut wait_ms = limits::FORWARD_BACKOFF_MS;
        for attempt in 1.. {
            // Not interrupted: what the receiver may have taken must be written down.
            let outcome = self.forwarder.forward(&change).await;
            let given_up = self.listen.attempts.is_some_and(|most| attempt >= most);
            show(&change, &outcome, given_up, wait_ms, printer)?;
            if outcome.taken || given_up {
                break;
            }
            tokio::select! {
                () = sleep(Duration::from_millis(wait_ms)) => {}
                () = signals.told_to_stop() => return Ok(false),
            }
            wait_ms = (wait_ms * 2).min(limits::FORWARD_BACKOFF_MAX_MS);
        }
        self.left = self.left.map(|left| left - 1);
        Ok(true)
    }

    /// As a hook with these triggers would.
    fn wants(&self, kind: &str) -> bool {
        let patterns = &self.listen.kind;
        patterns.iter().any(|pattern| pattern_covers(pattern, kind))
            || (patterns.is_empty() && pattern_covers("*", kind))
    }
}

fn begin_anew(error: Error) -> Error {
    match error {
        Error::Refused(why) => {
            Error::Refused(format!("{why}; --from now or --from oldest begins anew"))
        }
        other => other,
    }
}

fn show(
    change: &Change<'_>,
    outcome: &Outcome,
    given_up: bool,
    wait_ms: u64,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let Change { id, kind, seq, timestamp, .. } = change;
    let Outcome { taken, status, words, took_ms } = outcome;
    let (tone, more) = match (taken, given_up) {
        (true, _) => (Tone::Good, format!("{took_ms} ms")),
        (false, true) => (Tone::Bad, "given up".to_owned()),
        (false, false) => (Tone::Uneasy, format!("again in {} s", wait_ms.div_ceil(1_000))),
    };
    let quiet = printer.tone(Tone::Quiet, timestamp);
    let words = printer.tone(tone, format!("{words}, {more}"));
    printer.answer(
        &json!({"id": id, "type": kind, "seq": seq, "delivered": taken, "status": status,
            "took_ms": took_ms, "given_up": given_up && !taken}),
        format!("{quiet}  {seq:>6}  {kind}  {id}  -> {words}"),
    )
}
