//! `events.get` and `events.getOne`.

use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::{Record, RecordOrder, RecordQuery};

use super::id_of;
use crate::answer::Answer;
use crate::call::Call;
use crate::event::Event;
use crate::home::{self, EVENTS};
use crate::permission::Act;
use crate::query::EventQuery;
use crate::refusal::Refusal;
use crate::seconds;
use crate::tree::Tree;

/// The events that the access may read and that are asked for.
pub(super) async fn get(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let query = EventQuery::read(params, seconds::of(call.now))?;
    let tree = call.tree().await?;
    query.filter().check(&call.access.permissions, &tree)?;
    let events = if query.from.is_none() && query.modified_since.is_none() {
        first(call, &query, &tree).await?
    } else {
        sorted(call, &query, &tree).await?
    };
    let mut answer = Answer::ok([("events", events.iter().map(Event::to_json).collect())]);
    if let Some(since) = query.modified_since.filter(|_| query.include_deletions) {
        answer.body.insert("eventDeletions".into(), deletions(call, since, &tree).await?);
    }
    Ok(answer)
}

/// One event.
pub(super) async fn get_one(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let (event, _) = call.event(id_of(params)?).await?;
    let tree = call.tree().await?;
    if !may_read(call, &event, &tree) {
        return Err(Refusal::permissions());
    }
    Ok(Answer::ok([("event", event.to_json())]))
}

/// Whether the access may read an event: in one of its streams, that is.
pub(super) fn may_read(call: &Call, event: &Event, tree: &Tree) -> bool {
    let permissions = &call.access.permissions;
    call.access.is_personal()
        || event.stream_ids.iter().any(|stream| permissions.allow(tree, stream, Act::Read))
}

/// The first events in the order of time, as far as the limit; reads no further than that.
async fn first(call: &Call, query: &EventQuery, tree: &Tree) -> Result<Vec<Event>, Refusal> {
    let order = match query.ascending {
        true => RecordOrder::OldestFirst,
        false => RecordOrder::NewestFirst,
    };
    let wanted = query.skip.saturating_add(query.limit.min(most() + 1));
    let mut found = Vec::new();
    if wanted > query.skip {
        call.each(EVENTS, order, home::all(), |record| {
            found.extend(asked_for(call, record, query, tree));
            Ok((found.len() as u64) < wanted)
        })
        .await?;
    }
    page(found, query)
}

/// All events of a time frame or since a modification, put in the order of time.
async fn sorted(call: &Call, query: &EventQuery, tree: &Tree) -> Result<Vec<Event>, Refusal> {
    let mut found = Vec::new();
    let see = |record: &Record| {
        found.extend(asked_for(call, record, query, tree));
        Ok(true)
    };
    match query.modified_since {
        Some(since) => {
            let modified_since = Some(Timestamp(seconds::to_ms(since)));
            let span = RecordQuery { modified_since, ..home::all() };
            call.each(EVENTS, RecordOrder::Modified, span, see).await?;
        }
        // A period that begins long before the frame may reach into it, so all are looked at.
        None => call.each(EVENTS, RecordOrder::Ordinal, home::all(), see).await?,
    }
    found.sort_by(|a, b| a.time.total_cmp(&b.time));
    if !query.ascending {
        found.reverse();
    }
    page(found, query)
}

fn asked_for(call: &Call, record: &Record, query: &EventQuery, tree: &Tree) -> Option<Event> {
    let event: Event = home::parsed(record)?;
    (query.holds(&event, tree) && may_read(call, &event, tree)).then_some(event)
}

/// Most events of an answer.
fn most() -> u64 {
    u64::from(limits::PRYV_EVENTS_MAX)
}

fn page(found: Vec<Event>, query: &EventQuery) -> Result<Vec<Event>, Refusal> {
    let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
    let take = usize::try_from(query.limit.min(most() + 1)).unwrap_or(usize::MAX);
    let page: Vec<_> = found.into_iter().skip(skip).take(take).collect();
    if page.len() as u64 > most() {
        return Err(Refusal::too_many(limits::PRYV_EVENTS_MAX));
    }
    Ok(page)
}

/// Deletions since a time, of events that the access could read.
async fn deletions(call: &Call, since: f64, tree: &Tree) -> Result<Value, Refusal> {
    let mut found = Vec::new();
    call.each(EVENTS, RecordOrder::Modified, home::tombstones(since), |record| {
        found.push(record.clone());
        Ok(true)
    })
    .await?;
    let permissions = &call.access.permissions;
    let shown = |streams: &[String]| {
        call.access.is_personal()
            || streams.iter().any(|stream| permissions.allow(tree, stream, Act::Read))
    };
    let list = home::deletions(&found, &shown);
    Ok(json!(list))
}
