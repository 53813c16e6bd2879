//! `/v2/users`: the users of the organization, which are the app's end users, and the link by which they
//! join.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tidings_core::id::{Bits96, UserId};
use tidings_core::limits;
use tidings_service::{AccountQuery, Error, Expect, NewUser, PageInput, User, UserChanges};

use crate::action::Action;
use crate::book::{Book, JOINED, put};
use crate::pages;
use crate::profile::{self, Connected, Organization, Profile};
use crate::refusal::Refusal;
use crate::request::{Call, Fields, Given};

/// `GET /v2/users`.
pub(crate) async fn list(call: Call) -> Result<Json<Vec<Value>>, Refusal> {
    let organization = organization(&call).await?;
    let connected = connected(&call, None).await?;
    let show = |user: &User| Profile::of(user).show(user, &organization, &connected);
    Ok(Json(all(&call).await?.iter().map(show).collect()))
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
    let user = upsert(&call, &profile::Given::read(fields)?).await?;
    put_page(&call, &user, &body).await?;
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
    if let Some(fields) = body.object("user")? {
        user = write(&call, &user, &profile::Given::read(fields)?).await?;
    }
    put_page(&call, &user, &body).await?;
    Ok(Json(json!({ "user": shown(&call, &user).await? })))
}

/// `DELETE /v2/users/{id}`: unlinks the user; answers the organization that is left.
pub(crate) async fn delete(call: Call, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let user = find(&call, &id).await?;
    pages::forget_owner(&call, &id.to_lowercase()).await?;
    call.service.delete_user(&call.caller, user.id).await?;
    let app = call.service.app(&call.caller, call.organization).await?;
    let connected = connected(&call, None).await?;
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
    let members: Vec<_> = all(&call).await?.iter().map(member).collect();
    Ok(Json(json!({
        "lang": "en", "admins": [], "members": members, "private": false,
        "_id": organization.id, "name": organization.name, "plan": "pro",
        "updatedAt": app.updated_at, "createdAt": app.created_at, "__v": 0,
    })))
}

/// `POST` and `PUT /v2/users/batch`: an array, or `{"organization", "users": […]}`, of bodies of the calls
/// for one user, or of user objects. Everything is checked before anything is written.
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
        asked.push(profile::Given::read(entry.object("user")?.unwrap_or(entry))?);
    }
    let mut users = Vec::new();
    for given in &asked {
        users.push(upsert(&call, given).await?);
    }
    let organization = organization(&call).await?;
    let connected = connected(&call, None).await?;
    let show = |user: &User| Profile::of(user).show(user, &organization, &connected);
    Ok(Json(json!({ "users": users.iter().map(show).collect::<Vec<_>>() })))
}

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
    let user = enrol(&call, &profile::Given::read(fields)?).await?;
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
async fn enrol(call: &Call, given: &profile::Given<'_>) -> Result<User, Refusal> {
    let book = Book::open_or_make(call).await?;
    if let Some(extid) = given.extid
        && let Some(user) = call.service.user_named(&call.caller, extid).await?
        && book.read::<Value>(JOINED, &user.id.0.to_hex24()).await?.is_some()
    {
        return Ok(user);
    }
    let user = upsert(call, given).await?;
    let id = user.id.0.to_hex24();
    let told = book.announce(Action::Joined, &id, &shown(call, &user).await?, Some(&id));
    let note =
        put(JOINED, &id, &json!({ "at": call.service.clock().now() }), None, Expect::Absent)?;
    match book.write(vec![note], vec![told]).await {
        Ok(()) | Err(Error::Conflict(_)) => Ok(user),
        Err(error) => Err(error.into()),
    }
}

/// Creates the user, or updates the one with this id or `extid`.
async fn upsert(call: &Call, given: &profile::Given<'_>) -> Result<User, Refusal> {
    let known = match (given.id, given.extid) {
        (Some(id), _) => Some(find(call, id).await?),
        (None, Some(extid)) => call.service.user_named(&call.caller, extid).await?,
        (None, None) => None,
    };
    if let Some(user) = known {
        return write(call, &user, given).await;
    }
    let profile = given.onto(Profile::default())?;
    let new = new(given, &profile)?;
    let (user, created) = call.service.create_user(&call.caller, new, |_| Vec::new()).await?;
    if !created {
        return write(call, &user, given).await;
    }
    note_address(call, &user).await?;
    Ok(user)
}

/// Updates a user with what is given.
async fn write(call: &Call, user: &User, given: &profile::Given<'_>) -> Result<User, Refusal> {
    let profile = given.onto(Profile::of(user))?;
    let mut changes = changes(&profile)?;
    let renamed = given.extid.filter(|extid| user.external_id.as_deref() != Some(extid));
    changes.external_id = renamed.map(|extid| Some(extid.to_owned()));
    let user = call.service.update_user(&call.caller, user.id, changes, |_| Vec::new()).await?;
    note_address(call, &user).await?;
    Ok(user)
}

fn new(given: &profile::Given<'_>, profile: &Profile) -> Result<NewUser, Refusal> {
    Ok(NewUser {
        external_id: given.extid.map(str::to_owned),
        name: profile.full_name(),
        details: details(profile)?,
    })
}

fn changes(profile: &Profile) -> Result<UserChanges, Refusal> {
    Ok(UserChanges {
        name: profile.full_name().map(Some),
        details: Some(details(profile)?),
        ..UserChanges::default()
    })
}

fn details(profile: &Profile) -> Result<Value, Refusal> {
    serde_json::to_value(profile).map_err(|_| Error::Internal.into())
}

/// Remembers whose the address is, so that invitees with it are bound to the user.
async fn note_address(call: &Call, user: &User) -> Result<(), Refusal> {
    match Profile::of(user).email {
        Some(email) => Book::open_or_make(call).await?.note_address(&email, user.id).await,
        None => Ok(()),
    }
}

/// A booking page that comes with the user.
async fn put_page(call: &Call, user: &User, body: &Fields<'_>) -> Result<(), Refusal> {
    let Some(page) = body.object("vyteme")? else { return Ok(()) };
    pages::put(call, pages::Target::Of(&user.id.0.to_hex24()), &page).await.map(|_| ())
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

async fn shown(call: &Call, user: &User) -> Result<Value, Refusal> {
    let connected = connected(call, Some(user.id)).await?;
    Ok(Profile::of(user).show(user, &organization(call).await?, &connected))
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

/// Where users have calendars.
async fn connected(call: &Call, user: Option<UserId>) -> Result<Connected, Refusal> {
    let query = AccountQuery { user, ..AccountQuery::default() };
    let mut connected = Connected::new();
    let mut page = PageInput { limit: Some(limits::PAGE_MAX), ..PageInput::default() };
    loop {
        let found = call.service.accounts(&call.caller, query.clone(), &page).await?;
        for account in found.items {
            let Some(user) = account.user_id else { continue };
            connected.entry(user.0.to_hex24()).or_default().insert(account.provider);
        }
        match found.next {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(connected),
        }
    }
}
