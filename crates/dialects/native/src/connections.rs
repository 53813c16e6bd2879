//! `/connections`: accounts that are connected by their owner's consent.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, UserId};
use tidings_service::{Connection, NewConnection};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::Answer;
use crate::body::Json;
use crate::caller::By;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(begin_connection))
}

/// An account to connect.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"provider": "google", "user": "usr_01k4qzv6s8t2m9r3n5b0",
    "return_to": "https://app.example.com/connected"}))]
pub(crate) struct ConnectionInput {
    /// `google`, `microsoft` or `zoom`; the operator must have configured it.
    provider: String,
    /// Its end user.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    /// The account to connect again, which keeps its id and calendars; the person must be the same.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Where the person's browser is sent in the end, with `account=acc_…` or `error=…` in the query: an
    /// `https` URL.
    #[schema(max_length = 2048)]
    return_to: Option<String>,
    /// Whom the provider shall offer to sign in, usually an address.
    #[schema(max_length = 256)]
    login_hint: Option<String>,
}

/// Where to send the account's owner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"authorize_url": "https://accounts.google.com/o/oauth2/v2/auth?client_id=…",
    "expires_at": "2026-03-12T09:11:12.000Z"}))]
pub(crate) struct ConnectionAnswer {
    /// The provider's page that asks for consent.
    authorize_url: String,
    /// Until when the person must be back. The URL works once.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Connection> for ConnectionAnswer {
    fn from(connection: Connection) -> Self {
        let Connection { authorize_url, expires_at } = connection;
        Self { authorize_url, expires_at }
    }
}

/// Begins to connect an account of Google, Microsoft or Zoom: send its owner's browser to `authorize_url`.
/// When the owner has consented, the account is there and its first, silent sync begins. Needs the scope
/// `accounts`.
#[utoipa::path(post, path = "/connections", tag = "accounts", request_body = ConnectionInput,
    responses((status = 201, description = "begun; nothing is stored of the account yet",
        body = ConnectionAnswer)))]
async fn begin_connection(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<ConnectionInput>,
) -> Answer<(StatusCode, axum::Json<ConnectionAnswer>)> {
    let ConnectionInput { provider, user, account, return_to, login_hint } = input;
    let new = NewConnection {
        provider,
        user,
        account,
        return_to,
        login_hint,
        ..NewConnection::default()
    };
    let connection = api.service.begin_connection(&caller, new).await?;
    Ok((StatusCode::CREATED, axum::Json(connection.into())))
}
