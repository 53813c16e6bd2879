//! Parts of a page that keep themselves up to date, by server-sent events whose data is HTML.
//!
//! A page writes `<section data-live="/console/…/live">` around the part; the script puts each event in its
//! place. The route of that path answers [`stream`], and makes the same HTML as the page does. One live part
//! a page is best: browsers open few connections to a server.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream as streams;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use maud::Markup;
use tidings_core::limits;
use tidings_service::{Caller, GrantKind};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use crate::{Desk, Refusal};

/// When the browser is to ask again when there is no room for another stream, seconds.
const NO_ROOM_S: &str = "10";
/// By which nginx is told not to hold an answer back.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A pause is this many times as long as the last look took, when that is more than the usual: a stream is busy a
/// ninth of the time at most.
const TIMES_A_LOOK: u32 = 8;

/// Sends what `make` makes, and again whenever it has become something else. It is looked at after commits, at
/// most twice a second. The stream ends when the server stops, when `caller` would not be let in any more, when
/// `make` fails, and after some minutes: the browser then opens it anew, which checks who is there.
pub(crate) fn stream<M, F>(desk: &Desk, caller: Caller, make: M) -> Response
where
    M: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<Markup, Refusal>> + Send + 'static,
{
    // End users have places of their own: they take none from operators.
    let streams = match caller.kind() {
        GrantKind::Portal => &desk.portal_streams,
        _ => &desk.streams,
    };
    let Ok(turn) = Arc::clone(streams).try_acquire_owned() else {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return (status, [(RETRY_AFTER, NO_ROOM_S)], "too many live pages are open\n")
            .into_response();
    };
    let watching = Watching {
        desk: desk.clone(),
        caller,
        make,
        shown: None,
        commits: 0,
        cost: Duration::ZERO,
        ends_at: Instant::now() + Duration::from_millis(limits::CONSOLE_STREAM_MS),
        _turn: turn,
    };
    let events = streams::unfold(watching, |mut watching| async move {
        let html = watching.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(html)), watching))
    });
    let heartbeat = Duration::from_millis(limits::CONSOLE_HEARTBEAT_MS);
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat));
    // As every page; and a proxy passes each event on at once.
    ([(CACHE_CONTROL, "no-store"), (ACCEL_BUFFERING, "no")], events).into_response()
}

struct Watching<M> {
    desk: Desk,
    /// Who looks.
    caller: Caller,
    make: M,
    /// What the browser has.
    shown: Option<String>,
    /// Commits of this server when it was looked at last.
    commits: u64,
    /// How long the last look took.
    cost: Duration,
    ends_at: Instant,
    _turn: OwnedSemaphorePermit,
}

impl<M, F> Watching<M>
where
    M: Fn() -> F,
    F: Future<Output = Result<Markup, Refusal>>,
{
    /// The next HTML that the browser does not have; none at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.shown.is_some() {
                self.until_news().await?;
            }
            let begun = Instant::now();
            self.commits = self.desk.service.commits();
            self.desk.service.check_still_valid(&self.caller).await.ok()?;
            // A carriage return would end a line of the stream, and means nothing in HTML.
            let html = (self.make)().await.ok()?.into_string().replace('\r', "");
            self.cost = begun.elapsed();
            if self.shown.as_ref() != Some(&html) {
                self.shown = Some(html.clone());
                return Some(html);
            }
        }
    }

    /// Waits until there may be something new, and the longer the more a look costs; none at the end.
    async fn until_news(&self) -> Option<()> {
        let looked_at = Instant::now();
        let pause = Duration::from_millis(limits::CONSOLE_LOOK_MS).max(self.cost * TIMES_A_LOOK);
        let anyway = Duration::from_millis(limits::CONSOLE_LOOK_ANYWAY_MS);
        loop {
            sleep(pause).await;
            if *self.desk.stopping.borrow() || Instant::now() >= self.ends_at {
                return None;
            }
            let is_new = self.desk.service.commits() != self.commits;
            if is_new || looked_at.elapsed() >= anyway {
                return Some(());
            }
        }
    }
}
