//! `streams.delete`.

use serde_json::{Map, Value, json};
use tidings_core::limits;
use tidings_service::{Announcement, Expect, RecordOrder, RecordWrite};

use super::events::{too_busy, written};
use super::id_of;
use super::streams::rewrite;
use crate::answer::Answer;
use crate::call::Call;
use crate::event::Event;
use crate::home::{self, EVENTS, Home, STREAMS, TRIES, put_event};
use crate::params::Reader;
use crate::permission::Act;
use crate::refusal::Refusal;
use crate::seconds;
use crate::tree::Stream;

/// Puts a stream into the trash; deletes it with all below it when it is there, all of which the access must manage.
pub(super) async fn delete(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let mut reader = Reader::strict(params, &["id", "mergeEventsWithParent"]);
    let merge = reader.boolean("mergeEventsWithParent");
    reader.finish()?;
    let id = id_of(params)?;
    for _ in 0..TRIES {
        let home = call.home().await?;
        let old = home.tree.get(id).ok_or_else(|| Refusal::unknown("stream", id))?;
        if !call.access.permissions.allow(&home.tree, id, Act::Manage) {
            return Err(Refusal::permissions());
        }
        if !old.trashed {
            let mut stream = Stream { trashed: true, ..old.clone() };
            if rewrite(call, &home, &mut stream).await? {
                return Ok(Answer::ok([("stream", json!(stream))]));
            }
            continue;
        }
        let doomed: Vec<String> = home.tree.descent(id).into_iter().map(str::to_owned).collect();
        let permissions = &call.access.permissions;
        if !doomed.iter().all(|id| permissions.allow(&home.tree, id, Act::Manage)) {
            return Err(Refusal::permissions());
        }
        if move_events(call, &home, old, &doomed, merge).await?
            && erase(call, &home, &doomed).await?
        {
            let deletion = json!({ "id": id, "deleted": seconds::of(call.now) });
            return Ok(Answer::ok([("streamDeletion", deletion)]));
        }
    }
    Err(too_busy())
}

/// Gives the events of the doomed streams to the parent, or deletes those that are nowhere else. `false` when
/// another changed one of them first; then it is begun anew, which does no harm.
async fn move_events(
    call: &Call,
    home: &Home,
    stream: &Stream,
    doomed: &[String],
    merge: Option<bool>,
) -> Result<bool, Refusal> {
    let mut linked: Vec<(Event, u64)> = Vec::new();
    call.each(EVENTS, RecordOrder::Ordinal, home::all(), |record| {
        let event: Option<Event> = home::parsed(record);
        let in_doomed = |event: &Event| event.stream_ids.iter().any(|id| doomed.contains(id));
        linked.extend(event.filter(in_doomed).map(|event| (event, record.version)));
        Ok(true)
    })
    .await?;
    let merge = match merge {
        _ if linked.is_empty() => return Ok(true),
        Some(merge) => merge,
        None => {
            let why = "There are events referring to the deleted items and the \
                       \"mergeEventsWithParent\" parameter is missing.";
            let code = "OBJECT_MISSING_REQUIRED_PROPERTY";
            let path = "#/mergeEventsWithParent";
            let fault = json!({ "code": code, "message": why, "path": path });
            return Err(Refusal::parameters(vec![fault]));
        }
    };
    let heir = match (&stream.parent_id, merge) {
        (None, true) => {
            let why = "Deleting a root stream with mergeEventsWithParent=true is rejected since there \
                       is no parent stream to merge linked events in.";
            return Err(Refusal::operation(why, json!({ "streamId": stream.id })));
        }
        (parent, true) => parent.as_deref(),
        (_, false) => None,
    };
    if heir.is_some_and(|heir| !call.access.permissions.allow(&home.tree, heir, Act::Change)) {
        return Err(Refusal::permissions());
    }
    for chunk in linked.chunks(limits::RECORD_ANNOUNCEMENTS_MAX) {
        let moved = chunk.iter().map(|(event, version)| {
            move_event(call, home, event, Expect::Version(*version), doomed, heir)
        });
        let (writes, told) = moved.unzip();
        if !written(call.write(writes, told).await)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One event without its doomed streams, in that of the heir instead; deleted when it is in none then.
fn move_event(
    call: &Call,
    home: &Home,
    old: &Event,
    expect: Expect,
    doomed: &[String],
    heir: Option<&str>,
) -> (RecordWrite, Announcement) {
    let reach = home.tree.reach(old.stream_ids.iter().map(String::as_str));
    let mut event = old.clone();
    event.stream_ids.retain(|id| !doomed.contains(id));
    if let Some(heir) = heir.filter(|heir| !event.stream_ids.iter().any(|id| id == heir)) {
        event.stream_ids.push(heir.to_owned());
    }
    if event.stream_ids.is_empty() {
        let gone = home::delete(EVENTS, &old.id, &reach, expect);
        return (gone, call.entry_change("entry.deleted", old, &reach));
    }
    event.modified = seconds::of(call.now);
    event.modified_by = call.access.cuid();
    (put_event(&event, expect), call.entry_change("entry.updated", &event, &reach))
}

/// Deletes the streams, in as many commits as it takes; the first one claims the tree.
async fn erase(call: &Call, home: &Home, doomed: &[String]) -> Result<bool, Refusal> {
    let mut writes = vec![home.mark()];
    let mut told = Vec::new();
    // The deepest first, so that what is left of an interrupted deletion is still a tree.
    let mut deepest: Vec<_> = doomed.iter().filter_map(|id| home.tree.get(id)).collect();
    deepest.sort_by_key(|stream| std::cmp::Reverse(home.tree.lineage(&stream.id).len()));
    for stream in deepest {
        let reach = home.tree.reach([stream.id.as_str()]);
        writes.push(home::delete(STREAMS, &stream.id, &reach, Expect::Any));
        told.push(call.stream_change("stream.deleted", stream, &reach));
        if told.len() == limits::RECORD_ANNOUNCEMENTS_MAX {
            let (writes, told) = (std::mem::take(&mut writes), std::mem::take(&mut told));
            if !written(call.write(writes, told).await)? {
                return Ok(false);
            }
        }
    }
    if writes.is_empty() { Ok(true) } else { written(call.write(writes, told).await) }
}
