//! `accesses.get`, `accesses.getOne`, `accesses.create`, `accesses.update` and `accesses.delete`.

mod creating;

use serde_json::{Map, Value, json};
use tidings_core::id::{Bits96, GrantId};
use tidings_service::{Error, Expect, GrantKind, Key, RecordOrder, TokenChanges};

use super::{id_of, update_of};
use crate::access::{Access, Usage, cuid};
use crate::answer::Answer;
use crate::call::Call;
use crate::home;
use crate::params::Reader;
use crate::permission::Permissions;
use crate::refusal::Refusal;
use crate::seconds;

pub(super) use creating::create;

/// Collection of what is left of deleted accesses.
const DELETED: &str = "deleted-accesses";

/// The accesses that the caller may manage, by name.
pub(super) async fn get(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let mut reader = Reader::strict(params, &["includeExpired", "includeDeletions"]);
    let expired = reader.boolean("includeExpired").unwrap_or(false);
    let deletions = reader.boolean("includeDeletions").unwrap_or(false);
    reader.finish()?;
    let mut found: Vec<_> = all(call)
        .await?
        .into_iter()
        .filter(|(key, access)| manages(call, key, access))
        .filter(|(_, access)| expired || access.expires_at.is_none_or(|at| at > call.now))
        .map(|(_, access)| access)
        .collect();
    found.sort_by(|a, b| a.text("name").cmp(b.text("name")));
    let list = found.iter().map(|access| Value::Object(access.to_json())).collect();
    let mut answer = Answer::ok([("accesses", list)]);
    if deletions {
        answer.body.insert("accessDeletions".into(), deleted(call).await?);
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

/// Changes the name, permissions or expiry of an access that the caller made.
pub(super) async fn update(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let (id, update) = update_of(params)?;
    let known = ["name", "deviceName", "permissions", "expireAfter", "expires", "clientData"];
    let mut reader = Reader::strict(update, &known);
    let name = reader.text("name");
    let device = reader.text("deviceName");
    let permissions = creating::permissions(&mut reader);
    let client_data = reader.object("clientData").cloned();
    let expires_at = creating::expiry(&mut reader, call);
    let clears = ["expires", "expireAfter"].iter().any(|n| update.get(*n) == Some(&Value::Null));
    reader.finish()?;
    let (key, access) = find(call, id).await?;
    let own = access.id == call.access.id || access.is_personal();
    if own || !manages(call, &key, &access) {
        return Err(Refusal::permissions());
    }
    let mut details = access.details.clone();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            details.insert(name.to_owned(), value);
        }
    };
    set("name", name.map(Value::String));
    set("deviceName", device.map(Value::String));
    set("clientData", client_data.map(Value::Object));
    set("modified", Some(json!(seconds::of(call.now))));
    set("modifiedBy", Some(call.access.cuid().into()));
    if let Some(permissions) = permissions {
        check_chain(call, &access, &permissions).await?;
        set("permissions", Some(permissions.to_json()));
    }
    let changes = TokenChanges {
        details: Some(Value::Object(details)),
        expires_at: expires_at.map(Some).or(clears.then_some(None)),
        ..TokenChanges::default()
    };
    let told = vec![announcement(call, "access.updated", &access).await?];
    let key = call.service.update_token(&call.caller, access.id, changes, told).await?;
    let changed = Access::of_key(&key).unwrap_or(access);
    Ok(Answer::ok([("access", Value::Object(changed.to_json()))]))
}

/// The new permissions are within those of the access that made it, and hold what was made of it.
async fn check_chain(call: &Call, access: &Access, new: &Permissions) -> Result<(), Refusal> {
    let tree = call.tree().await?;
    let all = all(call).await?;
    let parent = all.iter().find(|(key, _)| key.id == access.id).and_then(|(key, _)| key.parent);
    let parent = all.iter().find(|(key, _)| Some(key.id) == parent).map(|(_, access)| access);
    if parent.is_some_and(|parent| !parent.permissions.cover(new, &tree)) {
        return Err(Refusal::permissions());
    }
    let outside = |(key, child): &&(Key, Access)| {
        key.parent == Some(access.id) && !new.cover(&child.permissions, &tree)
    };
    let offending: Vec<_> = all.iter().filter(outside).map(|(_, child)| child.cuid()).collect();
    if offending.is_empty() {
        return Ok(());
    }
    let why = "Shared accesses that were made with this access would reach further than it.";
    Err(Refusal::operation(why, json!({ "offendingChildren": offending })))
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
    if access.is_personal() {
        end_session(call, &access).await?;
    } else {
        gone.extend(children(call, access.id).await?);
        let mut told = Vec::new();
        for access in &gone {
            told.push(announcement(call, "access.deleted", access).await?);
        }
        call.service.revoke_token_tree(&call.caller, access.id, told).await?;
    }
    // The grant that calls may be the one that is gone.
    if !itself {
        keep_deleted(call, &gone).await?;
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
    let changes = TokenChanges {
        scopes: Some(Vec::new()),
        details: Some(json!({ "ended": seconds::of(call.now) })),
        ..TokenChanges::default()
    };
    let told = vec![announcement(call, "access.deleted", access).await?];
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

/// What is told about an access.
async fn announcement(
    call: &Call,
    kind: &str,
    access: &Access,
) -> Result<tidings_service::Announcement, Refusal> {
    let tree = call.tree().await?;
    let reach = tree.reach(access.permissions.streams());
    let content = ("access", access.to_change());
    Ok(call.announcement(kind, None, &access.cuid(), &reach, content))
}

/// Keeps what clients may ask about deleted accesses.
async fn keep_deleted(call: &Call, gone: &[Access]) -> Result<(), Refusal> {
    let keep = |access: &Access| {
        let mut wire = access.to_json();
        wire.insert("deleted".into(), json!(seconds::of(call.now)));
        wire.insert("by".into(), call.access.cuid().into());
        home::put(DELETED, &access.cuid(), None, &wire, Expect::Any)
    };
    Ok(call.write(gone.iter().map(keep).collect(), Vec::new()).await?)
}

/// Deleted accesses, as far as the caller could manage them, by the time of deletion.
async fn deleted(call: &Call) -> Result<Value, Refusal> {
    let mut list: Vec<Value> = Vec::new();
    call.each(DELETED, RecordOrder::Ordinal, home::all(), |record| {
        let kept: Option<Map<String, Value>> = home::parsed(record);
        if let Some(mut kept) = kept {
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
