//! A person's streams and events, kept as records.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::{
    Announcement, Deleted, Error, Expect, Record, RecordOrder, RecordPut, RecordQuery, RecordWrite,
};

use crate::call::Call;
use crate::event::Event;
use crate::refusal::Refusal;
use crate::seconds;
use crate::tree::{Stream, Tree};

/// Collections of the record account.
pub(crate) const STREAMS: &str = "streams";
pub(crate) const EVENTS: &str = "events";
pub(crate) const WEBHOOKS: &str = "webhooks";
const MARKS: &str = "marks";

/// Key of the record that every change of the tree of streams rewrites: of two that were computed from the
/// same tree, one is stale.
const TREE_MARK: &str = "tree";

/// How often a change is computed anew because another came first.
pub(crate) const TRIES: usize = 8;

/// Records of one read.
const PAGE: u32 = 1_000;

/// The streams, and the version of the tree that they are.
pub(crate) struct Home {
    pub(crate) tree: Tree,
    mark: Option<u64>,
}

impl Home {
    /// The write that makes a change of this tree the only one.
    pub(crate) fn mark(&self) -> RecordWrite {
        let next = self.mark.unwrap_or(0) + 1;
        let expect = self.mark.map_or(Expect::Absent, Expect::Version);
        put(MARKS, TREE_MARK, None, &json!({ "change": next }), expect)
    }
}

impl Call {
    /// The streams of the account.
    pub(crate) async fn home(&self) -> Result<Home, Refusal> {
        let mark = self.service.record(&self.caller, self.account.id, MARKS, TREE_MARK).await?;
        let mut streams: Vec<Stream> = Vec::new();
        self.each(STREAMS, RecordOrder::Ordinal, all(), |record| {
            streams.extend(parsed(record));
            Ok(true)
        })
        .await?;
        let tree = streams.into_iter().collect();
        Ok(Home { tree, mark: mark.map(|record| record.version) })
    }

    /// The streams of the account, to read only.
    pub(crate) async fn tree(&self) -> Result<Tree, Refusal> {
        Ok(self.home().await?.tree)
    }

    /// An event and the version of its record.
    pub(crate) async fn event(&self, id: &str) -> Result<(Event, u64), Refusal> {
        let found = self.service.record(&self.caller, self.account.id, EVENTS, id).await?;
        let live = found.filter(|record| record.deleted_at.is_none());
        let event = live.as_ref().and_then(|record| Some((parsed(record)?, record.version)));
        event.ok_or_else(|| Refusal::unknown("event", id))
    }

    /// A document of the dialect's own about a webhook.
    pub(crate) async fn webhook_note(&self, id: &str) -> Result<Value, Refusal> {
        let found = self.service.record(&self.caller, self.account.id, WEBHOOKS, id).await?;
        Ok(found.as_ref().and_then(parsed).unwrap_or(Value::Null))
    }

    /// Shows records to `see` until it has seen enough (`false`).
    pub(crate) async fn each(
        &self,
        collection: &str,
        order: RecordOrder,
        span: RecordQuery,
        mut see: impl FnMut(&Record) -> Result<bool, Refusal>,
    ) -> Result<(), Refusal> {
        let counts = self.service.record_counts(&self.caller, self.account.id).await?;
        let total = counts.get(collection).copied().unwrap_or(0);
        let (mut skip, mut after) = (0, None);
        while skip < total {
            let query = RecordQuery { order, skip, after, limit: PAGE, ..span };
            let page =
                self.service.records(&self.caller, self.account.id, collection, &query).await?;
            for record in &page {
                if !see(record)? {
                    return Ok(());
                }
            }
            let Some(next) = query.next_skip(&page) else { return Ok(()) };
            match page.last() {
                // What is changed meanwhile moves to the end and would leave a gap.
                Some(last) if order == RecordOrder::Modified => {
                    after = Some((last.modified_at, last.ordinal));
                }
                _ => skip = next,
            }
        }
        Ok(())
    }

    /// Writes records and says what changed. A stale version is the caller's matter.
    pub(crate) async fn write(
        &self,
        writes: Vec<RecordWrite>,
        announce: Vec<Announcement>,
    ) -> Result<(), Error> {
        self.service.write_records(&self.caller, self.account.id, writes, announce).await?;
        Ok(())
    }

    /// What is told about an event.
    pub(crate) fn entry_change(&self, kind: &str, event: &Event, reach: &[String]) -> Announcement {
        let event_json = event.to_json();
        self.announcement(kind, Some(EVENTS), &event.id, reach, ("event", event_json))
    }

    /// What is told about a stream.
    pub(crate) fn stream_change(
        &self,
        kind: &str,
        stream: &Stream,
        reach: &[String],
    ) -> Announcement {
        self.announcement(kind, Some(STREAMS), &stream.id, reach, ("stream", json!(stream)))
    }

    /// What is told about an item: which streams it is in, the streams above them, and what it is.
    pub(crate) fn announcement(
        &self,
        kind: &str,
        collection: Option<&str>,
        item: &str,
        reach: &[String],
        (name, content): (&str, Value),
    ) -> Announcement {
        let mut data = json!({
            "account": self.account.told(),
            "access": self.access.cuid(),
            "streams": reach,
        });
        data[name] = content;
        Announcement {
            kind: kind.to_owned(),
            collection: collection.map(str::to_owned),
            item: Some(item.to_owned()),
            order_key: None,
            data,
        }
    }
}

/// The write of an event.
pub(crate) fn put_event(event: &Event, expect: Expect) -> RecordWrite {
    put(EVENTS, &event.id, Some(seconds::to_ms(event.time)), event, expect)
}

/// The write of a stream.
pub(crate) fn put_stream(stream: &Stream) -> RecordWrite {
    put(STREAMS, &stream.id, None, stream, Expect::Any)
}

/// The write of a document.
pub(crate) fn put(
    collection: &str,
    key: &str,
    starts_at: Option<i64>,
    document: &impl Serialize,
    expect: Expect,
) -> RecordWrite {
    let body = serde_json::to_vec(document).expect("documents have text keys only");
    let (collection, key) = (collection.to_owned(), key.to_owned());
    RecordWrite::Put(RecordPut { collection, key, starts_at, body: Bytes::from(body) }, expect)
}

/// The write that leaves a tombstone with the streams that the item was in.
pub(crate) fn delete(collection: &str, key: &str, reach: &[String], expect: Expect) -> RecordWrite {
    RecordWrite::Delete {
        collection: collection.to_owned(),
        key: key.to_owned(),
        expect,
        body: Some(Bytes::from(json!({ "streams": reach }).to_string())),
    }
}

/// Everything that is not deleted.
pub(crate) fn all() -> RecordQuery {
    RecordQuery {
        order: RecordOrder::Ordinal,
        from: None,
        to: None,
        modified_since: None,
        deleted: Deleted::Without,
        skip: 0,
        after: None,
        limit: limits::RECORD_PAGE_MAX,
    }
}

/// Tombstones since a time.
pub(crate) fn tombstones(since: f64) -> RecordQuery {
    let modified_since = Some(Timestamp(seconds::to_ms(since)));
    RecordQuery { modified_since, deleted: Deleted::Only, ..all() }
}

/// The document in a record; none when it is of another shape, which no method writes.
pub(crate) fn parsed<T: DeserializeOwned>(record: &Record) -> Option<T> {
    serde_json::from_slice(&record.body).ok()
}

/// What clients are shown of tombstones, by the time of deletion, as far as `shown` lets them through.
pub(crate) fn deletions(records: &[Record], shown: &dyn Fn(&[String]) -> bool) -> Value {
    let mut records: Vec<_> = records.iter().filter(|record| shown(&streams_of(record))).collect();
    records.sort_by_key(|record| record.deleted_at);
    let deletion = |record: &&Record| {
        let at = record.deleted_at.unwrap_or(record.modified_at);
        json!({ "id": record.key, "deleted": seconds::of(at) })
    };
    records.iter().map(deletion).collect()
}

fn streams_of(tombstone: &Record) -> Vec<String> {
    let kept: Option<Value> = parsed(tombstone);
    let streams = kept.as_ref().and_then(|kept| kept["streams"].as_array().cloned());
    let text = |id: Value| id.as_str().map(str::to_owned);
    streams.unwrap_or_default().into_iter().filter_map(text).collect()
}
