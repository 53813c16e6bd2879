//! `/people`: persons of the Pryv surface, each an app with one end user.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidings_core::id::{AppId, UserId};
use tidings_service::{NewPerson, Person};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use crate::Api;
use crate::answers::{Answer, Made};
use crate::body::Json;
use crate::caller::By;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create_person))
}

/// A person to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "ada-lovelace", "password": "difference-engine",
    "email": "ada@example.com", "language": "en"}))]
pub(crate) struct PersonInput {
    /// Small letters, digits and inner dashes; unique in the installation.
    #[schema(min_length = 5, max_length = 60)]
    username: String,
    /// What the person signs in with.
    #[schema(min_length = 6, max_length = 1024)]
    password: String,
    /// Where to write to the person.
    #[schema(max_length = 256)]
    email: Option<String>,
    /// The person's language, such as `en`.
    #[schema(max_length = 256)]
    language: Option<String>,
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"username": "ada-lovelace", "app": "app_01k4qzv6s8t2m9r3n5b0",
    "user": "usr_01k4qzv6s8t2m9r3n5b0", "details": {"email": "ada@example.com", "language": "en"}}))]
pub(crate) struct PersonAnswer {
    username: String,
    /// The app that is the person's own.
    #[schema(value_type = String)]
    app: AppId,
    /// Its one end user.
    #[schema(value_type = String)]
    user: UserId,
    /// What is kept of the person.
    #[schema(value_type = Object)]
    details: Value,
}

impl From<Person> for PersonAnswer {
    fn from(person: Person) -> Self {
        let Person { app, user, username, details } = person;
        Self { username, app, user, details }
    }
}

/// Registers a person of the Pryv surface, whatever `pryv.registration` says. Owner keys only.
#[utoipa::path(post, path = "/people", tag = "users", request_body = PersonInput,
    responses((status = 201, description = "registered", body = PersonAnswer)))]
async fn create_person(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<PersonInput>,
) -> Answer<Made<PersonAnswer>> {
    let PersonInput { username, password, email, language } = input;
    let password = Zeroizing::new(password);
    let new = NewPerson { username, password, email, language, invitation: None };
    let person = api.service.register_person_as(&caller, new).await?;
    let location = format!("/api/v1/apps/{}", person.app);
    Ok(Made { status: StatusCode::CREATED, location, body: person.into() })
}
