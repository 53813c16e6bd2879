//! How hooks and apps have fared: points for charts, what is owed, and what is in trouble.

use tidings_core::clock::Timestamp;
use tidings_core::delivery::delivery_id;
use tidings_core::hook::HookStatus;
use tidings_core::id::{AccountId, DeliveryId, HookId};
use tidings_core::tally::{Tally, minute_of};
use tidings_store as store;

pub use store::HookBacklog;

use crate::{Caller, Result, Scope, Service};

/// How far back counts are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// 60 points of a minute.
    #[default]
    Hour,
    /// 96 points of a quarter of an hour.
    Day,
    /// 168 points of an hour.
    Week,
}

impl Span {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// The name used in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// The reverse of [`Span::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.as_str() == text)
    }

    /// Minutes of a point.
    pub fn step_minutes(self) -> u32 {
        match self {
            Self::Hour => 1,
            Self::Day => 15,
            Self::Week => 60,
        }
    }

    fn points(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::Day => 96,
            Self::Week => 168,
        }
    }
}

/// The attempts of a part of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When it begins.
    pub at: Timestamp,
    /// Attempts answered with a 2xx.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Half of the delivered ones were answered within so many ms; absent when there was none.
    pub p50_ms: Option<u64>,
    /// 95 of 100 delivered ones were answered within so many ms.
    pub p95_ms: Option<u64>,
}

/// The attempts of a span. What is younger than ten seconds may be missing, and a crash loses that much: the
/// ledger knows better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// How far back.
    pub span: Span,
    /// One for each part of the span, those without an attempt included; ascending.
    pub points: Vec<Point>,
    /// All of them together; `at` is when the span begins.
    pub total: Point,
}

/// How an app stands.
#[derive(Clone, Debug)]
pub struct AppOverview {
    /// The attempts of all its hooks.
    pub stats: Stats,
    /// Its hooks: active, paused, disabled.
    pub hooks: [u64; 3],
    /// Changes that are not matched with the hooks yet.
    pub unmatched: u64,
    /// Changes that active hooks have yet to go through, added up; not each is one that they select.
    pub backlog: u64,
    /// Deliveries that wait for their retry.
    pub parked: u64,
    /// Deliveries that were given up and can be resent.
    pub exhausted: u64,
    /// When the oldest change that an active hook has not settled was recorded.
    pub oldest_owed_at: Option<Timestamp>,
    /// The hooks that have most before them, at most ten.
    pub backlogs: Vec<HookBacklog>,
    /// Its connected accounts that are watched.
    pub accounts_active: u64,
    /// Its connected accounts whose owner must act first.
    pub accounts_inactive: u64,
    /// Its accounts of records, which are not synced.
    pub accounts_record: u64,
    /// Milliseconds since the last good sync of the account where that is longest ago.
    pub sync_lag_ms: Option<i64>,
    /// The accounts whose last good sync is longest ago, at most ten.
    pub syncs: Vec<AccountSync>,
    /// What is in trouble, the newest first.
    pub trouble: Vec<Trouble>,
}

/// When an account was last synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSync {
    /// The account.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// `google`, `caldav`, …
    pub provider: String,
    /// Milliseconds since its last good sync, or since it was connected.
    pub lag_ms: i64,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it is about.
    pub about: About,
    /// What is wrong, in plain words.
    pub why: String,
    /// Since when, as far as known.
    pub at: Option<Timestamp>,
}

/// What trouble is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A hook that is disabled or fails.
    Hook {
        /// The hook.
        id: HookId,
        /// Where it delivers.
        url: Option<String>,
    },
    /// A delivery that was given up.
    Delivery {
        /// The delivery.
        id: DeliveryId,
        /// Its hook.
        hook: HookId,
    },
    /// An account.
    Account {
        /// The account.
        id: AccountId,
        /// What people call it.
        name: String,
        /// `google`, `caldav`, …
        provider: String,
    },
}

impl Service {
    /// How the caller's app stands.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn app_overview(&self, caller: &Caller, span: Span) -> Result<AppOverview> {
        caller.may_for_all(Scope::Read)?;
        let app_no = caller.app()?.app_no;
        let now = self.now();
        let stats = self.stats(app_no, None, span, now).await?;
        let owed = self.store.owed(app_no).await?;
        let syncing = self.store.syncing(app_no).await?;
        let hooks = self.store.hooks_in_trouble(app_no).await?;
        let mut trouble: Vec<_> = hooks.into_iter().flat_map(hook_trouble).collect();
        trouble.extend(syncing.trouble.into_iter().map(account_trouble));
        trouble.sort_by_key(|trouble| std::cmp::Reverse(trouble.at));
        let syncs: Vec<_> = syncing.slowest.into_iter().map(|row| sync(row, now)).collect();
        Ok(AppOverview {
            stats,
            hooks: owed.hooks,
            unmatched: owed.unmatched,
            backlog: owed.behind,
            parked: owed.parked,
            exhausted: owed.exhausted,
            oldest_owed_at: owed.oldest_owed_at,
            backlogs: owed.most,
            accounts_active: syncing.active,
            accounts_inactive: syncing.inactive,
            accounts_record: syncing.record,
            sync_lag_ms: syncs.iter().map(|sync| sync.lag_ms).max(),
            syncs,
            trouble,
        })
    }

    /// The attempts of a hook.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn hook_stats(&self, caller: &Caller, id: HookId, span: Span) -> Result<Stats> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let hook = self.find_hook(caller, id).await?;
        self.stats(hook.app_no, Some(hook.hook_no), span, self.now()).await
    }

    async fn stats(
        &self,
        app_no: i64,
        hook_no: Option<i64>,
        span: Span,
        now: Timestamp,
    ) -> Result<Stats> {
        let step = i64::from(span.step_minutes());
        let first = minute_of(now) / step - span.points() + 1;
        let found = self.store.tallies(app_no, hook_no, first * step, step).await?;
        let mut found = found.into_iter().peekable();
        let (mut points, mut sum) = (Vec::new(), Tally::default());
        for slot in first..first + span.points() {
            let tally = found.next_if(|(of, _)| *of == slot).unwrap_or_default().1;
            points.push(point(slot * step, &tally));
            sum.add(&tally);
        }
        Ok(Stats { span, points, total: point(first * step, &sum) })
    }
}

fn point(minute: i64, tally: &Tally) -> Point {
    Point {
        at: Timestamp(minute * 60_000),
        delivered: tally.delivered,
        failed: tally.failed,
        p50_ms: tally.percentile_ms(50),
        p95_ms: tally.percentile_ms(95),
    }
}

fn sync(row: store::AccountTrouble, now: Timestamp) -> AccountSync {
    let lag_ms = (now.0 - row.last_sync_at.unwrap_or(row.created_at).0).max(0);
    AccountSync { id: row.id, name: row.name, provider: row.provider, lag_ms }
}

/// What is wrong with a hook, and the newest delivery that it gave up.
fn hook_trouble(hook: store::HookTrouble) -> impl Iterator<Item = Trouble> {
    let store::HookTrouble { id, url, status, status_reason, .. } = hook;
    let why = match (status, hook.consecutive_failures) {
        (HookStatus::Disabled, _) => {
            let reason = status_reason.unwrap_or_else(|| "by its owner".into());
            Some(format!("is disabled: {reason}"))
        }
        (_, 0) => None,
        (_, 1) => Some("its last attempt failed".into()),
        (_, failures) => Some(format!("its last {failures} attempts failed")),
    };
    let at = hook.failing_since;
    let hook_itself = why.map(|why| Trouble { about: About::Hook { id, url }, why, at });
    let given_up = hook.given_up.map(|(hook_no, members, why, at)| Trouble {
        about: About::Delivery { id: delivery_id(id, hook_no, &members), hook: id },
        why: format!("was given up: {why}"),
        at: Some(at),
    });
    hook_itself.into_iter().chain(given_up)
}

fn account_trouble(account: store::AccountTrouble) -> Trouble {
    let store::AccountTrouble { id, name, provider, last_sync_at, .. } = account;
    let why = account.why.unwrap_or_else(|| "is inactive".into());
    Trouble { about: About::Account { id, name, provider }, why, at: last_sync_at }
}
