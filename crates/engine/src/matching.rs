//! Match: which hooks receive a change.
//!
//! A change costs nothing at hooks that do not ask for its type: the hooks that do are looked up by type.

use std::sync::Arc;

use tidings_core::change::{Change, types};
use tidings_core::delivery::Members;
use tidings_core::fault;
use tidings_core::filter::Reading;
use tidings_core::limits;

use crate::dispatch::Dispatch;
use crate::lane::Reach;
use crate::order::Entry;
use crate::settle::{ParkedUnder, parked_put};

impl Dispatch {
    /// Gives the next change of an app to the lanes of the hooks that select it. Changes that were
    /// matched before are passed over.
    pub(crate) fn match_change(&mut self, app_no: i64, change: &Arc<Change>) {
        let candidates = self.candidates(app_no, &change.new.kind);
        let Some(app) = self.apps.get_mut(&app_no) else { return };
        if change.seq <= app.matched {
            return;
        }
        app.matched = change.seq;
        if fault::planted("skip-change") && change.seq.is_multiple_of(100) {
            return;
        }
        if change.new.kind == types::HOOK_TEST {
            self.match_test(change);
            self.wake_behind(app_no, change.seq);
            return;
        }
        let reading = Reading::new(change);
        let mut matched = Vec::new();
        for hook_no in candidates {
            let Some(state) = self.hooks.get_mut(&hook_no) else { continue };
            let selected = state
                .hook
                .selection_at(change.seq)
                .is_some_and(|selection| selection.selects(&self.formats, hook_no, &reading));
            if !selected || state.lanes[0].reach != Reach::Live {
                continue;
            }
            let taken = if state.stands_still() && !state.lanes[0].has_owed() {
                state.lanes[0].fall_behind(change.seq - 1);
                false
            } else {
                state.lanes[0].take(Arc::clone(change), &state.hook.service)
            };
            if !taken {
                app.behind.insert(hook_no);
            }
            matched.push(hook_no);
        }
        for hook_no in matched {
            self.dirty.insert(hook_no);
            self.wake(hook_no);
        }
        self.wake_behind(app_no, change.seq);
    }

    /// A test event goes out at once, past the hook's cursor and whatever its state: it becomes a parked
    /// delivery, so that a crash does not lose it, and no lane takes it.
    fn match_test(&mut self, change: &Change) {
        let Some(hook_no) = change.new.subject.hook_no else { return };
        let Some(state) = self.hooks.get_mut(&hook_no) else { return };
        let (members, due_at) = (Members::single(change.seq), change.recorded_at);
        let entry = Entry { members, attempts: 0, due_at };
        let reason = "test event on its way".into();
        let write = parked_put(0, &entry, Some(due_at), reason, ParkedUnder::default());
        self.pending.parked.push((hook_no, write));
        state.take_test(change.seq);
        self.dirty.insert(hook_no);
        self.wake(hook_no);
    }

    /// Lanes that read from the store are told that there is more; those that were ahead join in.
    fn wake_behind(&mut self, app_no: i64, seq: u64) {
        let Some(app) = self.apps.get_mut(&app_no) else { return };
        let mut caught_up = Vec::new();
        let mut waiting = Vec::new();
        let mut still = Vec::new();
        for &hook_no in &app.behind {
            let Some(state) = self.hooks.get_mut(&hook_no) else { continue };
            if state.stands_still() {
                still.push(hook_no);
            } else if state.lanes[0].reach == Reach::Behind(seq) && !state.lanes[0].reading {
                state.lanes[0].reach = Reach::Live;
                caught_up.push(hook_no);
            } else if state.wants_more(seq) {
                waiting.push(hook_no);
            }
        }
        // They cost nothing until they are looked at again.
        for hook_no in still {
            app.behind.remove(&hook_no);
        }
        for hook_no in caught_up {
            app.behind.remove(&hook_no);
            // Its cursor may need no row any more.
            self.dirty.insert(hook_no);
        }
        for hook_no in waiting {
            self.wake(hook_no);
        }
    }

    fn candidates(&mut self, app_no: i64, kind: &str) -> Vec<i64> {
        if kind == types::HOOK_TEST {
            return Vec::new();
        }
        let Some(app) = self.apps.get_mut(&app_no) else { return Vec::new() };
        if let Some(known) = app.candidates.get(kind) {
            return known.clone();
        }
        let asks = |hook_no: &&i64| {
            self.hooks.get(hook_no).is_some_and(|state| state.may_ask_for(&self.formats, kind))
        };
        let found: Vec<i64> = app.hooks.iter().filter(asks).copied().collect();
        if app.candidates.len() >= limits::APP_TYPES_REMEMBERED_MAX {
            app.candidates.clear();
        }
        app.candidates.insert(kind.to_owned(), found.clone());
        found
    }
}
