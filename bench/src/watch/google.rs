//! The simulated Google as the measurement sees it: a process that is asked by lines.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tidings_simulators::google::{CLIENT_ID, CLIENT_SECRET};
use url::Url;

/// A running one; it ends with this value.
#[derive(Debug)]
pub(super) struct Google {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    addresses: Value,
}

/// How many requests it received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) received: u64,
    /// Those that it answered with an error.
    pub(super) refused: u64,
}

/// What it sends with a push.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) token: String,
    pub(super) resource_id: String,
    pub(super) resource_uri: String,
}

impl Google {
    /// With so many people, each with so many calendars.
    pub(super) fn start(accounts: usize, calendars_each: usize) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut process = Command::new(program)
            .arg("simulate-google")
            .args(["--accounts", &accounts.to_string()])
            .args(["--calendars-each", &calendars_each.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the simulator cannot be started: {error}"))?;
        let (Some(questions), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("the simulator has no pipes".to_owned());
        };
        let answers = BufReader::new(answers);
        let mut google = Self { process, questions, answers, addresses: Value::Null };
        google.addresses = google.answer()?;
        Ok(google)
    }

    /// The section of the configuration that leads to it.
    pub(super) fn section(&self) -> String {
        let names = ["api_url", "authorize_url", "token_url", "revoke_url"];
        let addresses = names.map(|name| format!("{name} = {}\n", self.addresses[name]));
        format!(
            "[google]\nclient_id = \"{CLIENT_ID}\"\nclient_secret = \"{CLIENT_SECRET}\"\n{}",
            addresses.concat()
        )
    }

    /// Where it listens on this machine.
    pub(super) fn port(&self) -> Result<u16, String> {
        let url = self.addresses["api_url"].as_str().and_then(|url| Url::parse(url).ok());
        url.and_then(|url| url.port()).ok_or_else(|| "the simulator names no port".to_owned())
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Requests from the beginning on.
    pub(super) fn counts(&mut self) -> Result<Counts, String> {
        let answer = self.ask("counts")?;
        let count = |name: &str| answer[name].as_u64().unwrap_or_default();
        Ok(Counts { received: count("received"), refused: count("refused") })
    }

    /// The channels of calendars that push.
    pub(super) fn channels(&mut self) -> Result<Vec<Channel>, String> {
        let answer = self.ask("channels")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let channels = answer.as_array().into_iter().flatten().map(|one| Channel {
            id: text(&one[0]),
            token: text(&one[1]),
            resource_id: text(&one[2]),
            resource_uri: text(&one[3]),
        });
        Ok(channels.collect())
    }

    fn ask(&mut self, question: &str) -> Result<Value, String> {
        let asked = writeln!(self.questions, "{question}").and_then(|()| self.questions.flush());
        asked.map_err(|error| format!("the simulator is gone: {error}"))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        read.map_err(|error| format!("the simulator does not answer: {error}"))?;
        serde_json::from_str(&line).map_err(|_| "the simulator ended".to_owned())
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        // It may be gone already, which is what we want.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
