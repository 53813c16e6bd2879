//! A model of the store: small, in memory, with the same meaning.
//!
//! Every call is one commit. What a commit announces is left in [`Model::news`], in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_core::change::{Change, NewChange};
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::id::{AppId, Bits96};
use tidings_store::{
    CursorRow, CursorWrite, DispatchApp, Hook, HookCount, ParkedRow, ParkedWrite, Settle,
};

/// Hook, cursor, first seq and group key: what a parked delivery is found by.
pub(crate) type DeliveryKey = (i64, i64, u64, String);

/// What a commit announces.
#[derive(Clone, Debug)]
pub(crate) enum News {
    Appended(i64, Arc<Vec<Arc<Change>>>),
    App(i64),
    Hook(i64),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct AppRow {
    /// Change `n` is at `n - 1`.
    pub(crate) journal: Vec<Change>,
    pub(crate) matched: u64,
    pub(crate) deleted: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct HookRow {
    pub(crate) hook: Hook,
    pub(crate) deleted: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) apps: BTreeMap<i64, AppRow>,
    pub(crate) hooks: BTreeMap<i64, HookRow>,
    pub(crate) cursors: BTreeMap<(i64, i64), CursorRow>,
    pub(crate) parked: BTreeMap<DeliveryKey, ParkedRow>,
    /// Ranges that a hook's live cursor jumped.
    pub(crate) skipped: Vec<(i64, u64, u64)>,
    pub(crate) news: Vec<News>,
}

/// What a delivery is found by.
pub(crate) fn key(hook_no: i64, cursor_no: i64, members: &Members) -> DeliveryKey {
    (hook_no, cursor_no, members.first_seq, members.group.clone())
}

impl Model {
    /// Writes a settle, or all of it or nothing.
    pub(crate) fn settle(&mut self, settle: &Settle, now: Timestamp) {
        for (hook_no, write) in &settle.parked {
            self.write_parked(*hook_no, write);
        }
        for write in &settle.cursors {
            self.write_cursor(write, now);
        }
        for (app_no, matched) in &settle.matched {
            let app = self.apps.get_mut(app_no).expect("apps are never removed from the model");
            app.matched = app.matched.max(*matched);
        }
        for count in &settle.counts {
            self.add_count(count, now);
        }
        for (hook_no, reason) in &settle.disabled {
            self.set_status(*hook_no, HookStatus::Disabled, Some(reason.clone()));
            self.news.push(News::Hook(*hook_no));
        }
        for hook_no in &settle.enabled {
            // One that its owner paused meanwhile stays paused.
            if self.hooks.get(hook_no).is_some_and(|row| row.hook.status == HookStatus::Disabled) {
                self.set_status(*hook_no, HookStatus::Active, None);
            }
            self.news.push(News::Hook(*hook_no));
        }
        for (hook_no, told) in &settle.failing_told {
            if let Some(row) = self.hooks.get_mut(hook_no) {
                row.hook.failing_told = *told;
            }
        }
        for (app_no, change) in &settle.changes {
            self.append(*app_no, vec![change.clone()], now);
        }
    }

    fn write_parked(&mut self, hook_no: i64, write: &ParkedWrite) {
        match write {
            ParkedWrite::Put { cursor_no, members, attempts, due_at, reason, key_hash, waits } => {
                if self.hooks.get(&hook_no).is_some_and(|row| !row.deleted) {
                    let row = ParkedRow {
                        cursor_no: *cursor_no,
                        members: members.clone(),
                        attempts: *attempts,
                        due_at: *due_at,
                        reason: reason.clone(),
                        key_hash: *key_hash,
                        waits: *waits,
                    };
                    self.parked.insert(key(hook_no, *cursor_no, members), row);
                }
            }
            ParkedWrite::Remove { cursor_no, members } => {
                self.parked.remove(&key(hook_no, *cursor_no, members));
            }
        }
    }

    fn write_cursor(&mut self, write: &CursorWrite, now: Timestamp) {
        match write {
            CursorWrite::Current { hook_no, settled_seq } => {
                let place = (*hook_no, 0);
                if self.cursors.get(&place).is_some_and(|row| row.settled_seq <= *settled_seq) {
                    self.cursors.remove(&place);
                }
            }
            CursorWrite::Lagging { hook_no, cursor_no, settled_seq, delivered, sent } => {
                if self.hooks.get(hook_no).is_none_or(|row| row.deleted) {
                    return;
                }
                let row = self
                    .cursors
                    .entry((*hook_no, *cursor_no))
                    .or_insert_with(|| cursor(*hook_no, *cursor_no, *settled_seq, now));
                if *settled_seq >= row.settled_seq {
                    (row.settled_seq, row.sent) = (*settled_seq, *sent);
                    row.delivered.clone_from(delivered);
                }
            }
        }
    }

    fn add_count(&mut self, count: &HookCount, now: Timestamp) {
        let Some(HookRow { hook, .. }) = self.hooks.get_mut(&count.hook_no) else { return };
        hook.runs += count.runs;
        hook.failures += count.failures;
        let before = if count.succeeded { 0 } else { hook.consecutive_failures };
        hook.consecutive_failures = count.failures_in_a_row + before;
        hook.failing_since = match (count.failures_in_a_row, count.succeeded) {
            (0, true) => None,
            (0, false) => hook.failing_since,
            (_, true) => Some(now),
            (_, false) => hook.failing_since.or(Some(now)),
        };
    }

    pub(crate) fn set_status(&mut self, hook_no: i64, status: HookStatus, why: Option<String>) {
        let Some(HookRow { hook, .. }) = self.hooks.get_mut(&hook_no) else { return };
        (hook.status, hook.status_reason) = (status, why);
        if status == HookStatus::Active {
            (hook.consecutive_failures, hook.failing_since) = (0, None);
        }
    }

    /// Appends to an app's journal, unless the app was deleted.
    pub(crate) fn append(&mut self, app_no: i64, changes: Vec<NewChange>, now: Timestamp) {
        let Some(app) = self.apps.get_mut(&app_no).filter(|app| !app.deleted) else { return };
        let first = app.journal.len() as u64 + 1;
        let changes: Vec<Change> = (first..)
            .zip(changes)
            .map(|(seq, new)| Change { seq, recorded_at: now, new })
            .collect();
        app.journal.extend(changes.iter().cloned());
        let changes = changes.into_iter().map(Arc::new).collect();
        self.news.push(News::Appended(app_no, Arc::new(changes)));
    }

    /// As the engine sees an app; `None` when it was deleted.
    pub(crate) fn dispatch_app(&self, app_no: i64) -> Option<DispatchApp> {
        let app = self.apps.get(&app_no).filter(|app| !app.deleted)?;
        Some(DispatchApp {
            app_no,
            id: AppId(Bits96::new(app_no.unsigned_abs().into())),
            webhook_url: None,
            seq: app.journal.len() as u64,
            matched_seq: app.matched,
        })
    }

    /// The hook, unless it was deleted.
    pub(crate) fn hook(&self, hook_no: i64) -> Option<&Hook> {
        self.hooks.get(&hook_no).filter(|row| !row.deleted).map(|row| &row.hook)
    }

    /// The hooks that exist.
    pub(crate) fn live_hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.values().filter(|row| !row.deleted).map(|row| &row.hook)
    }

    /// The cursors of a hook that have a row.
    pub(crate) fn cursors(&self, hook_no: i64) -> Vec<CursorRow> {
        self.cursors.range((hook_no, 0)..=(hook_no, i64::MAX)).map(|(_, row)| row.clone()).collect()
    }

    /// The next parked deliveries of a hook by due time.
    pub(crate) fn next_parked(&self, hook_no: i64, limit: usize) -> Vec<ParkedRow> {
        let mut rows: Vec<ParkedRow> =
            self.parked_of(hook_no).filter(|it| it.due_at.is_some()).cloned().collect();
        rows.retain(|row| row.key_hash.is_none());
        rows.sort_by_key(|row| (row.due_at, row.members.first_seq));
        rows.truncate(limit);
        rows
    }

    /// The parked deliveries of a hook that follow an order and are not given up.
    pub(crate) fn blocked(&self, hook_no: i64) -> Vec<ParkedRow> {
        let rows = self.parked_of(hook_no).filter(|row| row.due_at.is_some());
        rows.filter(|row| row.key_hash.is_some()).cloned().collect()
    }

    /// All parked deliveries of a hook.
    pub(crate) fn parked_of(&self, hook_no: i64) -> impl Iterator<Item = &ParkedRow> {
        let from = (hook_no, i64::MIN, 0, String::new());
        let to = (hook_no + 1, i64::MIN, 0, String::new());
        self.parked.range(from..to).map(|(_, row)| row)
    }

    /// Changes with `after < seq <= until`, at most `limit`.
    pub(crate) fn changes(&self, app_no: i64, after: u64, until: u64, limit: usize) -> Vec<Change> {
        let Some(app) = self.apps.get(&app_no).filter(|app| !app.deleted) else { return vec![] };
        let until = (until.min(app.journal.len() as u64)) as usize;
        let from = (after as usize).min(until);
        app.journal[from..until].iter().take(limit).cloned().collect()
    }

    /// A change that exists.
    pub(crate) fn change(&self, app_no: i64, seq: u64) -> Option<&Change> {
        self.apps.get(&app_no)?.journal.get(seq.checked_sub(1)? as usize)
    }

    /// Everything of a hook up to here is settled.
    pub(crate) fn settled_seq(&self, hook: &Hook) -> u64 {
        let row = self.cursors.get(&(hook.hook_no, 0)).map(|row| row.settled_seq);
        row.unwrap_or_else(|| self.apps.get(&hook.app_no).map_or(0, |app| app.matched))
    }
}

/// A new row of a cursor.
pub(crate) fn cursor(hook_no: i64, cursor_no: i64, settled_seq: u64, now: Timestamp) -> CursorRow {
    CursorRow {
        hook_no,
        cursor_no,
        id: None,
        settled_seq,
        until_seq: None,
        delivered: Vec::new(),
        picks: None,
        rate: None,
        sent: 0,
        total: None,
        cancelled_at: None,
        created_at: now,
    }
}
