//! Connecting accounts, with a key and from the browser, and what their calendars look like.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tidings_core::limits;
use tidings_providers::errand::{Errand, Refusal};
use tidings_service::Scope;

use crate::oauth::init::{self, Exchanges};

use super::world::{REDIRECT, World, connected, google_entry, graph_calendar, read};

/// The parameters of a provider's page.
fn page(answer: &Value) -> (String, Vec<(String, String)>) {
    let url =
        url::Url::parse(answer["url"].as_str().unwrap_or_else(|| panic!("{answer}"))).unwrap();
    let place = format!("{}{}", url.host_str().unwrap(), url.path());
    (place, url.query_pairs().into_owned().collect())
}

fn value<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn each_provider_has_its_oauth_url() {
    let world = World::new().await;
    for (provider, place, query) in [
        ("google", "accounts.google.com/o/oauth2/v2/auth", "email=ada%40example.com&state=s1"),
        ("google", "accounts.google.com/o/oauth2/v2/auth", "email=ada%40example.com"),
        (
            "microsoft",
            "login.microsoftonline.com/common/oauth2/v2.0/authorize",
            "email=ada%40example.com&state=s1",
        ),
        ("zoom", "zoom.us/oauth/authorize", "state=s1"),
        ("zoom", "zoom.us/oauth/authorize", ""),
    ] {
        let (status, answer) = world.get(&format!("/pyas/{provider}/oauth?{query}")).await;
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{answer}");
        let (at, pairs) = page(&answer);
        assert_eq!(at, place);
        assert_eq!(value(&pairs, "redirect_uri"), Some(REDIRECT));
        let state = query.contains("state").then_some("s1");
        assert_eq!(value(&pairs, "state"), state, "{provider} {query}");
        let hint = query.contains("email").then_some("ada@example.com");
        assert_eq!(value(&pairs, "login_hint"), hint, "{provider} {query}");
        assert_eq!(value(&pairs, "code_challenge_method"), Some("S256"));
    }
}

#[tokio::test]
async fn a_code_becomes_an_account_as_documented() {
    let world = World::new().await;
    let (_, pairs) = page(&world.get("/pyas/google/oauth?email=a%40b.de").await.1);
    let scopes = ["openid", "https://www.googleapis.com/auth/calendar.events"];
    world.answer(connected(&scopes));
    let body = json!({ "code": "the-code", "name": "John Doe" });
    let (status, answer) = world.send("POST", "/pyas/google/connect", body).await;
    let id = answer["data"]["account"]["accountId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("acc_"), "as the deliveries print it: {id}");
    let account = json!({
        "accountId": id, "email": "some-user@gmail.com", "name": "John Doe",
        "provider": "google", "status": "active", "scopes": scopes,
    });
    assert_eq!(
        (status, answer),
        (StatusCode::OK, json!({ "success": true, "data": { "account": account } }))
    );
    let Errand::Exchange { code, verifier, redirect_uri, .. } = world.errand() else { panic!() };
    assert_eq!((code.as_str(), redirect_uri.as_str()), ("the-code", REDIRECT));
    let challenge = tidings_providers::oauth::Pkce::of(verifier).challenge;
    assert_eq!(value(&pairs, "code_challenge"), Some(challenge.as_str()), "nothing was kept of it");
}

#[tokio::test]
async fn a_code_of_one_app_or_provider_is_none_of_another() {
    let world = World::new().await;
    let challenge = async |provider: &str| {
        let query = "email=a%40b.de";
        let (_, pairs) = page(&world.get(&format!("/pyas/{provider}/oauth?{query}")).await.1);
        value(&pairs, "code_challenge").unwrap().to_owned()
    };
    let google = challenge("google").await;
    assert_eq!(google, challenge("google").await);
    assert_ne!(google, challenge("microsoft").await);
}

#[tokio::test]
async fn what_the_provider_says_of_a_code_is_told() {
    let world = World::new().await;
    for (refusal, status, words) in [
        (Refusal::Invalid("it was used".into()), 400, "Invalid grant. it was used"),
        (Refusal::Forbidden("these were not given: x".into()), 400, "these were not given: x"),
        (Refusal::Busy, 503, "try again later"),
        (Refusal::Operator("invalid_client".into()), 501, "not configured rightly"),
    ] {
        world.answer(Err(refusal));
        let body = json!({ "code": "c", "name": "n" });
        let (told, answer) = world.send("POST", "/pyas/zoom/connect", body).await;
        assert_eq!((told.as_u16(), &answer["success"]), (status, &json!(false)), "{answer}");
        assert_eq!(answer["code"], status);
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer}");
    }
}

#[tokio::test]
async fn calendars_are_printed_as_their_provider_does() {
    let world = World::new().await;
    for (provider, account, expected) in [
        ("google", &world.google, google_entry()),
        ("microsoft", &world.microsoft, graph_calendar()),
    ] {
        let path = format!("/pyas/{provider}/calendars?accountId={}", account.id);
        let answer = world.get(&path).await;
        let list = json!({ "success": true, "data": { "calendars": [expected] } });
        assert_eq!(answer, (StatusCode::OK, list));
        let id = account.external_id.replace('@', "%40");
        let path = format!("/pyas/{provider}/calendars/{id}?accountId={}", account.id);
        let one = json!({ "success": true, "calendar": expected });
        assert_eq!(world.get(&path).await, (StatusCode::OK, one));
    }
    let path = format!("/pyas/google/calendars/primary?accountId={}", world.google.id);
    assert_eq!(world.get(&path).await.1["calendar"], google_entry());
}

#[tokio::test]
async fn the_browser_component_connects_by_two_public_names() {
    let world = World::new().await;
    let app = world.owner.app_id().unwrap();
    world.key("web", &[Scope::Accounts]).await;
    let names = format!("provider=google&clientId={app}&tokenName=web");
    let redirect = "redirectUrl=https%3A%2F%2Fapp.example.com%2Fcallback";
    let path = format!("/pyas/oauth/init?{names}&state=s&{redirect}&email=a%40b.de&name=Ada");
    let (status, answer) = world.ask("GET", &path, None, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, pairs) = page(&answer);
    assert_eq!(
        (value(&pairs, "state"), value(&pairs, "redirect_uri")),
        (Some("s"), Some(REDIRECT))
    );

    world.answer(connected(&[]));
    let request = Request::post(format!("/pyas/oauth/init/connect?{names}"))
        .header("content-type", "application/json")
        .header("origin", "https://app.example.com")
        .body(Body::from(
            json!({ "code": "c", "name": "Ada", "redirectUrl": REDIRECT }).to_string(),
        ));
    let response = world.raw(request.unwrap()).await;
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let answer = read(response).await;
    let account = &answer["data"]["account"];
    assert_eq!(
        (&account["name"], &account["provider"], &account["status"]),
        (&json!("Ada"), &json!("google"), &json!("active"))
    );
    assert!(account["scopes"].as_array().is_some_and(|scopes| scopes.len() > 1), "{answer}");

    let asked = Request::options("/pyas/oauth/init/connect").body(Body::empty()).unwrap();
    let allowed = world.raw(asked).await;
    assert_eq!(allowed.status(), StatusCode::NO_CONTENT);
    assert_eq!(allowed.headers()["access-control-allow-headers"], "content-type");
}

#[tokio::test]
async fn browsers_without_a_key_trade_a_few_codes_at_once() {
    let world = World::new().await;
    let app = world.owner.app_id().unwrap();
    world.key("web", &[Scope::Accounts]).await;
    let exchanges = Exchanges::new();
    let all = limits::PUBLIC_EXCHANGES_AT_ONCE.try_into().unwrap();
    let others = exchanges.0.clone().acquire_many_owned(all).await.unwrap();
    let ask = async || {
        let request = Request::post(format!(
            "/oauth/init/connect?provider=google&clientId={app}&tokenName=web"
        ))
        .header("content-type", "application/json");
        let (parts, body) =
            request.body(Body::from(json!({ "code": "c" }).to_string())).unwrap().into_parts();
        init::connect(State(world.service.clone()), Extension(exchanges.clone()), parts, body).await
    };
    let refused = ask().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    drop(others);
    world.answer(connected(&[]));
    assert_eq!(ask().await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_public_name_opens_nothing_but_connecting() {
    let world = World::new().await;
    let app = world.owner.app_id().unwrap();
    world.key("web", &[Scope::Accounts]).await;
    world.key("more", &[Scope::Accounts, Scope::Read]).await;
    let other = "app_00000000000000000000";
    let init = |provider: &str, app: &str, name: &str| {
        format!("/pyas/oauth/init?provider={provider}&clientId={app}&tokenName={name}")
    };
    let app = app.to_string();
    let wrong_uri = format!("{}&redirectUrl=https%3A%2F%2Fevil.example", init("zoom", &app, "web"));
    for (path, status, words) in [
        (init("google", other, "web"), 401, "Invalid client"),
        (init("google", "pyas_9ecf2ab8", "web"), 401, "Invalid client"),
        (init("google", &app, "nobody"), 401, "Token not found"),
        (init("google", &app, ""), 401, "Token not found"),
        (init("google", &app, "admin"), 403, "Not allowed"),
        (init("google", &app, "more"), 403, "Not allowed"),
        (init("icloud", &app, "web"), 400, "not allowed"),
        (wrong_uri, 400, "not allowed"),
    ] {
        let (told, answer) = world.ask("GET", &path, None, None).await;
        assert_eq!(told.as_u16(), status, "{path}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.to_lowercase().contains(&words.to_lowercase()), "{path}: {error}");
    }
}
