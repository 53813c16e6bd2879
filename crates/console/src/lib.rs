//! The console and the portal: pages for operators and for an app's own end users, made on the server.
//!
//! One file a page (`pages/`). A page reads what it shows with the service's verbs and answers HTML; a form
//! posts, the page calls one verb and sends the browser on (303) with a notice. Nothing needs a script to be
//! read or sent. The guard stands around all of it: security headers, the check that a form is ours, the
//! session. `layout` has the pieces that pages are made of, `live` keeps parts of a page up to date.
//!
//! How a page is made:
//!
//! ```text
//! pub(crate) fn routes() -> Router<Desk> {
//!     Router::new().route("/console/apps/{app}/things", get(list).post(create))
//! }
//!
//! async fn list(State(desk): State<Desk>, visitor: Visitor, Path(app): Path<AppId>) -> Answer {
//!     let caller = visitor.caller(&desk, app).await?;
//!     let things = desk.service.things(&caller, &PageInput::default()).await?;
//!     Ok(layout::page(&visitor, Place { .. }, html! { .. }))
//! }
//!
//! async fn create(
//!     State(desk): State<Desk>, visitor: Visitor, Path(app): Path<AppId>, Form(typed): Form<Typed>,
//! ) -> Answer {
//!     let caller = visitor.changing(&desk, app).await?;
//!     match desk.service.create_thing(&caller, typed.input()).await {
//!         Ok(thing) => Ok(layout::went(format!("/console/apps/{app}/things/{}", thing.id), Notice::Created)),
//!         Err(error) => show_form(&visitor, typed, Faults::from_error(error)?),
//!     }
//! }
//! ```

mod assets;
mod chart;
mod cookies;
mod form;
mod guard;
mod layout;
mod live;
mod notice;
mod pages;
mod path;
mod refusal;
mod session;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use tidings_core::limits;
use tidings_service::Service;
use tokio::sync::{Semaphore, watch};

pub use session::browser;

use refusal::Refusal;

/// What a handler of a page answers.
pub(crate) type Answer = Result<Response, Refusal>;

/// How the console is reached.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether browsers come by https: then cookies take no other way.
    pub secure: bool,
    /// The version of this binary, shown in the footer.
    pub version: &'static str,
}

/// What every page works with.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    /// The verbs.
    pub(crate) service: Service,
    /// How the console is reached.
    pub(crate) options: Options,
    /// Turns true when the server shuts down.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Live streams that operators may still open.
    pub(crate) streams: Arc<Semaphore>,
    /// Live streams that end users may still open in the portal.
    pub(crate) portal_streams: Arc<Semaphore>,
}

/// `/`, `/console/…` and `/portal/…`. `stopping` turns true when the server shuts down and ends the live
/// streams.
pub fn router(service: Service, options: Options, stopping: watch::Receiver<bool>) -> Router {
    let streams = Arc::new(Semaphore::new(limits::CONSOLE_STREAMS_MAX));
    let portal_streams = Arc::new(Semaphore::new(limits::PORTAL_STREAMS_MAX));
    let desk = Desk { service, options, stopping, streams, portal_streams };
    pages::routes()
        .merge(assets::routes())
        .layer(from_fn_with_state(desk.clone(), guard::guard))
        .with_state(desk)
}
