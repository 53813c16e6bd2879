//! What a delivery of a hook stands for, and its request in the hook's format: the same for whoever sends it
//! and for whoever shows it.

use std::sync::Arc;

use tidings_core::change::{Change, types};
use tidings_core::clock::Timestamp;
use tidings_core::delivery::{Members, delivery_id};
use tidings_core::filter::Reading;
use tidings_core::format::{Formats, RenderError, RenderInput, Rendered};
use tidings_core::hook::Grouping;
use tidings_core::limits;

use super::Hook;
use crate::{Result, Store};

impl Hook {
    /// Puts a delivery into the hook's format, for one attempt at `now`.
    ///
    /// # Errors
    /// The format is unknown, or has no form for these changes.
    pub fn render(
        &self,
        formats: &Formats,
        members: &Members,
        changes: &[Arc<Change>],
        now: Timestamp,
    ) -> std::result::Result<Rendered, RenderError> {
        let format = formats
            .get(&self.selection().format)
            .ok_or_else(|| RenderError(format!("format {} is unknown", self.selection().format)))?;
        let owned: Vec<Change>;
        let changes = match changes {
            // By far the most: nothing is copied.
            [only] => std::slice::from_ref(only.as_ref()),
            several => {
                owned = several.iter().map(|change| Change::clone(change)).collect();
                &owned
            }
        };
        let names = self.names(changes);
        (format.render)(&RenderInput {
            app: self.app_id,
            hook: self.id,
            hook_external_id: self.external_id.as_deref(),
            delivery: delivery_id(self.id, self.hook_no, members),
            changes,
            named: &names,
            now,
        })
    }

    /// By which of the hook's named filters each change was taken; nothing for a hook without any.
    fn names(&self, changes: &[Change]) -> Vec<Vec<&str>> {
        if self.versions.iter().all(|(_, selection)| selection.named.is_empty()) {
            return Vec::new();
        }
        let names = |change: &Change| {
            let selection = self.selection_at(change.seq)?;
            Some(selection.names(&Reading::new(change)).collect())
        };
        changes.iter().map(|change| names(change).unwrap_or_default()).collect()
    }

    /// Whether `change`, which lies in the range of `members`, is one of them: the hook selected it then, and
    /// it is of their group.
    fn has_member(&self, formats: &Formats, members: &Members, change: &Change) -> bool {
        if members.group.is_empty() {
            return true;
        }
        change.new.kind != types::HOOK_TEST
            && Grouping::groups(&members.group, change)
            && self
                .selection_at(change.seq)
                .is_some_and(|selection| selection.matches(formats, self.hook_no, change))
    }
}

impl Store {
    /// The changes that a delivery of `hook` stands for, in order; none unless all of them are still there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn members(
        &self,
        hook: &Hook,
        members: &Members,
        formats: &Formats,
    ) -> Result<Vec<Arc<Change>>> {
        let limit = if members.group.is_empty() { 1 } else { limits::JOURNAL_PAGE };
        let mut after = members.first_seq.saturating_sub(1);
        let mut changes = Vec::with_capacity(members.count as usize);
        while after < members.last_seq {
            let page = match self.changes_until(hook.app_no, after, members.last_seq, limit).await {
                // Trimmed, or its app was deleted.
                Err(error) if error.is_not_found() || error.gone_oldest().is_some() => Vec::new(),
                page => page?,
            };
            let Some(last) = page.last() else { break };
            after = last.seq;
            let ours = |change: &Change| hook.has_member(formats, members, change);
            changes.extend(page.into_iter().filter(ours).map(Arc::new));
        }
        Ok(if changes.len() == members.count as usize { changes } else { Vec::new() })
    }
}
