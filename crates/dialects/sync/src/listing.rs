//! Lists of accounts, transactions, attachments and documents. A list without filters is read by ordinal, so
//! that the last page costs what the first does; filters look at the records one after another, bounded.

use tidings_core::limits;

use crate::Desk;
use crate::answer::Answer;
use crate::auth::Acting;
use crate::holdings::{self, Holding};
use crate::objects::{Kind, Object, size};
use crate::params::Params;
use crate::query::{Filters, Window};
use crate::reading::{Narrow, Reading, Span};
use crate::refusal::Refusal;

/// Answers a list call.
pub(crate) async fn list(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    params: &Params,
) -> Result<Answer, Refusal> {
    let window = Window::read(params)?;
    let filters = Filters::read(kind, params)?;
    let holdings = holdings::all(desk, acting, params).await?;
    let mut shown = Shown::new(&window, window.skip);
    if filters.is_empty() {
        shown.skip = 0;
        page(desk, acting, kind, &holdings, &mut shown).await?;
    } else {
        scan(desk, acting, kind, &holdings, &filters, |object| shown.take(object)).await?;
    }
    Answer::of(&shown.listed)
}

/// The items of a window over the records of all holdings, as if they were one list.
async fn page(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    holdings: &[Holding],
    shown: &mut Shown<'_>,
) -> Result<(), Refusal> {
    let mut reading = Reading::new(desk, acting, kind);
    let (mut skip, mut left) = (shown.window.skip, shown.window.limit as u64);
    for (holding, held) in held(desk, acting, kind, holdings).await? {
        if skip >= held {
            skip -= held;
            continue;
        }
        let span = Span { after: skip, until: held.min(skip.saturating_add(left)) };
        (skip, left) = (0, left - (span.until - span.after));
        let take = |record| shown.take(kind.listed(holding, &record));
        reading.each(holding, span, Narrow::default(), take).await?;
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// The items that an answer shows.
pub(crate) struct Shown<'w> {
    window: &'w Window,
    skip: u64,
    bytes: usize,
    pub(crate) listed: Vec<Object>,
}

impl<'w> Shown<'w> {
    /// Nothing yet, of what comes after the first `skip`.
    pub(crate) fn new(window: &'w Window, skip: u64) -> Self {
        Self { window, skip, bytes: 0, listed: Vec::new() }
    }

    /// Takes an item that is asked for; whether more are wanted.
    pub(crate) fn take(&mut self, object: Object) -> Result<bool, Refusal> {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.listed.len() < self.window.limit {
            let object = self.window.keep_of(object);
            self.bytes += size(&object);
            if self.bytes > limits::SYNC_ANSWER_BYTES_MAX {
                let most = limits::SYNC_ANSWER_BYTES_MAX;
                let why = format!("must be smaller: these items have more than {most} bytes");
                return Err(Refusal::field("limit", why));
            }
            self.listed.push(object);
        }
        Ok(self.listed.len() < self.window.limit)
    }
}

/// Hands every item for which the filters hold to `take`, until it wants no more.
pub(crate) async fn scan(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    holdings: &[Holding],
    filters: &Filters,
    mut take: impl FnMut(Object) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    let mut reading = Reading::new(desk, acting, kind);
    if let Some(ids) = filters.ids(kind) {
        for holding in holdings {
            for id in ids {
                let found = reading.one(holding, id).await?;
                let object = found.map(|record| kind.listed(holding, &record));
                if let Some(object) = object.filter(|object| filters.hold(object))
                    && !take(object)?
                {
                    return Ok(());
                }
            }
        }
        return Ok(());
    }
    for (holding, held) in held(desk, acting, kind, holdings).await? {
        let offer = |record| {
            let object = kind.listed(holding, &record);
            if filters.hold(&object) { take(object) } else { Ok(true) }
        };
        let (span, narrow) = (Span { after: 0, until: held }, filters.narrow(kind, holding, held));
        if !reading.each(holding, span, narrow, offer).await? {
            break;
        }
    }
    Ok(())
}

/// How many items each holding has, deleted ones included: as many as its greatest ordinal. Those that have
/// none are left out.
pub(crate) async fn held<'h>(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    holdings: &'h [Holding],
) -> Result<Vec<(&'h Holding, u64)>, Refusal> {
    if let [holding] = holdings {
        let counts = desk.service.record_counts(&acting.caller, holding.account.id).await?;
        return Ok(counts
            .get(kind.collection())
            .map(|held| (holding, *held))
            .into_iter()
            .collect());
    }
    let totals = desk.service.record_totals(&acting.caller, acting.user, kind.collection()).await?;
    let of = |holding: &'h Holding| totals.get(&holding.account.id).map(|held| (holding, *held));
    Ok(holdings.iter().filter_map(of).collect())
}
