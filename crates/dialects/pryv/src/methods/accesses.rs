//! `accesses.get`, `accesses.getOne`, `accesses.create`, `accesses.update` and `accesses.delete`.

mod creating;
mod updating;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::{Bits96, GrantId};
use tidings_core::limits;
use tidings_service::{Announcement, Error, Expect, GrantKind, Key, RecordOrder, TokenChanges};

use super::id_of;
use crate::access::{Access, Usage, cuid};
use crate::answer::Answer;
use crate::call::Call;
use crate::home;
use crate::params::Reader;
use crate::refusal::Refusal;
use crate::seconds;

pub(super) use creating::create;
pub(super) use updating::update;

/// Collection of what is left of deleted accesses.
const DELETED: &str = "deleted-accesses";

/// The accesses that the caller may manage, by name.
pub(super) async fn get(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let mut reader = Reader::strict(params, &["includeExpired", "includeDeletions"]);
    let expired = reader.boolean("includeExpired").unwrap_or(false);
    let deletions = reader.boolean("includeDeletions").unwrap_or(false);
    reader.finish()?;
    let all = all(call).await?;
    let live: BTreeSet<_> = all.iter().map(|(_, access)| access.cuid()).collect();
    let mut found: Vec<_> = all
        .into_iter()
        .filter(|(key, access)| manages(call, key, access))
        .filter(|(_, access)| expired || access.expires_at.is_none_or(|at| at > call.now))
        .map(|(_, access)| access)
        .collect();
    found.sort_by(|a, b| a.text("name").cmp(b.text("name")));
    let list = found.iter().map(|access| Value::Object(access.to_json())).collect();
    let mut answer = Answer::ok([("accesses", list)]);
    if deletions {
        answer.body.insert("accessDeletions".into(), deleted(call, &live).await?);
    }
    Ok(answer)
}

/// One access: the caller's own, or one that it may manage.
pub(super) async fn get_one(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let id = id_of(params)?;
    let (key, access) = find(call, id).await?;
    if access.id != call.access.id && !manages(call, &key, &access) {
        return Err(Refusal::unknown("access", id));
    }
    Ok(Answer::ok([("access", Value::Object(access.to_json()))]))
}

/// Deletes an access with those that it made, and the webhooks of all of them.
pub(super) async fn delete(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let (key, access) = find(call, id_of(params)?).await?;
    let itself = access.id == call.access.id;
    let may = (itself && call.access.permissions.may_self_revoke()) || manages(call, &key, &access);
    if !may || (itself && !call.access.permissions.may_self_revoke()) {
        return Err(Refusal::permissions());
    }
    let mut gone = vec![access.clone()];
    if !access.is_personal() {
        gone.extend(children(call, access.id).await?);
    }
    // Before the end, which may be that of whoever calls.
    keep_deleted(call, &gone).await?;
    if access.is_personal() {
        end_session(call, &access).await?;
    } else {
        let tree = call.tree().await?;
        let told = |access: &Access| {
            let reach = tree.reach(access.permissions.streams());
            announcement(call, "access.deleted", access, &reach)
        };
        let told = gone.iter().map(told).collect();
        call.service.revoke_token_tree(&call.caller, access.id, told).await?;
    }
    let deletion = |id: GrantId| json!({ "id": cuid(id), "deleted": seconds::of(call.now) });
    let mut answer = Answer::ok([("accessDeletion", deletion(access.id))]);
    if gone.len() > 1 {
        let related = gone[1..].iter().map(|access| deletion(access.id)).collect();
        answer.body.insert("relatedDeletions".into(), related);
    }
    Ok(answer)
}

/// Ends a personal access, and nothing that was made with it: those who log out still share what they share.
pub(super) async fn end_session(call: &Call, access: &Access) -> Result<(), Refusal> {
    let soon = call.service.clock().now().plus_ms(limits::PRYV_ACCESS_MS_MIN);
    let changes = TokenChanges {
        scopes: Some(Vec::new()),
        details: Some(json!({ "ended": seconds::of(call.now) })),
        // It opens nothing from now on; what has expired is swept away some day.
        expires_at: Some(Some(soon)),
        ..TokenChanges::default()
    };
    let told = vec![announcement(call, "access.deleted", access, &[])];
    call.service.update_token(&call.caller, access.id, changes, told).await?;
    Ok(())
}

/// The accesses that another made.
async fn children(call: &Call, parent: GrantId) -> Result<Vec<Access>, Refusal> {
    let all = all(call).await?;
    Ok(all.into_iter().filter(|(key, _)| key.parent == Some(parent)).map(|(_, a)| a).collect())
}

/// All accesses of the account.
async fn all(call: &Call) -> Result<Vec<(Key, Access)>, Refusal> {
    let keys = call.service.tokens(&call.caller, &[GrantKind::Access]).await?;
    let access = |key: Key| Access::of_key(&key).map(|access| (key, access));
    Ok(keys.into_iter().filter_map(access).collect())
}

/// One access that is not deleted.
async fn find(call: &Call, id: &str) -> Result<(Key, Access), Refusal> {
    let unknown = || Refusal::unknown("access", id);
    let grant = GrantId(Bits96::from_cuid25(id).ok_or_else(unknown)?);
    let key = match call.service.token(&call.caller, grant).await {
        Err(Error::NotFound(_)) => return Err(unknown()),
        found => found?,
    };
    let live = key.kind == GrantKind::Access && key.revoked_at.is_none();
    let access = Access::of_key(&key).filter(|_| live);
    access.map(|access| (key, access)).ok_or_else(unknown)
}

/// Whether the caller may see and change an access: a personal one any, an app those that it made.
fn manages(call: &Call, key: &Key, access: &Access) -> bool {
    call.access.is_personal()
        || (access.usage == Usage::Shared && key.parent == Some(call.access.id))
}

/// Refuses an end after that of the access that makes this one. A personal one is no limit: what was made with it
/// outlasts the login.
fn within_parent(parent: Option<&Access>, expires_at: Option<Timestamp>) -> Result<(), Refusal> {
    let limit = parent.filter(|parent| !parent.is_personal()).and_then(|parent| parent.expires_at);
    let Some(limit) = limit.filter(|limit| expires_at.is_none_or(|at| at > *limit)) else {
        return Ok(());
    };
    let asked = expires_at.map(seconds::of);
    let data = json!({ "parentExpires": seconds::of(limit), "requestedExpires": asked });
    Err(Refusal::operation("The access must not outlive the one that creates it.", data))
}

/// Refuses an access with the type, the name and the device of another.
fn check_unique(
    call: &Call,
    all: &[(Key, Access)],
    usage: Usage,
    details: &Map<String, Value>,
    itself: Option<GrantId>,
) -> Result<(), Refusal> {
    let same = |access: &Access| {
        let alike = |field: &str| access.details.get(field) == details.get(field);
        access.usage == usage
            && alike("name")
            && alike("deviceName")
            && access.expires_at.is_none_or(|at| at > call.now)
            && Some(access.id) != itself
    };
    match all.iter().find(|(_, access)| same(access)) {
        Some((_, access)) => {
            let keys = [("type", usage.as_str()), ("name", access.text("name"))];
            Err(Refusal::exists("access", &keys))
        }
        None => Ok(()),
    }
}

/// What is told about an access.
fn announcement(call: &Call, kind: &str, access: &Access, reach: &[String]) -> Announcement {
    call.announcement(kind, None, &access.cuid(), reach, ("access", access.to_change()))
}

/// Keeps what clients may ask about deleted accesses.
async fn keep_deleted(call: &Call, gone: &[Access]) -> Result<(), Refusal> {
    let keep = |access: &Access| {
        let mut wire = access.to_json();
        wire.insert("deleted".into(), json!(seconds::of(call.now)));
        wire.insert("by".into(), call.access.cuid().into());
        home::put(DELETED, &access.cuid(), None, &wire, Expect::Any)
    };
    for gone in gone.chunks(limits::RECORD_WRITES_MAX) {
        call.write(gone.iter().map(keep).collect(), Vec::new()).await?;
    }
    Ok(())
}

/// Deleted accesses, as far as the caller could manage them, by the time of deletion. One that is `live` was kept for
/// a deletion that did not come to its end.
async fn deleted(call: &Call, live: &BTreeSet<String>) -> Result<Value, Refusal> {
    let mut list: Vec<Value> = Vec::new();
    call.each(DELETED, RecordOrder::Ordinal, home::all(), |record| {
        let kept: Option<Map<String, Value>> = home::parsed(record);
        if let Some(mut kept) = kept.filter(|_| !live.contains(&record.key)) {
            let by = kept.remove("by");
            let own = kept.get("createdBy").and_then(Value::as_str) == Some(&call.access.cuid());
            if call.access.is_personal() || own || by == Some(call.access.cuid().into()) {
                list.push(Value::Object(kept));
            }
        }
        Ok(true)
    })
    .await?;
    Ok(Value::Array(list))
}
