//! Replays: sending changes of the past again, to the same hook or to another.

use tidings_core::clock::Timestamp;
use tidings_core::hook::{HookStatus, is_pattern};
use tidings_core::id::{AccountId, HookId, ReplayId};
use tidings_core::limits;
use tidings_store::{self as store, CursorRow, LedgerState, Picks};

use crate::validate::Checks;
use crate::{Caller, Error, Result, Scope, Service};

/// A point in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFrom {
    /// The change with this `seq`.
    Seq(u64),
    /// The first change recorded at this time or later.
    Time(Timestamp),
}

/// A replay to begin.
#[derive(Clone, Debug)]
pub struct NewReplay {
    /// The first change.
    pub from: ReplayFrom,
    /// Where to stop: the last `seq`, or the last moment. The journal's present end when absent.
    pub until: Option<ReplayFrom>,
    /// Only types that one of these patterns covers; empty: all.
    pub types: Vec<String>,
    /// Only changes of this account.
    pub account: Option<AccountId>,
    /// Only changes in one of these states at the hook when the replay comes to them; empty: all.
    pub states: Vec<LedgerState>,
    /// The hook that receives them; absent: the same.
    pub into: Option<HookId>,
    /// Requests that it begins in a second, at most; absent: as many as the hook may.
    pub rate: Option<u32>,
}

impl NewReplay {
    /// A replay of everything since `from`.
    pub fn since(from: ReplayFrom) -> Self {
        Self {
            from,
            until: None,
            types: Vec::new(),
            account: None,
            states: Vec::new(),
            into: None,
            rate: None,
        }
    }

    /// Whether it takes all that the hook selects.
    fn takes_all(&self) -> bool {
        self.types.is_empty()
            && self.account.is_none()
            && self.states.is_empty()
            && self.into.is_none()
    }
}

/// A replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// The hook that receives it.
    pub hook: HookId,
    /// The hook whose past it is, when that is another one that still exists.
    pub source: Option<HookId>,
    /// The types it takes; empty: all.
    pub types: Vec<String>,
    /// The account whose changes it takes.
    pub account: Option<AccountId>,
    /// The states it takes; empty: all.
    pub states: Vec<LedgerState>,
    /// Requests that it begins in a second, at most.
    pub rate: Option<u32>,
    /// Changes up to this `seq` are settled.
    pub settled_seq: u64,
    /// The last `seq`.
    pub until_seq: u64,
    /// Changes that were sent: delivered or parked.
    pub sent: u64,
    /// Changes that it takes in all, counted when it began; absent when there were too many to count.
    pub total: Option<u64>,
    /// Whether it has come to its end, or was ended.
    pub finished: bool,
    /// When it was ended before its time.
    pub cancelled_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
}

/// What a replay will do.
struct Plan {
    target: store::Hook,
    after: u64,
    until: u64,
    picks: Picks,
}

impl Service {
    /// Begins a replay: what the hook selected is sent again, under the same delivery ids when it is the same
    /// hook. One that takes only some changes, or goes into another hook, sends them one by one.
    ///
    /// # Errors
    /// Forbidden; not found; invalid; conflict when the receiving hook is disabled or its URL is not
    /// acceptable; too many replays of that hook; gone when the first change is no longer kept.
    pub async fn create_replay(
        &self,
        caller: &Caller,
        hook: HookId,
        input: NewReplay,
    ) -> Result<Replay> {
        let now = self.now();
        let id = ReplayId(self.ids.next(now));
        self.allow(caller, Scope::Hooks, "replay.create", hook).await?;
        let plan = self.plan_replay(caller, hook, &input).await?;
        let target = &plan.target;
        if target.status == HookStatus::Disabled {
            return Err(Error::Conflict("hook is disabled; enable it before you replay".into()));
        }
        self.vet_target(caller, target)?;
        let running = self.store.cursors(target.hook_no).await?;
        if running.iter().filter(|row| row.id.is_some() && !row.is_over()).count()
            >= limits::HOOK_REPLAYS_MAX
        {
            let limit = format!("{} replays of a hook at once", limits::HOOK_REPLAYS_MAX);
            return Err(Error::limit(limit));
        }
        let new = store::NewReplay {
            id,
            after: plan.after,
            until: plan.until,
            total: self.count_planned(&plan).await?,
            picks: (!input.takes_all()).then_some(plan.picks),
            rate: input.rate,
        };
        let entry = caller.did("replay.create", target.id);
        let row = self.store.create_replay(target.hook_no, new, entry, now).await?;
        self.replay_view(target.id, &row).await?.ok_or(Error::Internal)
    }

    /// How many changes a replay would take, without beginning it.
    ///
    /// # Errors
    /// As [`Service::create_replay`]; invalid when the range is too long to be counted.
    pub async fn count_replay(
        &self,
        caller: &Caller,
        hook: HookId,
        input: NewReplay,
    ) -> Result<u64> {
        self.allow(caller, Scope::Hooks, "replay.count", hook).await?;
        let plan = self.plan_replay(caller, hook, &input).await?;
        self.count_planned(&plan).await?.ok_or_else(|| {
            let why =
                format!("only a range of at most {} changes is counted", limits::LEDGER_COUNT_MAX);
            Error::invalid("/until", "range", why)
        })
    }

    async fn plan_replay(&self, caller: &Caller, hook: HookId, input: &NewReplay) -> Result<Plan> {
        let source = self.find_hook(caller, hook).await?;
        let target = match input.into {
            Some(into) if into != hook => self.find_hook(caller, into).await?,
            _ => source.clone(),
        };
        let account_no = match input.account {
            Some(account) => Some(self.find_account(caller, account).await?.account_no),
            None => None,
        };
        check(input)?;
        let after = self.seq_before(source.app_no, input.from).await?;
        let until = match input.until {
            None => u64::MAX >> 1,
            Some(ReplayFrom::Seq(seq)) => seq,
            Some(ReplayFrom::Time(at)) => {
                self.store.last_seq_before(source.app_no, at.plus_ms(1)).await?
            }
        };
        if until <= after {
            return Err(Error::invalid("/until", "range", "must not lie before the first change"));
        }
        let picks = Picks {
            source: source.hook_no,
            types: input.types.clone(),
            account_no,
            states: input.states.clone(),
        };
        let last = self.store.ledger_bounds(source.hook_no).await?.seq;
        Ok(Plan { target, after, until: until.min(last.max(after)), picks })
    }

    /// Counts what a replay takes; `None` when the range is too long for that.
    async fn count_planned(&self, plan: &Plan) -> Result<Option<u64>> {
        if plan.until - plan.after > limits::LEDGER_COUNT_MAX {
            return Ok(None);
        }
        let (mut after, mut count) = (plan.after, 0);
        while after < plan.until {
            let range = (after, plan.until);
            let target = plan.target.hook_no;
            let picked = self.store.pick(target, &plan.picks, range, false, &self.formats).await?;
            after = picked.reached;
            count += picked.changes.len() as u64;
        }
        Ok(Some(count))
    }

    /// The `seq` before the first change of a replay.
    async fn seq_before(&self, app_no: i64, from: ReplayFrom) -> Result<u64> {
        match from {
            ReplayFrom::Seq(0) => Err(Error::invalid(
                "/from/seq",
                "range",
                "must be 1 or more, the first change's number",
            )),
            ReplayFrom::Seq(seq) => Ok(seq - 1),
            ReplayFrom::Time(at) => Ok(self.store.last_seq_before(app_no, at).await?),
        }
    }

    /// The replays into a hook, oldest first: those that run, and the last ones that ended.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn replays(&self, caller: &Caller, hook: HookId) -> Result<Vec<Replay>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let hook = self.find_hook(caller, hook).await?;
        let mut replays = Vec::new();
        for row in self.store.cursors(hook.hook_no).await? {
            replays.extend(self.replay_view(hook.id, &row).await?);
        }
        Ok(replays)
    }

    /// One replay into a hook.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn replay(&self, caller: &Caller, hook: HookId, id: ReplayId) -> Result<Replay> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let hook = self.find_hook(caller, hook).await?;
        let row = self.store.replay(hook.hook_no, id).await?;
        self.replay_view(hook.id, &row).await?.ok_or(Error::NotFound("replay"))
    }

    /// Ends a replay before its time; one that has ended stays as it is.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn cancel_replay(
        &self,
        caller: &Caller,
        hook: HookId,
        id: ReplayId,
    ) -> Result<Replay> {
        self.allow(caller, Scope::Hooks, "replay.cancel", id).await?;
        let hook = self.find_hook(caller, hook).await?;
        let entry = caller.did("replay.cancel", id);
        let row = self.store.cancel_replay(hook.hook_no, id, entry, self.now()).await?;
        self.replay_view(hook.id, &row).await?.ok_or(Error::NotFound("replay"))
    }

    /// `None` for a live cursor, which is no replay.
    async fn replay_view(&self, hook: HookId, row: &CursorRow) -> Result<Option<Replay>> {
        let (Some(id), Some(until_seq)) = (row.id, row.until_seq) else { return Ok(None) };
        let picks = row.picks.clone().unwrap_or_default();
        let source = match picks.source {
            0 => None,
            no if no == row.hook_no => None,
            no => self.store.hook_by_no(no).await?.map(|source| source.id),
        };
        let account = match picks.account_no {
            Some(no) => self.store.account_ids(vec![no]).await?.get(&no).copied(),
            None => None,
        };
        Ok(Some(Replay {
            id,
            hook,
            source,
            types: picks.types,
            account,
            states: picks.states,
            rate: row.rate,
            settled_seq: row.settled_seq,
            until_seq,
            sent: row.sent,
            total: row.total,
            finished: row.is_over(),
            cancelled_at: row.cancelled_at,
            created_at: row.created_at,
        }))
    }
}

fn check(input: &NewReplay) -> Result<()> {
    let mut checks = Checks::default();
    if input.types.len() > limits::REPLAY_TYPES_MAX {
        let why = format!("at most {} types", limits::REPLAY_TYPES_MAX);
        checks.refuse("/types", "too_many", why);
    }
    for (index, pattern) in input.types.iter().enumerate() {
        if !is_pattern(pattern) {
            let why = "is no type; write a.b, a.* or *";
            checks.refuse(format!("/types/{index}"), "type", why);
        }
    }
    if input.states.contains(&LedgerState::Filtered) {
        let why = "what the hook did not select cannot be replayed";
        checks.refuse("/states", "state", why);
    }
    if input.rate.is_some_and(|rate| !(1..=limits::REPLAY_RATE_MAX).contains(&rate)) {
        let why = format!("must be 1 to {} a second", limits::REPLAY_RATE_MAX);
        checks.refuse("/rate", "range", why);
    }
    checks.done()
}
