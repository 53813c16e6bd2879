//! `accesses.update`.

use serde_json::{Map, Value, json};
use tidings_service::{Error, Key, TokenChanges};

use super::{all, announcement, check_unique, creating, find, manages, within_parent};
use crate::access::Access;
use crate::answer::Answer;
use crate::call::Call;
use crate::methods::update_of;
use crate::params::Reader;
use crate::refusal::Refusal;
use crate::seconds;
use crate::tree::Tree;

/// Changes the name, permissions or expiry of an access that the caller made.
pub(in crate::methods) async fn update(
    call: &Call,
    params: &Map<String, Value>,
) -> Result<Answer, Refusal> {
    let (id, update) = update_of(params)?;
    let known = ["name", "deviceName", "permissions", "expireAfter", "expires", "clientData"];
    let mut reader = Reader::strict(update, &known);
    let name = reader.text("name");
    let device = reader.text("deviceName");
    let permissions = creating::permissions(&mut reader);
    let client_data = reader.object("clientData").cloned();
    let expires_at = creating::expiry(&mut reader, call);
    if update.get("expires").is_some_and(|expires| !expires.is_null()) {
        reader.fault("expires", "INVALID_TYPE", "can only be null; a time is set with expireAfter");
    }
    let clears = ["expires", "expireAfter"].iter().any(|n| update.get(*n) == Some(&Value::Null));
    reader.finish()?;
    let (key, old) = find(call, id).await?;
    let own = old.id == call.access.id || old.is_personal();
    if own || !manages(call, &key, &old) {
        return Err(Refusal::permissions());
    }
    let expires_at = expires_at.map(Some).or(clears.then_some(None));
    let is_narrowed = permissions.is_some() || expires_at.is_some();
    let mut new = Access {
        permissions: permissions.unwrap_or_else(|| old.permissions.clone()),
        expires_at: expires_at.unwrap_or(old.expires_at),
        ..old.clone()
    };
    for (field, value) in [
        ("name", name.clone().map(Value::String)),
        ("deviceName", device.map(Value::String)),
        ("clientData", client_data.map(Value::Object)),
        ("permissions", Some(new.permissions.to_json())),
        ("modified", Some(json!(seconds::of(call.now)))),
        ("modifiedBy", Some(call.access.cuid().into())),
    ] {
        new.details.extend(value.map(|value| (field.to_owned(), value)));
    }
    let (all, tree) = (all(call).await?, call.tree().await?);
    check_unique(call, &all, new.usage, &new.details, Some(new.id))?;
    if is_narrowed {
        check_chain(call, parent(call, &key).await?.as_ref(), &new, &all, &tree)?;
    }
    let streams = old.permissions.streams().into_iter().chain(new.permissions.streams());
    let told = announcement(call, "access.updated", &new, &tree.reach(streams));
    let details = Some(Value::Object(new.details));
    let changes = TokenChanges { name, details, expires_at, ..TokenChanges::default() };
    let key = call.service.update_token(&call.caller, new.id, changes, vec![told]).await?;
    let changed = Access::of_key(&key).unwrap_or(old);
    Ok(Answer::ok([("access", Value::Object(changed.to_json()))]))
}

/// The access that made this one, while it is one.
async fn parent(call: &Call, key: &Key) -> Result<Option<Access>, Refusal> {
    let Some(parent) = key.parent else { return Ok(None) };
    if parent == call.access.id {
        return Ok(Some(call.access.clone()));
    }
    match call.service.token(&call.caller, parent).await {
        Ok(parent) => Ok(Access::of_key(&parent)),
        // A login that was swept away.
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The changed access is within the one that made it, and holds what was made with it.
fn check_chain(
    call: &Call,
    parent: Option<&Access>,
    new: &Access,
    all: &[(Key, Access)],
    tree: &Tree,
) -> Result<(), Refusal> {
    if parent.is_some_and(|parent| !parent.permissions.cover(&new.permissions, tree)) {
        return Err(Refusal::permissions());
    }
    within_parent(parent, new.expires_at)?;
    let outside = |(key, child): &&(Key, Access)| {
        key.parent == Some(new.id)
            && child.expires_at.is_none_or(|at| at > call.now)
            && (!new.permissions.cover(&child.permissions, tree)
                || within_parent(Some(new), child.expires_at).is_err())
    };
    let offending: Vec<_> = all.iter().filter(outside).map(|(_, child)| child.cuid()).collect();
    if offending.is_empty() {
        return Ok(());
    }
    let why = "Shared accesses that were made with this access would reach further than it.";
    Err(Refusal::operation(why, json!({ "offendingChildren": offending })))
}
