//! `/v2/users`: the users of the organization, which are the app's end users.

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};
use tidings_core::id::{Bits96, UserId};
use tidings_core::limits;
use tidings_service::{Error, Expect, NewUser, PageInput, Scope, User, UserChanges};

use crate::book::{Book, JOINED, removal};
use crate::pages;
use crate::profile::{self, Connected, Organization, Profile};
use crate::refusal::Refusal;
use crate::request::{Call, Fields, Given};

/// `GET /v2/users`.
pub(crate) async fn list(call: Call) -> Result<Json<Vec<Value>>, Refusal> {
    let users = all(&call).await?;
    all_shown(&call, &users).await.map(Json)
}

/// `GET /v2/users/{id}`.
pub(crate) async fn get(call: Call, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let user = find(&call, &id).await?;
    shown(&call, &user).await.map(Json)
}

/// `POST /v2/users`: creates a user, or updates the one with this id or `extid`.
pub(crate) async fn create(call: Call, given: Given) -> Result<Json<Value>, Refusal> {
    let body = given.object()?;
    call.must_be_ours(body.required("organization", 64)?)?;
    let fields = body.object("user")?.ok_or_else(|| body.refuse("user", "is required"))?;
    refuse_sign_up(&body)?;
    let asked = Asked::read(&call, profile::Given::read(fields)?, body.object("vyteme")?).await?;
    let user = asked.carry_out(&call).await?;
    Ok(Json(json!({ "user": shown(&call, &user).await? })))
}

/// `PUT /v2/users/{id}`.
pub(crate) async fn update(
    call: Call,
    Path(id): Path<String>,
    given: Given,
) -> Result<Json<Value>, Refusal> {
    let body = given.object()?;
    if let Some(organization) = body.text("organization", 64)? {
        call.must_be_ours(organization)?;
    }
    refuse_sign_up(&body)?;
    let mut user = find(&call, &id).await?;
    let given = body.object("user")?.map(profile::Given::read).transpose()?;
    let page = body.object("vyteme")?;
    if let Some(page) = &page {
        pages::check(&call, Some(&user.id.0.to_hex24()), page).await?;
    }
    if let Some(given) = given {
        user = write(&call, user, &given).await?;
    }
    put_page(&call, &user, page.as_ref()).await?;
    Ok(Json(json!({ "user": shown(&call, &user).await? })))
}

/// `DELETE /v2/users/{id}`: unlinks the user; answers the organization that is left.
pub(crate) async fn delete(call: Call, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let user = find(&call, &id).await?;
    // Before anything goes: who may not remove what the user leaves behind removes nothing.
    call.caller.may(Scope::Records)?;
    call.service.delete_user(&call.caller, user.id).await?;
    forget(&call, &user).await?;
    let app = call.service.app(&call.caller, call.organization).await?;
    let users = all(&call).await?;
    let connected = connected(&call, &users).await?;
    let organization = Organization { id: call.organization(), name: app.name.clone() };
    let member = |user: &User| {
        let shown = Profile::of(user).show(user, &organization, &connected);
        let kept = ["calendars", "emails", "_id", "picture_url", "full_name"];
        let kept =
            kept.into_iter().filter_map(|name| Some((name.into(), shown.get(name)?.clone())));
        let mut member: serde_json::Map<String, Value> = kept.collect();
        member.insert("account".into(), json!({ "plan": "pro" }));
        member
    };
    let members: Vec<_> = users.iter().map(member).collect();
    Ok(Json(json!({
        "lang": "en", "admins": [], "members": members, "private": false,
        "_id": organization.id, "name": organization.name, "plan": "pro",
        "updatedAt": app.updated_at, "createdAt": app.created_at, "__v": 0,
    })))
}

/// `POST` and `PUT /v2/users/batch`: an array, or `{"organization", "users": […]}`, of bodies of the calls
/// for one user, or of user objects. All users and pages are found and checked before the first is written;
/// what comes between then ends the batch there, and the same batch again does the rest.
pub(crate) async fn batch(call: Call, given: Given) -> Result<Json<Value>, Refusal> {
    let missing = || Refusal::bad_request("malformed", "the body must hold users");
    let body = given.0.as_ref().ok_or_else(missing)?;
    let max = limits::SCHEDULING_USERS_BATCH_MAX;
    let entries = match body {
        Value::Array(_) => Fields::each("users", body, max)?,
        _ => {
            let body = Fields::of("", body)?;
            if let Some(organization) = body.text("organization", 64)? {
                call.must_be_ours(organization)?;
            }
            body.objects("users", max)?.ok_or_else(|| body.refuse("users", "is required"))?
        }
    };
    let mut asked = Vec::new();
    for entry in entries {
        if let Some(organization) = entry.text("organization", 64)? {
            call.must_be_ours(organization)?;
        }
        refuse_sign_up(&entry)?;
        let page = entry.object("vyteme")?;
        let given = profile::Given::read(entry.object("user")?.unwrap_or(entry))?;
        asked.push(Asked::read(&call, given, page).await?);
    }
    let mut users = Vec::new();
    for asked in &asked {
        users.push(asked.carry_out(&call).await?);
    }
    Ok(Json(json!({ "users": all_shown(&call, &users).await? })))
}

/// A user to create or update, as a request asks: found and checked.
pub(crate) struct Asked<'a> {
    given: profile::Given<'a>,
    page: Option<Fields<'a>>,
    /// The user whom it updates.
    known: Option<User>,
}

impl<'a> Asked<'a> {
    /// Finds the user and checks everything, before anything is written.
    pub(crate) async fn read(
        call: &Call,
        given: profile::Given<'a>,
        page: Option<Fields<'a>>,
    ) -> Result<Self, Refusal> {
        let named = match given.extid {
            Some(extid) => call.service.user_named(&call.caller, extid).await?,
            None => None,
        };
        let known = match given.id {
            Some(id) => {
                let user = find(call, id).await?;
                if named.is_some_and(|named| named.id != user.id) {
                    return Err(Refusal::field("extid", "is that of another user"));
                }
                Some(user)
            }
            None => named,
        };
        given.onto(known.as_ref().map(Profile::of).unwrap_or_default())?;
        if let Some(page) = &page {
            let owner = known.as_ref().map(|user| user.id.0.to_hex24());
            pages::check(call, owner.as_deref(), page).await?;
        }
        Ok(Self { given, page, known })
    }

    /// Writes the user, and the page that comes with them.
    pub(crate) async fn carry_out(&self, call: &Call) -> Result<User, Refusal> {
        let user = match &self.known {
            Some(user) => write(call, user.clone(), &self.given).await?,
            None => create_or_write(call, &self.given).await?,
        };
        put_page(call, &user, self.page.as_ref()).await?;
        Ok(user)
    }
}

/// Creates the user; updates the one who has the `extid` by now.
async fn create_or_write(call: &Call, given: &profile::Given<'_>) -> Result<User, Refusal> {
    let profile = given.onto(Profile::default())?;
    let new = NewUser {
        external_id: given.extid.map(str::to_owned),
        name: profile.full_name(),
        details: profile.details(),
    };
    let (user, created) = call.service.create_user(&call.caller, new, |_| Vec::new()).await?;
    if !created {
        return write(call, user, given).await;
    }
    note_address(call, None, &user).await?;
    Ok(user)
}

/// Updates a user with what is given, again when another request did so meanwhile: neither is lost.
async fn write(call: &Call, mut user: User, given: &profile::Given<'_>) -> Result<User, Refusal> {
    for _ in 0..limits::SCHEDULING_TRIES_MAX {
        let profile = given.onto(Profile::of(&user))?;
        let renamed = given.extid.filter(|extid| user.external_id.as_deref() != Some(extid));
        let changes = UserChanges {
            external_id: renamed.map(|extid| Some(extid.to_owned())),
            name: profile.full_name().map(Some),
            details: Some(profile.details()),
            expected: Some(user.clone()),
        };
        match call.service.update_user(&call.caller, user.id, changes, |_| Vec::new()).await {
            Ok(updated) => {
                note_address(call, Some(&user), &updated).await?;
                return Ok(updated);
            }
            Err(Error::Stale { .. }) => user = call.service.user(&call.caller, user.id).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::busy())
}

/// Remembers whose the address is, so that invitees with it are bound to the user.
async fn note_address(call: &Call, before: Option<&User>, user: &User) -> Result<(), Refusal> {
    let (old, new) = (before.and_then(|user| Profile::of(user).email), Profile::of(user).email);
    let lower = |email: &Option<String>| email.as_ref().map(|email| email.to_lowercase());
    if new.is_none() && old.is_none() {
        return Ok(());
    }
    let book = Book::open_or_make(call).await?;
    let moved = old.as_deref().filter(|_| lower(&old) != lower(&new));
    book.note_address(new.as_deref(), moved, user.id).await
}

/// Removes what is kept of a user who is gone: the page, the address, and that they joined.
async fn forget(call: &Call, user: &User) -> Result<(), Refusal> {
    let Some(book) = Book::open(call).await? else { return Ok(()) };
    let id = user.id.0.to_hex24();
    for _ in 0..limits::SCHEDULING_TRIES_MAX {
        let mut writes = pages::removals(&book, &id).await?;
        if book.read::<Value>(JOINED, &id).await?.is_some() {
            writes.push(removal(JOINED, &id, Expect::Any));
        }
        if let Some(email) = Profile::of(user).email {
            writes.extend(book.removal_of_address(&email, user.id).await?);
        }
        if writes.is_empty() {
            return Ok(());
        }
        match book.write(writes, Vec::new()).await {
            Err(Error::Stale { .. }) => {}
            done => return Ok(done?),
        }
    }
    Err(Refusal::busy())
}

/// A booking page that comes with the user.
async fn put_page(call: &Call, user: &User, page: Option<&Fields<'_>>) -> Result<(), Refusal> {
    let Some(page) = page else { return Ok(()) };
    pages::put(call, pages::Target::Of(&user.id.0.to_hex24()), page).await.map(|_| ())
}

/// There is no web application to sign up for; so there are no credentials to keep for it either.
fn refuse_sign_up(body: &Fields<'_>) -> Result<(), Refusal> {
    match body.value("finish_signup_with") {
        None => Ok(()),
        Some(_) => {
            let why = "is not offered: there is no page here to finish signing up on";
            Err(body.refuse("finish_signup_with", why))
        }
    }
}

/// A user of the organization by id.
pub(crate) async fn find(call: &Call, id: &str) -> Result<User, Refusal> {
    let id = Bits96::from_hex24(id).map(UserId).ok_or_else(|| Refusal::not_found("user"))?;
    Ok(call.service.user(&call.caller, id).await?)
}

async fn organization(call: &Call) -> Result<Organization, Refusal> {
    let app = call.service.app(&call.caller, call.organization).await?;
    Ok(Organization { id: call.organization(), name: app.name })
}

/// The user object.
pub(crate) async fn shown(call: &Call, user: &User) -> Result<Value, Refusal> {
    Ok(all_shown(call, std::slice::from_ref(user)).await?.pop().unwrap_or_default())
}

async fn all_shown(call: &Call, users: &[User]) -> Result<Vec<Value>, Refusal> {
    let organization = organization(call).await?;
    let connected = connected(call, users).await?;
    let show = |user: &User| Profile::of(user).show(user, &organization, &connected);
    Ok(users.iter().map(show).collect())
}

/// The organization's users, oldest first.
async fn all(call: &Call) -> Result<Vec<User>, Refusal> {
    let mut users = Vec::new();
    let mut page = PageInput { limit: Some(limits::PAGE_MAX), ..PageInput::default() };
    loop {
        let found = call.service.users(&call.caller, &page).await?;
        users.extend(found.items);
        match found.next {
            Some(cursor) if users.len() < limits::SCHEDULING_USERS_LISTED_MAX => {
                page.cursor = Some(cursor);
            }
            _ => return Ok(users),
        }
    }
}

/// Where these users have calendars.
async fn connected(call: &Call, users: &[User]) -> Result<Connected, Refusal> {
    let ids = users.iter().map(|user| user.id).collect();
    Ok(call.service.providers_of_users(&call.caller, &ids).await?)
}
