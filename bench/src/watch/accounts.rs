//! The accounts of a measurement: connected by consent, waited for until they are watched, and until what
//! was pushed about them was pulled.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use crate::api::Api;
use crate::server::Server;
use crate::simulate::person;

/// Accounts that are connected at the same time.
const CONNECTING: usize = 8;
const LOOK: Duration = Duration::from_millis(200);
/// An account that is not as wanted after this time never will be; the last of 10,000 calendars waits for
/// those before it.
const STUCK: Duration = Duration::from_secs(900);

/// Connects all `count` people; returns the accounts' ids.
pub(super) async fn connect(server: &Server, count: usize) -> Result<Vec<String>, String> {
    let mut connecting = tokio::task::JoinSet::new();
    let mut ids = Vec::new();
    for n in 0..count {
        if connecting.len() == CONNECTING {
            ids.extend(connected(connecting.join_next().await)?);
        }
        let (api, back) = (server.api(), format!("http://{}/connected", server.address));
        connecting.spawn(async move { consent(&api, &person(n), &back).await });
    }
    while let Some(done) = connecting.join_next().await {
        ids.extend(connected(Some(done))?);
    }
    Ok(ids)
}

fn connected(
    done: Option<Result<Result<String, String>, tokio::task::JoinError>>,
) -> Result<Option<String>, String> {
    done.map(|done| done.map_err(|error| error.to_string())?).transpose()
}

/// The way of a person's browser: to Google, back to us with a code, and back to the app.
async fn consent(api: &Api, email: &str, back: &str) -> Result<String, String> {
    let asked = json!({"provider": "google", "login_hint": email, "return_to": back});
    let begun = api.post("/api/v1/connections", &asked).await?;
    let callback = api.sent_on(begun["authorize_url"].as_str().unwrap_or_default()).await?;
    let end = api.sent_on(&callback).await?;
    let url = Url::parse(&end).map_err(|error| error.to_string())?;
    let account = url.query_pairs().find(|(name, _)| name == "account");
    let account = account.map(|(_, id)| id.into_owned());
    account.ok_or_else(|| format!("{email} was not connected: {}", url.query().unwrap_or_default()))
}

/// Waits until each account has `calendars_each` calendars and every one of them is pushed about.
pub(super) async fn watched(
    server: &Server,
    accounts: &[String],
    calendars_each: usize,
) -> Result<(), String> {
    let is_watched = |calendars: &[Value]| {
        calendars.len() == calendars_each
            && calendars.iter().all(|one| one["watch"]["how"] == "pushed")
    };
    each(server, accounts, is_watched).await.map_err(|account| format!("{account} is not watched"))
}

/// Waits until every calendar was read after the last push about it.
pub(super) async fn pulled(server: &Server, accounts: &[String]) -> Result<(), String> {
    let is_pulled = |calendars: &[Value]| {
        calendars.iter().all(|one| {
            // Both are times of the same form, which sort as texts.
            let time = |name: &str| one["watch"][name].as_str().unwrap_or_default();
            time("last_sync_at") >= time("last_push_at")
        })
    };
    each(server, accounts, is_pulled).await.map_err(|account| format!("{account} was not pulled"))
}

/// Waits for one account after the other until its calendars are as wanted.
async fn each(
    server: &Server,
    accounts: &[String],
    wanted: impl Fn(&[Value]) -> bool,
) -> Result<(), String> {
    let api = server.api();
    for account in accounts {
        let begun = Instant::now();
        loop {
            let path = format!("/api/v1/accounts/{account}/calendars");
            let (_, page) = api.get(&path).await?;
            if page["data"].as_array().is_some_and(|calendars| wanted(calendars)) {
                break;
            }
            if begun.elapsed() > STUCK {
                let errors: Vec<_> = page["data"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|one| &one["watch"])
                    .collect();
                return Err(format!("{account} {errors:?}"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}
