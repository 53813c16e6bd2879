//! Simulated receivers: how they answer, and what they have seen.

use std::collections::BTreeMap;

use super::chance::Chance;

/// How a receiver behaves for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 2xx at once.
    Healthy,
    /// 2xx shortly before the deadline.
    Slow,
    /// 500.
    Failing,
    /// Takes the request and never answers in time, though it acts on it.
    Hanging,
    /// Up and down by turns of this length, ms.
    Flapping(i64),
    /// 410.
    Gone,
    /// Refuses connections.
    Refusing,
    /// 503 with `Retry-After`, seconds.
    Later(i64),
    /// The attempt breaks on our side before it leaves.
    OwnFailure,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A status, perhaps with a wish to wait, ms.
    Status(u16, Option<i64>),
    /// No answer in time.
    Timeout,
    /// No connection.
    Refused,
    /// It never left.
    OwnFailure,
    /// Its content is gone.
    Erased,
}

impl Behaviour {
    /// Some behaviour, trouble as likely as not.
    pub(crate) fn any(chance: &mut Chance) -> Self {
        match chance.below(12) {
            0..=3 => Self::Healthy,
            4 => Self::Slow,
            5 => Self::Failing,
            6 => Self::Hanging,
            7 => Self::Flapping(chance.ms(500, 10_000)),
            8 => Self::Gone,
            9 => Self::Refusing,
            10 => Self::Later(chance.ms(0, 90)),
            _ => Self::OwnFailure,
        }
    }

    /// The answer at `now` and after how long it comes, ms.
    pub(crate) fn answer(self, now: i64, timeout_ms: i64, chance: &mut Chance) -> (Answer, i64) {
        let quick = chance.ms(1, 40);
        match self {
            Self::Healthy => (Answer::Status(chance.pick(&[200, 202, 204]), None), quick),
            Self::Slow => {
                (Answer::Status(200, None), timeout_ms - chance.ms(1, timeout_ms as u64 / 2))
            }
            Self::Failing => (Answer::Status(chance.pick(&[500, 502, 404, 302]), None), quick),
            Self::Hanging => (Answer::Timeout, timeout_ms),
            Self::Flapping(turn) if (now / turn) % 2 == 0 => (Answer::Status(200, None), quick),
            Self::Flapping(_) => (Answer::Refused, quick),
            Self::Gone => (Answer::Status(410, None), quick),
            Self::Refusing => (Answer::Refused, quick),
            Self::Later(seconds) => (Answer::Status(503, Some(seconds * 1000)), quick),
            Self::OwnFailure if chance.percent(50) => (Answer::OwnFailure, quick),
            Self::OwnFailure => (Answer::Status(200, None), quick),
        }
    }
}

/// The receivers of a simulation, by number.
#[derive(Debug)]
pub(crate) struct Receivers {
    behaviour: Vec<Behaviour>,
    /// How often each change was taken with a 2xx in time, by hook and seq.
    pub(crate) taken: BTreeMap<(i64, u64), u32>,
}

impl Receivers {
    pub(crate) fn new(count: usize) -> Self {
        Self { behaviour: vec![Behaviour::Healthy; count], taken: BTreeMap::new() }
    }

    pub(crate) fn count(&self) -> u64 {
        self.behaviour.len() as u64
    }

    pub(crate) fn set(&mut self, number: u64, behaviour: Behaviour) {
        self.behaviour[number as usize] = behaviour;
    }

    pub(crate) fn heal(&mut self) {
        self.behaviour.fill(Behaviour::Healthy);
    }

    /// How the receiver behind a URL made by [`url`] behaves.
    pub(crate) fn behind(&self, url: &str) -> Behaviour {
        let number = url.strip_prefix("http://r").and_then(|rest| rest.split_once('.'));
        let number: usize = number.and_then(|(digits, _)| digits.parse().ok()).unwrap();
        self.behaviour[number]
    }

    pub(crate) fn took(&mut self, hook_no: i64, seqs: &[u64]) {
        for &seq in seqs {
            *self.taken.entry((hook_no, seq)).or_default() += 1;
        }
    }
}

/// The URL of a receiver.
pub(crate) fn url(number: u64) -> String {
    format!("http://r{number}.example/")
}
