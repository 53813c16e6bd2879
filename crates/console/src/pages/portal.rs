//! `/portal/{token}`: the door of the portal. The link's token becomes a cookie, so that it stays in no address,
//! history or log; the pages inside are those of the console, for one end user (`side`).

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use tidings_core::key::Token;
use tidings_service::{Error, GrantKind};

use crate::cookies::{self, Cookie};
use crate::path::Path;
use crate::{Answer, Desk, Refusal};

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route("/portal/{token}", get(enter))
}

async fn enter(State(desk): State<Desk>, Path(token): Path<String>) -> Answer {
    // Only what looks like a token of ours may become a cookie.
    if Token::parse(&token).is_none() {
        return Err(Refusal::LinkIsOver);
    }
    match desk.service.authenticate_text(&token, None, &[GrantKind::Portal]).await {
        Ok(_) => {}
        Err(Error::Unauthenticated | Error::NotFound(_)) => return Err(Refusal::LinkIsOver),
        Err(error) => return Err(error.into()),
    }
    Ok(cookies::set(Redirect::to("/portal/webhooks").into_response(), Cookie::Portal, token))
}
