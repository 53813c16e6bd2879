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
    let mut found = Found::of(query);
    if found.wanted > found.skipped {
        call.each(EVENTS, order, home::all(), |record| {
            found.take(asked_for(call, record, query, tree), record)?;
            Ok(found.events.len() < found.wanted)
        })
        .await?;
    }
    found.page()
}

/// The events of a time frame or since a modification, put in the order of time.
async fn sorted(call: &Call, query: &EventQuery, tree: &Tree) -> Result<Vec<Event>, Refusal> {
    let mut found = Found::of(query);
    let see = |record: &Record| {
        found.take(asked_for(call, record, query, tree), record)?;
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
    found.put_in_order();
    found.page()
}

fn asked_for(call: &Call, record: &Record, query: &EventQuery, tree: &Tree) -> Option<Event> {
    let event: Event = home::parsed(record)?;
    (query.holds(&event, tree) && may_read(call, &event, tree)).then_some(event)
}

/// Most events of an answer.
fn most() -> u64 {
    u64::from(limits::PRYV_EVENTS_MAX)
}

/// What was found so far: no more is kept than the answer may need, and no more than fits into one.
struct Found {
    /// Each with the bytes and the ordinal of its record.
    events: Vec<(Event, usize, u64)>,
    bytes: usize,
    skipped: usize,
    /// How many are needed, those that are skipped among them.
    wanted: usize,
    ascending: bool,
}

impl Found {
    fn of(query: &EventQuery) -> Self {
        let wanted = query.skip.saturating_add(query.limit.min(most() + 1));
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            events: Vec::new(),
            bytes: 0,
            skipped: size(query.skip),
            wanted: size(wanted),
            ascending: query.ascending,
        }
    }

    fn take(&mut self, event: Option<Event>, record: &Record) -> Result<(), Refusal> {
        let Some(event) = event else { return Ok(()) };
        self.bytes += record.body.len();
        self.events.push((event, record.body.len(), record.ordinal));
        let is_much = self.bytes > limits::PRYV_ANSWER_BYTES_MAX;
        if is_much || self.events.len() > self.wanted.saturating_mul(2) {
            self.put_in_order();
            self.events.truncate(self.wanted);
            self.bytes = self.events.iter().map(|(_, bytes, _)| bytes).sum();
        }
        if self.bytes > limits::PRYV_ANSWER_BYTES_MAX {
            return Err(Refusal::too_many(limits::PRYV_EVENTS_MAX));
        }
        Ok(())
    }

    /// By time; those of the same time as they were created.
    fn put_in_order(&mut self) {
        self.events.sort_by(|(a, _, m), (b, _, n)| a.time.total_cmp(&b.time).then(m.cmp(n)));
        if !self.ascending {
            self.events.reverse();
        }
    }

    fn page(self) -> Result<Vec<Event>, Refusal> {
        let events = self.events.into_iter().take(self.wanted).skip(self.skipped);
        let page: Vec<_> = events.map(|(event, ..)| event).collect();
        if page.len() as u64 > most() {
            return Err(Refusal::too_many(limits::PRYV_EVENTS_MAX));
        }
        Ok(page)
    }
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn event(time: f64) -> Event {
        let document = json!({
            "id": "c", "streamIds": ["health"], "time": time, "tags": [], "type": "count/steps",
            "created": 0.0, "createdBy": "c", "modified": 0.0, "modifiedBy": "c",
        });
        serde_json::from_value(document).unwrap()
    }

    fn record(ordinal: u64, bytes: usize) -> Record {
        Record {
            collection: EVENTS.into(),
            key: "c".into(),
            ordinal,
            version: 1,
            created_at: Timestamp(0),
            modified_at: Timestamp(0),
            starts_at: None,
            deleted_at: None,
            body: Bytes::from(vec![b' '; bytes]),
        }
    }

    #[test]
    fn no_more_is_kept_than_is_asked_for() {
        for (ascending, first) in [(true, 3.0), (false, 96.0)] {
            let mut found =
                Found { events: Vec::new(), bytes: 0, skipped: 3, wanted: 5, ascending };
            for n in 0..100 {
                let time = f64::from(n * 37 % 100);
                found.take(Some(event(time)), &record(1, 1)).unwrap();
                assert!(found.events.len() <= 10);
            }
            found.put_in_order();
            let times: Vec<_> = found.page().unwrap().iter().map(|event| event.time).collect();
            assert_eq!(times, [first, if ascending { 4.0 } else { 95.0 }]);
        }
    }

    #[test]
    fn an_answer_is_bounded_in_bytes() {
        let (ascending, mib) = (true, 1024 * 1024);
        let mut found = Found { events: Vec::new(), bytes: 0, skipped: 0, wanted: 20, ascending };
        // What is not asked for does not count.
        for n in 0..50 {
            found.take(Some(event(100.0 - f64::from(n))), &record(1, mib)).unwrap();
        }
        found.wanted = 1_000;
        let refused = (0..20).find_map(|_| found.take(Some(event(0.0)), &record(1, mib)).err());
        assert_eq!(refused.unwrap().status, http::StatusCode::PAYLOAD_TOO_LARGE);
    }
}
