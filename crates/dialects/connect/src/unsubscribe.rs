//! `POST /unsubscribe-webhook`: end a subscription.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;
use tidings_service::Service;

use crate::refusal::Refusal;
use crate::request::{Fields, caller};

/// The documented answer. Whatever the message says, the subscription is gone.
#[derive(Serialize)]
pub(crate) struct Unsubscribed {
    success: bool,
    message: &'static str,
}

/// `resourceId`, which some providers once wanted, is not needed; only its type is checked.
pub(crate) async fn unsubscribe(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Unsubscribed>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let fields = Fields::read(&headers, body).await?;
    let (provider, channel_id) = (fields.provider()?, fields.text("channelId")?);
    fields.optional_text("resourceId")?;
    let outcome = service.connect_unsubscribe(&caller, &provider, &channel_id).await?;
    let message = if outcome.existed {
        "Successfully unsubscribed"
    } else {
        "There was no such subscription; nothing is left of it"
    };
    Ok(Json(Unsubscribed { success: true, message }))
}
