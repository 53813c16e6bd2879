//! `GET /{google|microsoft}/events`: from the mirror, page by page, or since a sync token.

use std::collections::HashMap;

use serde_json::{Value, json};
use tidings_core::limits::{PAGE_MAX, PYAS_LOOKS_MAX, PYAS_ORDERED_MAX};
use tidings_service::{Account, Calendar, CalendarEvent, PageInput, Scope};

use super::CALENDAR;
use crate::calendars::{need_account, with_calendars};
use crate::refusal::Refusal;
use crate::request::{Answer, Asked, Provider, Query, checked, done, is_missing};
use crate::shape::{self, Shown};
use filter::{Filter, Order};
use token::Token;

pub(crate) use filter::moment;

mod filter;
mod token;

/// A page of the answer.
struct Found {
    objects: Vec<Value>,
    next: Option<Token>,
    sync: Option<Token>,
}

pub(crate) async fn list(asked: Asked) -> Answer {
    with_calendars(&asked)?;
    let mut faults = Vec::new();
    let account = need_account(&asked.query, &mut faults);
    let calendar = asked.query.need("calendarId", &[CALENDAR], &mut faults);
    let filter = Filter::read(asked.provider, &asked.query, &mut faults);
    checked(faults)?;
    let account = asked.account(&account).await?;
    let calendar = asked.calendar(&account, &calendar).await?;
    let found = match (&filter.token, filter.order) {
        (Some(Token::Since { seq }), _) => since(&asked, &account, &calendar, &filter, *seq).await,
        (_, Some(order)) => ordered(&asked, &calendar, &filter, order).await,
        _ => page(&asked, &calendar, &filter).await,
    }?;
    let token = |token: Option<Token>| token.map(|token| token.to_string());
    Ok(done(match asked.provider {
        Provider::Google => json!({ "success": true, "data": {
            "nextSyncToken": token(found.sync),
            "nextPageToken": token(found.next),
            "events": found.objects,
        }}),
        _ => json!({ "success": true, "data": {
            "count": found.objects.len(),
            "nextPageToken": token(found.next),
            "events": found.objects,
        }}),
    }))
}

/// By id, as the mirror has them. Filters may leave a page short, or empty, with a next one.
async fn page(asked: &Asked, calendar: &Calendar, filter: &Filter) -> Result<Found, Refusal> {
    let (seq, mut cursor) = match &filter.token {
        Some(Token::Page { seq, cursor }) => (*seq, Some(cursor.clone())),
        Some(_) => return Err(filter.bad_token(&asked.query)),
        // From before the first page on: what changes while pages are read is not missed.
        None => (newest(asked, calendar).await?, None),
    };
    let mut objects = Vec::new();
    let mut series = HashMap::new();
    for _ in 0..PYAS_LOOKS_MAX {
        let room = filter.limit - u32::try_from(objects.len()).unwrap_or(u32::MAX);
        let input = PageInput { cursor: cursor.take(), limit: Some(room) };
        let found = asked.service.events(&asked.caller, calendar.id, filter.query, &input).await?;
        for event in found.items {
            let shown = shown(asked, calendar, &event, &mut series).await;
            objects.extend(filter.take(shown));
        }
        cursor = found.next;
        if cursor.is_none() || objects.len() >= filter.limit as usize {
            break;
        }
    }
    let next = cursor.map(|cursor| Token::Page { seq, cursor });
    let whole = next.is_none() && filter.is_everything();
    let sync = seq.filter(|_| whole).map(|seq| Token::Since { seq });
    Ok(Found { objects, next, sync })
}

/// All that fit, put in order. What cannot be held at once is refused: half an order is none.
async fn ordered(
    asked: &Asked,
    calendar: &Calendar,
    filter: &Filter,
    order: Order,
) -> Result<Found, Refusal> {
    let skip = match &filter.token {
        Some(Token::Ordered { skip }) => *skip,
        Some(_) => return Err(filter.bad_token(&asked.query)),
        None => 0,
    };
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut series = HashMap::new();
    let mut input = PageInput { cursor: None, limit: Some(PAGE_MAX) };
    for look in 1.. {
        let found = asked.service.events(&asked.caller, calendar.id, filter.query, &input).await?;
        for event in found.items {
            let shown = shown(asked, calendar, &event, &mut series).await;
            let key = order.key(&shown);
            all.extend(filter.take(shown).map(|object| (key, object)));
        }
        input.cursor = found.next;
        let is_last = input.cursor.is_none();
        if all.len() > PYAS_ORDERED_MAX || look == PYAS_LOOKS_MAX && !is_last {
            let msg = format!("at most {PYAS_ORDERED_MAX} events can be ordered: narrow the range");
            return Err(Refusal::one(asked.query.fault("orderBy", msg)));
        }
        if is_last {
            break;
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (total, limit) = (all.len(), filter.limit as usize);
    let objects: Vec<Value> =
        all.into_iter().skip(skip).take(limit).map(|(_, object)| object).collect();
    let reached = skip.saturating_add(objects.len());
    let next = (reached < total).then_some(Token::Ordered { skip: reached });
    Ok(Found { objects, next, sync: None })
}

/// What changed after a place in the journal, each event once, as it is now.
async fn since(
    asked: &Asked,
    account: &Account,
    calendar: &Calendar,
    filter: &Filter,
    seq: u64,
) -> Result<Found, Refusal> {
    let mut after = seq;
    let mut ids: Vec<String> = Vec::new();
    let mut more = true;
    'looks: for _ in 0..PYAS_LOOKS_MAX {
        let page = asked.service.changes(&asked.caller, after, Some(PAGE_MAX)).await?;
        for change in page.changes {
            let is_ours = change.account == Some(account.id)
                && change.kind.starts_with("event.")
                && change.data.as_ref().is_some_and(|data| is_in(data, calendar));
            if let Some(id) = change.item.filter(|id| is_ours && !ids.contains(id)) {
                if ids.len() >= filter.limit as usize {
                    break 'looks;
                }
                ids.push(id);
            }
            after = change.seq;
        }
        more = page.has_more;
        if !more {
            break;
        }
    }
    let mut objects = Vec::new();
    let mut series = HashMap::new();
    for id in ids {
        match asked.service.event(&asked.caller, calendar.id, &id).await {
            Ok(event) => {
                let shown = shown(asked, calendar, &event, &mut series).await;
                objects.push(filter.trimmed(shown.object));
            }
            Err(error) if is_missing(&error) => objects.push(shape::deleted(&id)),
            Err(error) => return Err(error.into()),
        }
    }
    let token = Token::Since { seq: after };
    let (next, sync) = if more { (Some(token), None) } else { (None, Some(token)) };
    Ok(Found { objects, next, sync })
}

/// Whether a change is about an event of this calendar.
fn is_in(data: &[u8], calendar: &Calendar) -> bool {
    let body: Value = serde_json::from_slice(data).unwrap_or_default();
    body["calendar"]["external_id"] == calendar.external_id.as_str()
}

/// The end of the journal. None for a key that may not read it, and as long as the calendar's first sync
/// runs, which the journal does not tell.
async fn newest(asked: &Asked, calendar: &Calendar) -> Result<Option<u64>, Refusal> {
    let tells = asked.provider == Provider::Google
        && calendar.baseline_done
        && asked.caller.may(Scope::Read).is_ok();
    match asked.caller.app_id().filter(|_| tells) {
        Some(app) => Ok(Some(asked.service.app(&asked.caller, app).await?.seq)),
        None => Ok(None),
    }
}

/// As [`super::shown`], reading each series once.
async fn shown(
    asked: &Asked,
    calendar: &Calendar,
    event: &CalendarEvent,
    series: &mut HashMap<String, CalendarEvent>,
) -> Shown {
    let Some(id) = event.series.as_ref().filter(|_| shape::needs_series(event)) else {
        return Shown::of(asked.provider, event, None);
    };
    if !series.contains_key(id)
        && let Ok(found) = asked.service.event(&asked.caller, calendar.id, id).await
    {
        series.insert(id.clone(), found);
    }
    Shown::of(asked.provider, event, series.get(id))
}

impl Filter {
    fn bad_token(&self, query: &Query) -> Refusal {
        let name = if self.since { "syncToken" } else { "nextPageToken" };
        Refusal::one(query.fault(name, "is no token of this list: begin again without it"))
    }
}
