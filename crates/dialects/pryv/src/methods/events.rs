//! `events.create`, `events.update` and `events.delete`.

use http::StatusCode;
use serde_json::{Map, Value, json};
use tidings_core::id::Bits96;
use tidings_service::{Error, Expect};

use super::{check_protected, finding, id_of, update_of};
use crate::answer::Answer;
use crate::call::Call;
use crate::event::{Event, merge_client_data};
use crate::home::{self, EVENTS, TRIES, put_event};
use crate::params::Reader;
use crate::permission::Act;
use crate::refusal::Refusal;
use crate::seconds;
use crate::tree::Tree;

/// Fields that a client may set.
const FIELDS: [&str; 9] = [
    "streamIds",
    "streamId",
    "time",
    "duration",
    "type",
    "content",
    "tags",
    "description",
    "clientData",
];

/// Fields that only the server sets.
const PROTECTED: [&str; 7] =
    ["id", "created", "createdBy", "modified", "modifiedBy", "attachments", "integrity"];

/// What a client says of an event.
struct Fields {
    stream_ids: Option<Vec<String>>,
    time: Option<f64>,
    duration: Option<Option<f64>>,
    kind: Option<String>,
    content: Option<Option<Value>>,
    tags: Option<Vec<String>>,
    description: Option<Option<String>>,
    client_data: Option<Map<String, Value>>,
    trashed: Option<bool>,
}

impl Fields {
    fn read(reader: &mut Reader<'_>, fields: &Map<String, Value>) -> Self {
        let given = |name: &str| fields.contains_key(name);
        let duration = reader.number("duration");
        if duration.is_some_and(|length| length < 0.0) {
            reader.fault("duration", "MINIMUM", "must not be negative");
        }
        let kind = reader.text("type");
        if kind.as_deref().is_some_and(|kind| !is_type(kind)) {
            let why = "must be a class and a format, such as count/steps";
            reader.fault("type", "PATTERN", why);
        }
        let one = reader.text("streamId").map(|id| vec![id]);
        let stream_ids = reader.texts("streamIds").or(one);
        if stream_ids.as_ref().is_some_and(Vec::is_empty) {
            reader.fault("streamIds", "ARRAY_LENGTH_SHORT", "must name at least one stream");
        }
        Self {
            stream_ids,
            time: reader.number("time"),
            // A length of 0 is that of a moment.
            duration: given("duration").then_some(duration).filter(|length| *length != Some(0.0)),
            kind,
            content: given("content").then(|| fields["content"].clone()).map(Some),
            tags: reader.texts("tags"),
            description: reader.text("description").map(Some),
            client_data: reader.object("clientData").cloned(),
            trashed: reader.boolean("trashed"),
        }
    }

    /// Puts what is said over what is there.
    fn apply(self, event: &mut Event) {
        if let Some(stream_ids) = self.stream_ids {
            event.stream_ids = stream_ids;
        }
        event.time = self.time.unwrap_or(event.time);
        if let Some(kind) = self.kind {
            event.kind = kind;
        }
        event.content = self.content.unwrap_or_else(|| event.content.take());
        event.tags = self.tags.unwrap_or_else(|| std::mem::take(&mut event.tags));
        event.description = self.description.unwrap_or_else(|| event.description.take());
        if let Some(data) = &self.client_data {
            merge_client_data(&mut event.client_data, data);
        }
        event.trashed = self.trashed.unwrap_or(event.trashed);
    }
}

/// A class and a format: `count/steps`.
fn is_type(kind: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    kind.split_once('/').is_some_and(|(class, format)| word(class) && word(format))
}

/// Records a new event.
pub(super) async fn create(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let known: Vec<_> = FIELDS.iter().chain(&PROTECTED).copied().chain(["trashed"]).collect();
    let mut reader = Reader::strict(params, &known);
    let id = reader.text("id");
    if id.as_deref().is_some_and(|id| !is_cuid(id)) {
        reader.fault("id", "PATTERN", "must be a cuid: c and 24 lower case letters and digits");
    }
    let fields = Fields::read(&mut reader, params);
    if fields.stream_ids.is_none() {
        reader.required_text("streamIds");
    }
    reader.required_text("type");
    reader.finish()?;
    let now = seconds::of(call.now);
    let by = call.access.cuid();
    let mut event = Event {
        id: id.unwrap_or_else(|| new_id(call)),
        time: now,
        duration: fields.duration,
        stream_ids: Vec::new(),
        tags: Vec::new(),
        kind: String::new(),
        content: None,
        description: None,
        client_data: None,
        trashed: false,
        created: now,
        created_by: by.clone(),
        modified: now,
        modified_by: by,
    };
    fields.apply(&mut event);
    let tree = call.tree().await?;
    check_streams(call, &tree, &event.stream_ids)?;
    let reach = tree.reach(event.stream_ids.iter().map(String::as_str));
    let told = call.entry_change("entry.created", &event, &reach);
    match call.write(vec![put_event(&event, Expect::Absent)], vec![told]).await {
        Ok(()) => Ok(Answer::created("event", event.to_json())),
        Err(Error::Conflict(_)) => Err(Refusal::exists("event", &[("id", &event.id)])),
        Err(error) => Err(error.into()),
    }
}

/// Changes an event.
pub(super) async fn update(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let (id, update) = update_of(params)?;
    check_protected(update, &PROTECTED)?;
    for _ in 0..TRIES {
        let known: Vec<_> = FIELDS.iter().copied().chain(["trashed"]).collect();
        let mut reader = Reader::strict(update, &known);
        let fields = Fields::read(&mut reader, update);
        reader.finish()?;
        let tree = call.tree().await?;
        let (old, version) = changeable(call, id, &tree).await?;
        let mut event = old.clone();
        if update.contains_key("duration") {
            event.duration = fields.duration;
        }
        fields.apply(&mut event);
        let added: Vec<_> =
            event.stream_ids.iter().filter(|id| !old.stream_ids.contains(id)).cloned().collect();
        check_streams(call, &tree, &added)?;
        let removed = old.stream_ids.iter().filter(|id| !event.stream_ids.contains(id));
        check_change(call, &tree, removed)?;
        touch(call, &mut event);
        if replace(call, &tree, &old, &event, version).await? {
            return Ok(Answer::ok([("event", event.to_json())]));
        }
    }
    Err(too_busy())
}

/// Puts an event into the trash; deletes it when it is there.
pub(super) async fn delete(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let id = id_of(params)?;
    for _ in 0..TRIES {
        let tree = call.tree().await?;
        let (old, version) = changeable(call, id, &tree).await?;
        if !old.trashed {
            let mut event = Event { trashed: true, ..old.clone() };
            touch(call, &mut event);
            if replace(call, &tree, &old, &event, version).await? {
                return Ok(Answer::ok([("event", event.to_json())]));
            }
            continue;
        }
        let reach = tree.reach(old.stream_ids.iter().map(String::as_str));
        let told = call.entry_change("entry.deleted", &old, &reach);
        let gone = home::delete(EVENTS, id, &reach, Expect::Version(version));
        if written(call.write(vec![gone], vec![told]).await)? {
            let deletion = json!({ "id": id, "deleted": seconds::of(call.now) });
            return Ok(Answer::ok([("eventDeletion", deletion)]));
        }
    }
    Err(too_busy())
}

/// Whether a write took place; not when another came first.
pub(super) fn written(outcome: Result<(), Error>) -> Result<bool, Refusal> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Stale { .. } | Error::Conflict(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Another came first time and again.
pub(super) fn too_busy() -> Refusal {
    let message = "Others change the same item at the same time; try again.";
    let mut refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "api-unavailable", message);
    refusal.retry_after_s = Some(1);
    refusal
}

/// A new id in Pryv's shape.
pub(super) fn new_id(call: &Call) -> String {
    call.service.ids().next(call.now).to_cuid25()
}

fn is_cuid(id: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    Bits96::from_cuid25(id).is_some()
        || (matches!(id.len(), 24 | 25)
            && id.bytes().all(letter)
            && id.starts_with(|c: char| c.is_ascii_lowercase()))
}

fn touch(call: &Call, event: &mut Event) {
    event.modified = seconds::of(call.now);
    event.modified_by = call.access.cuid();
}

/// An event that the access may change.
async fn changeable(call: &Call, id: &str, tree: &Tree) -> Result<(Event, u64), Refusal> {
    let (event, version) = call.event(id).await?;
    let permissions = &call.access.permissions;
    let may = |id: &String| permissions.allow(tree, id, Act::Change);
    let may = call.access.is_personal() || event.stream_ids.iter().any(may);
    if may && finding::may_read(call, &event, tree) {
        Ok((event, version))
    } else {
        Err(Refusal::permissions())
    }
}

/// Writes an event anew; `false` when another came first. What watches a stream that the event leaves is
/// told too.
async fn replace(
    call: &Call,
    tree: &Tree,
    old: &Event,
    event: &Event,
    version: u64,
) -> Result<bool, Refusal> {
    let streams = old.stream_ids.iter().chain(&event.stream_ids).map(String::as_str);
    let told = call.entry_change("entry.updated", event, &tree.reach(streams));
    written(call.write(vec![put_event(event, Expect::Version(version))], vec![told]).await)
}

/// Checks that new events may be put into streams.
fn check_streams(call: &Call, tree: &Tree, streams: &[String]) -> Result<(), Refusal> {
    let unknown: Vec<_> = streams.iter().filter(|id| tree.get(id).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Refusal::unknown_referenced("stream", "streamIds", json!(unknown)));
    }
    if !streams.iter().all(|id| call.access.permissions.allow(tree, id, Act::Create)) {
        return Err(Refusal::permissions());
    }
    match streams.iter().find(|id| tree.is_trashed(id)) {
        Some(id) => Err(Refusal::operation(
            format!("The referenced stream \"{id}\" is trashed."),
            json!({ "trashedReference": "streamIds" }),
        )),
        None => Ok(()),
    }
}

fn check_change<'a>(
    call: &Call,
    tree: &Tree,
    mut streams: impl Iterator<Item = &'a String>,
) -> Result<(), Refusal> {
    let may = streams.all(|id| call.access.permissions.allow(tree, id, Act::Change));
    if may { Ok(()) } else { Err(Refusal::permissions()) }
}
