//! `webhooks.get`, `.getOne`, `.create`, `.update`, `.delete` and `.test`.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tidings_core::hook::HookStatus;
use tidings_core::id::{Bits96, HookId};
use tidings_service::{EnableFrom, Error, Expect, Hook, HookChanges, HookMatch, NewHook, Run};

use super::{id_of, update_of};
use crate::access::cuid;
use crate::answer::Answer;
use crate::call::Call;
use crate::format::{self, TRIGGERS};
use crate::home::{self, WEBHOOKS};
use crate::params::Reader;
use crate::refusal::Refusal;
use crate::scope::Scopes;
use crate::seconds;

/// Fields that only the server sets, or creation.
const PROTECTED: [&str; 14] = [
    "id",
    "accessId",
    "url",
    "minIntervalMs",
    "maxRetries",
    "currentRetries",
    "runCount",
    "failCount",
    "lastRun",
    "runs",
    "created",
    "createdBy",
    "modified",
    "modifiedBy",
];

/// The webhooks that the access made; all of the account for a personal one.
pub(super) async fn get(call: &Call) -> Result<Answer, Refusal> {
    let owner = (!call.access.is_personal()).then_some(call.access.id);
    let like = HookMatch { format: Some(format::NAME.into()), owner, ..HookMatch::default() };
    let mut list = Vec::new();
    for hook in call.service.hooks_like(&call.caller, like).await? {
        list.push(shown(call, &hook).await?);
    }
    Ok(Answer::ok([("webhooks", Value::Array(list))]))
}

/// One webhook.
pub(super) async fn get_one(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let hook = find(call, id_of(params)?, "The webhook was not created by this access.").await?;
    Ok(Answer::ok([("webhook", shown(call, &hook).await?)]))
}

/// Creates a webhook. Its URL may be any text: calls to what is no URL fail.
pub(super) async fn create(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    if call.access.is_personal() {
        return Err(Refusal::method_forbidden("webhooks.create"));
    }
    let mut reader = Reader::strict(params, &["url", "scopes"]);
    let url = reader.required_text("url");
    let scopes = reader.object("scopes");
    reader.finish()?;
    let url = url.unwrap_or_default();
    let scopes = read_scopes(call, scopes).await?;
    let turn = call.creating.lock().await;
    let own = call.service.hooks_owned_by(&call.caller, Some(call.access.id)).await?;
    if own.iter().any(|hook| hook.url.as_deref() == Some(&url)) {
        return Err(Refusal::exists("webhook", &[("url", &url)]));
    }
    let new = NewHook {
        url: Some(url),
        format: Some(format::NAME.into()),
        triggers: TRIGGERS.map(str::to_owned).to_vec(),
        named: scopes.named,
        serving: call.pace.serving(),
        ..NewHook::default()
    };
    let hook = call.service.create_hook(&call.caller, new).await?.hook;
    drop(turn);
    note(call, &hook, Some(&scopes.shown)).await?;
    Ok(Answer::created("webhook", shown(call, &hook).await?))
}

/// Starts or stops a webhook, or gives it other scopes.
pub(super) async fn update(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let (id, update) = update_of(params)?;
    let known: Vec<_> = PROTECTED.iter().copied().chain(["state", "scopes"]).collect();
    let mut reader = Reader::strict(update, &known);
    let state = reader.choice("state", &["active", "inactive"]);
    let scopes = reader.object("scopes");
    reader.finish()?;
    super::check_protected(update, &PROTECTED)?;
    let mut hook = find(call, id, BY_APP).await?;
    if scopes.is_some() {
        let scopes = read_scopes(call, scopes).await?;
        let changes = HookChanges { named: Some(scopes.named), ..HookChanges::default() };
        hook = call.service.update_hook(&call.caller, hook.id, changes).await?;
        note(call, &hook, Some(&scopes.shown)).await?;
    }
    hook = match state.as_deref() {
        // What was missed is not sent: the receiver fetches what changed since it last did.
        Some("active") => call.service.enable_hook(&call.caller, hook.id, EnableFrom::Now).await?,
        Some(_) => call.service.disable_hook(&call.caller, hook.id).await?,
        None => hook,
    };
    if state.is_some() {
        note(call, &hook, None).await?;
    }
    Ok(Answer::ok([("webhook", shown(call, &hook).await?)]))
}

/// Deletes a webhook.
pub(super) async fn delete(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let id = id_of(params)?;
    let hook = find(call, id, BY_APP).await?;
    call.service.delete_hook(&call.caller, hook.id).await?;
    let deletion = json!({ "id": id, "deleted": seconds::of(call.now) });
    Ok(Answer::ok([("webhookDeletion", deletion)]))
}

/// Calls a webhook's URL now, whatever its state; nothing of it is counted.
pub(super) async fn test(call: &Call, params: &Map<String, Value>) -> Result<Answer, Refusal> {
    let hook = find(call, id_of(params)?, BY_APP).await?;
    let body = format::body(&["test"], call.now).to_string();
    let called = call.service.call_hook(&call.caller, hook.id, Bytes::from(body)).await?;
    if called.status.is_some_and(|status| (200..300).contains(&status)) {
        return Ok(Answer::ok([("webhook", shown(call, &hook).await?)]));
    }
    Err(Refusal::unknown_referenced("webhook", "url", json!(hook.url)))
}

/// In whose words another access's webhook is refused.
const BY_APP: &str = "The webhook was not created by this app access.";

/// A webhook that the access may see and change.
async fn find(call: &Call, id: &str, others: &str) -> Result<Hook, Refusal> {
    let unknown = || Refusal::unknown("webhook", id);
    let hook = HookId(Bits96::from_cuid25(id).ok_or_else(unknown)?);
    let hook = match call.service.hook(&call.caller, hook).await {
        Err(Error::NotFound(_)) => return Err(unknown()),
        found => found?,
    };
    if hook.format != format::NAME {
        return Err(unknown());
    }
    if call.access.is_personal() || hook.owner == Some(call.access.id) {
        Ok(hook)
    } else {
        Err(Refusal::forbidden(others))
    }
}

async fn read_scopes(call: &Call, scopes: Option<&Map<String, Value>>) -> Result<Scopes, Refusal> {
    match scopes.filter(|scopes| !scopes.is_empty()) {
        Some(scopes) => Scopes::read(scopes, &call.access, &call.tree().await?),
        None => Ok(Scopes::default()),
    }
}

/// Keeps who changed a webhook, and its scopes as they were given; those that are there stay without new ones.
async fn note(
    call: &Call,
    hook: &Hook,
    scopes: Option<&Map<String, Value>>,
) -> Result<(), Refusal> {
    let id = hook.id.0.to_cuid25();
    let old = call.webhook_note(&id).await?;
    let document = json!({
        "modified": seconds::of(call.now),
        "modifiedBy": call.access.cuid(),
        "scopes": scopes.map_or_else(|| old["scopes"].clone(), |scopes| json!(scopes)),
    });
    let write = home::put(WEBHOOKS, &id, None, &document, Expect::Any);
    Ok(call.write(vec![write], Vec::new()).await?)
}

/// A webhook as clients see it.
async fn shown(call: &Call, hook: &Hook) -> Result<Value, Refusal> {
    let id = hook.id.0.to_cuid25();
    let note = call.webhook_note(&id).await?;
    let runs = call.service.hook_runs(&call.caller, hook.id, call.pace.runs_size).await?;
    let run = |run: &Run| json!({ "status": run.status, "timestamp": seconds::of(run.at) });
    let never = json!({ "status": 0, "timestamp": 0 });
    let owner = hook.owner.map(cuid);
    let created = seconds::of(hook.created_at);
    let or = |value: &Value, other: Value| if value.is_null() { other } else { value.clone() };
    let mut wire = json!({
        "id": id,
        "accessId": owner,
        "url": hook.url,
        "state": if hook.status == HookStatus::Active { "active" } else { "inactive" },
        "minIntervalMs": hook.coalesce.map_or(0, |rule| rule.min_interval_ms),
        "maxRetries": hook.retry.len().saturating_sub(1),
        "currentRetries": hook.consecutive_failures,
        "runCount": hook.runs,
        "failCount": hook.failures,
        "lastRun": runs.first().map_or(never, run),
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "created": created,
        "createdBy": owner,
        "modified": or(&note["modified"], json!(created)),
        "modifiedBy": or(&note["modifiedBy"], json!(owner)),
    });
    if let Some(scopes) = note["scopes"].as_object().filter(|scopes| !scopes.is_empty()) {
        wire["scopes"] = json!(scopes);
    }
    Ok(wire)
}
