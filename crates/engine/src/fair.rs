//! Turns: apps take turns, and within an app its hooks do. An app with 10,000 busy hooks gets the same
//! share as an app with one, and each decision costs the same.

use std::collections::{HashMap, HashSet, VecDeque};

use tidings_core::limits;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Apps whose turn comes, each once.
    rotation: VecDeque<i64>,
    apps: HashMap<i64, AppTurns>,
    /// Hooks that wait for a turn.
    queued: HashSet<i64>,
}

#[derive(Debug, Default)]
struct AppTurns {
    hooks: VecDeque<i64>,
    in_rotation: bool,
    in_flight: usize,
}

impl AppTurns {
    fn wants_a_turn(&self) -> bool {
        !self.in_rotation && !self.hooks.is_empty() && self.in_flight < limits::APP_IN_FLIGHT_MAX
    }
}

impl Turns {
    /// A hook may have something to do: it gets a turn.
    pub(crate) fn queue(&mut self, app_no: i64, hook_no: i64) {
        if self.queued.insert(hook_no) {
            self.apps.entry(app_no).or_default().hooks.push_back(hook_no);
            self.rejoin(app_no);
        }
    }

    /// The app and hook whose turn it is; an app that has all it may have in flight is passed over.
    pub(crate) fn next(&mut self) -> Option<(i64, i64)> {
        while let Some(app_no) = self.rotation.pop_front() {
            let Some(app) = self.apps.get_mut(&app_no) else { continue };
            app.in_rotation = false;
            if app.in_flight >= limits::APP_IN_FLIGHT_MAX {
                continue;
            }
            let hook_no = app.hooks.pop_front();
            self.rejoin(app_no);
            if let Some(hook_no) = hook_no {
                self.queued.remove(&hook_no);
                return Some((app_no, hook_no));
            }
        }
        None
    }

    /// A delivery of the app begins.
    pub(crate) fn began(&mut self, app_no: i64) {
        self.apps.entry(app_no).or_default().in_flight += 1;
    }

    /// A delivery of the app is settled durably.
    pub(crate) fn ended(&mut self, app_no: i64) {
        let Some(app) = self.apps.get_mut(&app_no) else { return };
        app.in_flight = app.in_flight.saturating_sub(1);
        if app.in_flight == 0 && app.hooks.is_empty() && !app.in_rotation {
            self.apps.remove(&app_no);
        } else {
            self.rejoin(app_no);
        }
    }

    fn rejoin(&mut self, app_no: i64) {
        if let Some(app) = self.apps.get_mut(&app_no).filter(|app| app.wants_a_turn()) {
            app.in_rotation = true;
            self.rotation.push_back(app_no);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_share_equally_and_so_do_the_hooks_of_an_app() {
        let mut turns = Turns::default();
        for hook_no in 100..200 {
            turns.queue(1, hook_no);
        }
        turns.queue(2, 7);
        turns.queue(3, 8);
        let mut taken = Vec::new();
        for _ in 0..9 {
            let (app_no, hook_no) = turns.next().unwrap();
            taken.push((app_no, hook_no));
            turns.queue(app_no, hook_no);
        }
        let expected =
            [(1, 100), (2, 7), (3, 8), (1, 101), (2, 7), (3, 8), (1, 102), (2, 7), (3, 8)];
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_hook_has_one_turn_however_often_it_is_queued() {
        let mut turns = Turns::default();
        turns.queue(1, 5);
        turns.queue(1, 5);
        assert_eq!((turns.next(), turns.next()), (Some((1, 5)), None));
    }

    #[test]
    fn an_app_with_all_it_may_have_in_flight_waits_and_keeps_nobody_waiting() {
        let mut turns = Turns::default();
        for _ in 0..limits::APP_IN_FLIGHT_MAX {
            turns.began(1);
        }
        turns.queue(1, 5);
        turns.queue(2, 6);
        assert_eq!((turns.next(), turns.next()), (Some((2, 6)), None));
        turns.ended(1);
        assert_eq!(turns.next(), Some((1, 5)));
    }
}
