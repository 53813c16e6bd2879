//! The process of a simulation: drives [`Dispatch`] exactly as `run.rs` does, one event at a time.

use std::collections::HashSet;
use std::sync::Arc;

use tidings_core::change::{Change, is_operational};
use tidings_core::id::Ids;
use tidings_store::{Hook, Settle};

use super::model::News;
use super::oracle::Checked;
use super::plan::{Kind, formats};
use super::receiver::Answer;
use super::world::{Event, Report, World};
use crate::deliver::{ERASED, Outcome, blank};
use crate::dispatch::{Dispatch, Send, Work};
use crate::parked::PARKED_PAGE;
use crate::render::Target;
use crate::settle::Ticket;

/// How far idle apps are matched is written this often, as in `run.rs`, ms.
const IDLE_SETTLE: i64 = 1_000;
/// A failed settle is tried again after this time, as in `run.rs`, ms.
const STORE_RETRY: i64 = 1_000;

/// A running process: everything in it is lost in a crash.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) dispatch: Dispatch,
    settling: bool,
    /// A timer is set for this time.
    timer: Option<i64>,
}

impl World {
    pub(crate) fn start(&mut self) -> Checked {
        let ids = Ids::seeded(self.incarnation);
        let dispatch = Dispatch::new(formats(), ids);
        self.process = Some(Process { dispatch, settling: false, timer: None });
        self.say(format_args!("start"));
        self.load()?;
        self.after(0, Event::Idle(self.incarnation));
        self.work()
    }

    fn dispatch(&mut self) -> &mut Dispatch {
        self.steps += 1;
        &mut self.process.as_mut().expect("only a running process takes steps").dispatch
    }

    /// Tells the process what was committed, a little later and in order.
    pub(crate) fn announce(&mut self) {
        for news in std::mem::take(&mut self.model.news) {
            let heard = self.process.is_some() && !self.lagged;
            if heard && !self.planted.loses_announcements() {
                self.announced.push_back(news);
                let wait = self.chance.ms(0, 3);
                self.after(wait, Event::Announcement(self.incarnation));
            }
        }
    }

    /// Takes an event of the running process; those of an earlier one are lost.
    pub(crate) fn process_event(&mut self, event: Event) -> Checked {
        let number = match &event {
            Event::Timer(number)
            | Event::Idle(number)
            | Event::Announcement(number)
            | Event::Lagged(number)
            | Event::Read(number, _)
            | Event::Answered(number, ..)
            | Event::Report(number, _) => *number,
            _ => return Ok(()),
        };
        if number != self.incarnation || self.process.is_none() {
            return Ok(());
        }
        match event {
            Event::Timer(_) => {
                // Another was set since for an earlier time.
                if !self.is_timer_due() {
                    return Ok(());
                }
                if let Some(process) = &mut self.process {
                    process.timer = None;
                }
            }
            Event::Idle(_) => {
                self.settle(true)?;
                self.after(IDLE_SETTLE, Event::Idle(number));
            }
            Event::Announcement(_) => self.hear()?,
            Event::Lagged(_) => self.hear_that_some_were_lost()?,
            Event::Read(_, work) => return self.read(&work),
            Event::Answered(_, send, answer) => {
                let outcome = self.outcome(&send, answer);
                if outcome.record.delivered {
                    self.oracle.succeeded(&self.model, &send);
                }
                self.report(Report::Outcome(Box::new(outcome)));
            }
            Event::Report(_, report) => self.report(report),
            _ => {}
        }
        self.work()
    }

    fn load(&mut self) -> Checked {
        let mut apps = HashSet::new();
        for app_no in self.model.apps.keys().copied().collect::<Vec<_>>() {
            let Some(app) = self.model.dispatch_app(app_no) else { continue };
            apps.insert(app_no);
            self.dispatch().put_app(app);
        }
        self.between_reads()?;
        let hooks: Vec<Hook> = self.model.live_hooks().cloned().collect();
        self.dispatch().keep(&apps, &hooks);
        for hook in hooks {
            self.put_hook(hook)?;
        }
        Ok(())
    }

    fn put_hook(&mut self, hook: Hook) -> Checked {
        self.between_reads()?;
        let cursors = self.model.cursors(hook.hook_no);
        let url = hook.url.clone().unwrap_or_default();
        let vetted = tidings_core::egress::EgressPolicy::dev().vet_url(&url);
        self.oracle.heard(&hook);
        let target = Arc::new(Target {
            hook: hook.clone(),
            url,
            vetted,
            secrets: Vec::new(),
            keys: Vec::new(),
            entry: None,
            script: None,
        });
        self.dispatch().put_hook(hook, target, &cursors, true);
        Ok(())
    }

    /// Two reads are not one: the store may move on between them.
    fn between_reads(&mut self) -> Checked {
        if !self.chance.percent(self.trouble.torn) {
            return Ok(());
        }
        self.met.insert(Kind::TornRead);
        self.commit_now()
    }

    fn hear(&mut self) -> Checked {
        match self.announced.pop_front() {
            Some(News::Appended(app_no, changes)) => self.dispatch().appended(app_no, &changes),
            Some(News::Hook(hook_no)) => return self.hear_hook(hook_no),
            Some(News::App(app_no)) => match self.model.dispatch_app(app_no) {
                Some(app) => self.dispatch().hear_app(app),
                None => self.hear_app_gone(app_no),
            },
            None => {}
        }
        Ok(())
    }

    fn hear_that_some_were_lost(&mut self) -> Checked {
        self.say(format_args!("announcements were lost"));
        self.lagged = false;
        self.announced.clear();
        self.oracle.heard_all(&self.model);
        self.load()
    }

    fn hear_hook(&mut self, hook_no: i64) -> Checked {
        match self.model.hook(hook_no).cloned() {
            Some(hook) => self.put_hook(hook),
            None => {
                self.oracle.heard_gone(hook_no);
                self.dispatch().remove_hook(hook_no);
                Ok(())
            }
        }
    }

    fn hear_app_gone(&mut self, app_no: i64) {
        self.oracle.heard_app_gone(&self.model, app_no);
        self.dispatch().remove_app(app_no);
    }

    /// Starts all the work there is, and settles what was learnt.
    fn work(&mut self) -> Checked {
        let now = self.clock();
        self.dispatch().tick(now);
        while let Some(work) = self.dispatch().next_work(now) {
            self.begin(work)?;
            if self.is_about_to_die() {
                return Ok(());
            }
        }
        self.set_timer();
        self.settle(false)
    }

    fn set_timer(&mut self) {
        let Some(at) = self.dispatch().next_timer().map(|at| self.moment(at)) else { return };
        let at = at.max(self.now);
        let process = self.process.as_mut().expect("only a running process sets timers");
        if process.timer.is_none_or(|set| at < set) {
            process.timer = Some(at);
            self.at(at, Event::Timer(self.incarnation));
        }
    }

    /// Whether a timer that is still wanted goes off now.
    pub(crate) fn is_timer_due(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.timer == Some(self.now))
    }

    fn begin(&mut self, work: Work) -> Checked {
        let number = self.incarnation;
        match work {
            Work::Send(send) => {
                self.sent += 1;
                let what = (send.hook_no, send.cursor_no, &send.members, send.n);
                self.trace.say(self.now, format_args!("send {what:?}"));
                let now = self.clock();
                self.oracle.sent(&self.model, &send, now)?;
                let wait = self.chance.ms(0, 5);
                self.after(wait, Event::Arrival(number, Box::new(send)));
            }
            read => {
                self.trace.say(self.now, format_args!("{read:?}"));
                let wait = self.chance.ms(0, 3);
                self.after(wait, Event::Read(number, read));
            }
        }
        Ok(())
    }

    /// A read looks at the store now and is told later.
    fn read(&mut self, work: &Work) -> Checked {
        let report = match *work {
            Work::Send(_) => return Ok(()),
            Work::ReadPage { hook_no, app_no, cursor_no, after, until, .. } => {
                let changes = self.model.changes(app_no, after, until, self.plan.page);
                let reached = changes.last().map_or(until, |change| change.seq);
                let reached = self.planted.reached(reached, until);
                Report::LanePage { hook_no, cursor_no, changes, reached }
            }
            Work::ReadParked { hook_no, keyed } => {
                let mut rows = self.model.next_parked(hook_no, PARKED_PAGE);
                if keyed {
                    rows.extend(self.model.blocked(hook_no));
                }
                Report::Parked { hook_no, rows }
            }
            Work::ReadApp { app_no, after, until } => {
                let changes = self.model.changes(app_no, after, until, self.plan.page);
                Report::AppPage { app_no, changes }
            }
        };
        let slow = self.chance.percent(self.trouble.read_slow);
        if slow {
            self.met.insert(Kind::SlowRead);
        }
        let wait = if slow { self.chance.ms(5, 3_000) } else { self.chance.ms(0, 2) };
        self.after(wait, Event::Report(self.incarnation, report));
        Ok(())
    }

    fn report(&mut self, report: Report) {
        let now = self.clock();
        match report {
            Report::Outcome(outcome) if self.planted.loses_an_outcome() => drop(outcome),
            Report::Outcome(outcome) => self.dispatch().outcome(*outcome, now),
            Report::LanePage { hook_no, cursor_no, changes, reached } => {
                self.dispatch().lane_page(hook_no, cursor_no, &changes, reached);
            }
            Report::AppPage { app_no, changes } => self.dispatch().app_page(app_no, changes),
            Report::Parked { hook_no, rows } => self.dispatch().parked_page(hook_no, rows),
            Report::Settled(ticket) => {
                if let Some(process) = &mut self.process {
                    process.settling = false;
                }
                if let Some(ticket) = ticket {
                    self.dispatch().settled(ticket);
                }
            }
        }
    }

    /// Hands over what was learnt, one settle at a time.
    fn settle(&mut self, all: bool) -> Checked {
        if self.process.as_ref().is_none_or(|process| process.settling) {
            return Ok(());
        }
        let Some((mut settle, ticket)) = self.dispatch().take_settle(all) else { return Ok(()) };
        self.planted.tamper(&mut settle);
        let ticket = if self.planted.frees_early() {
            self.dispatch().settled(ticket);
            None
        } else {
            Some(ticket)
        };
        if let Some(process) = &mut self.process {
            process.settling = true;
        }
        let slow = self.chance.percent(self.trouble.settle_slow);
        if slow {
            self.met.insert(Kind::SlowSettle);
        }
        let wait = if slow { self.chance.ms(10, 5_000) } else { self.chance.ms(0, 4) };
        self.after(wait, Event::Commit(self.incarnation, Arc::new(settle), ticket));
        Ok(())
    }

    pub(crate) fn commit(&mut self, settle: Arc<Settle>, ticket: Option<Ticket>) -> Checked {
        if self.chance.percent(self.trouble.settle_fails) {
            self.met.insert(Kind::FailedSettle);
            self.say(format_args!("the settle fails"));
            self.after(STORE_RETRY, Event::Commit(self.incarnation, settle, ticket));
            return Ok(());
        }
        self.write(&settle)?;
        self.announce();
        let wait = self.chance.ms(0, 3);
        self.after(wait, Event::Report(self.incarnation, Report::Settled(ticket)));
        Ok(())
    }

    /// Makes a settle durable.
    pub(crate) fn write(&mut self, settle: &Settle) -> Checked {
        let (attempts, parked, cursors) = (settle.attempts.len(), &settle.parked, &settle.cursors);
        let matched = &settle.matched;
        self.trace.say(
            self.now,
            format_args!("settle {attempts} attempts, {parked:?} {cursors:?} {matched:?}"),
        );
        self.model.settle(settle, self.clock());
        self.oracle.committed(&self.model, &self.receivers, settle)
    }

    /// A request reaches its receiver, or fails to.
    pub(crate) fn arrive(&mut self, number: u64, send: Box<Send>) {
        let behaviour = self.receivers.behind(&send.target.url);
        let timeout_ms = send.target.hook.service.timeout_ms.cast_signed();
        let (mut answer, wait) = behaviour.answer(self.now, timeout_ms, &mut self.chance);
        if contents(self, &send).iter().any(|change| change.new.body.is_empty()) {
            answer = Answer::Erased;
        }
        if answer == Answer::OwnFailure {
            self.met.insert(Kind::OwnFailure);
        }
        if matches!(answer, Answer::Status(200..=299, _)) {
            let seqs = super::oracle::member_seqs(&self.model, send.hook_no, &send.members);
            self.receivers.took(send.hook_no, &seqs);
        }
        self.after(wait, Event::Answered(number, send, answer));
    }

    fn outcome(&mut self, send: &Send, answer: Answer) -> Outcome {
        self.trace.say(
            self.now,
            format_args!("{answer:?} for {:?}", (send.hook_no, send.cursor_no, &send.members)),
        );
        let mut outcome = blank(send, self.clock());
        outcome.operational =
            contents(self, send).iter().any(|change| is_operational(&change.new.kind));
        outcome.tried = !matches!(answer, Answer::OwnFailure | Answer::Erased);
        outcome.hard = answer == Answer::Refused;
        if let Answer::Status(status, retry_after_ms) = answer {
            outcome.record.status = Some(status);
            outcome.record.delivered = (200..300).contains(&status) || self.planted.lies();
            outcome.gone = status == 410;
            outcome.retry_after_ms = retry_after_ms;
        }
        if !outcome.record.delivered {
            let class = if answer == Answer::Erased { ERASED } else { "simulated" };
            outcome.record.error = Some((class.into(), format!("{answer:?}")));
        }
        outcome
    }

    fn is_about_to_die(&self) -> bool {
        self.next_death().is_some_and(|at| at <= self.steps)
    }
}

/// The changes of a delivery as the attempt has them: from memory, or read for it.
fn contents(world: &World, send: &Send) -> Vec<Change> {
    match send.changes.is_empty() {
        false => send.changes.iter().map(|change| Change::clone(change)).collect(),
        true => super::oracle::member_seqs(&world.model, send.hook_no, &send.members)
            .into_iter()
            .filter_map(|seq| world.model.change(send.app_no, seq).cloned())
            .collect(),
    }
}
