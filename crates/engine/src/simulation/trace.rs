//! The trace of a simulation: every line goes into a hash; the lines themselves are kept on demand.

use std::fmt::Write as _;

/// What happened, in order.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    line: String,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// `kept`: the lines are wanted, not just their hash.
    pub(crate) fn new(kept: bool) -> Self {
        let lines = kept.then(Vec::new);
        Self { hash: 0xcbf2_9ce4_8422_2325, line: String::new(), lines }
    }

    /// Adds a line.
    pub(crate) fn say(&mut self, at: i64, what: std::fmt::Arguments<'_>) {
        self.line.clear();
        write!(self.line, "{:>9}.{:03} {what}", at / 1000, at % 1000).expect("a string grows");
        for byte in self.line.bytes() {
            // FNV-1a.
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, when they were kept.
    pub(crate) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
