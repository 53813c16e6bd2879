//! `POST /subscribe-webhook`: be told about every change of the events in a calendar.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::header::HOST;
use http::{HeaderMap, Uri};
use serde::Serialize;
use tidings_core::clock::Timestamp;
use tidings_service::{Error, Service, SubscribeInput};

use crate::refusal::Refusal;
use crate::request::{Fields, caller};

/// The documented answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscribed {
    success: bool,
    provider: String,
    subscription: Subscription,
    server_webhook_url: String,
    channel_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    channel_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<Timestamp>,
    webhook_url: String,
}

/// A new subscription replaces an earlier one of the same user to the same calendar.
pub(crate) async fn subscribe(
    State(service): State<Service>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Subscribed>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let fields = Fields::read(&headers, body).await?;
    let input = SubscribeInput {
        provider: fields.provider()?,
        calendar_id: fields.text("calendarId")?,
        channel_id: fields.optional_text("channelId")?,
        expiration: fields.optional_millis("expiration")?,
    };
    let made = service.connect_subscribe(&caller, input).await.map_err(without_404)?;
    let server_webhook_url = server_webhook_url(&uri, &headers, &made.provider);
    Ok(Json(Subscribed {
        success: true,
        provider: made.provider,
        subscription: Subscription {
            channel_id: made.channel_id.clone(),
            resource_id: made.resource_id,
            expiration: made.expiration,
            webhook_url: server_webhook_url.clone(),
        },
        server_webhook_url,
        channel_id: made.channel_id,
    }))
}

/// Of this endpoint only 400, 401 and 500 are documented: a calendar that is not there is the request's
/// fault.
fn without_404(error: Error) -> Refusal {
    match error {
        Error::NotFound(_) => Refusal::bad_request(error.code(), error.to_string()),
        error => error.into(),
    }
}

/// Where this server takes notifications of the provider, by the name under which the client knows
/// this server. For the client's information only; providers without push send nothing there.
fn server_webhook_url(uri: &Uri, headers: &HeaderMap, provider: &str) -> String {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| header(HOST.as_str()));
    let secure = header("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let scheme = if secure { "https" } else { "http" };
    format!("{scheme}://{}/providers/{provider}/notifications", host.unwrap_or("localhost"))
}
