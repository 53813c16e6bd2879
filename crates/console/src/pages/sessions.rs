//! `/console/sessions`: where the operator is signed in.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use maud::{Markup, html};
use tidings_core::clock::Timestamp;
use tidings_core::id::SessionId;
use tidings_service::OperatorSession;

use crate::cookies::{self, Cookie};
use crate::layout::{self, Place, Tab, Tone, badge, button, time};
use crate::notice::Notice;
use crate::path::Path;
use crate::session::Visitor;
use crate::{Answer, Desk};

const PATH: &str = "/console/sessions";

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route(PATH, get(list)).route("/console/sessions/{session}/end", post(end))
}

async fn list(State(desk): State<Desk>, visitor: Visitor) -> Answer {
    let sessions = desk.service.operator_sessions(&visitor.session).await?;
    let now = desk.service.now();
    let body = html! {
        div.head { h1 { "Your sessions" } }
        p { "Where you are signed in. A session ends by itself when it is not used for 30 minutes, and after 12 hours." }
        table.cards {
            caption.unseen { "Your sessions" }
            thead { tr { th { "Browser" } th { "Address" } th { "Signed in" } th { "Last used" } th { "Ends" } th { span.unseen { "Actions" } } } }
            tbody { @for session in sessions.iter().rev() { (row(&visitor, session, now)) } }
        }
    };
    let place =
        Place::of_installation(Tab::Sessions, "Sessions").below("/console/profile", "Profile");
    Ok(layout::page(&visitor, place, body))
}

fn row(visitor: &Visitor, session: &OperatorSession, now: Timestamp) -> Markup {
    let address =
        session.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let agent = if session.agent.is_empty() { "unknown" } else { &session.agent };
    html! {
        tr {
            td data-name="Browser" {
                div { (agent) " " @if session.id == visitor.session.id { (badge(Tone::Good, "this one")) } }
            }
            td data-name="Address" { (address) }
            td data-name="Signed in" { (time(session.created_at, now)) }
            td data-name="Last used" { (time(session.last_used_at, now)) }
            td data-name="Ends" { (time(session.expires_at, now)) }
            td data-name="" { (button(visitor, &format!("{PATH}/{}/end", session.id), "End")) }
        }
    }
}

async fn end(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<SessionId>) -> Answer {
    desk.service.end_operator_session(&visitor.session, id).await?;
    if id == visitor.session.id {
        let response = layout::went("/console/login", Notice::SignedOut);
        return Ok(cookies::clear(response, Cookie::Session));
    }
    Ok(layout::went(PATH, Notice::SessionEnded))
}
