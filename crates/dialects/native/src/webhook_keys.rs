//! The public keys that receivers verify with, open to everybody, and their rotation.
//!
//! The form of the answer is that of Mobiscroll Connect's key discovery.

use axum::Json as Out;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, SigningKeyId};
use tidings_service::WebhookKey;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::Answer;
use crate::body::OptionalJson;
use crate::caller::By;
use crate::path::PathId;
use crate::problem::Problem;

/// How long receivers may keep the keys.
const KEPT: &str = "public, max-age=3600";

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_webhook_keys)).routes(routes!(rotate_webhook_key))
}

/// Beside the API, at the place that receivers know.
pub(crate) fn well_known() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(discover_webhook_keys))
}

/// How to rotate a signing key.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"overlap_ms": 86_400_000}))]
struct RotateKeyInput {
    /// How long the earlier keys go on signing and stay published, ms: 0 to 7 days, by default a day.
    #[schema(minimum = 0, maximum = 604_800_000)]
    overlap_ms: Option<i64>,
}

/// The public keys of an app, the active one first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"keys": [{"id": "sgk_01k4qzv6s8t2m9r3n5b0", "alg": "ed25519",
    "key": "whpk_0r0+Z02Sv1SRb1QjsKUnil6t2oqtAyhn5HHfKgbTXFs=", "status": "active",
    "activated_at": "2026-03-12T09:01:12.000Z"}]}))]
struct WebhookKeysAnswer {
    keys: Vec<WebhookKeyAnswer>,
}

/// A public key.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookKeyAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: SigningKeyId,
    /// `ed25519`.
    alg: &'static str,
    /// `whpk_` and the base64 of the 32 bytes of the key.
    key: String,
    /// `active`, or `previous` for one that was rotated and still signs.
    status: &'static str,
    /// Since when it signs.
    #[schema(value_type = String, format = DateTime)]
    activated_at: Timestamp,
    /// When a previous key stops signing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    retires_at: Option<Timestamp>,
}

impl From<WebhookKey> for WebhookKeyAnswer {
    fn from(key: WebhookKey) -> Self {
        Self {
            id: key.id,
            alg: "ed25519",
            key: key.key.to_string(),
            status: if key.retires_at.is_none() { "active" } else { "previous" },
            activated_at: key.activated_at,
            retires_at: key.retires_at,
        }
    }
}

/// The public keys that sign (`v1a`) for the only app of this installation that signs so. Open to
/// everybody. An installation where several apps do answers 404: ask for the keys of the app.
#[utoipa::path(get, path = "/.well-known/webhook-keys", tag = "signing", security(()),
    responses((status = 200, description = "the keys", body = WebhookKeysAnswer)))]
async fn discover_webhook_keys(State(api): State<Api>) -> Answer<impl IntoResponse> {
    match api.service.webhook_keys_of_only_app().await {
        Ok(keys) => Ok(published(keys)),
        Err(tidings_service::Error::NotFound(_)) => Err(Problem::not_found(
            "several apps have keys; see /api/v1/apps/{app_id}/webhook-keys",
        )),
        Err(error) => Err(error.into()),
    }
}

/// The public keys that sign (`v1a`) for an app. Open to everybody; unknown apps have none.
#[utoipa::path(get, path = "/apps/{app_id}/webhook-keys", tag = "signing", security(()),
    params(("app_id" = String, Path)),
    responses((status = 200, description = "the keys", body = WebhookKeysAnswer)))]
async fn list_webhook_keys(
    State(api): State<Api>,
    PathId(id): PathId<AppId>,
) -> Answer<impl IntoResponse> {
    Ok(published(api.service.webhook_keys(id).await?))
}

/// Gives an app a new signing key; the earlier ones sign beside it until the overlap ends. Needs the scope
/// `admin`.
#[utoipa::path(post, path = "/apps/{app_id}/webhook-keys/rotate", tag = "signing",
    params(("app_id" = String, Path)), request_body = Option<RotateKeyInput>,
    responses((status = 200, description = "the keys", body = WebhookKeysAnswer)))]
async fn rotate_webhook_key(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AppId>,
    OptionalJson(input): OptionalJson<RotateKeyInput>,
) -> Answer<Out<WebhookKeysAnswer>> {
    let keys = api.service.rotate_webhook_key(&caller, id, input.overlap_ms).await?;
    Ok(Out(answer(keys)))
}

fn published(keys: Vec<WebhookKey>) -> impl IntoResponse {
    ([(CACHE_CONTROL, KEPT)], Out(answer(keys)))
}

fn answer(keys: Vec<WebhookKey>) -> WebhookKeysAnswer {
    WebhookKeysAnswer { keys: keys.into_iter().map(Into::into).collect() }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;
    use tidings_core::id::Bits96;
    use tidings_core::sign::PublicKey;

    use super::*;

    #[test]
    fn keys_are_published_as_connects_receivers_read_them_and_kept_for_an_hour() {
        let bytes = STANDARD.decode("0r0+Z02Sv1SRb1QjsKUnil6t2oqtAyhn5HHfKgbTXFs=").unwrap();
        let at = |text| Timestamp::parse(text).unwrap();
        let key = |id, retires_at| WebhookKey {
            id: SigningKeyId(Bits96::new(id)),
            key: PublicKey::from_bytes(&bytes).unwrap(),
            activated_at: at("2026-09-01T00:00:00.000Z"),
            retires_at,
        };
        let keys = vec![key(2, None), key(1, Some(at("2026-11-30T00:00:00.000Z")))];
        let text = "whpk_0r0+Z02Sv1SRb1QjsKUnil6t2oqtAyhn5HHfKgbTXFs=";
        let expected = json!({"keys": [
            {"id": "sgk_00000000000000000002", "alg": "ed25519", "key": text, "status": "active",
                "activated_at": "2026-09-01T00:00:00.000Z"},
            {"id": "sgk_00000000000000000001", "alg": "ed25519", "key": text, "status": "previous",
                "activated_at": "2026-09-01T00:00:00.000Z", "retires_at": "2026-11-30T00:00:00.000Z"},
        ]});
        assert_eq!(serde_json::to_value(answer(keys.clone())).unwrap(), expected);
        let response = published(keys).into_response();
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=3600");
    }
}
