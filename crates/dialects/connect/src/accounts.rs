//! `GET /oauth/connection-status` and `POST /oauth/disconnect`: the user's connected accounts.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use http::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_service::Service;

use crate::format::PROVIDERS;
use crate::refusal::Refusal;
use crate::request::{Fields, caller};

/// The answer: every provider with its accounts, none left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    connections: BTreeMap<String, Vec<Account>>,
    limit_reached: bool,
    limit: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    id: String,
    display: String,
    granted_scopes: Vec<String>,
    /// `null` where the question does not arise: an account that is reached by password.
    calendar_permission_granted: Option<bool>,
    sync_state: &'static str,
    sync_state_updated_at: Timestamp,
}

pub(crate) async fn status(
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Json<Status>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let status = service.connect_status(&caller).await?;
    let mut connections: BTreeMap<String, Vec<Account>> =
        PROVIDERS.iter().map(|&provider| (provider.to_owned(), Vec::new())).collect();
    for account in status.accounts {
        connections.entry(account.provider).or_default().push(Account {
            id: account.id,
            display: account.display,
            // An account whose owner withholds a permission is not connected.
            calendar_permission_granted: account.granted.is_some().then_some(true),
            granted_scopes: account.granted.unwrap_or_default(),
            sync_state: if account.active { "active" } else { "reauth_required" },
            sync_state_updated_at: account.since,
        });
    }
    let (limit_reached, limit) = (status.limit_reached, status.limit);
    Ok(Json(Status { connections, limit_reached, limit }))
}

/// Ends the connection of one account, or of all at a provider. One that is not there is no error.
pub(crate) async fn disconnect(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let fields = Fields::read_with_query(&headers, query.as_deref(), body).await?;
    let (provider, account) = (fields.provider()?, fields.optional_text("account")?);
    let ended = service.connect_disconnect(&caller, &provider, account.as_deref()).await?;
    let message = match ended {
        0 => "There was no such account; nothing is connected".to_owned(),
        1 => "Successfully disconnected".to_owned(),
        ended => format!("Successfully disconnected {ended} accounts"),
    };
    Ok(Json(json!({ "success": true, "message": message })))
}
