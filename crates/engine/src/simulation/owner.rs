//! What publishers and owners of hooks do to the store, each call one commit.

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::{HookStatus, Selection, Service};
use tidings_core::id::{AppId, Bits96, HookId};
use tidings_store::{Hook, ParkedRow};

use super::model::{AppRow, HookRow, Model, News, cursor, key};

impl Model {
    pub(crate) fn create_app(&mut self) -> i64 {
        let app_no = self.apps.len() as i64 + 1;
        self.apps.insert(app_no, AppRow::default());
        self.news.push(News::App(app_no));
        app_no
    }

    pub(crate) fn delete_app(&mut self, app_no: i64) {
        if let Some(app) = self.apps.get_mut(&app_no) {
            app.deleted = true;
            self.news.push(News::App(app_no));
        }
    }

    /// Creates a hook that receives what follows `after`, or what comes from now on.
    pub(crate) fn create_hook(
        &mut self,
        app_no: i64,
        url: &str,
        selection: Selection,
        service: Service,
        after: Option<u64>,
        now: Timestamp,
    ) -> i64 {
        let hook_no = self.hooks.len() as i64 + 1;
        let seq = self.apps[&app_no].journal.len() as u64;
        let versions = vec![(after.unwrap_or(seq).min(seq) + 1, selection)];
        if let Some(after) = after {
            self.cursors.insert((hook_no, 0), cursor(hook_no, 0, after.min(seq), now));
        }
        let hook = Hook {
            hook_no,
            id: HookId(Bits96::new(hook_no.unsigned_abs().into())),
            app_no,
            app_id: AppId(Bits96::new(app_no.unsigned_abs().into())),
            owner_grant_no: None,
            user_no: None,
            external_id: None,
            description: String::new(),
            url: Some(url.to_owned()),
            service,
            status: HookStatus::Active,
            status_reason: None,
            expires_at: None,
            versions,
            runs: 0,
            failures: 0,
            consecutive_failures: 0,
            failing_since: None,
            failing_told: false,
            created_at: now,
            updated_at: now,
        };
        self.hooks.insert(hook_no, HookRow { hook, deleted: false });
        self.news.push(News::Hook(hook_no));
        hook_no
    }

    /// Changes the selection from the app's next change on.
    pub(crate) fn reselect(&mut self, hook_no: i64, selection: Selection) {
        let Some(HookRow { hook, .. }) = self.hooks.get_mut(&hook_no) else { return };
        let from = self.apps[&hook.app_no].journal.len() as u64 + 1;
        hook.versions.retain(|(seq, _)| *seq != from);
        hook.versions.push((from, selection));
        hook.versions.sort_by_key(|(seq, _)| *seq);
        self.news.push(News::Hook(hook_no));
    }

    pub(crate) fn reserve(&mut self, hook_no: i64, service: Service) {
        if let Some(HookRow { hook, .. }) = self.hooks.get_mut(&hook_no) {
            hook.service = service;
            self.news.push(News::Hook(hook_no));
        }
    }

    /// Pauses or enables a hook, or jumps its backlog while doing so.
    pub(crate) fn switch(&mut self, hook_no: i64, status: HookStatus, skip: bool, now: Timestamp) {
        self.set_status(hook_no, status, None);
        if let Some(hook) = self.hook(hook_no).filter(|_| skip) {
            let (app_no, settled) = (hook.app_no, self.settled_seq(hook));
            let seq = self.apps[&app_no].journal.len() as u64;
            if settled < seq {
                self.skipped.push((hook_no, settled + 1, seq));
                let row = cursor(hook_no, 0, seq, now);
                let row_now = self.cursors.entry((hook_no, 0)).or_insert(row);
                (row_now.settled_seq, row_now.delivered) = (seq, Vec::new());
            }
        }
        self.news.push(News::Hook(hook_no));
    }

    pub(crate) fn delete_hook(&mut self, hook_no: i64) {
        if let Some(row) = self.hooks.get_mut(&hook_no) {
            row.deleted = true;
            self.cursors.retain(|(of, _), _| *of != hook_no);
            self.parked.retain(|(of, ..), _| *of != hook_no);
            self.news.push(News::Hook(hook_no));
        }
    }

    /// Begins a replay of `(after, until]`; answers its cursor.
    pub(crate) fn replay(
        &mut self,
        hook_no: i64,
        after: u64,
        until: u64,
        rate: Option<u32>,
        now: Timestamp,
    ) -> i64 {
        let last = self.cursors.range((hook_no, 0)..=(hook_no, i64::MAX)).next_back();
        let cursor_no = last.map_or(0, |((_, no), _)| *no) + 1;
        let mut row = cursor(hook_no, cursor_no, after, now);
        row.id = Some(tidings_core::id::ReplayId(Bits96::new(u128::from(after) + 1)));
        (row.until_seq, row.rate) = (Some(until), rate);
        self.cursors.insert((hook_no, cursor_no), row);
        self.news.push(News::Hook(hook_no));
        cursor_no
    }

    pub(crate) fn cancel_replay(&mut self, hook_no: i64, cursor_no: i64, now: Timestamp) {
        if let Some(row) = self.cursors.get_mut(&(hook_no, cursor_no)) {
            if !row.is_over() {
                row.cancelled_at = Some(now);
            }
            self.news.push(News::Hook(hook_no));
        }
    }

    /// The key within which its owner has a delivery sent again.
    pub(crate) fn key_now(&self, hook_no: i64, members: &Members) -> Option<i64> {
        let hook = self.hook(hook_no)?;
        hook.service.key_hash(self.change(hook.app_no, members.first_seq)?)
    }

    /// Makes a delivery due at once; answers the cursor that it belongs to, or nothing when another that
    /// begins alike is parked in its place.
    pub(crate) fn resend(
        &mut self,
        hook_no: i64,
        members: &Members,
        key_now: Option<i64>,
        now: Timestamp,
    ) -> Option<i64> {
        let parked = self.parked_of(hook_no).find(|row| row.members == *members);
        let cursor_no = parked.map_or(0, |row| row.cursor_no);
        let waits = parked.filter(|row| row.due_at.is_some());
        let key_hash = waits.map_or(key_now, |row| row.key_hash);
        let row = ParkedRow {
            cursor_no,
            members: members.clone(),
            attempts: 0,
            due_at: Some(now),
            reason: "resend was asked for".into(),
            key_hash,
            waits: false,
        };
        let place = key(hook_no, cursor_no, members);
        if self.parked.get(&place).is_some_and(|there| there.members != *members) {
            return None;
        }
        self.parked.insert(place, row);
        self.news.push(News::Hook(hook_no));
        Some(cursor_no)
    }

    /// Erases the content of a change.
    pub(crate) fn erase(&mut self, app_no: i64, seq: u64) {
        if let Some(app) = self.apps.get_mut(&app_no)
            && let Some(change) = app.journal.get_mut(seq as usize - 1)
        {
            change.new.body = bytes::Bytes::new();
        }
    }
}
