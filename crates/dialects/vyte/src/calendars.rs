//! `/v2/users/{id}/calendars`: the user's connected accounts and their calendars, as Vyte shows them.

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};
use tidings_core::id::{AccountId, Bits96};
use tidings_core::limits;
use tidings_service::{Account, AccountQuery, AccountStatus, Calendar, Error, PageInput};

use crate::refusal::Refusal;
use crate::request::Call;
use crate::users;

/// `GET /v2/users/{id}/calendars`.
pub(crate) async fn list(call: Call, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let user = users::find(&call, &id).await?;
    let id = user.id.0.to_hex24();
    let query = AccountQuery { user: Some(user.id), ..AccountQuery::default() };
    let page = PageInput { limit: Some(limits::PAGE_MAX), ..PageInput::default() };
    let accounts = call.service.accounts(&call.caller, query, &page).await?.items;
    let mut calendars = Vec::new();
    for account in accounts {
        let Some(source) = source(&account.provider) else { continue };
        let within = call.service.calendars(&call.caller, account.id).await?;
        calendars.push(shown(&account, source, &within, calendars.is_empty()));
    }
    Ok(Json(json!({
        "sync_suggestions": true,
        "_id": id,
        "calendars": calendars,
        "belongs_to": id,
        "updatedAt": user.updated_at,
        "createdAt": user.created_at,
        "__v": 0,
    })))
}

/// `DELETE /v2/users/{id}/calendars/{calendar_id}`: disconnects the account.
pub(crate) async fn delete(
    call: Call,
    Path((id, calendar)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let unknown = || Refusal::not_found("calendar");
    let user = users::find(&call, &id).await?;
    let account = Bits96::from_hex24(&calendar).map(AccountId).ok_or_else(unknown)?;
    let account = match call.service.account(&call.caller, account).await {
        Err(Error::NotFound(_)) => return Err(unknown()),
        found => found?,
    };
    if account.user_id != Some(user.id) || source(&account.provider).is_none() {
        return Err(unknown());
    }
    call.service.delete_account(&call.caller, account.id).await?;
    Ok(Json(json!({ "n": 1, "ok": 1 })))
}

/// Vyte's word for a provider; none for what is no calendar.
fn source(provider: &str) -> Option<&'static str> {
    match provider {
        "google" => Some("google"),
        "microsoft" => Some("office365"),
        "apple" => Some("icloud"),
        "caldav" => Some("caldav"),
        "zoom" => Some("zoom"),
        _ => None,
    }
}

fn shown(account: &Account, source: &str, calendars: &[Calendar], first: bool) -> Value {
    let subcalendar = |calendar: &Calendar| {
        let mut shown = json!({
            "_id": calendar.id.0.to_hex24(),
            "name": calendar.name.as_ref().unwrap_or(&calendar.external_id),
            "source": source,
            "source_id": calendar.external_id,
            "primary": calendar.primary.unwrap_or(false),
            "display": true,
            "busy": true,
            "writable": calendar.writable.unwrap_or(false),
        });
        if let Some(color) = &calendar.color {
            shown["bcolor"] = json!(color);
        }
        shown
    };
    json!({
        "access_broken": account.status != AccountStatus::Active,
        "primary": first,
        "_id": account.id.0.to_hex24(),
        "name": account.name,
        "source": source,
        "source_id": account.external_id,
        "subcalendars": calendars.iter().map(subcalendar).collect::<Vec<_>>(),
    })
}
