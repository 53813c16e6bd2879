//! `GET /calendars`: the calendars of the user, of all accounts, as a bare array.

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};
use tidings_service::{ConnectCalendar, Service};

use crate::refusal::Refusal;
use crate::request::caller;

/// A calendar.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CalendarItem {
    provider: String,
    /// The provider's id.
    id: String,
    title: String,
    time_zone: String,
    color: String,
    description: String,
    /// The provider's own object, as far as it was kept.
    original: Value,
}

impl From<ConnectCalendar> for CalendarItem {
    fn from(ConnectCalendar { provider, calendar }: ConnectCalendar) -> Self {
        let original = calendar.original.unwrap_or_else(|| json!({}));
        let description = original["description"].as_str().unwrap_or_default().to_owned();
        Self {
            provider,
            title: calendar.name.unwrap_or_else(|| calendar.external_id.clone()),
            id: calendar.external_id,
            time_zone: calendar.time_zone.unwrap_or_else(|| "UTC".into()),
            color: calendar.color.unwrap_or_default(),
            description,
            original,
        }
    }
}

pub(crate) async fn list(
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Json<Vec<CalendarItem>>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let calendars = service.connect_calendars(&caller).await?;
    Ok(Json(calendars.into_iter().map(CalendarItem::from).collect()))
}
