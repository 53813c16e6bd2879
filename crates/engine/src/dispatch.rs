//! Dispatch: which delivery goes out next, as plain state without I/O.
//!
//! The players: *apps* with how far their journal is matched; *hooks*, each with its lanes, its breaker
//! and what it has in flight. Events come in ([`Dispatch::appended`], pages read, outcomes), work comes
//! out ([`Dispatch::next_work`]), and what was learnt is collected for the store
//! ([`Dispatch::take_settle`]). Only [`crate::run`] loops, reads and sends.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::format::Formats;
use tidings_core::id::Ids;
use tidings_core::limits;
use tidings_store::{CursorRow, DispatchApp, Hook, ParkedRow, Picks, Settle};

use crate::fair::Turns;
use crate::hook::{HookState, Step};
use crate::render::Target;
use crate::stats::Counted;

/// Something to do outside.
#[derive(Debug)]
pub(crate) enum Work {
    /// Make an attempt.
    Send(Send),
    /// Read changes for a lane in `(after, until]`.
    ReadPage {
        hook_no: i64,
        app_no: i64,
        cursor_no: i64,
        after: u64,
        until: u64,
        /// What a replay takes: only that is read then.
        picks: Option<Arc<Picks>>,
    },
    /// Read the next parked deliveries of a hook that follow no order; when `keyed`, all that do, too.
    ReadParked { hook_no: i64, keyed: bool },
    /// Read changes in `(after, until]` that are not matched yet.
    ReadApp { app_no: i64, after: u64, until: u64 },
}

/// An attempt to make.
#[derive(Debug)]
pub(crate) struct Send {
    pub(crate) hook_no: i64,
    pub(crate) app_no: i64,
    pub(crate) target: Arc<Target>,
    pub(crate) cursor_no: i64,
    pub(crate) members: Members,
    /// The attempt's number in its schedule.
    pub(crate) n: u32,
    /// The changes; none for a parked delivery, whose changes are read first.
    pub(crate) changes: Vec<Arc<Change>>,
}

/// A place in flight that a delivery takes until its settle is durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) app_no: i64,
    pub(crate) hook_no: i64,
    /// Cursor and first seq.
    pub(crate) delivery: (i64, u64),
    /// Its parked row is new, changed or gone.
    pub(crate) parked_changed: bool,
}

/// An app's journal as far as it is matched.
#[derive(Debug)]
pub(crate) struct AppState {
    pub(crate) app: DispatchApp,
    /// Matched in memory up to here.
    pub(crate) matched: u64,
    /// The store says so too.
    pub(crate) durable: u64,
    /// The last `seq` that we have heard of.
    pub(crate) known: u64,
    pub(crate) hooks: BTreeSet<i64>,
    /// Hooks whose live lane reads from the store, but for those found to stand still.
    pub(crate) behind: BTreeSet<i64>,
    /// Hooks that may ask for a type, by type: made at its first change.
    pub(crate) candidates: HashMap<String, Vec<i64>>,
    pub(crate) reading: bool,
}

/// The dispatch state of this process.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) formats: Formats,
    pub(crate) ids: Ids,
    pub(crate) apps: BTreeMap<i64, AppState>,
    pub(crate) hooks: BTreeMap<i64, HookState>,
    pub(crate) turns: Turns,
    reads: VecDeque<Work>,
    timers: BTreeSet<(Timestamp, i64)>,
    /// The timer of each hook that has one.
    alarms: HashMap<i64, Timestamp>,
    /// Deliveries sent, or settled but not durably so: bounds what a crash can repeat.
    pub(crate) in_flight: usize,
    pub(crate) pending: Settle,
    /// Deliveries that a sound hook took and that are not counted in the store yet: no rule looks at
    /// them, so they are written with where idle apps stand, and a crash may leave some of them out.
    pub(crate) runs: BTreeMap<i64, u64>,
    /// For the charts.
    pub(crate) counted: Counted,
    pub(crate) dirty: BTreeSet<i64>,
    /// Deliveries whose slots come free when the pending settle is durable.
    pub(crate) slots: Vec<Slot>,
}

impl Dispatch {
    /// Nothing known yet.
    pub(crate) fn new(formats: Formats, ids: Ids) -> Self {
        Self {
            formats,
            ids,
            apps: BTreeMap::new(),
            hooks: BTreeMap::new(),
            turns: Turns::default(),
            reads: VecDeque::new(),
            timers: BTreeSet::new(),
            alarms: HashMap::new(),
            in_flight: 0,
            pending: Settle::default(),
            runs: BTreeMap::new(),
            counted: Counted::default(),
            dirty: BTreeSet::new(),
            slots: Vec::new(),
        }
    }

    /// An app appeared or changed; its journal is matched from where the store says.
    pub(crate) fn put_app(&mut self, app: DispatchApp) {
        let app_no = app.app_no;
        match self.apps.get_mut(&app_no) {
            Some(state) => {
                state.known = state.known.max(app.seq);
                state.app = app;
            }
            None => {
                let (matched, known) = (app.matched_seq, app.seq);
                let state = AppState {
                    app,
                    matched,
                    durable: matched,
                    known,
                    hooks: BTreeSet::new(),
                    behind: BTreeSet::new(),
                    candidates: HashMap::new(),
                    reading: false,
                };
                self.apps.insert(app_no, state);
            }
        }
        self.catch_up(app_no);
    }

    /// An app was announced. What it has by now is announced after it, and so are the hooks that it is for.
    pub(crate) fn hear_app(&mut self, mut app: DispatchApp) {
        let known = self.apps.get(&app.app_no).map_or(app.matched_seq, |state| state.known);
        app.seq = app.seq.min(known);
        self.put_app(app);
    }

    /// An app and its hooks are gone.
    pub(crate) fn remove_app(&mut self, app_no: i64) {
        if let Some(app) = self.apps.remove(&app_no) {
            for hook_no in app.hooks {
                self.hooks.remove(&hook_no);
            }
        }
    }

    /// A hook appeared or changed; `parked` when the store may have parked deliveries of it.
    pub(crate) fn put_hook(
        &mut self,
        hook: Hook,
        target: Arc<Target>,
        cursors: &[CursorRow],
        parked: bool,
    ) {
        let (app_no, hook_no) = (hook.app_no, hook.hook_no);
        let Some(app) = self.apps.get_mut(&app_no) else { return };
        app.hooks.insert(hook_no);
        app.candidates.clear();
        let first = !self.hooks.contains_key(&hook_no);
        let state = self
            .hooks
            .entry(hook_no)
            .or_insert_with(|| HookState::new(hook.clone(), Arc::clone(&target), parked));
        state.update(hook, target, cursors, app.matched, (first, parked));
        if state.is_behind() {
            app.behind.insert(hook_no);
        }
        self.dirty.insert(hook_no);
        self.wake(hook_no);
    }

    /// A hook is gone; outcomes of what it has in flight still free their slots.
    pub(crate) fn remove_hook(&mut self, hook_no: i64) {
        let Some(state) = self.hooks.remove(&hook_no) else { return };
        if let Some(app) = self.apps.get_mut(&state.hook.app_no) {
            app.hooks.remove(&hook_no);
            app.behind.remove(&hook_no);
            app.candidates.clear();
        }
    }

    /// Forgets the apps and hooks that are not among these: that they ended was announced while nobody
    /// listened.
    pub(crate) fn keep(&mut self, apps: &HashSet<i64>, hooks: &[Hook]) {
        let gone = |app_no: &&i64| !apps.contains(app_no);
        for app_no in self.apps.keys().filter(gone).copied().collect::<Vec<_>>() {
            self.remove_app(app_no);
        }
        let there: HashSet<i64> = hooks.iter().map(|hook| hook.hook_no).collect();
        let gone = |hook_no: &&i64| !there.contains(hook_no);
        for hook_no in self.hooks.keys().filter(gone).copied().collect::<Vec<_>>() {
            self.remove_hook(hook_no);
        }
    }

    /// The store announced changes, or a page of unmatched ones was read.
    pub(crate) fn appended(&mut self, app_no: i64, changes: &[Arc<Change>]) {
        let Some(last) = changes.last() else { return };
        let Some(app) = self.apps.get_mut(&app_no) else { return };
        app.known = app.known.max(last.seq);
        if changes[0].seq > app.matched + 1 {
            self.catch_up(app_no);
            return;
        }
        for change in changes {
            self.match_change(app_no, change);
        }
    }

    /// A page of unmatched changes was read, or could not be.
    pub(crate) fn app_page(&mut self, app_no: i64, changes: Vec<Change>) {
        if let Some(app) = self.apps.get_mut(&app_no) {
            app.reading = false;
        }
        let changes: Vec<_> = changes.into_iter().map(Arc::new).collect();
        self.appended(app_no, &changes);
        self.catch_up(app_no);
    }

    /// Asks for what was appended before we listened or while we were too slow.
    fn catch_up(&mut self, app_no: i64) {
        let Some(app) = self.apps.get_mut(&app_no) else { return };
        if app.matched < app.known && !app.reading {
            app.reading = true;
            // Not further: of the hooks that what follows is for we may not have heard yet.
            let (after, until) = (app.matched, app.known);
            self.reads.push_back(Work::ReadApp { app_no, after, until });
        }
    }

    /// A page for a lane was read: the matching changes in `(after, until]`, all of them when `reached`
    /// is `until`, otherwise up to `reached`.
    pub(crate) fn lane_page(
        &mut self,
        hook_no: i64,
        cursor_no: i64,
        changes: &[Change],
        reached: u64,
    ) {
        let Some(state) = self.hooks.get_mut(&hook_no) else { return };
        let Some(app) = self.apps.get_mut(&state.hook.app_no) else { return };
        state.lane_page(cursor_no, changes, reached, app.matched, &self.formats);
        if !state.is_behind() {
            app.behind.remove(&hook_no);
        }
        self.dirty.insert(hook_no);
        self.wake(hook_no);
    }

    /// The next parked deliveries of a hook were read.
    pub(crate) fn parked_page(&mut self, hook_no: i64, rows: Vec<ParkedRow>) {
        if let Some(state) = self.hooks.get_mut(&hook_no) {
            state.parked_page(rows);
            self.wake(hook_no);
        }
    }

    /// Lets a hook be looked at.
    pub(crate) fn wake(&mut self, hook_no: i64) {
        if let Some(state) = self.hooks.get(&hook_no) {
            self.turns.queue(state.hook.app_no, hook_no);
        }
    }

    /// Wakes a hook at this time, or earlier when it is to be woken earlier anyway.
    fn wake_at(&mut self, hook_no: i64, at: Timestamp) {
        let before = self.alarms.get(&hook_no).copied();
        if before.is_some_and(|before| before <= at) {
            return;
        }
        if let Some(before) = before {
            self.timers.remove(&(before, hook_no));
        }
        self.timers.insert((at, hook_no));
        self.alarms.insert(hook_no, at);
    }

    /// Wakes the hooks whose time has come.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        while let Some(&(at, hook_no)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, hook_no));
            self.alarms.remove(&hook_no);
            self.wake(hook_no);
        }
    }

    /// When the next hook's time comes.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The next thing to do: apps take turns, and so do the hooks of an app. `None` when there is nothing
    /// or the process has enough in flight.
    pub(crate) fn next_work(&mut self, now: Timestamp) -> Option<Work> {
        if let Some(read) = self.reads.pop_front() {
            return Some(read);
        }
        while self.in_flight < limits::IN_FLIGHT_MAX {
            let (app_no, hook_no) = self.turns.next()?;
            self.expire(hook_no, now);
            let Some(state) = self.hooks.get_mut(&hook_no) else { continue };
            let matched = self.apps.get(&app_no).map_or(0, |app| app.matched);
            let step = state.step(matched, now);
            let ends = state.ends_at();
            if state.is_behind()
                && !state.stands_still()
                && let Some(app) = self.apps.get_mut(&app_no)
            {
                app.behind.insert(hook_no);
            }
            if !state.writes.is_empty() {
                self.pending.parked.extend(state.writes.drain(..).map(|write| (hook_no, write)));
                self.dirty.insert(hook_no);
            }
            match step {
                Step::Do(work) => {
                    if matches!(work, Work::Send(_)) {
                        self.in_flight += 1;
                        self.turns.began(app_no);
                    }
                    self.turns.queue(app_no, hook_no);
                    return Some(work);
                }
                Step::WaitUntil(at) => self.wake_at(hook_no, at),
                Step::Idle => {
                    if let Some(at) = ends {
                        self.wake_at(hook_no, at);
                    }
                }
            }
        }
        None
    }
}
