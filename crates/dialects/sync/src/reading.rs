//! Reading what credentials hold, a step at a time: an answer has no more in memory than a step and what it
//! shows, however much there is. How much one call looks at is bounded.

use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::{Deleted, Record, RecordOrder, RecordQuery};

use crate::Desk;
use crate::auth::Acting;
use crate::holdings::Holding;
use crate::objects::Kind;
use crate::refusal::Refusal;

/// One call's reading, and how far it went.
pub(crate) struct Reading<'a> {
    desk: &'a Desk,
    acting: &'a Acting,
    kind: Kind,
    pub(crate) looked_at: u64,
    ordinals: u64,
    bytes: usize,
}

/// The ordinals above one, up to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) after: u64,
    pub(crate) until: u64,
}

/// What the store itself leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrow {
    /// What changed before.
    pub(crate) since: Option<Timestamp>,
    /// What does not begin in this time, or never: from, ms, and before, ms.
    pub(crate) starts: Option<(i64, i64)>,
}

impl Narrow {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn query(&self, kind: Kind, order: RecordOrder, skip: u64, limit: u32) -> RecordQuery {
        RecordQuery {
            order,
            from: self.starts.map(|(from, _)| from),
            to: self.starts.map(|(_, before)| before),
            modified_since: self.since,
            deleted: kind.tombstones(),
            skip,
            after: None,
            limit,
        }
    }
}

impl<'a> Reading<'a> {
    pub(crate) fn new(desk: &'a Desk, acting: &'a Acting, kind: Kind) -> Self {
        Self { desk, acting, kind, looked_at: 0, ordinals: 0, bytes: 0 }
    }

    /// An item by its id.
    pub(crate) async fn one(
        &mut self,
        holding: &Holding,
        id: &str,
    ) -> Result<Option<Record>, Refusal> {
        let (collection, account) = (self.kind.collection(), holding.account.id);
        let found = self.desk.service.record(&self.acting.caller, account, collection, id).await?;
        self.count(1, found.as_slice())?;
        let is_listed = |record: &Record| {
            record.deleted_at.is_none() || self.kind.tombstones() != Deleted::Without
        };
        Ok(found.filter(is_listed))
    }

    /// Hands the items of a span to `take` in the order in which they first came, until it wants no more; says
    /// whether it does. What is narrowed down to a few is found by the store's index.
    pub(crate) async fn each(
        &mut self,
        holding: &Holding,
        span: Span,
        narrow: Narrow,
        mut take: impl FnMut(Record) -> Result<bool, Refusal>,
    ) -> Result<bool, Refusal> {
        if !narrow.is_none()
            && let Some(found) = self.indexed(holding, narrow).await?
        {
            for record in found {
                if !take(record)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let (mut after, mut step) = (span.after, limits::SYNC_STEP);
        while after < span.until {
            let limit = step.min(u32::try_from(span.until - after).unwrap_or(step));
            let query = narrow.query(self.kind, RecordOrder::Ordinal, after, limit);
            let records = self.read(holding, query).await?;
            // Large ones end a page early.
            let next = query.next_skip(&records).unwrap_or(span.until);
            self.pass(next - after)?;
            after = next;
            // Where little is found, more is passed over at a time.
            let is_sparse = !narrow.is_none() && records.len() < limits::SYNC_STEP as usize / 4;
            step = if is_sparse {
                step.saturating_mul(2).min(limits::RECORD_PAGE_MAX)
            } else {
                limits::SYNC_STEP
            };
            for record in records {
                if !take(record)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// All that is left when it was narrowed down; `None` when that is much.
    async fn indexed(
        &mut self,
        holding: &Holding,
        narrow: Narrow,
    ) -> Result<Option<Vec<Record>>, Refusal> {
        let by_change = narrow.since.is_some();
        let order = if by_change { RecordOrder::Modified } else { RecordOrder::OldestFirst };
        let query = narrow.query(self.kind, order, 0, limits::SYNC_INDEXED_MAX);
        let mut found = self.read(holding, query).await?;
        if found.is_empty() && !by_change {
            let any = Narrow::default().query(self.kind, order, 0, 1);
            if self.read(holding, any).await?.is_empty() {
                // None says when it begins: only their bodies tell, and they are too many.
                return Err(too_many());
            }
        }
        let is_all = query.next_skip(&found).is_none();
        found.sort_by_key(|record| record.ordinal);
        Ok(is_all.then_some(found))
    }

    async fn read(
        &mut self,
        holding: &Holding,
        query: RecordQuery,
    ) -> Result<Vec<Record>, Refusal> {
        let (collection, account) = (self.kind.collection(), holding.account.id);
        let service = &self.desk.service;
        let records = service.records(&self.acting.caller, account, collection, &query).await?;
        self.count(records.len(), &records)?;
        Ok(records)
    }

    fn count(&mut self, looked_at: usize, records: &[Record]) -> Result<(), Refusal> {
        self.looked_at += looked_at as u64;
        self.bytes += records.iter().map(|record| record.body.len()).sum::<usize>();
        let is_much = self.looked_at > limits::SYNC_SCAN_MAX;
        if is_much || self.bytes > limits::SYNC_READ_BYTES_MAX { Err(too_many()) } else { Ok(()) }
    }

    fn pass(&mut self, ordinals: u64) -> Result<(), Refusal> {
        self.ordinals += ordinals;
        if self.ordinals > limits::SYNC_ORDINALS_MAX { Err(too_many()) } else { Ok(()) }
    }
}

fn too_many() -> Refusal {
    let (most, bytes) = (limits::SYNC_SCAN_MAX, limits::SYNC_READ_BYTES_MAX);
    Refusal::bad_request(format!(
        "this looks at each item, and there are more than {most}, or more than {bytes} bytes of them; name one \
         credential or a shorter time, or read pages with limit and skip and no filters"
    ))
}
