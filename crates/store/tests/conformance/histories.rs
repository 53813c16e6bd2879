//! Random histories of a hook: whatever happens, the ledger says of each change what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_store::{
    App, AttemptRecord, CursorWrite, Hook, HookUpdate, LedgerCounts, LedgerState, ParkedWrite,
    Settle,
};

use crate::deliveries::attempt;
use crate::support::{NOW, World, did, formats, put, selection};

/// Steps of one history.
const STEPS: usize = 60;

/// What really became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Filtered,
    Unsettled,
    Delivered,
    Parked { cursor_no: i64 },
    Exhausted { cursor_no: i64 },
    Skipped,
}

struct Chance(u64);

impl Chance {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

struct History<'w> {
    world: &'w World,
    chance: Chance,
    app: App,
    hook: Hook,
    /// The type it selects from now on.
    selects: &'static str,
    status: HookStatus,
    truth: BTreeMap<u64, Truth>,
    /// Attempts come one after another.
    clock: u32,
}

pub(crate) async fn counts_add_up_and_each_state_is_right_after_any_history(world: &World) {
    for seed in 1..=6 {
        let app = world.app(&format!("app {seed}")).await;
        let hook = world.hook(&app, None).await;
        let mut history = History {
            world,
            chance: Chance(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed)),
            app,
            hook,
            selects: "*",
            status: HookStatus::Active,
            truth: BTreeMap::new(),
            clock: 0,
        };
        for _ in 0..STEPS {
            let step = history.step().await;
            history.check(&format!("seed {seed}: {step}")).await;
        }
    }
}

impl History<'_> {
    async fn step(&mut self) -> &'static str {
        match self.chance.below(9) {
            0..=2 => self.publish().await,
            3 => self.deliver().await,
            4 => self.retry(false).await,
            5 => self.retry(true).await,
            6 => self.select().await,
            7 => self.stand_still().await,
            _ => self.replay().await,
        }
    }

    async fn publish(&mut self) -> &'static str {
        let kinds =
            (0..1 + self.chance.below(7)).map(|_| ["a.b", "c.d"][self.chance.below(2) as usize]);
        let kinds: Vec<_> = kinds.collect();
        let changes = kinds.iter().map(|kind| self.world.change(kind)).collect();
        self.world.store.publish(self.app.app_no, changes, None, NOW).await.unwrap();
        for kind in kinds {
            let selected = tidings_core::hook::pattern_covers(self.selects, kind);
            let truth = if selected { Truth::Unsettled } else { Truth::Filtered };
            self.truth.insert(self.truth.len() as u64 + 1, truth);
        }
        "publish"
    }

    /// As a lane does: some of what is unsettled is sent, and the cursor moves.
    async fn deliver(&mut self) -> &'static str {
        if self.status != HookStatus::Active {
            return "stands still";
        }
        let mut settle = Settle::default();
        let owed: Vec<u64> = self.of(Truth::Unsettled);
        for seq in owed {
            let members = Members::single(seq);
            match self.chance.below(6) {
                // Its attempt is kept, or purged already.
                0..=1 => {
                    settle.attempts.push(self.attempt(members, 0, true));
                    self.truth.insert(seq, Truth::Delivered);
                }
                2 => drop(self.truth.insert(seq, Truth::Delivered)),
                3 => {
                    settle.attempts.push(self.attempt(members.clone(), 0, false));
                    settle.parked.push((self.hook.hook_no, put(members, 1, Some(NOW))));
                    self.truth.insert(seq, Truth::Parked { cursor_no: 0 });
                }
                4 => {
                    settle.parked.push((self.hook.hook_no, put(members, 9, None)));
                    self.truth.insert(seq, Truth::Exhausted { cursor_no: 0 });
                }
                _ => {}
            }
        }
        self.place_cursor(&mut settle);
        self.settle(settle).await;
        "deliver"
    }

    fn place_cursor(&self, settle: &mut Settle) {
        let last = self.truth.len() as u64;
        let oldest = self.of(Truth::Unsettled).first().copied();
        settle.matched.push((self.app.app_no, last));
        let hook_no = self.hook.hook_no;
        let Some(oldest) = oldest else {
            settle.cursors.push(CursorWrite::Current { hook_no, settled_seq: last });
            return;
        };
        let settled_seq = oldest - 1;
        let mut delivered = vec![0; (last - settled_seq).div_ceil(8) as usize];
        for (seq, truth) in self.truth.range(oldest..) {
            // What was not selected, nobody settles: its bit says nothing.
            if !matches!(truth, Truth::Unsettled | Truth::Filtered) {
                let bit = (seq - settled_seq - 1) as usize;
                delivered[bit / 8] |= 1 << (bit % 8);
            }
        }
        let write = CursorWrite::Lagging { hook_no, cursor_no: 0, settled_seq, delivered, sent: 0 };
        settle.cursors.push(write);
    }

    /// Something parked is tried again; what was given up is resent first.
    async fn retry(&mut self, resend: bool) -> &'static str {
        let found = self.truth.iter().find_map(|(seq, truth)| match (truth, resend) {
            (Truth::Parked { cursor_no }, false) | (Truth::Exhausted { cursor_no }, true) => {
                Some((*seq, *cursor_no))
            }
            _ => None,
        });
        let Some((seq, cursor_no)) = found else { return "nothing to retry" };
        let (members, hook_no) = (Members::single(seq), self.hook.hook_no);
        if resend {
            let audit = did("delivery.resend");
            let resend =
                self.world.store.resend(self.app.app_no, hook_no, members, None, audit, NOW);
            resend.await.unwrap();
            self.truth.insert(seq, Truth::Parked { cursor_no });
            return "resend";
        }
        let outcome = self.chance.below(3);
        let attempts = vec![self.attempt(members.clone(), cursor_no, outcome == 0)];
        let (write, truth) = match outcome {
            0 => (ParkedWrite::Remove { cursor_no, members }, Truth::Delivered),
            1 => (self.put(members, cursor_no, true), Truth::Parked { cursor_no }),
            _ => (self.put(members, cursor_no, false), Truth::Exhausted { cursor_no }),
        };
        self.truth.insert(seq, truth);
        let parked = vec![(hook_no, write)];
        self.settle(Settle { attempts, parked, ..Settle::default() }).await;
        "retry"
    }

    async fn select(&mut self) -> &'static str {
        self.selects = ["*", "a.*", "c.d"][self.chance.below(3) as usize];
        let selection = Some(selection(self.selects));
        self.update(HookUpdate { selection, ..HookUpdate::default() }).await;
        "select otherwise"
    }

    async fn stand_still(&mut self) -> &'static str {
        self.status = match self.chance.below(4) {
            0 => HookStatus::Paused,
            1 => HookStatus::Disabled,
            _ => HookStatus::Active,
        };
        let jump = self.status == HookStatus::Active && self.chance.below(2) == 0;
        let skip_backlog = jump.then(|| "jumped".into());
        let status = Some((self.status, None));
        self.update(HookUpdate { status, skip_backlog, ..HookUpdate::default() }).await;
        if jump {
            for seq in self.of(Truth::Unsettled) {
                self.truth.insert(seq, Truth::Skipped);
            }
        }
        if jump { "jump" } else { "pause, disable or go on" }
    }

    async fn update(&self, update: HookUpdate) {
        let audit = did("hook.update");
        self.world.store.update_hook(self.hook.hook_no, update, audit, NOW).await.unwrap();
    }

    /// A replay's cursor sends one of what is over again.
    async fn replay(&mut self) -> &'static str {
        let over = |truth: &Truth| {
            matches!(truth, Truth::Delivered | Truth::Skipped | Truth::Exhausted { cursor_no: 0 })
        };
        let over: Vec<u64> =
            self.truth.iter().filter(|(_, truth)| over(truth)).map(|(seq, _)| *seq).collect();
        if over.is_empty() {
            return "nothing to replay";
        }
        let seq = over[self.chance.below(over.len() as u64) as usize];
        let members = Members::single(seq);
        let before = self.truth[&seq];
        let delivered = self.chance.below(2) == 0 || before == (Truth::Exhausted { cursor_no: 0 });
        let attempts = vec![self.attempt(members.clone(), 1, delivered)];
        let mut settle = Settle { attempts, ..Settle::default() };
        let mut truth = Truth::Delivered;
        if !delivered {
            settle.parked.push((self.hook.hook_no, self.put(members, 1, true)));
            truth = Truth::Parked { cursor_no: 1 };
        }
        self.truth.insert(seq, truth);
        self.settle(settle).await;
        "replay"
    }

    async fn settle(&self, settle: Settle) {
        let now = NOW.plus_ms(self.clock.into());
        self.world.store.settle(Arc::new(settle), now).await.unwrap();
    }

    fn attempt(&mut self, members: Members, cursor_no: i64, delivered: bool) -> AttemptRecord {
        self.clock += 1;
        AttemptRecord { cursor_no, ..attempt(&self.hook, members, self.clock, delivered) }
    }

    fn put(&self, members: Members, cursor_no: i64, due: bool) -> ParkedWrite {
        ParkedWrite::Put {
            cursor_no,
            members,
            attempts: 2,
            due_at: due.then_some(NOW),
            reason: "again".into(),
            key_hash: None,
            waits: false,
        }
    }

    fn of(&self, wanted: Truth) -> Vec<u64> {
        self.truth.iter().filter(|(_, truth)| **truth == wanted).map(|(seq, _)| *seq).collect()
    }

    fn expected(&self, truth: Truth) -> LedgerState {
        match truth {
            Truth::Filtered => LedgerState::Filtered,
            Truth::Unsettled if self.status == HookStatus::Disabled => LedgerState::Disabled,
            Truth::Unsettled => LedgerState::Pending,
            Truth::Delivered => LedgerState::Delivered,
            Truth::Parked { .. } => LedgerState::Parked,
            Truth::Exhausted { .. } => LedgerState::Exhausted,
            Truth::Skipped => LedgerState::Skipped,
        }
    }

    /// Page by page, each change is in its state, and the counts are the journal's.
    async fn check(&self, what: &str) {
        let (mut after, mut counts) = (0, LedgerCounts::default());
        loop {
            let store = &self.world.store;
            let page =
                store.ledger(self.hook.hook_no, after, u64::MAX, 7, &formats()).await.unwrap();
            if page.entries.is_empty() {
                break;
            }
            after = page.reached;
            for entry in page.entries {
                counts.add(entry.state, 1);
                let truth = self.truth[&entry.seq];
                assert_eq!(entry.state, self.expected(truth), "{what}: {entry:?} is {truth:?}");
            }
        }
        assert_eq!(counts.total(), self.truth.len() as u64, "{what}");
    }
}
