//! `/calendars` and `/accounts/{id}/calendars`: calendars and how they are watched.

use axum::Json as Out;
use axum::extract::State;
use serde::Serialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, CollectionId};
use tidings_service::{Calendar, Watch};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, PageAnswer};
use crate::caller::By;
use crate::path::PathId;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_calendars)).routes(routes!(get_calendar))
}

/// How a calendar is watched. Polling always runs underneath.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WatchAnswer {
    /// `pushed`: its provider tells of changes at once; `polled`: it is only asked now and then.
    how: &'static str,
    /// Why it is only polled, in plain words.
    reason: Option<String>,
    /// Where our subscription at the provider stands: `registering`, `active` or `retiring`.
    subscription: Option<&'static str>,
    /// When the subscription ends unless it is renewed, which happens long before.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When the provider last pushed.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_push_at: Option<Timestamp>,
    /// When the calendar was last compared with its provider.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_sync_at: Option<Timestamp>,
    /// What is wrong, in plain words.
    last_error: Option<String>,
}

impl From<Watch> for WatchAnswer {
    fn from(watch: Watch) -> Self {
        Self {
            how: if watch.polled_because.is_none() { "pushed" } else { "polled" },
            reason: watch.polled_because,
            subscription: watch.subscription,
            expires_at: watch.expires_at,
            last_push_at: watch.delivered_at,
            last_sync_at: watch.synced_at,
            last_error: watch.error,
        }
    }
}

/// A calendar of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "col_01k4qzv6s8t2m9r3n5b0", "account": "acc_01k4qzv6s8t2m9r3n5b0",
    "external_id": "ada@example.com", "name": "Work", "color": "#9fe1e7", "time_zone": "Europe/London",
    "writable": true, "primary": true, "baseline_done": true, "error": null,
    "synced_at": "2026-03-12T09:01:12.000Z", "watch": {"how": "pushed", "reason": null,
        "subscription": "active", "expires_at": "2026-03-19T09:00:12.000Z",
        "last_push_at": "2026-03-12T09:01:11.000Z", "last_sync_at": "2026-03-12T09:01:12.000Z",
        "last_error": null}}))]
pub(crate) struct CalendarAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: CollectionId,
    /// Its account.
    #[schema(value_type = String)]
    account: AccountId,
    /// The provider's id of it.
    external_id: String,
    /// What people call it.
    name: Option<String>,
    /// Its colour, as the provider tells it.
    color: Option<String>,
    /// Its time zone, as the provider names it.
    time_zone: Option<String>,
    /// Whether events can be written to it, as far as known.
    writable: Option<bool>,
    /// Whether it is the account's main calendar, as far as known.
    primary: Option<bool>,
    /// Whether its first, silent sync is done.
    baseline_done: bool,
    /// Why it could not be compared with its provider, in plain words.
    error: Option<String>,
    /// When it was last synced.
    #[schema(value_type = Option<String>, format = DateTime)]
    synced_at: Option<Timestamp>,
    /// How it is watched.
    watch: WatchAnswer,
}

impl From<Calendar> for CalendarAnswer {
    fn from(calendar: Calendar) -> Self {
        Self {
            id: calendar.id,
            account: calendar.account,
            external_id: calendar.external_id,
            name: calendar.name,
            color: calendar.color,
            time_zone: calendar.time_zone,
            writable: calendar.writable,
            primary: calendar.primary,
            baseline_done: calendar.baseline_done,
            error: calendar.error,
            synced_at: calendar.synced_at,
            watch: calendar.watch.into(),
        }
    }
}

/// The calendars of an account, all on one page.
#[utoipa::path(get, path = "/accounts/{account_id}/calendars", tag = "calendars",
    params(("account_id" = String, Path)),
    responses((status = 200, description = "the calendars", body = PageAnswer<CalendarAnswer>)))]
async fn list_calendars(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
) -> Answer<Out<PageAnswer<CalendarAnswer>>> {
    let calendars = api.service.calendars(&caller, id).await?;
    let data = calendars.into_iter().map(CalendarAnswer::from).collect();
    Ok(Out(PageAnswer { data, next_cursor: None, has_more: false }))
}

/// One calendar.
#[utoipa::path(get, path = "/calendars/{calendar_id}", tag = "calendars",
    params(("calendar_id" = String, Path)),
    responses((status = 200, description = "the calendar", body = CalendarAnswer)))]
async fn get_calendar(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<CollectionId>,
) -> Answer<Out<CalendarAnswer>> {
    Ok(Out(api.service.calendar(&caller, id).await?.into()))
}
