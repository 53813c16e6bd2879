//! `/v2/vytemes` and `/v2/users/{id}/vyteme`: booking pages, by nickname and by owner.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidings_core::id::{Bits96, UserId};
use tidings_core::limits;
use tidings_service::{Error, Expect, RecordWrite};

use crate::action::Action;
use crate::book::{Book, Kept, OWNERS, PAGES, put as put_record, removal};
use crate::refusal::Refusal;
use crate::request::{Call, Fields, Given};
use crate::users;

/// A booking page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Page {
    nickname: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The id of its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    belongs_to: Option<String>,
    custom: Map<String, Value>,
}

/// The record of a user's page.
#[derive(Serialize, Deserialize)]
struct Owned {
    nickname: String,
}

/// Which page is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// A new one.
    New,
    /// The one of this nickname.
    Named(&'a str),
    /// That of the user with this id, new when there is none.
    Of(&'a str),
}

/// `GET /v2/vytemes/{nickname}`.
pub(crate) async fn get(call: Call, Path(nickname): Path<String>) -> Result<Json<Page>, Refusal> {
    let book = Book::open(&call).await?.ok_or_else(unknown)?;
    Ok(Json(named(&book, &nickname).await?.document))
}

/// `POST /v2/vytemes`.
pub(crate) async fn create(call: Call, given: Given) -> Result<Json<Page>, Refusal> {
    put(&call, Target::New, &given.object()?).await.map(Json)
}

/// `PUT /v2/vytemes/{nickname}`.
pub(crate) async fn update(
    call: Call,
    Path(nickname): Path<String>,
    given: Given,
) -> Result<Json<Page>, Refusal> {
    put(&call, Target::Named(&nickname), &given.object()?).await.map(Json)
}

/// `DELETE /v2/vytemes/{nickname}`.
pub(crate) async fn delete(call: Call, Path(nickname): Path<String>) -> Result<Response, Refusal> {
    let book = Book::open(&call).await?.ok_or_else(unknown)?;
    let page = named(&book, &nickname).await?;
    let mut writes = vec![removal(PAGES, &page.document.nickname, Expect::Version(page.version))];
    if let Some(owner) = &page.document.belongs_to {
        writes.push(removal(OWNERS, owner, Expect::Any));
    }
    book.write(writes, Vec::new()).await?;
    Ok(Json(json!({ "n": 1, "ok": 1 })).into_response())
}

/// `GET /v2/users/{id}/vyteme`.
pub(crate) async fn get_of(call: Call, Path(id): Path<String>) -> Result<Json<Page>, Refusal> {
    let user = users::find(&call, &id).await?;
    let book = Book::open(&call).await?.ok_or_else(unknown)?;
    let page = of(&book, &user.id.0.to_hex24()).await?.ok_or_else(unknown)?;
    Ok(Json(page.document))
}

/// `PUT /v2/users/{id}/vyteme`.
pub(crate) async fn put_of(
    call: Call,
    Path(id): Path<String>,
    given: Given,
) -> Result<Json<Page>, Refusal> {
    let user = users::find(&call, &id).await?;
    put(&call, Target::Of(&user.id.0.to_hex24()), &given.object()?).await.map(Json)
}

/// Writes a page; announces it unless it is created by name, which is no update.
pub(crate) async fn put(
    call: &Call,
    target: Target<'_>,
    fields: &Fields<'_>,
) -> Result<Page, Refusal> {
    let book = Book::open_or_make(call).await?;
    for _ in 0..limits::SCHEDULING_TRIES_MAX {
        let before = match target {
            Target::New => None,
            Target::Named(nickname) => Some(named(&book, nickname).await?),
            Target::Of(owner) => of(&book, owner).await?,
        };
        let page = merged(before.as_ref().map(|kept| &kept.document), target, fields)?;
        if before.as_ref().is_some_and(|kept| kept.document == page) {
            return Ok(page);
        }
        if let Some(owner) = &page.belongs_to {
            must_be_a_user(call, owner).await?;
        }
        let Some(writes) = writes(&book, target, before.as_ref(), &page).await? else { continue };
        let told =
            book.announce(Action::PageUpdated, &page.nickname, &page, page.belongs_to.as_deref());
        let told = if matches!(target, Target::New) { Vec::new() } else { vec![told] };
        match book.write(writes, told).await {
            Ok(()) => return Ok(page),
            // Another request came between: what it wrote is seen by the next try.
            Err(Error::Conflict(_) | Error::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::busy())
}

/// Checks a page that is to come with a user, new when there is no `owner` yet, before either is written.
pub(crate) async fn check(
    call: &Call,
    owner: Option<&str>,
    fields: &Fields<'_>,
) -> Result<(), Refusal> {
    let book = Book::open(call).await?;
    let before = match (&book, owner) {
        (Some(book), Some(owner)) => of(book, owner).await?,
        _ => None,
    };
    let target = Target::Of(owner.unwrap_or_default());
    let page = merged(before.as_ref().map(|kept| &kept.document), target, fields)?;
    match &book {
        Some(book) => must_be_free(book, before.as_ref(), &page).await,
        None => Ok(()),
    }
}

/// What removes the page of a user who goes.
pub(crate) async fn removals(book: &Book<'_>, owner: &str) -> Result<Vec<RecordWrite>, Refusal> {
    let Some(owned) = book.read::<Owned>(OWNERS, owner).await? else { return Ok(Vec::new()) };
    let mut writes = vec![removal(OWNERS, owner, Expect::Version(owned.version))];
    if let Some(page) = of(book, owner).await? {
        writes.push(removal(PAGES, &page.document.nickname, Expect::Version(page.version)));
    }
    Ok(writes)
}

async fn must_be_a_user(call: &Call, id: &str) -> Result<(), Refusal> {
    let found = match Bits96::from_hex24(id).map(UserId) {
        Some(id) => call.service.user(&call.caller, id).await,
        None => Err(Error::NotFound("user")),
    };
    match found {
        Err(Error::NotFound(_)) => {
            Err(Refusal::field("belongs_to", "is not a user of the organization"))
        }
        found => Ok(found.map(|_| ())?),
    }
}

/// Refuses a nickname that another page has.
async fn must_be_free(
    book: &Book<'_>,
    before: Option<&Kept<Page>>,
    page: &Page,
) -> Result<(), Refusal> {
    if before.is_some_and(|kept| kept.document.nickname == page.nickname) {
        return Ok(());
    }
    match book.read::<Page>(PAGES, &page.nickname).await? {
        // The user's own, made by another request a moment ago: the write will tell.
        Some(other)
            if page.belongs_to.is_some() && other.document.belongs_to == page.belongs_to =>
        {
            Ok(())
        }
        Some(_) => Err(Refusal::field("nickname", "is taken: choose another nickname")),
        None => Ok(()),
    }
}

/// What was there, with what is given in its place. `custom` is merged, setting by setting.
fn merged(before: Option<&Page>, target: Target<'_>, fields: &Fields<'_>) -> Result<Page, Refusal> {
    let mut page = before.cloned().unwrap_or_default();
    if before.is_none() || fields.value("nickname").is_some() {
        page.nickname = nickname(fields)?;
    }
    if let Some(message) = fields.text("message", limits::EVENT_TEXT_BYTES_MAX)? {
        page.message = Some(message.to_owned());
    }
    match (target, fields.text("belongs_to", 64)?) {
        (Target::Of(owner), Some(given)) if given.to_lowercase() != owner => {
            return Err(fields.refuse("belongs_to", "is not the user in the path"));
        }
        (Target::Of(owner), _) => page.belongs_to = Some(owner.to_owned()),
        (_, Some(given)) => page.belongs_to = Some(given.to_lowercase()),
        (_, None) => {}
    }
    match fields.value("custom") {
        None => {}
        Some(Value::Object(custom)) => {
            page.custom.extend(custom.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        Some(_) => return Err(fields.refuse("custom", "must be an object")),
    }
    Ok(page)
}

/// A name in a URL.
fn nickname(fields: &Fields<'_>) -> Result<String, Refusal> {
    let nickname = fields.required("nickname", 64)?.to_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if nickname.chars().all(plain) {
        return Ok(nickname);
    }
    Err(fields.refuse("nickname", "has letters, digits, -, _ and . only"))
}

/// The page under its nickname and under its owner's id, and not under those that it had. None when another
/// request made one for the same user meanwhile.
async fn writes(
    book: &Book<'_>,
    target: Target<'_>,
    before: Option<&Kept<Page>>,
    page: &Page,
) -> Result<Option<Vec<RecordWrite>>, Refusal> {
    let mut writes = Vec::new();
    if let Some(owner) = &page.belongs_to {
        let known = book.read::<Owned>(OWNERS, owner).await?;
        let other = of(book, owner).await?.map(|kept| kept.document.nickname);
        if other.is_some() && other.as_ref() != before.map(|kept| &kept.document.nickname) {
            return match target {
                Target::Of(_) => Ok(None),
                _ => Err(Refusal::field("belongs_to", "has a page already")),
            };
        }
        let owned = Owned { nickname: page.nickname.clone() };
        let expect = known.map_or(Expect::Absent, |known| Expect::Version(known.version));
        writes.push(put_record(OWNERS, owner, &owned, None, expect)?);
    }
    let owner_before = before.and_then(|kept| kept.document.belongs_to.as_ref());
    if let Some(owner) = owner_before.filter(|owner| page.belongs_to.as_ref() != Some(owner)) {
        writes.push(removal(OWNERS, owner, Expect::Any));
    }
    must_be_free(book, before, page).await?;
    let mut expect = Expect::Absent;
    match before.map(|kept| (kept, Expect::Version(kept.version))) {
        Some((kept, same)) if kept.document.nickname == page.nickname => expect = same,
        Some((kept, old)) => writes.push(removal(PAGES, &kept.document.nickname, old)),
        None => {}
    }
    writes.push(put_record(PAGES, &page.nickname, page, None, expect)?);
    Ok(Some(writes))
}

async fn named(book: &Book<'_>, nickname: &str) -> Result<Kept<Page>, Refusal> {
    book.read(PAGES, &nickname.to_lowercase()).await?.ok_or_else(unknown)
}

/// The page of a user, by the user's id.
async fn of(book: &Book<'_>, owner: &str) -> Result<Option<Kept<Page>>, Refusal> {
    match book.read::<Owned>(OWNERS, owner).await? {
        Some(owned) => book.read(PAGES, &owned.document.nickname).await,
        None => Ok(None),
    }
}

fn unknown() -> Refusal {
    Refusal::not_found("vyteme")
}
