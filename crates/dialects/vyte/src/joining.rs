//! The link by which users join the organization.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tidings_core::id::Bits96;
use tidings_service::{Error, Expect, User};

use crate::action::Action;
use crate::book::{Book, JOINED, put};
use crate::profile;
use crate::refusal::Refusal;
use crate::request::{Call, Fields, Given};
use crate::users::{Asked, shown};

/// `GET` and `POST /organizations/{id}/join`: whoever follows the link joins, once.
pub(crate) async fn join(
    call: Call,
    Path(id): Path<String>,
    given: Given,
) -> Result<Response, Refusal> {
    if Bits96::from_hex24(&id) != Some(call.organization.0) {
        return Err(Refusal::not_found("organization"));
    }
    let asked = joining(&call, &given)?;
    let fields = Fields::of("", &asked)?;
    let user = enrol(&call, profile::Given::read(fields)?).await?;
    Ok((StatusCode::OK, Json(json!({ "user": shown(&call, &user).await? }))).into_response())
}

/// What the link and a body say of who joins, as a user object.
fn joining(call: &Call, given: &Given) -> Result<Value, Refusal> {
    let mut asked = match given.optional_object()? {
        Some(body) => body.value("user").or(given.0.as_ref()).cloned().unwrap_or_default(),
        None => json!({}),
    };
    for name in ["extid", "email", "first_name", "last_name", "language", "timezone"] {
        if let (Some(value), Some(asked)) = (call.query.text(name), asked.as_object_mut()) {
            asked.insert(name.into(), json!(value));
        }
    }
    Ok(asked)
}

/// Makes a user join who has not joined yet; whoever has is left as they are. That someone joined is noted
/// in the commit that announces it, so it is announced once, however many follow the link at the same time.
async fn enrol(call: &Call, given: profile::Given<'_>) -> Result<User, Refusal> {
    let book = Book::open_or_make(call).await?;
    if let Some(extid) = given.extid
        && let Some(user) = call.service.user_named(&call.caller, extid).await?
        && book.read::<Value>(JOINED, &user.id.0.to_hex24()).await?.is_some()
    {
        return Ok(user);
    }
    let user = Asked::read(call, given, None).await?.carry_out(call).await?;
    let id = user.id.0.to_hex24();
    let told = book.announce(Action::Joined, &id, &shown(call, &user).await?, Some(&id));
    let note =
        put(JOINED, &id, &json!({ "at": call.service.clock().now() }), None, Expect::Absent)?;
    match book.write(vec![note], vec![told]).await {
        Ok(()) | Err(Error::Conflict(_)) => Ok(user),
        Err(error) => Err(error.into()),
    }
}
