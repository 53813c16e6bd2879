//! The hidden command `simulate-google`: Google in a process of its own, so that it does not share the
//! generator's threads. Asked by a line on its input, it answers by a line of JSON; it ends with its input.

use std::io::{BufRead, stdin};

use clap::Args;
use serde_json::{Value, json};
use tidings_simulators::google::{Channel, Google, Watched};
use tidings_simulators::server::Setup;

/// Events in each calendar.
const EVENTS_EACH: usize = 5;

/// Plays Google for `watch`.
#[derive(Args, Debug)]
pub(crate) struct SimulateGoogle {
    /// People with a Google account
    #[arg(long)]
    accounts: usize,
    /// Calendars of each, the primary one included
    #[arg(long)]
    calendars_each: usize,
}

/// The address of person `n`.
pub(crate) fn person(n: usize) -> String {
    format!("person{n}@example.com")
}

impl SimulateGoogle {
    /// Serves until its input ends.
    ///
    /// # Errors
    /// It cannot listen.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let google = Google::start(&Setup::default()).await.map_err(|error| error.to_string())?;
        google.switches(|switches| switches.https_only = false);
        google.log().keep(0);
        google.pushes().remember_none();
        for n in 0..self.accounts {
            self.populate(&google, &person(n));
        }
        println!(
            "{}",
            json!({
                "api_url": google.api_url().as_str(), "authorize_url": google.authorize_url().as_str(),
                "token_url": google.token_url().as_str(), "revoke_url": google.revoke_url().as_str(),
            })
        );
        let answering = tokio::task::spawn_blocking(move || {
            for line in stdin().lock().lines().map_while(Result::ok) {
                println!("{}", answer(&google, &line));
            }
        });
        answering.await.map_err(|error| error.to_string())
    }

    fn populate(&self, google: &Google, email: &str) {
        google.add_person(email);
        let others = (1..self.calendars_each).map(|n| {
            let name = format!("Calendar {n}");
            google.create_calendar(email, &name)
        });
        for calendar in others.chain([email.to_owned()]) {
            for n in 0..EVENTS_EACH {
                let at = |hour: usize| json!({"dateTime": format!("2030-01-02T{hour:02}:00:00Z")});
                let event = json!({"summary": "Event", "start": at(n + 8), "end": at(n + 9)});
                google.create_event(&calendar, &event);
            }
        }
    }
}

/// `counts`: how many requests there were; `channels`: those of calendars that push.
fn answer(google: &Google, question: &str) -> Value {
    match question {
        "channels" => {
            let of_calendar = |channel: &Channel| matches!(channel.watched, Watched::Events(_));
            let channels = google.live_channels().into_iter().filter(of_calendar);
            channels
                .map(|one| json!([one.id, one.token, one.resource_id, one.resource_uri]))
                .collect()
        }
        _ => {
            let counts = google.log().counts();
            json!({"received": counts.received, "refused": counts.refused})
        }
    }
}
