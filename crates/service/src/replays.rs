//! Replays: sending changes of the past to a hook again.

use tidings_core::clock::Timestamp;
use tidings_core::hook::HookStatus;
use tidings_core::id::{HookId, ReplayId};
use tidings_core::limits;
use tidings_store::CursorRow;

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
#[derive(Clone, Copy, Debug)]
pub struct NewReplay {
    /// The first change.
    pub from: ReplayFrom,
    /// Where to stop: the last `seq`, or the last moment. The journal's present end when absent.
    pub until: Option<ReplayFrom>,
}

/// A replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// The hook.
    pub hook: HookId,
    /// Changes up to this `seq` are settled.
    pub settled_seq: u64,
    /// The last `seq`.
    pub until_seq: u64,
    /// Whether it has come to its end.
    pub finished: bool,
    /// When it began.
    pub created_at: Timestamp,
}

impl Service {
    /// Begins a replay: the hook receives again what it selects, under the same delivery ids.
    ///
    /// # Errors
    /// Forbidden; not found; invalid; conflict when the hook is disabled or its URL is not acceptable; too
    /// many replays of the hook; gone when the first change is no longer kept.
    pub async fn create_replay(
        &self,
        caller: &Caller,
        hook: HookId,
        input: NewReplay,
    ) -> Result<Replay> {
        let now = self.now();
        let id = ReplayId(self.ids.next(now));
        self.allow(caller, Scope::Hooks, "replay.create", hook).await?;
        let hook = self.find_hook(caller, hook).await?;
        if hook.status == HookStatus::Disabled {
            return Err(Error::Conflict("hook is disabled; enable it before you replay".into()));
        }
        self.vet_target(caller, &hook)?;
        let running = self.store.cursors(hook.hook_no).await?;
        if running.iter().filter(|row| row.id.is_some() && !is_finished(row)).count()
            >= limits::HOOK_REPLAYS_MAX
        {
            let limit = format!("{} replays of a hook at once", limits::HOOK_REPLAYS_MAX);
            return Err(Error::limit(limit));
        }
        let after = self.seq_before(hook.app_no, input.from).await?;
        let until = match input.until {
            None => u64::MAX >> 1,
            Some(ReplayFrom::Seq(seq)) => seq,
            Some(ReplayFrom::Time(at)) => {
                self.store.last_seq_before(hook.app_no, at.plus_ms(1)).await?
            }
        };
        if until <= after {
            return Err(Error::invalid("/until", "range", "must not lie before the first change"));
        }
        let entry = caller.did("replay.create", hook.id);
        let row = self.store.create_replay(hook.hook_no, id, after, until, entry, now).await?;
        view(hook.id, &row).ok_or(Error::Internal)
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

    /// The replays of a hook, oldest first.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn replays(&self, caller: &Caller, hook: HookId) -> Result<Vec<Replay>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let hook = self.find_hook(caller, hook).await?;
        let rows = self.store.cursors(hook.hook_no).await?;
        Ok(rows.iter().filter_map(|row| view(hook.id, row)).collect())
    }

    /// One replay of a hook.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn replay(&self, caller: &Caller, hook: HookId, id: ReplayId) -> Result<Replay> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let hook = self.find_hook(caller, hook).await?;
        let row = self.store.replay(hook.hook_no, id).await?;
        view(hook.id, &row).ok_or(Error::NotFound("replay"))
    }

    /// Ends a replay before its time.
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
        view(hook.id, &row).ok_or(Error::NotFound("replay"))
    }
}

fn is_finished(row: &CursorRow) -> bool {
    row.until_seq.is_some_and(|until| row.settled_seq >= until)
}

/// `None` for a live cursor, which is no replay.
fn view(hook: HookId, row: &CursorRow) -> Option<Replay> {
    let finished = is_finished(row);
    Some(Replay {
        id: row.id?,
        hook,
        settled_seq: row.settled_seq,
        until_seq: row.until_seq?,
        finished,
        created_at: row.created_at,
    })
}
