//! The world of a simulation: time, the store, receivers, owners, and a process that lives and dies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::hook::HookStatus;
use tidings_store::{CursorRow, ParkedRow, Settle};

use super::chance::Chance;
use super::model::{Model, News};
use super::oracle::{Checked, Oracle, Violation};
use super::plan::{Action, Kind, Plan, Trouble};
use super::planted::Planted;
use super::process::Process;
use super::receiver::{Answer, Receivers};
use super::trace::Trace;
use crate::deliver::Outcome;
use crate::dispatch::{Send, Work};
use crate::settle::Ticket;

/// Where the clock of a simulation begins, ms.
const EPOCH: i64 = 1_790_000_000_000;
/// With trouble over, everything owed is delivered within this time, ms.
const CALM_MS: i64 = 6 * 3_600_000;
/// A simulation takes no more events than this.
const EVENTS: u64 = 400_000;
/// So many timers in a row at one moment are a loop that does not wait.
const SPINS: u64 = 20;

/// Something that happens at a time. Those with a number belong to the process of that incarnation.
#[derive(Debug)]
pub(crate) enum Event {
    Act(Action),
    Start,
    Calm,
    Timer(u64),
    Idle(u64),
    Announcement(u64),
    Lagged(u64),
    Read(u64, Work),
    Arrival(u64, Box<Send>),
    Answered(u64, Box<Send>, Answer),
    Report(u64, Report),
    Commit(u64, Arc<Settle>, Option<Ticket>),
}

/// What a task of the process reports.
#[derive(Debug)]
pub(crate) enum Report {
    Outcome(Box<Outcome>),
    LanePage { hook_no: i64, cursor_no: i64, changes: Vec<Change>, reached: u64 },
    AppPage { app_no: i64, changes: Vec<Change> },
    Parked { hook_no: i64, rows: Vec<ParkedRow> },
    Settled(Option<Ticket>),
}

/// What a finished simulation tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) hash: u64,
    pub(crate) steps: u64,
    pub(crate) sent: u64,
    pub(crate) repeated: u64,
    pub(crate) met: BTreeSet<Kind>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    pub(crate) trouble: Trouble,
    pub(crate) planted: Planted,
    pub(crate) model: Model,
    pub(crate) oracle: Oracle,
    pub(crate) receivers: Receivers,
    pub(crate) process: Option<Process>,
    pub(crate) trace: Trace,
    pub(crate) met: BTreeSet<Kind>,
    /// Announcements on their way to the process.
    pub(crate) announced: VecDeque<News>,
    /// The process missed announcements and does not know it yet.
    pub(crate) lagged: bool,
    /// Time since the beginning, ms.
    pub(crate) now: i64,
    /// What the process believes the clock to be ahead, ms.
    pub(crate) skew: i64,
    pub(crate) incarnation: u64,
    pub(crate) steps: u64,
    pub(crate) sent: u64,
    pub(crate) published: u64,
    events: BTreeMap<(i64, u64), Event>,
    order: u64,
    dies_at: VecDeque<u64>,
    calm: bool,
    resent_all: bool,
    /// Timers that went off one after the other at the same time, and when.
    spins: u64,
    spun_at: i64,
}

impl World {
    pub(crate) fn new(seed: u64, planted: Planted, kept: bool) -> Self {
        let mut chance = Chance::new(seed);
        let plan = Plan::new(seed, &mut chance);
        let receivers = Receivers::new(plan.receivers);
        let mut world = Self {
            trouble: plan.trouble,
            dies_at: plan.dies_at_steps.iter().copied().collect(),
            plan,
            chance,
            planted,
            model: Model::default(),
            oracle: Oracle::default(),
            receivers,
            process: None,
            trace: Trace::new(kept),
            met: BTreeSet::new(),
            announced: VecDeque::new(),
            lagged: false,
            now: 0,
            skew: 0,
            incarnation: 0,
            steps: 0,
            sent: 0,
            published: 0,
            events: BTreeMap::new(),
            order: 0,
            calm: false,
            resent_all: false,
            spins: 0,
            spun_at: 0,
        };
        world.prepare();
        world
    }

    fn prepare(&mut self) {
        for _ in 0..self.plan.apps {
            self.model.create_app();
        }
        for number in 0..self.plan.hooks {
            self.create_hook(number, None);
        }
        for (at, action) in std::mem::take(&mut self.plan.actions) {
            self.at(at, Event::Act(action));
        }
        self.at(self.plan.ends_at, Event::Calm);
        self.at(0, Event::Start);
    }

    /// Runs to the end, or to the first broken promise.
    pub(crate) fn run(&mut self) -> Result<Summary, Violation> {
        let mut events = 0;
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            events += 1;
            self.must_not_spin(&event)?;
            if events > EVENTS || self.now > self.plan.ends_at + CALM_MS {
                return Err(self.stuck());
            }
            let looks = matches!(event, Event::Idle(number) if number == self.incarnation);
            self.happen(event)?;
            if self.due_to_die() {
                self.met.insert(Kind::CrashAtStep);
                self.crash(200)?;
            }
            if looks && self.calm && self.is_finished()? {
                break;
            }
        }
        let (hash, met) = (self.trace.hash(), std::mem::take(&mut self.met));
        let (steps, sent, repeated) = (self.steps, self.sent, self.oracle.repeated);
        Ok(Summary { hash, steps, sent, repeated, met })
    }

    /// The time on the process's clock.
    pub(crate) fn clock(&self) -> Timestamp {
        Timestamp(EPOCH + self.now + self.skew)
    }

    pub(crate) fn say(&mut self, what: std::fmt::Arguments<'_>) {
        self.trace.say(self.now, what);
    }

    pub(crate) fn at(&mut self, at: i64, event: Event) {
        self.order += 1;
        self.events.insert((at.max(self.now), self.order), event);
    }

    pub(crate) fn after(&mut self, ms: i64, event: Event) {
        self.at(self.now + ms, event);
    }

    /// When a time on the process's clock comes.
    pub(crate) fn moment(&self, at: Timestamp) -> i64 {
        at.0 - EPOCH - self.skew
    }

    /// A timer that is due again and again without anything coming of it burns a processor.
    fn must_not_spin(&mut self, event: &Event) -> Checked {
        let at = (matches!(event, Event::Timer(_)) && self.is_timer_due(), self.now);
        self.spins = if at == (true, self.spun_at) { self.spins + 1 } else { 0 };
        self.spun_at = self.now;
        if self.spins < SPINS {
            return Ok(());
        }
        let what = format!("{} timers at once", self.spins);
        Err(Violation { rule: "the engine waits without spinning", what })
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Act(action) if self.process.is_none() && needs_process(&action) => {
                self.after(500, Event::Act(action));
                Ok(())
            }
            Event::Act(action) if self.calm => {
                self.say(format_args!("too late for {action:?}"));
                Ok(())
            }
            Event::Act(Action::Crash { down_ms }) => {
                self.met.insert(Kind::Crash);
                self.crash(down_ms)
            }
            Event::Act(action) => {
                self.say(format_args!("{action:?}"));
                self.act(&action);
                self.announce();
                self.oracle.cursors_hold(&self.model)
            }
            Event::Start => self.start(),
            Event::Calm => {
                self.begin_calm();
                Ok(())
            }
            Event::Commit(number, ..) | Event::Arrival(number, _) if number != self.incarnation => {
                Ok(())
            }
            Event::Commit(_, settle, ticket) => self.commit(settle, ticket),
            Event::Arrival(number, send) => {
                self.arrive(number, send);
                Ok(())
            }
            other => self.process_event(other),
        }
    }

    /// One more step of the process is done; answers whether it dies of it.
    pub(crate) fn due_to_die(&mut self) -> bool {
        let due = self.process.is_some() && self.next_death().is_some_and(|at| at <= self.steps);
        if due {
            self.dies_at.pop_front();
        }
        due
    }

    /// The step at which the process dies next.
    pub(crate) fn next_death(&self) -> Option<u64> {
        self.dies_at.front().copied().filter(|_| !self.calm)
    }

    /// What is announced from now on gets lost for a while; then the process finds out.
    pub(crate) fn lose_announcements(&mut self) {
        if self.process.is_some() {
            self.lagged = true;
            let wait = self.chance.ms(0, 8_000);
            self.after(wait, Event::Lagged(self.incarnation));
        }
    }

    /// The process dies: its memory is lost, and what was on its way ends or not.
    fn crash(&mut self, down_ms: i64) -> Checked {
        let Some(process) = self.process.take() else { return Ok(()) };
        drop(process);
        self.say(format_args!("crash with {} in flight", self.oracle.in_flight.len()));
        let number = self.incarnation;
        self.incarnation += 1;
        let pending: Vec<(i64, u64)> = self
            .events
            .iter()
            .filter(|(_, event)| match event {
                Event::Commit(of, ..) | Event::Arrival(of, _) => *of == number,
                _ => false,
            })
            .map(|(at, _)| *at)
            .collect();
        for at in pending {
            let happens = self.chance.percent(50);
            match self.events.remove(&at) {
                Some(Event::Commit(_, settle, _)) if happens => {
                    self.met.insert(Kind::SettleKeptInCrash);
                    self.write(&settle)?;
                }
                Some(Event::Commit(..)) => drop(self.met.insert(Kind::SettleLostInCrash)),
                Some(Event::Arrival(_, send)) if happens => {
                    self.met.insert(Kind::RequestKeptInCrash);
                    self.arrive(number, send);
                }
                _ => {}
            }
        }
        (self.announced, self.lagged) = (VecDeque::new(), false);
        self.model.news.clear();
        self.after(down_ms, Event::Start);
        self.oracle.crashed(&self.model)
    }

    /// A commit in flight ends now: used between two reads that belong together.
    pub(crate) fn commit_now(&mut self) -> Checked {
        let commit = |(_, event): &(&(i64, u64), &Event)| matches!(event, Event::Commit(of, ..) if *of == self.incarnation);
        let Some(at) = self.events.iter().find(commit).map(|(at, _)| *at) else { return Ok(()) };
        match self.events.remove(&at) {
            Some(Event::Commit(_, settle, ticket)) => self.commit(settle, ticket),
            _ => Ok(()),
        }
    }

    /// Trouble is over: from here on everything must come to rest.
    fn begin_calm(&mut self) {
        self.say(format_args!("calm"));
        (self.calm, self.trouble) = (true, Trouble::default());
        self.skew = self.skew.max(7 * 86_400_000);
        self.oracle.clock_was_set();
        self.receivers.heal();
    }

    /// Whether nothing is left to do; then whether that is as it should be.
    fn is_finished(&mut self) -> Result<bool, Violation> {
        let now = self.clock();
        let idle: Vec<i64> = self
            .model
            .live_hooks()
            .filter(|hook| hook.status != HookStatus::Active)
            .map(|hook| hook.hook_no)
            .collect();
        for &hook_no in &idle {
            self.model.switch(hook_no, HookStatus::Active, false, now);
        }
        self.announce();
        if !idle.is_empty() || !self.is_quiet() {
            return Ok(false);
        }
        if !self.resent_all {
            self.resent_all = true;
            return Ok(!self.resend_exhausted());
        }
        self.oracle.nothing_is_owed(&self.model, &self.receivers)?;
        Ok(true)
    }

    fn is_quiet(&self) -> bool {
        let exists = |hook_no: i64| {
            let hook = self.model.hook(hook_no);
            hook.is_some_and(|hook| !self.model.apps[&hook.app_no].deleted)
        };
        let matched = self
            .model
            .apps
            .values()
            .all(|app| app.deleted || app.matched == app.journal.len() as u64);
        let cursors =
            self.model.cursors.values().filter(|row| exists(row.hook_no)).all(CursorRow::is_over);
        let parked = self
            .model
            .parked
            .iter()
            .filter(|((hook_no, ..), _)| exists(*hook_no))
            .all(|(_, row)| row.due_at.is_none());
        matched && cursors && parked && self.oracle.in_flight.is_empty()
    }

    /// Asks for everything exhausted once more; answers whether there was anything.
    fn resend_exhausted(&mut self) -> bool {
        let exhausted: Vec<_> = self
            .model
            .parked
            .iter()
            .filter(|(_, row)| row.due_at.is_none())
            .map(|((hook_no, ..), row)| (*hook_no, row.members.clone()))
            .collect();
        let now = self.clock();
        for (hook_no, members) in &exhausted {
            let key = self.model.key_now(*hook_no, members);
            if let Some(cursor_no) = self.model.resend(*hook_no, members, key, now) {
                self.oracle.resent(*hook_no, cursor_no, members);
            }
        }
        self.say(format_args!("resend {} exhausted", exhausted.len()));
        self.announce();
        !exhausted.is_empty()
    }

    fn stuck(&self) -> Violation {
        let hooks = self.model.live_hooks().map(|hook| {
            let no = hook.hook_no;
            let parked = self.model.parked_of(no).filter(|row| row.due_at.is_some()).count();
            let end = self.model.apps[&hook.app_no].journal.len();
            format!(
                "hook {no}: {:?} at {} of {end}, {parked} parked; {:?}; ",
                hook.status,
                self.model.settled_seq(hook),
                self.model.cursors(no)
            )
        });
        let what = format!("{}{:?}", hooks.collect::<String>(), self.oracle.in_flight);
        Violation { rule: "without trouble everything owed is delivered in time", what }
    }
}

/// Owners' requests are served by the process that delivers.
fn needs_process(action: &Action) -> bool {
    !matches!(action, Action::Receiver(..) | Action::ClockJump(_))
}
