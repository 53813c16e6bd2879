//! Where the demo writes.

use std::io::{self, Write};

use super::webhook::Webhook;
use crate::error::{Error, Result};

/// With `exit` standard output is for one line a webhook, and talk goes to standard error.
pub(super) struct Voice<'a, W> {
    pub(super) out: &'a mut W,
    pub(super) exit: bool,
}

impl<W: Write> Voice<'_, W> {
    /// Talks to a person.
    pub(super) fn tell(&mut self, text: &str) -> Result<()> {
        let told = if self.exit {
            writeln!(io::stderr(), "{text}")
        } else {
            writeln!(self.out, "{text}").and_then(|()| self.out.flush())
        };
        told.map_err(Error::failed("cannot write"))
    }

    /// Prints a webhook in full.
    pub(super) fn print(&mut self, webhook: &Webhook) -> Result<()> {
        self.tell(&format!("\n{webhook}"))
    }

    /// Prints the line that `--exit` promises for one of the three webhooks.
    pub(super) fn line(&mut self, webhook: &Webhook) -> Result<()> {
        if !self.exit {
            return Ok(());
        }
        let written = writeln!(self.out, "{} {} verified", webhook.kind, webhook.id);
        let written = written.and_then(|()| self.out.flush());
        written.map_err(Error::failed("cannot write to standard output"))
    }
}
