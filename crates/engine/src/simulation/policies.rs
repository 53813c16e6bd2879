//! What dialects ask of a hook, to the millisecond: one hook, one receiver, no trouble, a virtual clock.

use std::sync::Arc;

use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::egress::EgressPolicy;
use tidings_core::hook::{
    Coalesce, DisableRule, HookStatus, Ordering, Providers, Selection, Service,
};
use tidings_core::id::Ids;
use tidings_core::retry::Schedule;
use tidings_store::Hook;

use super::model::{Model, News};
use super::oracle::member_seqs;
use super::plan::formats;
use crate::deliver::{Outcome, blank};
use crate::dispatch::{Dispatch, Send, Work};
use crate::parked::PARKED_PAGE;
use crate::render::Target;
use crate::testing::change;

const EPOCH: i64 = 1_790_000_000_000;
const SECOND: i64 = 1_000;

/// What the receiver does.
#[derive(Clone, Copy)]
enum Receiver {
    Answers(u16),
    Unreachable,
}

/// A request: when it began, ms, and which changes it stands for.
type Call = (i64, Vec<u64>);

struct Stage {
    dispatch: Dispatch,
    model: Model,
    now: i64,
    receiver: Receiver,
    /// How long it takes to answer, ms.
    takes_ms: i64,
    /// Answers on their way, with when they arrive.
    answers: Vec<(i64, Outcome)>,
    calls: Vec<Call>,
}

impl Stage {
    fn new(service: Service) -> Self {
        let mut stage = Self {
            dispatch: Dispatch::new(formats(), Ids::seeded(1)),
            model: Model::default(),
            now: EPOCH,
            receiver: Receiver::Answers(200),
            takes_ms: 0,
            answers: Vec::new(),
            calls: Vec::new(),
        };
        stage.model.create_app();
        stage.model.create_hook(
            1,
            "http://r.example/",
            selection(),
            service,
            None,
            Timestamp(EPOCH),
        );
        stage.run_until(0);
        stage
    }

    fn clock(&self) -> Timestamp {
        Timestamp(self.now)
    }

    fn hook(&self) -> &Hook {
        self.model.hook(1).unwrap()
    }

    /// Publishes a change at each of these times, and runs up to there.
    fn publish_at(&mut self, times: &[i64]) {
        for &at in times {
            self.run_until(at);
            let new = Change::clone(&change(1)).new;
            self.model.append(1, vec![new], self.clock());
            self.run_until(at);
        }
    }

    /// Lets everything happen that happens until then, ms since the beginning.
    fn run_until(&mut self, until: i64) {
        loop {
            self.happen();
            let timer = self.dispatch.next_timer().map(|at| at.0.max(self.now));
            let answer = self.answers.iter().map(|(at, _)| *at).min();
            let next = [timer, answer].into_iter().flatten().min();
            match next.filter(|at| *at <= EPOCH + until) {
                Some(at) => self.now = at,
                None => break,
            }
        }
        self.now = self.now.max(EPOCH + until);
    }

    /// What happens at this moment.
    fn happen(&mut self) {
        loop {
            for news in std::mem::take(&mut self.model.news) {
                self.hear(news);
            }
            let now = self.now;
            for (_, outcome) in self.answers.extract_if(.., |(at, _)| *at <= now) {
                self.dispatch.outcome(outcome, Timestamp(now));
            }
            self.dispatch.tick(self.clock());
            while let Some(work) = self.dispatch.next_work(self.clock()) {
                self.work(work);
            }
            let Some((settle, ticket)) = self.dispatch.take_settle(false) else { break };
            self.model.settle(&settle, self.clock());
            self.dispatch.settled(ticket);
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Appended(app_no, changes) => self.dispatch.appended(app_no, &changes),
            News::App(app_no) => self.dispatch.hear_app(self.model.dispatch_app(app_no).unwrap()),
            News::Hook(hook_no) => {
                let hook = self.model.hook(hook_no).unwrap().clone();
                let url = hook.url.clone().unwrap();
                let target = Target {
                    hook: hook.clone(),
                    vetted: EgressPolicy::dev().vet_url(&url),
                    url,
                    secrets: Vec::new(),
                    keys: Vec::new(),
                    entry: None,
                    script: None,
                };
                let cursors = self.model.cursors(hook_no);
                self.dispatch.put_hook(hook, Arc::new(target), &cursors, true);
            }
        }
    }

    fn work(&mut self, work: Work) {
        match work {
            Work::Send(send) => {
                let outcome = self.answer(&send);
                match self.takes_ms {
                    0 => self.dispatch.outcome(outcome, self.clock()),
                    takes_ms => self.answers.push((self.now + takes_ms, outcome)),
                }
            }
            Work::ReadPage { hook_no, app_no, cursor_no, after, until, .. } => {
                let changes = self.model.changes(app_no, after, until, 100);
                let reached = changes.last().map_or(until, |change| change.seq);
                self.dispatch.lane_page(hook_no, cursor_no, &changes, reached);
            }
            Work::ReadParked { hook_no, .. } => {
                let mut rows = self.model.next_parked(hook_no, PARKED_PAGE);
                rows.extend(self.model.blocked(hook_no));
                self.dispatch.parked_page(hook_no, rows);
            }
            Work::ReadApp { app_no, after, until } => {
                let changes = self.model.changes(app_no, after, until, 100);
                self.dispatch.app_page(app_no, changes);
            }
        }
    }

    fn answer(&mut self, send: &Send) -> Outcome {
        let seqs = member_seqs(&self.model, send.hook_no, &send.members);
        assert_eq!(seqs.len(), send.members.count as usize, "{:?}", send.members);
        self.calls.push((self.now - EPOCH, seqs));
        let mut outcome = blank(send, self.clock());
        outcome.tried = true;
        match self.receiver {
            Receiver::Answers(status) => {
                outcome.record.status = Some(status);
                outcome.record.delivered = (200..300).contains(&status);
            }
            Receiver::Unreachable => outcome.hard = true,
        }
        outcome
    }

    fn times(&self) -> Vec<i64> {
        self.calls.iter().map(|(at, _)| *at / SECOND).collect()
    }
}

fn selection() -> Selection {
    Selection {
        format: String::from("sim@1").try_into().unwrap(),
        triggers: vec!["*".into()],
        providers: Providers::All,
        user_no: None,
        account_no: None,
        collection_no: None,
        echoes: false,
        except: Vec::new(),
        left: Vec::new(),
        filter: None,
        named: Vec::new(),
        transform: None,
    }
}

/// As Pryv serves its hooks: throttled, five retries ever further apart, then off.
fn throttled() -> Service {
    Service {
        retry: Schedule::try_from(vec![0, 5, 10, 15, 20, 25]).unwrap(),
        ordering: Ordering::Hook,
        coalesce: Some(Coalesce { min_interval_ms: 5_000, ..Coalesce::PLAIN }),
        disable: DisableRule { failing_ms: None, failures: Some(6) },
        breaker: false,
        jitter: false,
        merges: true,
        ..Service::default()
    }
}

#[test]
fn changes_within_the_interval_are_one_later_call_with_all_of_them() {
    let mut stage = Stage::new(throttled());
    stage.publish_at(&[0, 100, 200, 4_900, 20_000]);
    stage.run_until(60 * SECOND);
    assert_eq!(stage.calls, [(0, vec![1]), (5_000, vec![2, 3, 4]), (20_000, vec![5])]);
}

#[test]
fn a_change_during_a_call_is_sent_after_it_and_alone() {
    let soon = Coalesce { min_interval_ms: 50, ..Coalesce::PLAIN };
    let mut stage = Stage::new(Service { coalesce: Some(soon), ..throttled() });
    stage.takes_ms = 500;
    stage.publish_at(&[0, 100]);
    stage.run_until(10 * SECOND);
    assert_eq!(stage.calls, [(0, vec![1]), (500, vec![2])]);
}

#[test]
fn a_change_during_a_call_that_fails_goes_with_its_retry() {
    let mut stage = Stage::new(throttled());
    (stage.receiver, stage.takes_ms) = (Receiver::Answers(503), 500);
    stage.publish_at(&[0, 100]);
    stage.run_until(SECOND);
    assert_eq!(stage.hook().consecutive_failures, 1);
    stage.receiver = Receiver::Answers(201);
    stage.run_until(60 * SECOND);
    assert_eq!(stage.calls, [(0, vec![1]), (5_500, vec![1, 2])], "5 s after the answer");
    let hook = stage.hook();
    assert_eq!((hook.runs, hook.failures, hook.consecutive_failures), (2, 1, 0));
    assert!(stage.model.parked.is_empty());
}

#[test]
fn what_failed_once_is_sent_again_and_nothing_is_left() {
    let mut stage = Stage::new(throttled());
    stage.receiver = Receiver::Answers(503);
    stage.publish_at(&[0]);
    assert_eq!((stage.hook().consecutive_failures, stage.hook().failures), (1, 1));
    stage.receiver = Receiver::Answers(201);
    stage.run_until(3_600 * SECOND);
    assert_eq!(stage.calls, [(0, vec![1]), (5_000, vec![1])]);
    assert_eq!((stage.hook().consecutive_failures, stage.hook().runs), (0, 2));
    assert!(stage.model.parked.is_empty() && stage.dispatch.next_timer().is_none());
}

#[test]
fn a_failing_receiver_is_called_ever_more_rarely_and_then_no_more() {
    for receiver in [Receiver::Answers(503), Receiver::Answers(302), Receiver::Unreachable] {
        let mut stage = Stage::new(throttled());
        stage.receiver = receiver;
        stage.publish_at(&[0]);
        stage.run_until(3_600 * SECOND);
        assert_eq!(stage.times(), [0, 5, 15, 30, 50, 75]);
        let hook = stage.hook();
        assert_eq!(hook.status, HookStatus::Disabled);
        assert_eq!((hook.runs, hook.failures, hook.consecutive_failures), (6, 6, 6));
        stage.publish_at(&[3_601 * SECOND]);
        stage.run_until(7_200 * SECOND);
        assert_eq!(stage.calls.len(), 6, "what is disabled is not called");
    }
}

#[test]
fn enabling_forgets_what_was_missed_and_the_failures() {
    let mut stage = Stage::new(throttled());
    stage.receiver = Receiver::Answers(400);
    stage.publish_at(&[0, 100 * SECOND]);
    stage.receiver = Receiver::Answers(201);
    stage.model.switch(1, HookStatus::Active, true, stage.clock());
    stage.run_until(200 * SECOND);
    assert_eq!(stage.calls.len(), 6, "nothing of before is sent");
    assert_eq!((stage.hook().status, stage.hook().consecutive_failures), (HookStatus::Active, 0));
    stage.publish_at(&[201 * SECOND]);
    assert_eq!((stage.times()[6], stage.calls[6].1.len()), (201, 1));
    stage.receiver = Receiver::Answers(400);
    stage.publish_at(&[300 * SECOND]);
    stage.run_until(600 * SECOND);
    assert_eq!(stage.times()[7..], [300, 305, 315, 330, 350, 375], "the count began anew");
}

#[test]
fn a_retry_takes_later_changes_in() {
    let mut stage = Stage::new(throttled());
    stage.receiver = Receiver::Answers(503);
    stage.publish_at(&[0, 1_000, 7_000]);
    stage.run_until(16 * SECOND);
    // 2 came too soon after the first attempt to go at once, 3 too soon after the second.
    assert_eq!(stage.calls, [(0, vec![1]), (5_000, vec![1, 2]), (15_000, vec![1, 2, 3])],);
    stage.receiver = Receiver::Answers(200);
    stage.publish_at(&[50 * SECOND]);
    assert_eq!(stage.calls[3..], [(30_000, vec![1, 2, 3]), (50_000, vec![4])]);
}

#[test]
fn a_change_that_need_not_wait_for_the_interval_goes_at_once_with_what_failed() {
    let mut stage = Stage::new(throttled());
    stage.receiver = Receiver::Answers(503);
    stage.publish_at(&[0, 11_000, 12_000]);
    stage.run_until(3_600 * SECOND);
    // The one at 11 s is another try: the next wait is that after the third.
    assert_eq!(stage.times(), [0, 5, 11, 26, 46, 71]);
    assert_eq!(stage.calls[2].1, [1, 2]);
    assert_eq!(stage.calls[3].1, [1, 2, 3]);
    assert_eq!(stage.hook().status, HookStatus::Disabled);
}

#[test]
fn a_batch_that_is_full_takes_no_more_in() {
    let full = Coalesce { batch_max: 2, min_interval_ms: 5_000, ..Coalesce::PLAIN };
    let mut stage = Stage::new(Service { coalesce: Some(full), ..throttled() });
    stage.receiver = Receiver::Answers(503);
    stage.publish_at(&[0, 1_000, 2_000]);
    stage.run_until(6 * SECOND);
    stage.receiver = Receiver::Answers(200);
    stage.run_until(60 * SECOND);
    let expected: [Call; 4] =
        [(0, vec![1]), (5_000, vec![1]), (15_000, vec![1]), (20_000, vec![2, 3])];
    assert_eq!(stage.calls, expected);
}

#[test]
fn a_hook_is_disabled_when_more_than_a_thousand_calls_in_a_row_failed() {
    let disable = DisableRule { failing_ms: None, failures: Some(1_001) };
    let mut stage = Stage::new(Service { disable, ..Service::default() });
    stage.receiver = Receiver::Unreachable;
    stage.publish_at(&[0, 0, 0, 0, 0]);
    stage.run_until(30 * 24 * 3_600 * SECOND);
    assert_eq!((stage.calls.len(), stage.hook().status), (1_001, HookStatus::Disabled));
}

#[test]
fn a_success_in_between_begins_the_count_of_failures_anew() {
    let disable = DisableRule { failing_ms: None, failures: Some(3) };
    let retry = Schedule::try_from(vec![0, 1, 1, 1]).unwrap();
    let mut stage = Stage::new(Service { disable, retry, ..throttled() });
    for at in [0, 20, 40] {
        // Two failures, and then a success.
        stage.receiver = Receiver::Answers(500);
        stage.publish_at(&[at * SECOND]);
        stage.run_until((at + 6) * SECOND);
        stage.receiver = Receiver::Answers(200);
        stage.run_until((at + 19) * SECOND);
    }
    assert_eq!((stage.hook().failures, stage.hook().status), (6, HookStatus::Active));
    stage.receiver = Receiver::Answers(500);
    stage.publish_at(&[60 * SECOND]);
    stage.run_until(80 * SECOND);
    assert_eq!(stage.hook().status, HookStatus::Disabled);
}

#[test]
fn a_delay_puts_every_change_off_alone() {
    let delayed = Coalesce { batch_max: 1, delay_ms: 3_000, ..Coalesce::PLAIN };
    let mut stage = Stage::new(Service { coalesce: Some(delayed), ..Service::default() });
    stage.publish_at(&[0, 1_000]);
    stage.run_until(10 * SECOND);
    assert_eq!(stage.calls, [(3_000, vec![1]), (4_000, vec![2])]);
}

#[test]
fn without_a_breaker_a_dead_receiver_is_tried_by_schedule() {
    let retry = Schedule::try_from(vec![0, 1, 1]).unwrap();
    for (breaker, expected) in [(true, 1), (false, 3 * 8)] {
        let service = Service { retry: retry.clone(), breaker, ..Service::default() };
        let mut stage = Stage::new(service);
        stage.receiver = Receiver::Unreachable;
        stage.publish_at(&[0; 8]);
        stage.run_until(if breaker { SECOND - 1 } else { 10 * SECOND });
        assert_eq!(stage.calls.len(), expected);
    }
}
