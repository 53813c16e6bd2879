//! The plan of a simulation: what a seed decides before anything runs.
//!
//! Each seed switches every kind of trouble on or off, so that some runs have little of it and others
//! everything at once.

use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::format::{Format, Formats, Preset, RenderError};
use tidings_core::hook::{
    Coalesce, DisableRule, Grouping, KeySource, OnExhausted, Ordering, Providers, Rate, Selection,
    Service, Span, pattern_covers,
};
use tidings_core::id::{Bits96, ChangeId};
use tidings_core::limits;
use tidings_core::retry::Schedule;

use super::chance::Chance;
use super::receiver::Behaviour;

/// Kinds of trouble and of what owners do, each counted when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Crash,
    CrashAtStep,
    SettleLostInCrash,
    SettleKeptInCrash,
    RequestKeptInCrash,
    LostAnnouncements,
    SlowSettle,
    FailedSettle,
    SlowRead,
    TornRead,
    ClockJump,
    Receiver,
    OwnFailure,
    Pause,
    SkipBacklog,
    Reselect,
    Reserve,
    Rearrange,
    DeleteHook,
    CreateHook,
    HookFromThePast,
    Replay,
    CancelReplay,
    Resend,
    TestEvent,
    Erase,
    DeleteApp,
    Burst,
}

pub(crate) const KINDS: [Kind; 28] = [
    Kind::Crash,
    Kind::CrashAtStep,
    Kind::SettleLostInCrash,
    Kind::SettleKeptInCrash,
    Kind::RequestKeptInCrash,
    Kind::LostAnnouncements,
    Kind::SlowSettle,
    Kind::FailedSettle,
    Kind::SlowRead,
    Kind::TornRead,
    Kind::ClockJump,
    Kind::Receiver,
    Kind::OwnFailure,
    Kind::Pause,
    Kind::SkipBacklog,
    Kind::Reselect,
    Kind::Reserve,
    Kind::Rearrange,
    Kind::DeleteHook,
    Kind::CreateHook,
    Kind::HookFromThePast,
    Kind::Replay,
    Kind::CancelReplay,
    Kind::Resend,
    Kind::TestEvent,
    Kind::Erase,
    Kind::DeleteApp,
    Kind::Burst,
];

/// Something done from outside. Numbers are taken modulo what exists when it happens.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Publish { app: u64, count: u64 },
    CreateHook { app: u64, past: Option<u64> },
    Pause(u64),
    Enable { hook: u64, skip: bool },
    Reselect(u64),
    Reserve { hook: u64, anew: bool },
    DeleteHook(u64),
    Replay { hook: u64, from: u64, len: u64 },
    CancelReplay(u64),
    Resend(u64),
    TestEvent(u64),
    Erase { app: u64, back: u64 },
    DeleteApp(u64),
    Receiver(u64, Behaviour),
    Crash { down_ms: i64 },
    LoseAnnouncements,
    ClockJump(i64),
}

/// How often trouble of the store and the process happens, percent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) settle_slow: u64,
    pub(crate) settle_fails: u64,
    pub(crate) read_slow: u64,
    pub(crate) torn: u64,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) apps: u64,
    pub(crate) hooks: u64,
    pub(crate) receivers: usize,
    /// Changes that a read of the journal brings at most.
    pub(crate) page: usize,
    pub(crate) trouble: Trouble,
    /// What happens when, ms from the beginning.
    pub(crate) actions: Vec<(i64, Action)>,
    /// The process dies after so many of its steps.
    pub(crate) dies_at_steps: Vec<u64>,
    /// Trouble ends here, ms from the beginning.
    pub(crate) ends_at: i64,
}

impl Plan {
    pub(crate) fn new(seed: u64, chance: &mut Chance) -> Self {
        // Every eighth run is about long backlogs and used-up spans, and less about everything else.
        let long = seed % 8 == 7;
        let ends_at = chance.ms(20_000, 120_000);
        let on = |chance: &mut Chance, percent: u64| if chance.percent(60) { percent } else { 0 };
        let trouble = Trouble {
            settle_slow: on(chance, 20),
            settle_fails: on(chance, 10),
            read_slow: on(chance, 15),
            torn: on(chance, 30),
        };
        let mut plan = Self {
            apps: chance.between(1, 3),
            hooks: chance.between(1, if long { 3 } else { 6 }),
            receivers: chance.between(1, 4) as usize,
            page: if long { limits::JOURNAL_PAGE } else { chance.between(1, 40) as usize },
            trouble,
            actions: Vec::new(),
            dies_at_steps: Vec::new(),
            ends_at,
        };
        plan.publish(long, chance);
        plan.act(long, chance);
        plan.actions.sort_by_key(|(at, _)| *at);
        plan
    }

    fn publish(&mut self, long: bool, chance: &mut Chance) {
        for _ in 0..chance.between(5, 60) {
            let count = if chance.percent(80) { 1 } else { chance.between(2, 8) };
            let app = chance.below(9);
            self.at_some_time(chance, Action::Publish { app, count });
        }
        if long {
            for _ in 0..chance.between(1, 3) {
                let count = chance.between(100, limits::LANE_SPAN / 2 + 400);
                self.at_some_time(chance, Action::Publish { app: 0, count });
            }
        }
    }

    fn act(&mut self, long: bool, chance: &mut Chance) {
        let most = if long { 2 } else { 5 };
        for kind in 0..14 {
            if !chance.percent(45) {
                continue;
            }
            for _ in 0..chance.between(1, most) {
                let action = some_action(kind, chance);
                self.at_some_time(chance, action);
            }
        }
        for _ in 0..chance.between(0, 2 * most) {
            let action = Action::Receiver(chance.below(8), Behaviour::any(chance));
            self.at_some_time(chance, action);
        }
        if chance.percent(60) {
            for _ in 0..chance.between(1, most) {
                let down_ms = chance.ms(0, 3_000);
                self.at_some_time(chance, Action::Crash { down_ms });
            }
        }
        if chance.percent(50) {
            self.dies_at_steps = (0..chance.between(1, 5)).map(|_| chance.below(900)).collect();
            self.dies_at_steps.sort_unstable();
            self.dies_at_steps.dedup();
        }
    }

    fn at_some_time(&mut self, chance: &mut Chance, action: Action) {
        let at = chance.ms(0, self.ends_at.unsigned_abs() - 1);
        self.actions.push((at, action));
    }
}

fn some_action(kind: u64, chance: &mut Chance) -> Action {
    let any = chance.below(1_000);
    match kind {
        0 => Action::Pause(any),
        1 | 2 => Action::Enable { hook: any, skip: chance.percent(30) },
        3 => Action::Reselect(any),
        4 => Action::Reserve { hook: any, anew: chance.percent(20) },
        5 => Action::DeleteHook(any),
        6 => {
            let past = chance.percent(60).then(|| chance.below(100));
            Action::CreateHook { app: any, past }
        }
        7 => Action::Replay { hook: any, from: chance.below(100), len: chance.between(1, 60) },
        8 => Action::CancelReplay(any),
        9 => Action::Resend(any),
        10 => Action::TestEvent(any),
        11 if chance.percent(30) => Action::DeleteApp(any),
        11 => Action::Erase { app: any, back: chance.below(10) },
        12 => Action::LoseAnnouncements,
        _ => {
            Action::ClockJump(chance.pick(&[-3_600_000, -5_000, 5_000, 3_600_000, 6 * 86_400_000]))
        }
    }
}

const TYPES: [&str; 4] = ["a.one", "a.two", "b.one", "b.two"];

/// A change that someone publishes.
pub(crate) fn some_change(number: u64, chance: &mut Chance, now: Timestamp) -> NewChange {
    NewChange {
        id: ChangeId(Bits96::new((1 << 90) | u128::from(number))),
        kind: chance.pick(&TYPES).to_owned(),
        subject: Subject {
            account_no: Some(chance.ms(1, 3)),
            collection_no: Some(1),
            item: Some(format!("item{}", chance.below(3))),
            ..Subject::default()
        },
        order_key: chance.percent(80).then(|| format!("key{}", chance.below(3))),
        occurred_at: now,
        origin: Origin::Api,
        actor: None,
        traceparent: None,
        body: format!("{{\"n\":{number},\"k\":\"{}\"}}", chance.below(3)).into(),
    }
}

/// What a hook asks for.
pub(crate) fn some_selection(chance: &mut Chance) -> Selection {
    let triggers: &[&str] = match chance.below(6) {
        0 | 1 => &["*"],
        2 => &["a.*"],
        3 => &["a.one", "b.two"],
        4 => &["*", "delivery.exhausted", "hook.disabled"],
        _ => &["b.*", "delivery.exhausted"],
    };
    Selection {
        format: String::from("sim@1").try_into().unwrap(),
        triggers: triggers.iter().map(ToString::to_string).collect(),
        providers: Providers::All,
        user_no: None,
        account_no: chance.percent(20).then(|| chance.ms(1, 3)),
        collection_no: None,
        echoes: false,
        except: Vec::new(),
        left: Vec::new(),
        filter: None,
        named: Vec::new(),
        transform: None,
    }
}

/// How a hook is served. `like`: the same order and grouping as this one.
pub(crate) fn some_service(chance: &mut Chance, like: Option<&Service>) -> Service {
    let waits: &[u32] = match chance.below(4) {
        0 => &[0],
        1 => &[0, 1, 1],
        2 => &[0, 1, 5, 10],
        _ => &[0, 5, 30, 60, 60],
    };
    let (ordering, coalesce) = (some_ordering(chance), some_coalesce(chance));
    let merges = ordering == Ordering::Hook && coalesce.is_some() && chance.percent(70);
    let fresh = Service { ordering, coalesce, merges, ..Service::default() };
    let Service { ordering, coalesce, merges, .. } = like.cloned().unwrap_or(fresh);
    Service {
        retry: Schedule::try_from(waits.to_vec()).unwrap(),
        concurrency: chance.between(1, 8) as u32,
        timeout_ms: chance.between(1_000, 15_000),
        rate: some_rate(chance),
        ordering,
        on_exhausted: chance.pick(&[OnExhausted::Continue, OnExhausted::Stop]),
        coalesce,
        disable: DisableRule {
            failures: chance.percent(20).then(|| chance.between(1, 20)),
            ..DisableRule::default()
        },
        breaker: chance.percent(80),
        jitter: chance.percent(80),
        merges,
        ..Service::default()
    }
}

fn some_rate(chance: &mut Chance) -> Option<Rate> {
    match chance.below(8) {
        0 => Some(Rate { count: chance.between(1, 20) as u32, per: Span::Second }),
        1 => Some(Rate { count: chance.between(20, 120) as u32, per: Span::Minute }),
        _ => None,
    }
}

fn some_ordering(chance: &mut Chance) -> Ordering {
    match chance.below(8) {
        0 | 1 => Ordering::Hook,
        2 => Ordering::Key(KeySource::Account),
        3 => Ordering::Key(KeySource::Item),
        4 => Ordering::Key(KeySource::OrderKey),
        5 => Ordering::Key(KeySource::Pointer("/k".into())),
        _ => Ordering::None,
    }
}

fn some_coalesce(chance: &mut Chance) -> Option<Coalesce> {
    let some = |chance: &mut Chance, most| if chance.percent(50) { chance.below(most) } else { 0 };
    chance.percent(30).then(|| Coalesce {
        group: chance.pick(&Grouping::EVERY),
        delay_ms: some(chance, 3_000),
        window_ms: some(chance, 5_000),
        max_wait_ms: some(chance, 10_000),
        min_interval_ms: some(chance, 1_000),
        batch_max: chance.between(1, 20) as u32,
        ..Coalesce::default()
    })
}

/// The one format of the simulation: its triggers are patterns of types.
pub(crate) fn formats() -> Formats {
    Formats::new(vec![Format {
        name: "sim",
        version: 1,
        title: "Plain",
        triggers: Vec::new,
        knows: |_| true,
        asks: pattern_covers,
        documents: |_, _| true,
        batches: &Grouping::EVERY,
        preset: Preset::PLAIN,
        render: |_| Err(RenderError("the simulation renders nothing".into())),
    }])
}
