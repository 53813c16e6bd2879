//! `streams.get`, `streams.create` and `streams.update`.

use http::StatusCode;
use serde_json::{Map, Value, json};
use tidings_core::limits;
use tidings_service::RecordOrder;

use super::events::{new_id, too_busy, written};
use super::{check_protected, update_of};
use crate::answer::Answer;
use crate::call::Call;
use crate::event::merge_client_data;
use crate::home::{self, Home, STREAMS, TRIES, put_stream};
use crate::params::Reader;
use crate::permission::Act;
use crate::refusal::Refusal;
use crate::seconds;
use crate::tree::{Stream, Tree, slug};

/// Fields that only the server sets.
const PROTECTED: [&str; 6] = ["id", "children", "created", "createdBy", "modified", "modifiedBy"];

/// The tree of the streams that the access may see.
pub(super) async fn get(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let known = ["parentId", "state", "includeDeletionsSince"];
    let mut reader = Reader::strict(params, &known);
    let parent = reader.text("parentId");
    let all = reader.choice("state", &["default", "all"]).as_deref() == Some("all");
    let since = reader.number("includeDeletionsSince");
    reader.finish()?;
    let tree = call.tree().await?;
    let permissions = &call.access.permissions;
    if let Some(parent) = &parent
        && (tree.get(parent).is_none() || !permissions.allow(&tree, parent, Act::List))
    {
        return Err(Refusal::unknown_referenced("stream", "parentId", json!(parent)));
    }
    let shown = |stream: &Stream| {
        (all || !tree.is_trashed(&stream.id)) && permissions.allow(&tree, &stream.id, Act::List)
    };
    let mut answer = Answer::ok([("streams", tree.nested(parent.as_deref(), &shown))]);
    if let Some(since) = since {
        let mut found = Vec::new();
        call.each(STREAMS, RecordOrder::Modified, home::tombstones(since), |record| {
            found.push(record.clone());
            Ok(true)
        })
        .await?;
        let shown = |streams: &[String]| {
            call.access.is_personal()
                || streams.iter().any(|id| permissions.allow(&tree, id, Act::List))
        };
        answer.body.insert("streamDeletions".into(), home::deletions(&found, &shown));
    }
    Ok(answer)
}

/// Creates a stream.
pub(super) async fn create(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let fields = ["name", "parentId", "clientData", "trashed"];
    let known: Vec<_> = fields.iter().chain(&PROTECTED).copied().collect();
    let mut reader = Reader::strict(params, &known);
    let id = reader.text("id");
    let parent_id = reader.text("parentId");
    let name = reader.required_text("name");
    if name.as_deref().is_some_and(|name| name.trim().is_empty()) {
        reader.fault("name", "MIN_LENGTH", "must not be empty");
    }
    let client_data = reader.object("clientData").cloned();
    let trashed = reader.boolean("trashed").unwrap_or(false);
    reader.finish()?;
    let id = match &id {
        Some(wish) => slug(wish).ok_or_else(|| {
            Refusal::item_id(format!("The specified id \"{wish}\" is not allowed."))
        })?,
        None => new_id(call),
    };
    let stream = Stream {
        client_data,
        trashed,
        parent_id,
        ..new_stream(call, id, name.unwrap_or_default())
    };
    for _ in 0..TRIES {
        let home = call.home().await?;
        check_parent(call, &home.tree, &stream.id, stream.parent_id.as_deref())?;
        if insert(call, &home, &stream).await? {
            return Ok(Answer::created("stream", shown(&stream)));
        }
    }
    Err(too_busy())
}

/// A stream at the root, created now.
pub(super) fn new_stream(call: &Call, id: String, name: String) -> Stream {
    let now = seconds::of(call.now);
    Stream {
        id,
        name,
        parent_id: None,
        client_data: None,
        trashed: false,
        created: now,
        created_by: call.access.cuid(),
        modified: now,
        modified_by: call.access.cuid(),
    }
}

/// Writes a new stream; `false` when another changed the tree first.
pub(super) async fn insert(call: &Call, home: &Home, stream: &Stream) -> Result<bool, Refusal> {
    let tree = &home.tree;
    if tree.ids().count() >= limits::PRYV_STREAMS_MAX {
        let message = format!("An account has at most {} streams.", limits::PRYV_STREAMS_MAX);
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "limit-exceeded", message));
    }
    if tree.get(&stream.id).is_some() {
        return Err(Refusal::exists("stream", &[("id", &stream.id)]));
    }
    check_name(tree, stream)?;
    let mut reach = vec![stream.id.clone()];
    reach.extend(tree.reach(stream.parent_id.as_deref()));
    let told = call.stream_change("stream.created", stream, &reach);
    written(call.write(vec![put_stream(stream), home.mark()], vec![told]).await)
}

/// Renames or moves a stream, takes it out of the trash, changes its data.
pub(super) async fn update(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let (id, update) = update_of(params)?;
    check_protected(update, &PROTECTED)?;
    let mut reader = Reader::strict(update, &["name", "parentId", "clientData", "trashed"]);
    let (name, parent) = (reader.text("name"), reader.text("parentId"));
    let client_data = reader.object("clientData");
    let trashed = reader.boolean("trashed");
    reader.finish()?;
    for _ in 0..TRIES {
        let home = call.home().await?;
        let tree = &home.tree;
        let old = tree.get(id).ok_or_else(|| Refusal::unknown("stream", id))?;
        if !call.access.permissions.allow(tree, id, Act::Manage) {
            return Err(Refusal::permissions());
        }
        let mut stream = Stream {
            name: name.clone().unwrap_or_else(|| old.name.clone()),
            trashed: trashed.unwrap_or(old.trashed),
            ..old.clone()
        };
        if update.contains_key("parentId") && parent != old.parent_id {
            check_parent(call, tree, id, parent.as_deref())?;
            if parent.as_deref().is_some_and(|parent| tree.is_within(parent, id)) {
                let why = format!("The stream \"{id}\" cannot be moved below itself.");
                return Err(Refusal::operation(why, json!({ "parentId": parent })));
            }
            stream.parent_id.clone_from(&parent);
        }
        if let Some(data) = client_data {
            merge_client_data(&mut stream.client_data, data);
        }
        check_name(tree, &stream)?;
        if rewrite(call, &home, &mut stream).await? {
            return Ok(Answer::ok([("stream", json!(stream))]));
        }
    }
    Err(too_busy())
}

/// Writes a changed stream; `false` when another changed the tree first.
pub(super) async fn rewrite(
    call: &Call,
    home: &Home,
    stream: &mut Stream,
) -> Result<bool, Refusal> {
    stream.modified = seconds::of(call.now);
    stream.modified_by = call.access.cuid();
    let places = [Some(stream.id.as_str()), stream.parent_id.as_deref()];
    let reach = home.tree.reach(places.into_iter().flatten());
    let told = call.stream_change("stream.updated", stream, &reach);
    written(call.write(vec![put_stream(stream), home.mark()], vec![told]).await)
}

/// A new stream as it is shown.
fn shown(stream: &Stream) -> Value {
    let mut wire = json!(stream);
    wire["children"] = json!([]);
    wire
}

/// Checks that the access may put a stream, with what is below it, below another or at the root.
fn check_parent(call: &Call, tree: &Tree, id: &str, parent: Option<&str>) -> Result<(), Refusal> {
    let permissions = &call.access.permissions;
    let may = match parent {
        None => permissions.allow_root(Act::Manage),
        Some(parent) if tree.get(parent).is_none() => {
            return Err(Refusal::unknown_referenced("parent stream", "parentId", json!(parent)));
        }
        Some(parent) => permissions.allow(tree, parent, Act::Manage),
    };
    if !may {
        return Err(Refusal::permissions());
    }
    let Some(parent) = parent else { return Ok(()) };
    if tree.is_trashed(parent) {
        let why = format!("The referenced stream \"{parent}\" is trashed.");
        return Err(Refusal::operation(why, json!({ "trashedReference": "parentId" })));
    }
    let most = limits::PRYV_STREAM_DEPTH_MAX;
    if tree.lineage(parent).len() + tree.height(id) > most {
        let why = format!("Streams are at most {most} levels deep.");
        return Err(Refusal::operation(why, json!({ "parentId": parent })));
    }
    Ok(())
}

/// Checks that no sibling has the same name.
fn check_name(tree: &Tree, stream: &Stream) -> Result<(), Refusal> {
    match tree.namesake(stream.parent_id.as_deref(), &stream.name, &stream.id) {
        Some(_) => Err(Refusal::exists("sibling stream", &[("name", &stream.name)])),
        None => Ok(()),
    }
}
