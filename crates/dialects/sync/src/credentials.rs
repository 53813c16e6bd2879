//! `/v1/credentials`: a credential is a record account of a user. What is sent to log in at a site is looked
//! at once, to show a masked username, and not kept: the data comes by the bulk API.

use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::UserId;
use tidings_service::{Announcement, NewRecordAccount, RecordAccount};

use crate::Desk;
use crate::answer::Answer;
use crate::auth::Acting;
use crate::call::{Call, Verb};
use crate::catalogues;
use crate::holdings::{self, Details, Holding, Job};
use crate::params::Params;
use crate::query::Window;
use crate::refusal::Refusal;
use crate::route::nothing_here;
use crate::wire::{ENVIRONMENT, bits};

/// Fields of login data that hold a name and no secret, so that a masked form of them may be shown.
const USERNAMES: [&str; 6] = ["username", "user", "rfc", "email", "login", "client"];

pub(crate) async fn answer(desk: &Desk, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let acting = call.presented.reader(&desk.service, &call.params).await?;
    match (call.method, rest) {
        (Verb::Get, [] | ["all"]) => {
            let window = Window::read(&call.params)?;
            let held = holdings::all(desk, &acting, &call.params).await?;
            Answer::of(&window.cut(held.iter().map(view)))
        }
        (Verb::Get, [id]) => Answer::of(&[view(&holdings::one(desk, &acting, id).await?)]),
        (Verb::Post, [] | ["pulls"]) => create(desk, call, &acting).await,
        (Verb::Put, [id] | [id, "pulls"]) => update(desk, call, &acting, id).await,
        (Verb::Delete, [id]) => {
            let holding = holdings::one(desk, &acting, id).await?;
            desk.service.delete_account(&acting.caller, holding.account.id).await?;
            Answer::done()
        }
        _ => Err(nothing_here()),
    }
}

/// A credential, in the order of the documentation.
fn view(holding: &Holding) -> Value {
    let Holding { account, details } = holding;
    let executed = details.jobs.last().map(|job| job.at.div_euclid(1000));
    json!({
        "id_credential": holding.id(),
        "id_user": holding.id_user(),
        "id_environment": ENVIRONMENT,
        "id_external": account.user_external_id.as_deref().unwrap_or_default(),
        "id_site": details.id_site,
        "id_site_organization": details.id_site_organization,
        "id_site_organization_type": details.id_site_organization_type,
        "id_organization": details.id_site_organization,
        "is_authorized": 1,
        "is_disabled": 0,
        "is_locked": 0,
        "is_twofa": 0,
        "can_sync": 1,
        "ready_in": 0,
        "username": details.username,
        "code": 200,
        "keywords": null,
        "dt_authorized": account.created_at.unix_seconds(),
        "dt_execute": executed,
        "dt_ready": executed,
        "dt_refresh": account.refreshed_at.map(Timestamp::unix_seconds),
        "dt_last_sync": null,
    })
}

/// Creates the credential of the user at a site, or updates the one that there is.
async fn create(desk: &Desk, call: &Call, acting: &Acting) -> Result<Answer, Refusal> {
    let user = acting.user()?;
    let id_site = call.params.text("id_site")?;
    bits(&id_site, "site")
        .map_err(|_| Refusal::field("id_site", "must be the site's id, 24 hexadecimal digits"))?;
    let login = call.params.object("credentials")?.cloned();
    let login = login.ok_or_else(|| Refusal::field("credentials", "is required"))?;
    let external_id = external_id(user, &id_site);
    let turn = desk.upserting.lock().await;
    let known = desk.service.record_account_named(&acting.caller, &external_id).await?;
    let is_new = known.is_none();
    let mut details = known.map(|account| Details::of(&account.details)).unwrap_or_default();
    describe(&mut details, &call.params, id_site);
    details.username = masked(&login).or(details.username);
    let job = begin(desk, &mut details);
    let site = details.id_site.as_deref().unwrap_or_default();
    let new = NewRecordAccount {
        external_id: Some(external_id),
        user: Some(user),
        name: catalogues::site(site).map_or(site, |site| site.name).to_owned(),
        details: details.to_value(),
    };
    let kind = if is_new { "credential.created" } else { "credential.updated" };
    let told = (details.clone(), job.clone());
    let announce =
        move |account: &RecordAccount| vec![announcement(kind, account, &told.0, &told.1)];
    let (account, _) = desk.service.put_record_account(&acting.caller, new, announce).await?;
    drop(turn);
    pulled(call, &account.into(), &job, is_new)
}

/// Asks for the data of a credential again.
async fn update(desk: &Desk, call: &Call, acting: &Acting, id: &str) -> Result<Answer, Refusal> {
    let login = call.params.object("credentials")?.cloned().unwrap_or_default();
    let turn = desk.upserting.lock().await;
    let Holding { account, mut details } = holdings::one(desk, acting, id).await?;
    details.username = masked(&login).or(details.username);
    let job = begin(desk, &mut details);
    let announced = announcement("credential.updated", &account, &details, &job);
    let (caller, details) = (&acting.caller, Some(details.to_value()));
    let account = desk
        .service
        .update_record_account(caller, account.id, None, details, vec![announced])
        .await?;
    drop(turn);
    pulled(call, &account.into(), &job, false)
}

/// A user has one credential at a site, as documented.
fn external_id(user: UserId, id_site: &str) -> String {
    format!("sync:{}:{}", user.0.to_hex24(), id_site.to_ascii_lowercase())
}

/// Sets what is known of the site: by the request, else by the catalogue.
fn describe(details: &mut Details, params: &Params, id_site: String) {
    let known = catalogues::site(&id_site);
    let of = |name: &str, usual: &str| {
        let given = params.get(name).and_then(Value::as_str).map(str::to_owned);
        given.or_else(|| known.map(|_| usual.to_owned()))
    };
    let organization = of("id_site_organization", catalogues::ORGANIZATION);
    let kind = of("id_site_organization_type", catalogues::ORGANIZATION_TYPE);
    details.id_site_organization = organization.or(details.id_site_organization.take());
    details.id_site_organization_type = kind.or(details.id_site_organization_type.take());
    details.id_site = Some(id_site);
}

/// A new job, remembered in the details.
fn begin(desk: &Desk, details: &mut Details) -> Job {
    let now = desk.service.clock().now();
    let next = || desk.service.ids().next(now).to_hex24();
    let (id_job_uuid, id_job) = (next(), next());
    let job = Job { id_job, id_job_uuid, at: now.0 };
    details.remember(job.clone());
    job
}

/// The change that tells of a pull: everything that the formats write of it.
fn announcement(kind: &str, account: &RecordAccount, details: &Details, job: &Job) -> Announcement {
    let mut data = json!({
        "account": account.told(),
        "credential": {
            "id_site": details.id_site,
            "id_site_organization": details.id_site_organization,
            "id_site_organization_type": details.id_site_organization_type,
            "username": details.username,
            "is_executing": 1,
        },
        "job": { "id_job": job.id_job, "id_job_uuid": job.id_job_uuid },
    });
    if let Some(user) = account.user_told() {
        data["user"] = user;
    }
    let order_key = Some(account.id.to_string());
    Announcement { kind: kind.to_owned(), collection: None, item: None, order_key, data }
}

/// The documented answer to a pull.
fn pulled(call: &Call, holding: &Holding, job: &Job, is_new: bool) -> Result<Answer, Refusal> {
    let Job { id_job, id_job_uuid, .. } = job;
    let (scheme, host) = (call.scheme, &call.host);
    let socket = if scheme == "https" { "wss" } else { "ws" };
    Answer::of(&json!({
        "id_credential": holding.id(),
        "id_job_uuid": id_job_uuid,
        "id_job": id_job,
        "is_new": u8::from(is_new),
        "username": holding.details.username,
        "ws": format!("{socket}://{host}/v1/status/{id_job}"),
        "status": format!("{scheme}://{host}/v1/jobs/{id_job}/status"),
        "twofa": format!("{scheme}://{host}/v1/jobs/{id_job}/twofa"),
    }))
}

/// The name in login data, masked so that its owner knows it again: `t**t`.
fn masked(login: &Map<String, Value>) -> Option<String> {
    let name = USERNAMES.iter().find_map(|name| login.get(*name)?.as_str())?;
    let mut letters = name.chars();
    match (letters.next(), letters.next_back()) {
        (Some(first), Some(last)) if letters.next().is_some() => Some(format!("{first}**{last}")),
        _ => Some("**".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_masked_and_a_password_is_never_taken_for_one() {
        for (login, shown) in [
            (json!({"username": "test", "password": "test"}), Some("t**t")),
            (json!({"rfc": "ACM010101ABC", "password": "p"}), Some("A**C")),
            (json!({"username": "ab"}), Some("**")),
            (json!({"username": ""}), Some("**")),
            (json!({"username": "éàü"}), Some("é**ü")),
            (json!({"password": "secret"}), None),
            (json!({"field1": "secret"}), None),
            (json!({"username": 5}), None),
            (json!({}), None),
        ] {
            let Value::Object(login) = login else { panic!("not an object") };
            assert_eq!(masked(&login).as_deref(), shown, "{login:?}");
        }
    }
}
