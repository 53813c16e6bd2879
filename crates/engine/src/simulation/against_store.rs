//! The model against the store that it stands for: the same settles, the same calls, the same state.

use std::sync::Arc;

use tempfile::TempDir;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::id::{AppId, Bits96, HookId, ReplayId};
use tidings_store::{
    AttemptRecord, AuditEntry, CursorRow, CursorWrite, DeliveryStatus, Hook, HookCount, HookUpdate,
    NewApp, NewHook, NewReplay, NewSecret, ParkedRow, ParkedWrite, Settle, Store,
};

use super::chance::Chance;
use super::model::Model;
use super::plan::{some_change, some_selection, some_service};

const HOOKS: i64 = 4;
const CHANGES: u64 = 60;

struct Both {
    model: Model,
    store: Store,
    chance: Chance,
    now: Timestamp,
    _directory: TempDir,
}

#[tokio::test]
async fn the_model_of_the_store_means_the_same_as_the_store() {
    for seed in 0..6 {
        let mut both = Both::new(seed).await;
        for _ in 0..60 {
            both.now = both.now.plus_ms(1_000);
            both.step().await;
            both.compare().await;
        }
        both.store.close().await;
    }
}

impl Both {
    async fn new(seed: u64) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let now = Timestamp(1_790_000_000_000);
        let mut both = Self {
            model: Model::default(),
            store,
            chance: Chance::new(seed),
            now,
            _directory: directory,
        };
        both.model.create_app();
        let new = NewApp {
            id: AppId(Bits96::new(1)),
            name: "app".into(),
            external_id: None,
            webhook_url: None,
            created_at: now,
        };
        assert_eq!(both.store.create_app(new, entry()).await.unwrap().app_no, 1);
        both.publish(CHANGES / 2).await;
        for hook_no in 1..=HOOKS {
            both.create_hook(hook_no).await;
        }
        both.publish(CHANGES / 2).await;
        both
    }

    async fn publish(&mut self, count: u64) {
        let first = self.model.apps[&1].journal.len() as u64;
        let changes: Vec<_> = (first..first + count)
            .map(|number| some_change(number, &mut self.chance, self.now))
            .map(|mut change| {
                // Their accounts and collections are rows that only the real store asks for.
                change.subject = tidings_core::change::Subject::default();
                change
            })
            .collect();
        self.model.append(1, changes.clone(), self.now);
        self.store.publish(1, changes, None, self.now).await.unwrap();
    }

    async fn create_hook(&mut self, hook_no: i64) {
        let after_seq = self.chance.percent(50).then(|| self.chance.below(CHANGES));
        let mut selection = some_selection(&mut self.chance);
        selection.account_no = None;
        let service = some_service(&mut self.chance, None);
        let url = "http://r0.example/".to_owned();
        self.model.create_hook(1, &url, selection.clone(), service.clone(), after_seq, self.now);
        let new = NewHook {
            id: HookId(Bits96::new(hook_no.unsigned_abs().into())),
            app_no: 1,
            owner_grant_no: None,
            user_no: None,
            external_id: None,
            description: String::new(),
            url: Some(url),
            service,
            selection,
            expires_at: None,
            after_seq,
            access: None,
            disabled: None,
        };
        let id = Bits96::new(900 + u128::from(hook_no.unsigned_abs()));
        let secret = NewSecret { id, sealed: vec![1] };
        let made = self.store.create_hook(new, secret, vec![], entry(), self.now).await.unwrap();
        assert_eq!(made.hook_no, hook_no);
    }

    async fn step(&mut self) {
        let hook_no = self.chance.ms(1, HOOKS as u64);
        match self.chance.below(20) {
            0 => self.switch(hook_no).await,
            1 => self.replay(hook_no).await,
            2 => self.cancel(hook_no).await,
            3 => self.resend(hook_no).await,
            4 if self.chance.percent(20) => self.delete(hook_no).await,
            5 => self.publish(2).await,
            _ => {
                let settle = self.some_settle();
                self.model.settle(&settle, self.now);
                self.store.settle(Arc::new(settle), self.now).await.unwrap();
            }
        }
    }

    async fn switch(&mut self, hook_no: i64) {
        if self.model.hook(hook_no).is_none() {
            return;
        }
        let status = self.chance.pick(&[HookStatus::Active, HookStatus::Paused]);
        let skip = self.chance.percent(50);
        self.model.switch(hook_no, status, skip, self.now);
        let update = HookUpdate {
            status: Some((status, None)),
            skip_backlog: skip.then(|| "asked for".into()),
            ..HookUpdate::default()
        };
        self.store.update_hook(hook_no, update, entry(), self.now).await.unwrap();
    }

    async fn replay(&mut self, hook_no: i64) {
        if self.model.hook(hook_no).is_none() {
            return;
        }
        let after = self.chance.below(CHANGES);
        let until = after + self.chance.below(9);
        let until = until.min(self.model.apps[&1].journal.len() as u64);
        let cursor_no = self.model.replay(hook_no, after, until, None, self.now);
        let id = replay_id(hook_no, cursor_no);
        let new = NewReplay { id, after, until, picks: None, rate: None, total: None };
        let made = self.store.create_replay(hook_no, new, entry(), self.now);
        assert_eq!(made.await.unwrap().cursor_no, cursor_no);
    }

    async fn cancel(&mut self, hook_no: i64) {
        let replays = self.model.cursors(hook_no).into_iter().map(|row| row.cursor_no);
        let Some(cursor_no) = replays.rev().find(|no| self.begun(hook_no, *no)) else { return };
        self.model.cancel_replay(hook_no, cursor_no, self.now);
        let id = replay_id(hook_no, cursor_no);
        self.store.cancel_replay(hook_no, id, entry(), self.now).await.unwrap();
    }

    /// A settle may make a row for a cursor that nobody began; it has no id.
    fn begun(&self, hook_no: i64, cursor_no: i64) -> bool {
        self.model.cursors[&(hook_no, cursor_no)].until_seq.is_some()
    }

    async fn resend(&mut self, hook_no: i64) {
        if self.model.hook(hook_no).is_none() {
            return;
        }
        let members = self.some_members();
        let key = self.model.key_now(hook_no, &members);
        let ours = self.model.resend(hook_no, &members, key, self.now);
        let theirs = self.store.resend(1, hook_no, members, key, entry(), self.now).await;
        assert_eq!(ours.is_some(), theirs.is_ok());
    }

    async fn delete(&mut self, hook_no: i64) {
        let Some(hook) = self.model.hook(hook_no).cloned() else { return };
        self.model.delete_hook(hook_no);
        self.store.delete_hook(&hook, entry(), self.now).await.unwrap();
    }

    fn some_members(&mut self) -> Members {
        let first_seq = self.chance.between(1, 12);
        if self.chance.percent(60) {
            return Members::single(first_seq);
        }
        let last_seq = first_seq + self.chance.below(5);
        Members { group: "all".into(), first_seq, last_seq, count: 1 }
    }

    fn some_settle(&mut self) -> Settle {
        let mut settle = Settle::default();
        for _ in 0..self.chance.below(6) {
            let hook_no = self.chance.ms(1, HOOKS as u64);
            let (cursor_no, members) = (self.chance.ms(0, 2), self.some_members());
            settle.attempts.push(attempt(hook_no, cursor_no, members.clone(), self.now));
            let write = self.some_parked(cursor_no, members);
            settle.parked.push((hook_no, write));
            settle.cursors.push(self.some_cursor(hook_no, cursor_no));
        }
        let matched = self.chance.below(CHANGES);
        settle.matched.push((1, matched));
        let hook_no = self.chance.ms(1, HOOKS as u64);
        let failures = self.chance.below(4);
        settle.counts.push(HookCount {
            hook_no,
            runs: failures + 1,
            failures,
            failures_in_a_row: failures.min(self.chance.below(4)),
            succeeded: self.chance.percent(50),
        });
        if self.chance.percent(10) {
            settle.disabled.push((hook_no, "asked for".into()));
        }
        if self.chance.percent(10) {
            settle.enabled.push(hook_no);
        }
        if self.chance.percent(10) {
            settle.failing_told.push((hook_no, self.chance.percent(50)));
        }
        settle
    }

    fn some_parked(&mut self, cursor_no: i64, members: Members) -> ParkedWrite {
        if self.chance.percent(40) {
            return ParkedWrite::Remove { cursor_no, members };
        }
        let due_at = self.chance.percent(70).then(|| self.now.plus_ms(self.chance.ms(0, 9_000)));
        ParkedWrite::Put {
            cursor_no,
            members,
            attempts: self.chance.below(5) as u32,
            due_at,
            reason: format!("reason {}", self.chance.below(9)),
            key_hash: self.chance.percent(50).then(|| self.chance.ms(0, 3)),
            waits: self.chance.percent(30),
        }
    }

    fn some_cursor(&mut self, hook_no: i64, cursor_no: i64) -> CursorWrite {
        let settled_seq = self.chance.below(CHANGES);
        if cursor_no == 0 && self.chance.percent(40) {
            return CursorWrite::Current { hook_no, settled_seq };
        }
        let delivered = (0..self.chance.below(4)).map(|_| self.chance.below(256) as u8).collect();
        let sent = self.chance.below(9);
        CursorWrite::Lagging { hook_no, cursor_no, settled_seq, delivered, sent }
    }

    async fn compare(&self) {
        let theirs = self.store.dispatch_app(1).await.unwrap().unwrap();
        let ours = self.model.dispatch_app(1).unwrap();
        assert_eq!((theirs.seq, theirs.matched_seq), (ours.seq, ours.matched_seq));
        for hook_no in 1..=HOOKS {
            let theirs = self.store.hook_by_no(hook_no).await.unwrap();
            assert_eq!(theirs.as_ref().map(state), self.model.hook(hook_no).map(state));
            let theirs = self.store.cursors(hook_no).await.unwrap();
            assert_eq!(places(theirs), places(self.model.cursors(hook_no)), "hook {hook_no}");
            let Some(hook) = self.model.hook(hook_no) else { continue };
            let theirs = self.store.settled_seq(1, hook_no).await.unwrap();
            assert_eq!(theirs, self.model.settled_seq(hook), "hook {hook_no}");
            self.compare_parked(hook_no).await;
        }
    }

    async fn compare_parked(&self, hook_no: i64) {
        for limit in [3, 1_000] {
            let theirs = self.store.next_parked(hook_no, limit).await.unwrap();
            let due = |rows: &[ParkedRow]| rows.iter().map(|row| row.due_at).collect::<Vec<_>>();
            assert_eq!(due(&theirs), due(&self.model.next_parked(hook_no, limit)));
        }
        let all = |rows| sorted(rows);
        let theirs = self.store.next_parked(hook_no, 1_000).await.unwrap();
        assert_eq!(all(theirs), all(self.model.next_parked(hook_no, 1_000)));
        let theirs = self.store.blocked(hook_no).await.unwrap();
        let waiting = |row: &ParkedRow| row.due_at.is_some();
        let theirs: Vec<_> = theirs.into_iter().filter(waiting).collect();
        assert_eq!(all(theirs), all(self.model.blocked(hook_no)));
        let exhausted = Some(DeliveryStatus::Exhausted);
        let theirs = self.store.deliveries(hook_no, exhausted, u64::MAX, 1_000).await.unwrap();
        for row in theirs {
            let ours = self.model.parked_of(hook_no).filter(|it| it.due_at.is_none());
            assert!(ours.map(|it| &it.members).any(|members| *members == row.members));
        }
    }
}

/// What a settle changes of a hook.
fn state(hook: &Hook) -> (HookStatus, u64, u64, u64, Option<Timestamp>, bool) {
    let Hook { status, runs, failures, consecutive_failures, failing_since, failing_told, .. } =
        hook;
    (*status, *runs, *failures, *consecutive_failures, *failing_since, *failing_told)
}

/// What a settle and its owner change of a cursor.
type Place = (i64, u64, Option<u64>, Vec<u8>, u64, Option<Timestamp>);

fn places(rows: Vec<CursorRow>) -> Vec<Place> {
    let place = |row: CursorRow| {
        let CursorRow { cursor_no, settled_seq, until_seq, sent, cancelled_at, .. } = row;
        (cursor_no, settled_seq, until_seq, row.delivered, sent, cancelled_at)
    };
    rows.into_iter().map(place).collect()
}

fn sorted(mut rows: Vec<ParkedRow>) -> Vec<ParkedRow> {
    rows.sort_by_key(|row| (row.members.first_seq, row.members.group.clone(), row.cursor_no));
    rows
}

fn replay_id(hook_no: i64, cursor_no: i64) -> ReplayId {
    ReplayId(Bits96::new((hook_no * 1_000 + cursor_no).unsigned_abs().into()))
}

fn entry() -> AuditEntry {
    AuditEntry {
        actor: "system".into(),
        action: "simulation",
        object: String::new(),
        denied: false,
        address: None,
        detail: serde_json::Value::Null,
    }
}

fn attempt(hook_no: i64, cursor_no: i64, members: Members, now: Timestamp) -> AttemptRecord {
    AttemptRecord {
        hook_no,
        cursor_no,
        members,
        n: 1,
        delivered: false,
        started_at: now,
        dns_us: None,
        connect_us: None,
        tls_us: None,
        first_byte_us: None,
        total_us: 0,
        url: String::new(),
        address: None,
        status: None,
        error: None,
        request_headers: None,
        response_headers: None,
        response_body: None,
    }
}
