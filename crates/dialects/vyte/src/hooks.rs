//! `/v2/hooks` and `/hooks`: webhooks of the organization, one action each.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use tidings_core::clock::Timestamp;
use tidings_core::id::{Bits96, HookId};
use tidings_core::limits;
use tidings_service::{Hook, HookChanges, NewHook, PageInput};

use crate::action::Action;
use crate::format::{FORMAT, FORMAT_ARRAY};
use crate::refusal::Refusal;
use crate::request::{Call, Fields, Given};

/// A hook, as documented.
#[derive(Serialize)]
pub(crate) struct Shown {
    #[serde(rename = "_id")]
    id: String,
    target_url: Option<String>,
    action: String,
    scope: &'static str,
    organization: String,
    #[serde(rename = "updatedAt")]
    updated_at: Timestamp,
    #[serde(rename = "createdAt")]
    created_at: Timestamp,
    #[serde(rename = "__v")]
    v: u32,
}

fn show(call: &Call, hook: Hook) -> Shown {
    Shown {
        id: hook.id.0.to_hex24(),
        target_url: hook.url,
        action: hook.triggers.join(","),
        scope: "organization",
        organization: call.organization(),
        updated_at: hook.updated_at,
        created_at: hook.created_at,
        v: 0,
    }
}

/// `GET /v2/hooks`: a bare array, as the guide prints it.
pub(crate) async fn list_v2(call: Call) -> Result<Json<Vec<Shown>>, Refusal> {
    all(&call).await.map(Json)
}

/// `GET /hooks`: under a key, as the reference prints it.
pub(crate) async fn list(call: Call) -> Result<Response, Refusal> {
    Ok(Json(json!({ "hooks": all(&call).await? })).into_response())
}

/// `PUT /v2/hooks` without a body, as the guide prints the request that lists.
pub(crate) async fn put_list_v2(call: Call, given: Given) -> Result<Json<Vec<Shown>>, Refusal> {
    no_body(&given)?;
    list_v2(call).await
}

/// As [`put_list_v2`], for `/hooks`.
pub(crate) async fn put_list(call: Call, given: Given) -> Result<Response, Refusal> {
    no_body(&given)?;
    list(call).await
}

fn no_body(given: &Given) -> Result<(), Refusal> {
    match given.0 {
        None => Ok(()),
        Some(_) => Err(Refusal::bad_request("malformed", "name the hook to update in the path")),
    }
}

/// `POST`: 201 with the hook.
pub(crate) async fn create(call: Call, given: Given) -> Result<(StatusCode, Json<Shown>), Refusal> {
    let fields = given.object()?;
    let (action, target_url) = asked(&fields)?;
    let format = match fields.text("format", 16)? {
        None | Some("object") => FORMAT,
        Some("array") => FORMAT_ARRAY,
        Some(_) => return Err(fields.refuse("format", "must be object or array")),
    };
    let new = NewHook {
        url: Some(target_url),
        format: Some(format!("{}@{}", format.name, format.version)),
        triggers: vec![action],
        ..NewHook::default()
    };
    let created = call.service.create_hook(&call.caller, new).await?;
    Ok((StatusCode::CREATED, Json(show(&call, created.hook))))
}

/// `GET` one.
pub(crate) async fn get(call: Call, Path(id): Path<String>) -> Result<Json<Shown>, Refusal> {
    let hook = find(&call, &id).await?;
    Ok(Json(show(&call, hook)))
}

/// `PUT` one: replaces action and URL. Without a body it answers as `GET`, as the guide prints that.
pub(crate) async fn update(
    call: Call,
    Path(id): Path<String>,
    given: Given,
) -> Result<Json<Shown>, Refusal> {
    let hook = find(&call, &id).await?;
    let Some(fields) = given.optional_object()? else { return Ok(Json(show(&call, hook))) };
    let (action, target_url) = asked(&fields)?;
    let changes = HookChanges {
        url: Some(target_url),
        triggers: Some(vec![action]),
        ..HookChanges::default()
    };
    let hook = call.service.update_hook(&call.caller, hook.id, changes).await?;
    Ok(Json(show(&call, hook)))
}

/// `DELETE` one: 204.
pub(crate) async fn delete(call: Call, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let hook = find(&call, &id).await?;
    call.service.delete_hook(&call.caller, hook.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The two fields of a hook; both are mandatory.
fn asked(fields: &Fields<'_>) -> Result<(String, String), Refusal> {
    let action = fields.required("action", limits::TYPE_BYTES_MAX)?;
    let target_url = fields.required("target_url", limits::URL_BYTES_MAX)?;
    if Action::parse(action).is_none() {
        return Err(fields.refuse("action", &format!("must be one of {}", actions())));
    }
    Ok((action.to_owned(), target_url.to_owned()))
}

/// The actions, for messages.
pub(crate) fn actions() -> String {
    Action::ALL.map(Action::as_str).join(", ")
}

/// A hook of this dialect; those of others are not known here.
async fn find(call: &Call, id: &str) -> Result<Hook, Refusal> {
    let unknown = || Refusal::not_found("hook");
    let id = Bits96::from_hex24(id).map(HookId).ok_or_else(unknown)?;
    let hook = call.service.hook(&call.caller, id).await?;
    if is_ours(&hook) { Ok(hook) } else { Err(unknown()) }
}

fn is_ours(hook: &Hook) -> bool {
    hook.format.split('@').next() == Some(FORMAT.name)
}

/// All hooks of this dialect, oldest first.
async fn all(call: &Call) -> Result<Vec<Shown>, Refusal> {
    let mut shown = Vec::new();
    let mut page = PageInput { limit: Some(limits::PAGE_MAX), ..PageInput::default() };
    loop {
        let found = call.service.hooks(&call.caller, &page).await?;
        shown.extend(found.items.into_iter().filter(is_ours).map(|hook| show(call, hook)));
        match found.next {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(shown),
        }
    }
}
