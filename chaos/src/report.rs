//! What a drill found out: figures for people, and the promises that were broken.

use std::time::Duration;

use crate::tally::Tally;

/// The outcome of a drill.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The books.
    pub(crate) tally: Tally,
    /// Other figures, in words.
    pub(crate) notes: Vec<String>,
    /// What was promised and not kept.
    pub(crate) broken: Vec<String>,
}

/// How much a drill does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Seconds, enough to catch a planted bug.
    Brief,
    /// Minutes, in `./test`.
    Short,
    /// Hours, by hand or at night.
    Long,
}

impl Tier {
    /// The figure of this tier.
    pub(crate) fn of<T>(self, brief: T, short: T, long: T) -> T {
        match self {
            Self::Brief => brief,
            Self::Short => short,
            Self::Long => long,
        }
    }
}

impl Report {
    /// Judges the books.
    pub(crate) fn of(tally: Tally, duplicates_max: usize) -> Self {
        let broken = tally.broken(duplicates_max);
        let notes = vec![format!("at most {duplicates_max} duplicates allowed")];
        Self { tally, notes, broken }
    }

    /// Adds a figure.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a promise: broken unless `kept`.
    pub(crate) fn promise(&mut self, kept: bool, otherwise: impl Into<String>) {
        if !kept {
            self.broken.push(otherwise.into());
        }
    }

    /// Adds what came of the same at another place.
    pub(crate) fn also(&mut self, place: &str, other: Self) {
        self.note(format!("{place}: {}", other.tally));
        self.notes.extend(other.notes.into_iter().map(|note| format!("{place}: {note}")));
        self.broken.extend(other.broken.into_iter().map(|broken| format!("{place}: {broken}")));
    }

    pub(crate) fn print(&self, name: &str, took: Duration) {
        println!("{name}: {:.0} s", took.as_secs_f64());
        println!("  {}", self.tally);
        for note in &self.notes {
            println!("  {note}");
        }
        for broken in &self.broken {
            println!("  BROKEN: {broken}");
        }
    }
}

/// The 99th percentile of some durations.
pub(crate) fn p99(mut all: Vec<Duration>) -> Option<Duration> {
    all.sort_unstable();
    all.get(all.len() * 99 / 100).copied()
}

/// Median and highest of some durations, in words.
pub(crate) fn spread(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    match (all.get(all.len() / 2), all.get(all.len() * 99 / 100), all.last()) {
        (Some(median), Some(p99), Some(longest)) => {
            format!("median {median:.0?}, p99 {p99:.0?}, longest {longest:.0?}")
        }
        _ => "none".to_owned(),
    }
}
