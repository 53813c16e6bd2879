//! What happens from outside: publishers publish, owners change their minds, machines fail.

use tidings_core::change::{NewChange, Subject, types};
use tidings_core::hook::HookStatus;
use tidings_store::Hook;

use super::plan::{Action, Kind, some_change, some_selection, some_service};
use super::receiver::{Behaviour, url};
use super::world::World;

impl World {
    pub(crate) fn act(&mut self, action: &Action) {
        let now = self.clock();
        match *action {
            Action::Publish { app, count } => self.publish(app, count),
            Action::CreateHook { app, past } => self.create_hook(app, past),
            Action::Pause(hook) => self.on_hook(hook, Kind::Pause, |world, hook| {
                world.model.switch(hook.hook_no, HookStatus::Paused, false, now);
            }),
            Action::Enable { hook, skip } => self.on_hook(hook, Kind::Pause, |world, hook| {
                if skip {
                    world.met.insert(Kind::SkipBacklog);
                }
                world.model.switch(hook.hook_no, HookStatus::Active, skip, now);
            }),
            Action::Reselect(hook) => self.on_hook(hook, Kind::Reselect, |world, hook| {
                let selection = some_selection(&mut world.chance);
                world.model.reselect(hook.hook_no, selection);
            }),
            Action::Reserve { hook, anew: false } => {
                self.on_hook(hook, Kind::Reserve, |world, hook| {
                    let service = some_service(&mut world.chance, Some(&hook.service));
                    world.model.reserve(hook.hook_no, service);
                });
            }
            Action::Reserve { hook, anew: true } => {
                self.on_hook(hook, Kind::Rearrange, |world, hook| {
                    let service = some_service(&mut world.chance, None);
                    world.oracle.rearranged(hook.hook_no);
                    world.model.reserve(hook.hook_no, service);
                });
            }
            Action::DeleteHook(hook) => self.on_hook(hook, Kind::DeleteHook, |world, hook| {
                world.model.delete_hook(hook.hook_no);
            }),
            Action::TestEvent(hook) => self.on_hook(hook, Kind::TestEvent, |world, hook| {
                let test = world.test_event(hook);
                world.model.append(hook.app_no, vec![test], now);
            }),
            Action::Replay { .. } | Action::CancelReplay(_) | Action::Resend(_) => {
                self.again(action);
            }
            Action::Erase { app, back } => self.erase(app, back),
            Action::DeleteApp(app) => {
                // The last app stays, so that the run goes on.
                if app % 3 == 2 && self.plan.apps == 3 {
                    self.met.insert(Kind::DeleteApp);
                    self.model.delete_app(3);
                }
            }
            Action::Receiver(number, behaviour) => self.behave(number, behaviour),
            Action::LoseAnnouncements => {
                self.met.insert(Kind::LostAnnouncements);
                self.lose_announcements();
            }
            Action::ClockJump(by) => {
                self.met.insert(Kind::ClockJump);
                self.skew += by;
                self.oracle.clock_was_set();
            }
            Action::Crash { .. } => {}
        }
    }

    fn publish(&mut self, app: u64, count: u64) {
        let app_no = 1 + (app % self.plan.apps).cast_signed();
        if count > 100 {
            self.met.insert(Kind::Burst);
        }
        let now = self.clock();
        let mut changes = Vec::new();
        for _ in 0..count {
            self.published += 1;
            changes.push(some_change(self.published, &mut self.chance, now));
        }
        self.model.append(app_no, changes, now);
    }

    /// `past`: begin this percentage of the journal back.
    pub(crate) fn create_hook(&mut self, app: u64, past: Option<u64>) {
        let app_no = 1 + (app % self.plan.apps).cast_signed();
        if self.model.apps[&app_no].deleted || self.model.live_hooks().count() >= 10 {
            return;
        }
        self.met.insert(if past.is_some() { Kind::HookFromThePast } else { Kind::CreateHook });
        let seq = self.model.apps[&app_no].journal.len() as u64;
        let after = past.map(|percent| seq * (100 - percent) / 100);
        let number = self.chance.below(self.receivers.count());
        let selection = some_selection(&mut self.chance);
        let service = some_service(&mut self.chance, None);
        let now = self.clock();
        let hook_no = self.model.create_hook(app_no, &url(number), selection, service, after, now);
        let stands = self.model.hook(hook_no).map_or(0, |hook| self.model.settled_seq(hook));
        self.oracle.begins(hook_no, 0, stands);
        self.trace.say(self.now, format_args!("{:?}", self.model.hooks[&hook_no].hook));
    }

    fn on_hook(&mut self, number: u64, kind: Kind, then: impl FnOnce(&mut Self, &Hook)) {
        let deleted = |hook: &&Hook| self.model.apps[&hook.app_no].deleted;
        let hooks: Vec<&Hook> = self.model.live_hooks().filter(|hook| !deleted(hook)).collect();
        if hooks.is_empty() {
            return;
        }
        let hook = hooks[number as usize % hooks.len()].clone();
        self.met.insert(kind);
        self.trace.say(self.now, format_args!("{kind:?} hook {}", hook.hook_no));
        then(self, &hook);
    }

    fn test_event(&mut self, hook: &Hook) -> NewChange {
        self.published += 1;
        let now = self.clock();
        let subject = Subject { hook_no: Some(hook.hook_no), ..Subject::default() };
        NewChange {
            kind: types::HOOK_TEST.into(),
            subject,
            order_key: None,
            ..some_change(self.published, &mut self.chance, now)
        }
    }

    /// Replays, their end, and resends.
    fn again(&mut self, action: &Action) {
        let now = self.clock();
        match *action {
            Action::Replay { hook, from, len } => {
                self.on_hook(hook, Kind::Replay, |world, hook| {
                    let seq = world.model.apps[&hook.app_no].journal.len() as u64;
                    let after = seq * from / 100;
                    let until = (after + len).min(seq);
                    let rate = world.chance.percent(30).then(|| world.chance.between(1, 20) as u32);
                    let cursor_no = world.model.replay(hook.hook_no, after, until, rate, now);
                    world.oracle.begins(hook.hook_no, cursor_no, after);
                });
            }
            Action::CancelReplay(hook) => {
                self.on_hook(hook, Kind::CancelReplay, |world, hook| {
                    if let Some(row) = world.model.cursors(hook.hook_no).last()
                        && row.cursor_no > 0
                    {
                        world.model.cancel_replay(hook.hook_no, row.cursor_no, now);
                    }
                });
            }
            Action::Resend(hook) => self.on_hook(hook, Kind::Resend, |world, hook| {
                let sent = world.oracle.attempted(hook.hook_no);
                if !sent.is_empty() {
                    let members = world.chance.pick(&sent);
                    let key = world.model.key_now(hook.hook_no, &members);
                    if let Some(cursor_no) = world.model.resend(hook.hook_no, &members, key, now) {
                        world.oracle.resent(hook.hook_no, cursor_no, &members);
                    }
                }
            }),
            _ => {}
        }
    }

    fn erase(&mut self, app: u64, back: u64) {
        let app_no = 1 + (app % self.plan.apps).cast_signed();
        let seq = self.model.apps[&app_no].journal.len() as u64;
        if seq > back {
            self.met.insert(Kind::Erase);
            self.model.erase(app_no, seq - back);
        }
    }

    fn behave(&mut self, number: u64, behaviour: Behaviour) {
        self.met.insert(Kind::Receiver);
        let number = number % self.receivers.count();
        self.receivers.set(number, behaviour);
    }
}
