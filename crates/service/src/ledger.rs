//! The ledger of a hook: what became of every change.

use tidings_core::clock::Timestamp;
use tidings_core::delivery::delivery_id;
use tidings_core::id::{ChangeId, DeliveryId, HookId};
use tidings_core::limits;
use tidings_store::{
    self as store, LedgerAttempt, LedgerBounds, LedgerCounts, LedgerEntry, LedgerState,
};
use tokio::sync::OwnedSemaphorePermit;

use crate::cursor::List;
use crate::{Caller, Error, Page, PageInput, Result, Scope, Service};

/// An export makes sure that its key still works when it was not looked at for this long, ms.
const RECHECK_MS: i64 = 1_000;

/// Which part of a ledger is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct LedgerQuery {
    /// The first change; the first that is kept when absent, and for counts the first of all.
    pub from: Option<u64>,
    /// The last change; the journal's present end when absent.
    pub to: Option<u64>,
    /// Only changes in this state.
    pub state: Option<LedgerState>,
}

/// What became of one change at a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// The change's number.
    pub seq: u64,
    /// Its id.
    pub change: ChangeId,
    /// Its type.
    pub kind: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What became of it.
    pub state: LedgerState,
    /// The delivery it is part of, when something is kept of one.
    pub delivery: Option<DeliveryId>,
    /// The attempt that delivered it; absent once attempts of that age are no longer kept.
    pub attempt: Option<LedgerAttempt>,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// Why it is in this state, in plain words.
    pub reason: Option<String>,
}

/// How many changes of a range are in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSummary {
    /// The first change.
    pub from: u64,
    /// The last change; below `from` when there is none.
    pub to: u64,
    /// The counts; they add up to the changes from the first to the last.
    pub counts: LedgerCounts,
}

impl Service {
    /// A page of a hook's ledger, in order of `seq`. With a state, a page may hold fewer than asked for, or
    /// nothing, and still lead on.
    ///
    /// # Errors
    /// Forbidden; not found; invalid; gone when the first change is no longer kept.
    pub async fn ledger(
        &self,
        caller: &Caller,
        hook: HookId,
        query: LedgerQuery,
        page: &PageInput,
    ) -> Result<Page<LedgerLine>> {
        let (hook, bounds) = self.find_ledger(caller, hook).await?;
        let (first, until) = range(query, &bounds)?;
        let list = List("ledger", hook.hook_no);
        let (mut after, limit) = list.begin(page, first as i64)?;
        let limit = (limit - 1) as usize;
        let (mut items, mut looked) = (Vec::new(), 0);
        while (after as u64) < until && items.len() < limit && looked < limits::LEDGER_LOOK_MAX {
            let entries = self.entries(&hook, after as u64, until, limit - items.len()).await?;
            looked += entries.len() as u64;
            let Some(last) = entries.last() else { break };
            after = last.seq as i64;
            let wanted = |entry: &LedgerEntry| {
                query.state.is_none_or(|state| entry.state == state) && sees(caller, entry.state)
            };
            items.extend(entries.into_iter().filter(wanted).map(|entry| line(&hook, entry)));
        }
        let next = ((after as u64) < until).then(|| list.close(after));
        Ok(Page { items, next })
    }

    /// Counts the changes of a range by state, those that are no longer kept included when the range begins
    /// with the first of all. The counts always add up to the changes of the range, but for a caller that sees only
    /// what is one end user's: those that the hook did not select are not counted then.
    ///
    /// # Errors
    /// Forbidden; not found; invalid, also when there are too many changes to count in one go; gone when
    /// the range begins or ends within what is no longer kept.
    pub async fn ledger_summary(
        &self,
        caller: &Caller,
        hook: HookId,
        query: LedgerQuery,
    ) -> Result<LedgerSummary> {
        let (hook, bounds) = self.find_ledger(caller, hook).await?;
        let from_the_first = query.from.is_none_or(|from| from == 1);
        let query = if from_the_first { LedgerQuery { from: None, ..query } } else { query };
        let (mut after, until) = range(query, &bounds)?;
        let (from, mut counts) = match from_the_first {
            true => (1, bounds.trimmed),
            false => (after + 1, LedgerCounts::default()),
        };
        if until < bounds.floor_seq {
            return Err(Error::Gone { oldest_seq: bounds.floor_seq + 1 });
        }
        if until - after.min(until) > limits::LEDGER_COUNT_MAX {
            let why = format!("count at most {} changes in one go", limits::LEDGER_COUNT_MAX);
            return Err(Error::invalid("to", "range", why));
        }
        while after < until {
            let entries = self.entries(&hook, after, until, limits::JOURNAL_PAGE).await?;
            let Some(last) = entries.last() else { break };
            after = last.seq;
            entries.iter().for_each(|entry| counts.add(entry.state, 1));
        }
        if caller.is_bound() {
            counts = counts.without(LedgerState::Filtered);
        }
        Ok(LedgerSummary { from, to: after, counts })
    }

    /// Begins to read a whole range of a ledger. At most [`limits::STREAMS_MAX`] exports and streams at once.
    ///
    /// # Errors
    /// As [`Service::ledger`]; limit exceeded.
    pub async fn export_ledger(
        &self,
        caller: &Caller,
        hook: HookId,
        query: LedgerQuery,
    ) -> Result<LedgerExport> {
        let (hook, bounds) = self.find_ledger(caller, hook).await?;
        let (after, until) = range(query, &bounds)?;
        let turn = self.streams.clone().try_acquire_owned().map_err(|_| Error::LimitExceeded {
            limit: format!("{} streams open at once", limits::STREAMS_MAX),
            retry_after_s: Some(5),
        })?;
        let summary = LedgerSummary { from: after + 1, to: after, counts: LedgerCounts::default() };
        let (service, caller, checked_at) = (self.clone(), caller.clone(), self.now());
        let state = query.state;
        Ok(LedgerExport { service, caller, checked_at, hook, until, state, summary, _turn: turn })
    }

    async fn find_ledger(
        &self,
        caller: &Caller,
        hook: HookId,
    ) -> Result<(store::Hook, LedgerBounds)> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let hook = self.find_hook(caller, hook).await?;
        let bounds = self.store.ledger_bounds(hook.hook_no).await?;
        Ok((hook, bounds))
    }

    async fn entries(
        &self,
        hook: &store::Hook,
        after: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>> {
        let limit = limit.clamp(1, limits::JOURNAL_PAGE);
        let page = self.store.ledger(hook.hook_no, after, until, limit, &self.formats).await?;
        Ok(page.entries)
    }
}

/// Whether a caller may know of a line in this state: what a hook did not select is of others, for a caller that
/// sees only what is one end user's.
fn sees(caller: &Caller, state: LedgerState) -> bool {
    !(caller.is_bound() && state == LedgerState::Filtered)
}

/// The `seq` before the first change of a range, and that of its last.
fn range(query: LedgerQuery, bounds: &LedgerBounds) -> Result<(u64, u64)> {
    let first = query.from.unwrap_or(bounds.floor_seq + 1);
    if first == 0 {
        return Err(Error::invalid(
            "from",
            "range",
            "must be 1 or more, the first change's number",
        ));
    }
    if query.to.is_some_and(|to| to < query.from.unwrap_or(1)) {
        return Err(Error::invalid("to", "range", "must not lie before the first change"));
    }
    if first <= bounds.floor_seq {
        return Err(Error::Gone { oldest_seq: bounds.floor_seq + 1 });
    }
    Ok((first - 1, query.to.unwrap_or(bounds.seq).min(bounds.seq)))
}

/// A range of a ledger, page by page. Dropping it ends it.
#[derive(Debug)]
pub struct LedgerExport {
    service: Service,
    caller: Caller,
    checked_at: Timestamp,
    hook: store::Hook,
    until: u64,
    state: Option<LedgerState>,
    summary: LedgerSummary,
    _turn: OwnedSemaphorePermit,
}

impl LedgerExport {
    /// The next lines; `None` when there are no more.
    ///
    /// # Errors
    /// Unauthenticated once the caller's key was revoked or expired; gone when retention overtakes it;
    /// unavailable.
    pub async fn next(&mut self) -> Result<Option<Vec<LedgerLine>>> {
        let now = self.service.now();
        if now.0 - self.checked_at.0 >= RECHECK_MS {
            self.service.check_still_valid(&self.caller).await?;
            self.checked_at = now;
        }
        let after = self.summary.to;
        if after >= self.until {
            return Ok(None);
        }
        let read = self.service.entries(&self.hook, after, self.until, limits::JOURNAL_PAGE);
        let entries = read.await?;
        let Some(last) = entries.last() else { return Ok(None) };
        self.summary.to = last.seq;
        let mut lines = Vec::new();
        for entry in entries {
            if !sees(&self.caller, entry.state) {
                continue;
            }
            self.summary.counts.add(entry.state, 1);
            if self.state.is_none_or(|state| entry.state == state) {
                lines.push(line(&self.hook, entry));
            }
        }
        Ok(Some(lines))
    }

    /// The counts of what was read up to now, whatever its state.
    pub fn summary(&self) -> LedgerSummary {
        self.summary
    }
}

fn line(hook: &store::Hook, entry: LedgerEntry) -> LedgerLine {
    let members = entry.members.as_ref();
    LedgerLine {
        seq: entry.seq,
        change: entry.change,
        kind: entry.kind,
        recorded_at: entry.recorded_at,
        state: entry.state,
        delivery: members.map(|members| delivery_id(hook.id, hook.hook_no, members)),
        attempt: entry.attempt,
        next_attempt_at: entry.next_attempt_at,
        reason: entry.reason,
    }
}
