use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;

use super::*;
use crate::http::answer;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn query(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

fn form(request: &Request) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

fn reply(status: u16, body: &Value) -> crate::http::Response {
    answer(status, body.to_string())
}

#[test]
fn the_challenge_is_that_of_rfc_7636_appendix_b() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let pkce = Pkce::of(Zeroizing::new(verifier.into()));
    assert_eq!(pkce.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert!(!format!("{pkce:?}").contains(verifier));
    let (a, b) = (Pkce::new(&Ids::seeded(1)), Pkce::new(&Ids::seeded(2)));
    assert_ne!(a.verifier, b.verifier);
    assert_eq!(a.verifier.len(), 43, "RFC 7636 section 4.1 wants 43 to 128 characters");
}

#[test]
fn google_is_asked_for_a_refresh_token_each_time() {
    let app = OAuthApp::google("id", "s3cret");
    let pkce = Pkce::new(&Ids::seeded(1));
    let callback = url("https://t.example/providers/google/callback");
    let url = authorize(&app, &callback, "a&b=c", &pkce, Some("me@x.org"));
    let query = query(&url);
    for (name, expected) in [
        ("response_type", "code"),
        ("client_id", "id"),
        ("redirect_uri", callback.as_str()),
        ("state", "a&b=c"),
        ("code_challenge", pkce.challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("include_granted_scopes", "true"),
        ("login_hint", "me@x.org"),
    ] {
        assert_eq!(query[name], expected, "{name}");
    }
    assert!(query["scope"].ends_with("/auth/calendar.calendarlist.readonly"));
    assert!(!url.as_str().contains("s3cret") && !url.as_str().contains(&*pkce.verifier));
}

#[test]
fn the_authorize_url_of_an_operator_keeps_its_own_query() {
    let mut app = OAuthApp::microsoft("id", "s", "common");
    app.authorize_url = url("http://127.0.0.1:9/authorize?p=1");
    let pkce = Pkce::new(&Ids::seeded(1));
    let query = query(&authorize(&app, &url("https://t.example/cb"), "s", &pkce, None));
    assert_eq!((query["p"].as_str(), query["client_id"].as_str()), ("1", "id"));
    assert!(query["scope"].contains("offline_access"));
    assert!(!query.contains_key("login_hint") && !query.contains_key("access_type"));
}

#[test]
fn the_tenant_is_part_of_microsofts_endpoints() {
    let app = OAuthApp::microsoft("id", "s", "contoso.example");
    assert_eq!(
        app.token_url.as_str(),
        "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
    );
}

#[test]
fn clients_show_who_they_are_in_the_form_or_at_zoom_by_basic() {
    let redirect = url("https://t.example/cb");
    let google = exchange(&OAuthApp::google("id", "s3cret"), "code", "verifier", &redirect);
    let fields = form(&google);
    assert_eq!(fields["grant_type"], "authorization_code");
    assert_eq!((fields["code"].as_str(), fields["code_verifier"].as_str()), ("code", "verifier"));
    assert_eq!((fields["client_id"].as_str(), fields["client_secret"].as_str()), ("id", "s3cret"));
    assert!(google.headers.get(AUTHORIZATION).is_none());

    let zoom = refresh(&OAuthApp::zoom("id", "s:3"), "r1");
    let fields = form(&zoom);
    assert_eq!(
        (fields["grant_type"].as_str(), fields["refresh_token"].as_str()),
        ("refresh_token", "r1")
    );
    assert!(!fields.contains_key("client_secret"));
    let header = zoom.headers.get(AUTHORIZATION).unwrap();
    assert!(header.is_sensitive());
    let pair = STANDARD.decode(header.to_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(pair, b"id:s%3A3", "RFC 6749 section 2.3.1 wants both encoded");
}

#[test]
fn tokens_are_given_back_where_there_is_a_place() {
    let credential = Credential {
        access_token: "a".to_owned().into(),
        refresh_token: Some("r".to_owned().into()),
        expires_at_ms: 0,
        scopes: vec![],
    };
    let token = |app| revoke(&app, &credential).map(|request| form(&request)["token"].clone());
    assert_eq!(token(OAuthApp::google("id", "s")).as_deref(), Some("r"));
    assert_eq!(token(OAuthApp::zoom("id", "s")).as_deref(), Some("a"));
    assert_eq!(token(OAuthApp::microsoft("id", "s", "common")), None);
}

#[test]
fn only_the_endpoints_own_words_prove_a_withdrawal() {
    let aad = |error: &str, code: i64| json!({ "error": error, "error_codes": [code] });
    for (status, body, expected) in [
        (400, json!({ "error": "invalid_grant" }), "withdrawn"),
        (400, json!({ "error": "invalid_grant", "error_subtype": "invalid_rapt" }), "withdrawn"),
        (400, aad("invalid_grant", 70008), "withdrawn"),
        (400, aad("invalid_grant", 700082), "withdrawn"),
        (400, aad("invalid_grant", 50173), "withdrawn"),
        (400, aad("invalid_grant", 700084), "withdrawn"),
        (400, aad("invalid_grant", 65001), "withdrawn"),
        (400, aad("interaction_required", 50076), "withdrawn"),
        (400, aad("interaction_required", 53003), "withdrawn"),
        (400, aad("consent_required", 65001), "withdrawn"),
        (400, aad("unauthorized_client", 90094), "withdrawn"),
        (
            400,
            json!({ "error": "invalid_request", "error_description": "AADSTS90094: x" }),
            "withdrawn",
        ),
        (400, json!({ "error": "invalid_grant", "reason": "Invalid Token!" }), "withdrawn"),
        (401, json!({ "error": "invalid_request", "reason": "Invalid Token!" }), "withdrawn"),
        (400, json!({ "error": "invalid_request", "reason": "Missing grant type" }), "operator"),
        (401, json!({ "error": "invalid_client" }), "operator"),
        (401, aad("invalid_client", 7000222), "operator"),
        (400, json!({ "error": "unauthorized_client" }), "operator"),
        (400, json!({ "error": "redirect_uri_mismatch" }), "operator"),
        (
            400,
            json!({ "reason": "Invalid client_id or client_secret", "error": "invalid_client" }),
            "operator",
        ),
        (400, aad("temporarily_unavailable", 90033), "retry"),
        (400, aad("invalid_grant", 90033), "retry"),
        (429, json!({ "error": "invalid_grant" }), "retry"),
        (500, json!({ "error": "invalid_grant" }), "retry"),
        (503, json!({}), "retry"),
        (400, json!({ "error": "something_new" }), "retry"),
        (403, json!({}), "retry"),
        (200, json!({}), "retry"),
        (200, json!("captive portal"), "retry"),
    ] {
        let got = match tokens(Provider::Microsoft, &reply(status, &body)).unwrap_err() {
            TokenError::Withdrawn { .. } => "withdrawn",
            TokenError::Operator { .. } => "operator",
            TokenError::Retry { .. } => "retry",
        };
        assert_eq!(got, expected, "{status} {body}");
    }
    let garbage = tokens(Provider::Google, &answer(200, "<html>")).unwrap_err();
    assert!(matches!(garbage, TokenError::Retry { .. }));
}

#[test]
fn an_error_names_its_codes_and_nobody() {
    let body = json!({
        "error": "invalid_grant",
        "error_description": "AADSTS50173: the grant of me@x.org was revoked",
    });
    let why = tokens(Provider::Microsoft, &reply(400, &body)).unwrap_err().to_string();
    assert!(why.contains("invalid_grant, AADSTS50173") && !why.contains("me@x.org"), "{why}");
}

#[test]
fn a_wish_to_wait_is_kept() {
    let mut response = reply(503, &json!({}));
    response.headers.insert("retry-after", http::HeaderValue::from_static("9"));
    let error = tokens(Provider::Google, &response).unwrap_err();
    assert!(matches!(error, TokenError::Retry { after_ms: Some(9_000), .. }), "{error:?}");
}

#[test]
fn a_rotated_refresh_token_replaces_and_a_missing_one_keeps_the_old() {
    let body = |refresh: Value| {
        let mut body = json!({ "access_token": "a2", "expires_in": 3599, "scope": "x y" });
        body["refresh_token"] = refresh;
        tokens(Provider::Zoom, &reply(200, &body)).unwrap()
    };
    let now = Timestamp(1_000_000);
    let first = Credential::new(body(json!("r1")), now);
    assert_eq!(first.expires_at_ms, 4_599_000);
    assert_eq!(first.scopes, ["x", "y"]);
    let refresh = |tokens| first.refreshed(tokens, now).refresh_token.unwrap().reveal().to_owned();
    assert_eq!(refresh(body(json!("r2"))), "r2");
    assert_eq!(refresh(body(Value::Null)), "r1");
    assert_eq!(refresh(body(json!(""))), "r1");
    assert!(first.lives(now, 3_598_000) && !first.lives(now, 3_599_000));
    assert_eq!(Credential::from_json(&first.to_json()), Some(first.clone()));
    assert!(!format!("{first:?}").contains("a2"));
}

#[test]
fn what_is_granted_may_be_less_than_what_was_asked_for() {
    let google = OAuthApp::google("", "").scopes;
    let microsoft = OAuthApp::microsoft("", "", "common").scopes;
    let events = "https://www.googleapis.com/auth/calendar.events";
    let list = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
    for (needed, granted, missing) in [
        (
            &google,
            vec![events, list, "openid", "https://www.googleapis.com/auth/userinfo.email"],
            vec![],
        ),
        (&google, vec![events, "openid"], vec![list]),
        (&google, vec![], vec![]),
        (&microsoft, vec!["User.Read", "Calendars.ReadWrite"], vec![]),
        (&microsoft, vec!["https://graph.microsoft.com/user.read", "CALENDARS.READWRITE"], vec![]),
        (&microsoft, vec!["User.Read", "Calendars.Read"], vec!["Calendars.ReadWrite"]),
    ] {
        let granted: Vec<String> = granted.into_iter().map(Into::into).collect();
        assert_eq!(missing_scopes(needed, &granted), missing, "{granted:?}");
    }
}

#[test]
fn the_id_token_tells_whose_tokens_they_are() {
    let claims = |claims: Value| {
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let body = json!({ "access_token": "a", "expires_in": "60", "id_token": token });
        let tokens = tokens(Provider::Google, &reply(200, &body)).unwrap();
        assert_eq!(tokens.expires_in_s, 60);
        tokens.identity
    };
    let google = claims(json!({ "sub": "123", "email": "me@x.org", "name": "Me" })).unwrap();
    assert_eq!((google.external_id.as_str(), google.email.as_deref()), ("123", Some("me@x.org")));
    let microsoft = claims(json!({ "sub": "s", "oid": "o", "preferred_username": "me@x.org" }));
    assert_eq!(microsoft.unwrap().external_id, "o");
    assert_eq!(claims(json!("broken")), None);
}
