//! `/v2/events`: scheduling, which causes most of the actions.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tidings_core::limits;
use tidings_service::{Error, Expect, RecordWrite, Service};

use crate::action::Action;
use crate::book::{Book, EVENTS, put};
use crate::event::{self, Ballot, Creator, Draft, Edit, Event, Listing, Pen, Person};
use crate::refusal::Refusal;
use crate::request::{Call, Given};

/// `GET /v2/events`.
pub(crate) async fn list(call: Call) -> Result<Json<Vec<Event>>, Refusal> {
    let listing = Listing::read(&call.query)?;
    let now = call.service.clock().now();
    let Some(book) = Book::open(&call).await? else { return Ok(Json(Vec::new())) };
    let shows = |event: &Event| listing.shows(event, now);
    Ok(Json(book.events(listing.limit(), shows).await?))
}

/// `POST /v2/events`.
pub(crate) async fn create(call: Call, given: Given) -> Result<Json<Event>, Refusal> {
    let draft = Draft::read(given.object()?)?;
    let addresses = draft.addresses()?;
    let book = Book::open_or_make(&call).await?;
    let people = book.people(&addresses).await?;
    let creator = match draft.creator {
        Creator::User(id) => book.person(id).await?.ok_or_else(|| {
            Refusal::field("created_by.user", "is not a user of the organization")
        })?,
        Creator::Email(email) => {
            let known = people.get(&email.to_lowercase()).cloned();
            known.unwrap_or_else(|| Person { email: Some(email.to_owned()), ..Person::default() })
        }
    };
    let event = with_pen(&call.service, &people, |pen| draft.make(creator, pen))?;
    let user = event.created_by.user.as_deref();
    let fired = [Some(Action::Created), event.confirmed.flag.then_some(Action::Confirmed)];
    let announce = |action| book.announce(action, &event.id, &event, user);
    let announcements = fired.into_iter().flatten().map(announce).collect();
    let write = kept(&event, Expect::Absent, limits::SCHEDULING_EVENT_BYTES_MAX)?;
    book.write(vec![write], announcements).await?;
    Ok(Json(event))
}

/// `GET /v2/events/{id}`.
pub(crate) async fn get(call: Call, Path(id): Path<String>) -> Result<Json<Event>, Refusal> {
    let book = Book::open(&call).await?.ok_or_else(unknown)?;
    let kept = book.read::<Event>(EVENTS, &id).await?.ok_or_else(unknown)?;
    Ok(Json(kept.document))
}

/// `PUT /v2/events/{id}`.
pub(crate) async fn update(
    call: Call,
    Path(id): Path<String>,
    given: Given,
) -> Result<Json<Event>, Refusal> {
    let fields = given.object()?;
    edit(&call, &id, &[], &Edit::Update(fields)).await.map(Json)
}

/// `POST /v2/events/{id}/confirm`: `d` and `p` in the query, as documented, or in the body.
pub(crate) async fn confirm(
    call: Call,
    Path(id): Path<String>,
    given: Given,
) -> Result<Json<Event>, Refusal> {
    let fields = given.optional_object()?;
    let in_body = |name| match &fields {
        Some(fields) => fields.text(name, 64),
        None => Ok(None),
    };
    let date = call.query.text("d").or(in_body("d")?);
    let place = call.query.text("p").or(in_body("p")?);
    edit(&call, &id, &[], &Edit::Confirm(date, place)).await.map(Json)
}

/// `POST /v2/events/{id}/cancel`.
pub(crate) async fn cancel(call: Call, Path(id): Path<String>) -> Result<Response, Refusal> {
    edit(&call, &id, &[], &Edit::Cancel).await?;
    Ok(ok())
}

/// `POST /v2/events/{id}/invitees`.
pub(crate) async fn invite(
    call: Call,
    Path(id): Path<String>,
    given: Given,
) -> Result<Response, Refusal> {
    let missing = || Refusal::bad_request("malformed", "the body must be an array of invitees");
    let guests = event::invitees(given.0.as_ref().ok_or_else(missing)?)?;
    let addresses: Vec<_> = guests.iter().map(|guest| guest.email.to_lowercase()).collect();
    let event = edit(&call, &id, &addresses, &Edit::Invite(guests)).await?;
    Ok(Json(event.invitees).into_response())
}

/// `DELETE /v2/events/{id}/invitees/{invitee_id}`, printed as `POST` in the vendor's details.
pub(crate) async fn uninvite(
    call: Call,
    Path((id, invitee)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    edit(&call, &id, &[], &Edit::Uninvite(&invitee)).await?;
    Ok(ok())
}

/// `POST /v2/events/{id}/votes`.
pub(crate) async fn vote(
    call: Call,
    Path(id): Path<String>,
    given: Given,
) -> Result<Json<Event>, Refusal> {
    let ballot = Ballot::read(&given.object()?)?;
    edit(&call, &id, &[], &Edit::Vote(ballot)).await.map(Json)
}

/// `POST /v2/events/{id}/dates/{date_id}/votes`.
pub(crate) async fn vote_on_date(
    call: Call,
    Path((id, date)): Path<(String, String)>,
    given: Given,
) -> Result<Json<Event>, Refusal> {
    let ballot = Ballot::on_date(&given.object()?, &date)?;
    edit(&call, &id, &[], &Edit::Vote(ballot)).await.map(Json)
}

/// `POST /v2/events/{id}/places/{place_id}/votes`.
pub(crate) async fn vote_on_place(
    call: Call,
    Path((id, place)): Path<(String, String)>,
    given: Given,
) -> Result<Json<Event>, Refusal> {
    let ballot = Ballot::on_place(&given.object()?, &place)?;
    edit(&call, &id, &[], &Edit::Vote(ballot)).await.map(Json)
}

/// Reads the event, edits it, and writes it if it is still as read: else all over again. So of edits at
/// the same time none is lost.
async fn edit(
    call: &Call,
    id: &str,
    addresses: &[String],
    edit: &Edit<'_>,
) -> Result<Event, Refusal> {
    let book = Book::open(call).await?.ok_or_else(unknown)?;
    let people = book.people(addresses).await?;
    for _ in 0..limits::SCHEDULING_TRIES_MAX {
        let kept = book.read::<Event>(EVENTS, id).await?.ok_or_else(unknown)?;
        let mut event = kept.document.clone();
        let action = with_pen(&call.service, &people, |pen| event.edit(edit, pen))?;
        if event == kept.document {
            return Ok(event);
        }
        let user = event.created_by.user.as_deref();
        let announced = action.map(|action| book.announce(action, id, &event, user));
        let max = match edit {
            Edit::Confirm(..) | Edit::Cancel | Edit::Uninvite(_) => limits::RECORD_BYTES_MAX,
            Edit::Update(_) | Edit::Invite(_) | Edit::Vote(_) => limits::SCHEDULING_EVENT_BYTES_MAX,
        };
        let write = self::kept(&event, Expect::Version(kept.version), max)?;
        match book.write(vec![write], announced.into_iter().collect()).await {
            Ok(()) => return Ok(event),
            Err(Error::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::busy())
}

/// What keeps an event of at most `max` bytes.
fn kept(event: &Event, expect: Expect, max: usize) -> Result<RecordWrite, Refusal> {
    let write = put(EVENTS, &event.id, event, Some(event.created_at.0), expect)?;
    match &write {
        RecordWrite::Put(new, _) if new.body.len() > max => {
            let why = format!(
                "the event would have more than {max} bytes of JSON: it has no room for more dates, places, \
                 invitees, votes or messages"
            );
            Err(Refusal::bad_request("too_large", why))
        }
        _ => Ok(write),
    }
}

/// Lends what documents are written with.
fn with_pen<T>(
    service: &Service,
    people: &BTreeMap<String, Person>,
    write: impl FnOnce(&Pen<'_>) -> T,
) -> T {
    let now = service.clock().now();
    let id = || service.ids().next(now).to_hex24();
    write(&Pen { now, id: &id, known: &|address| people.get(address).cloned() })
}

fn unknown() -> Refusal {
    Refusal::not_found("event")
}

/// What the vendor answers where there is nothing to show.
pub(crate) fn ok() -> Response {
    (StatusCode::OK, "OK").into_response()
}
