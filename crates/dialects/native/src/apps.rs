//! `/apps`: the tenants.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_core::catalogue::Validation;
use tidings_core::clock::Timestamp;
use tidings_core::id::AppId;
use tidings_core::retention::AppRetention;
use tidings_service::{App, AppChanges, AppSettings, NewApp};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer, PageQuery, nullable, page};
use crate::body::Json;
use crate::caller::By;
use crate::path::PathId;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create_app, list_apps))
        .routes(routes!(get_app, update_app, delete_app))
}

/// An app to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Acme", "external_id": "tenant-7"}))]
pub(crate) struct AppInput {
    /// What people call it.
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// Its id elsewhere; unique in the installation.
    #[schema(max_length = 256)]
    external_id: Option<String>,
    /// Where hooks without a URL of their own deliver.
    #[schema(max_length = 2048)]
    webhook_url: Option<String>,
}

/// What to change; absent stays, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"webhook_url": "https://example.com/webhooks"}))]
pub(crate) struct AppPatch {
    /// A new name.
    #[schema(min_length = 1, max_length = 256)]
    name: Option<String>,
    /// A new id elsewhere.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 256)]
    external_id: Option<Option<String>>,
    /// A new address for hooks without a URL.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    webhook_url: Option<Option<String>>,
    /// What it keeps from now on; a setting that is absent in it is as the installation has it.
    retention: Option<RetentionWire>,
    /// What happens to a change that is not as the catalogue of event types says: `off`, `warn` or `enforce`.
    validation: Option<ValidationWire>,
    /// What its dialects read from now on; a setting that is absent in it has its default.
    settings: Option<SettingsWire>,
}

/// What the dialects of an app read. What is absent has its default.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"redirect_uris": ["https://example.com/callback"], "subscribe_all": true}))]
pub(crate) struct SettingsWire {
    /// Connect: where a person may be sent back to with an authorization code: http or https URLs without a
    /// fragment, compared character by character.
    #[schema(max_items = 32)]
    redirect_uris: Vec<String>,
    /// Connect: whether every calendar of the app is watched once the app has a `webhook_url`.
    #[schema(default = true)]
    subscribe_all: bool,
}

impl Default for SettingsWire {
    fn default() -> Self {
        AppSettings::default().into()
    }
}

impl From<SettingsWire> for AppSettings {
    fn from(wire: SettingsWire) -> Self {
        let SettingsWire { redirect_uris, subscribe_all } = wire;
        Self { redirect_uris, subscribe_all }
    }
}

impl From<AppSettings> for SettingsWire {
    fn from(settings: AppSettings) -> Self {
        let AppSettings { redirect_uris, subscribe_all } = settings;
        Self { redirect_uris, subscribe_all }
    }
}

/// What happens to a change of an unknown type, or that is not as its type's schema says.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ValidationWire {
    /// It is not looked at.
    Off,
    /// It is accepted, with warnings in its receipt.
    Warn,
    /// It is refused with 422.
    Enforce,
}

impl From<ValidationWire> for Validation {
    fn from(wire: ValidationWire) -> Self {
        match wire {
            ValidationWire::Off => Self::Off,
            ValidationWire::Warn => Self::Warn,
            ValidationWire::Enforce => Self::Enforce,
        }
    }
}

impl From<Validation> for ValidationWire {
    fn from(validation: Validation) -> Self {
        match validation {
            Validation::Off => Self::Off,
            Validation::Warn => Self::Warn,
            Validation::Enforce => Self::Enforce,
        }
    }
}

/// How long an app keeps what it did. What is absent is as the installation has it.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"journal_days": 30}))]
pub(crate) struct RetentionWire {
    /// Age at which changes go, days: 9 to 3650.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 9, maximum = 3650)]
    journal_days: Option<u32>,
    /// Size beyond which the oldest changes go before their time, bytes, 1048576 or
    /// more; those of the last day always stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1_048_576)]
    journal_bytes: Option<u64>,
    /// Age at which attempts go, days: 1 to 3650.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3650)]
    attempt_days: Option<u32>,
}

impl From<RetentionWire> for AppRetention {
    fn from(wire: RetentionWire) -> Self {
        let RetentionWire { journal_days, journal_bytes, attempt_days } = wire;
        Self { journal_days, journal_bytes, attempt_days }
    }
}

impl From<AppRetention> for RetentionWire {
    fn from(own: AppRetention) -> Self {
        let AppRetention { journal_days, journal_bytes, attempt_days } = own;
        Self { journal_days, journal_bytes, attempt_days }
    }
}

/// An app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "app_01k4qzv6s8t2m9r3n5b0", "name": "Acme", "external_id": "tenant-7",
    "webhook_url": null, "seq": 42, "oldest_seq": 1, "retention": {}, "validation": "off",
    "settings": {"redirect_uris": [], "subscribe_all": true},
    "created_at": "2026-03-12T09:01:12.000Z", "updated_at": "2026-03-12T09:01:12.000Z"}))]
pub(crate) struct AppAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: AppId,
    /// What people call it.
    name: String,
    /// Its id elsewhere.
    external_id: Option<String>,
    /// Where hooks without a URL of their own deliver.
    webhook_url: Option<String>,
    /// `seq` of the newest change; 0 before the first.
    seq: u64,
    /// The first `seq` that the journal still holds or will hold.
    oldest_seq: u64,
    /// What it keeps, where it says so itself.
    retention: RetentionWire,
    /// What happens to a change that is not as the catalogue of event types says.
    validation: ValidationWire,
    /// What its dialects read.
    settings: SettingsWire,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<App> for AppAnswer {
    fn from(app: App) -> Self {
        Self {
            id: app.id,
            name: app.name,
            external_id: app.external_id,
            webhook_url: app.webhook_url,
            seq: app.seq,
            oldest_seq: app.oldest_seq,
            retention: app.retention.into(),
            validation: app.validation.into(),
            settings: app.settings.into(),
            created_at: app.created_at,
            updated_at: app.updated_at,
        }
    }
}

/// Creates an app. Owner keys only.
#[utoipa::path(post, path = "/apps", tag = "apps", request_body = AppInput,
    responses((status = 201, description = "created", body = AppAnswer)))]
async fn create_app(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<AppInput>,
) -> Answer<Made<AppAnswer>> {
    let AppInput { name, external_id, webhook_url } = input;
    let app = api.service.create_app(&caller, NewApp { name, external_id, webhook_url }).await?;
    Ok(Made::created(format!("/api/v1/apps/{}", app.id), app.into()))
}

/// Apps that the key can see, oldest first.
#[utoipa::path(get, path = "/apps", tag = "apps", params(PageQuery),
    responses((status = 200, description = "a page", body = PageAnswer<AppAnswer>)))]
async fn list_apps(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<PageQuery>,
) -> Answer<Out<PageAnswer<AppAnswer>>> {
    Ok(page(api.service.apps(&caller, &query.into()).await?))
}

/// One app.
#[utoipa::path(get, path = "/apps/{app_id}", tag = "apps", params(("app_id" = String, Path)),
    responses((status = 200, description = "the app", body = AppAnswer)))]
async fn get_app(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AppId>,
) -> Answer<Out<AppAnswer>> {
    Ok(Out(api.service.app(&caller, id).await?.into()))
}

/// Changes an app. Needs the scope `admin`.
#[utoipa::path(patch, path = "/apps/{app_id}", tag = "apps", params(("app_id" = String, Path)),
    request_body = AppPatch, responses((status = 200, description = "the app", body = AppAnswer)))]
async fn update_app(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AppId>,
    Json(patch): Json<AppPatch>,
) -> Answer<Out<AppAnswer>> {
    let AppPatch { name, external_id, webhook_url, retention, validation, settings } = patch;
    let retention = retention.map(AppRetention::from);
    let validation = validation.map(Validation::from);
    let settings = settings.map(AppSettings::from);
    let changes = AppChanges { name, external_id, webhook_url, retention, validation, settings };
    Ok(Out(api.service.update_app(&caller, id, changes).await?.into()))
}

/// Deletes an app and erases its content. Owner keys only.
#[utoipa::path(delete, path = "/apps/{app_id}", tag = "apps", params(("app_id" = String, Path)),
    responses((status = 204, description = "deleted")))]
async fn delete_app(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AppId>,
) -> Answer<StatusCode> {
    api.service.delete_app(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
