//! Lists of accounts, transactions, attachments and documents. A list without filters is read by ordinal, so
//! that the last page costs what the first does; filters look at the records one after another, bounded.

use tidings_core::limits;
use tidings_service::{Deleted, Record, RecordOrder, RecordQuery};

use crate::Desk;
use crate::answer::Answer;
use crate::auth::Acting;
use crate::holdings::{self, Holding};
use crate::objects::{Kind, Object};
use crate::params::Params;
use crate::query::{Filters, Window};
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
    let listed = if filters.is_empty() {
        page(desk, acting, kind, &holdings, &window).await?
    } else {
        let mut found = Found { skip: window.skip, limit: window.limit, listed: Vec::new() };
        scan(desk, acting, kind, &holdings, &filters, |object| found.take(object)).await?;
        found.listed
    };
    let listed: Vec<_> = listed.into_iter().map(|object| window.keep_of(object)).collect();
    Answer::of(&listed)
}

/// The items of a window over the records of all holdings, as if they were one list.
async fn page(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    holdings: &[Holding],
    window: &Window,
) -> Result<Vec<Object>, Refusal> {
    let (mut listed, mut skip) = (Vec::new(), window.skip);
    for holding in holdings {
        let missing = window.limit - listed.len();
        if missing == 0 {
            break;
        }
        let held = held(desk, acting, kind, holding).await?;
        if skip >= held {
            skip -= held;
            continue;
        }
        let records = records(desk, acting, kind, holding, skip, missing).await?;
        skip = 0;
        listed.extend(records.iter().map(|record| kind.listed(holding, record)));
    }
    Ok(listed)
}

/// Those of the matching items that a window shows.
struct Found {
    skip: u64,
    limit: usize,
    listed: Vec<Object>,
}

impl Found {
    /// Takes a matching item; whether more are wanted.
    fn take(&mut self, object: Object) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.listed.len() < self.limit {
            self.listed.push(object);
        }
        self.listed.len() < self.limit
    }
}

/// Hands every item for which the filters hold to `take`, until it wants no more.
pub(crate) async fn scan(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    holdings: &[Holding],
    filters: &Filters,
    mut take: impl FnMut(Object) -> bool,
) -> Result<(), Refusal> {
    let mut looked_at = 0;
    for holding in holdings {
        if let Some(ids) = filters.ids(kind) {
            for id in ids {
                let found = desk
                    .service
                    .record(&acting.caller, holding.account.id, kind.collection(), id)
                    .await?;
                let object = found.map(|record| kind.listed(holding, &record));
                if let Some(object) = object.filter(|object| filters.hold(object))
                    && !take(object)
                {
                    return Ok(());
                }
            }
            continue;
        }
        let mut skip = 0;
        loop {
            let most = limits::RECORD_PAGE_MAX as usize;
            let records = records(desk, acting, kind, holding, skip, most).await?;
            looked_at += records.len() as u64;
            if looked_at > limits::SYNC_SCAN_MAX {
                return Err(too_many());
            }
            let Some(last) = records.last() else { break };
            skip = last.ordinal;
            for record in &records {
                let object = kind.listed(holding, record);
                if filters.hold(&object) && !take(object) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn too_many() -> Refusal {
    let most = limits::SYNC_SCAN_MAX;
    Refusal::bad_request(format!(
        "these filters look at each item, and there are more than {most}; name one credential, or read \
         pages with limit and skip"
    ))
}

/// How many items a holding has, deleted ones included: as many as its greatest ordinal.
pub(crate) async fn held(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    holding: &Holding,
) -> Result<u64, Refusal> {
    let counts = desk.service.record_counts(&acting.caller, holding.account.id).await?;
    Ok(counts.get(kind.collection()).copied().unwrap_or(0))
}

async fn records(
    desk: &Desk,
    acting: &Acting,
    kind: Kind,
    holding: &Holding,
    skip: u64,
    limit: usize,
) -> Result<Vec<Record>, Refusal> {
    let query = RecordQuery {
        order: RecordOrder::Ordinal,
        from: None,
        to: None,
        modified_since: None,
        deleted: Deleted::With,
        skip,
        limit: u32::try_from(limit).unwrap_or(limits::RECORD_PAGE_MAX),
    };
    let account = holding.account.id;
    Ok(desk.service.records(&acting.caller, account, kind.collection(), &query).await?)
}
