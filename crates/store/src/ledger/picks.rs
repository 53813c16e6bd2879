//! What a replay takes: changes that a hook was to receive, narrowed down.

use serde::{Deserialize, Serialize};
use tidings_core::change::{Change, types};
use tidings_core::format::Formats;
use tidings_core::hook::pattern_covers;
use tidings_core::limits;

use super::{LedgerState, read};
use crate::{Result, Store};

/// Which of the changes that a hook was to receive a replay takes. Stored as JSON with its cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picks {
    /// The hook whose past is replayed (store key): what it selected by the version then in force.
    pub source: i64,
    /// Only types that one of these patterns covers; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Only changes of this account (store key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_no: Option<i64>,
    /// Only changes that are in one of these states at the source when the replay comes to them; empty:
    /// whatever became of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<LedgerState>,
}

impl Picks {
    /// What can be told from the change alone. Test events are never replayed, and a hook never hears of
    /// itself.
    fn takes(&self, target: i64, change: &Change) -> bool {
        let (kind, subject) = (&change.new.kind, &change.new.subject);
        *kind != types::HOOK_TEST
            && subject.hook_no != Some(target)
            && self.account_no.is_none_or(|account| subject.account_no == Some(account))
            && (self.types.is_empty()
                || self.types.iter().any(|pattern| pattern_covers(pattern, kind)))
    }
}

/// What a replay takes of a part of the journal.
#[derive(Clone, Debug)]
pub struct Picked {
    /// The changes, in order of `seq`.
    pub changes: Vec<Change>,
    /// The part ends with this `seq`.
    pub reached: u64,
}

impl Store {
    /// What a replay into the hook `target` takes of the changes in `(after, until]`: a bounded part of
    /// them, without bodies unless `bodies`. When the source is gone, nothing.
    ///
    /// # Errors
    /// Gone when `after` lies below what is kept.
    pub async fn pick(
        &self,
        target: i64,
        picks: &Picks,
        (after, until): (u64, u64),
        bodies: bool,
        formats: &Formats,
    ) -> Result<Picked> {
        let (picks, formats) = (picks.clone(), formats.clone());
        self.read(move |sql| {
            read::snapshot(sql, || {
                let Some(hook) = read::hook(sql, picks.source)? else {
                    return Ok(Picked { changes: Vec::new(), reached: until });
                };
                let limit = limits::JOURNAL_PAGE;
                let mut changes = read::changes(sql, &hook, after, until, limit, bodies)?;
                // The journal has no gaps: an empty page means that there is no more.
                let reached = changes.last().map_or(until, |change| change.seq);
                changes.retain(|change| picks.takes(target, change));
                if picks.states.is_empty() {
                    changes.retain(|change| {
                        hook.selection_at(change.seq).is_some_and(|selection| {
                            selection.matches(&formats, hook.hook_no, change)
                        })
                    });
                } else {
                    let book = read::book(sql, hook, after, reached)?;
                    changes.retain(|change| {
                        picks.states.contains(&book.judge(&formats, change).state)
                    });
                }
                Ok(Picked { changes, reached })
            })
        })
        .await
    }
}
