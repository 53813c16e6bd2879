//! `/changes/stream`: the journal as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use tidings_core::id::AppId;
use tidings_core::limits;
use tidings_service::{Change, ChangeStream};
use tokio::sync::watch;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::Answer;
use crate::caller::{By, single};
use crate::changes::ChangeAnswer;
use crate::query::Query;
use crate::{Api, cursor};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(stream_changes))
}

/// From where to follow.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct StreamQuery {
    /// A cursor of `GET /changes` or the id of an earlier event; absent for what is new from now on.
    after: Option<String>,
}

/// Changes as they come, as server-sent events: `id` is a cursor, `event` the type, `data` the change.
/// A stream that breaks off is resumed with `last-event-id`.
#[utoipa::path(get, path = "/changes/stream", tag = "changes",
    params(StreamQuery, ("last-event-id" = Option<String>, Header, description = "goes before `after`")),
    responses((status = 200, description = "the stream", content_type = "text/event-stream", body = String,
        example = "id: AAAAAAAAACo\nevent: invoice.paid\ndata: {\"id\":\"chg_01k4qzv6s8t2m9r3n5b0\"}\n\n")))]
async fn stream_changes(
    State(api): State<Api>,
    By(caller): By,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let app = caller.app_id();
    let resumed = single(&headers, &LAST_EVENT_ID)?.filter(|id| !id.is_empty());
    let after = resumed.or(query.after.as_deref()).map(|id| cursor::open(app, id)).transpose()?;
    let journal = api.service.follow_changes(&caller, after).await?;
    let heartbeat = Duration::from_millis(limits::STREAM_HEARTBEAT_MS);
    // An event without data only sets the client's last id, so that it resumes here even before the
    // first change.
    let beginning = Event::default().id(cursor::close(app, journal.after())).comment("following");
    let events = stream::iter([beginning]).chain(follow(journal, app, api.stopping)).map(Ok);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat)))
}

/// The events; ends at shutdown, and when the stream fails: the client comes back and is told why.
fn follow(
    journal: ChangeStream,
    app: Option<AppId>,
    stopping: watch::Receiver<bool>,
) -> impl Stream<Item = Event> {
    stream::unfold((journal, stopping), |(mut journal, mut stopping)| async move {
        let changes = tokio::select! {
            found = journal.next() => found.ok()?,
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        };
        Some((stream::iter(changes), (journal, stopping)))
    })
    .flatten()
    .map(move |change| event(app, change))
}

fn event(app: Option<AppId>, change: Change) -> Event {
    let event = Event::default().id(cursor::close(app, change.seq)).event(&change.kind);
    let body =
        serde_json::to_string(&ChangeAnswer::from(change)).expect("a change has only plain fields");
    // Between JSON tokens a carriage return means nothing, but it would end a line of the stream.
    event.data(body.replace('\r', "\n"))
}
