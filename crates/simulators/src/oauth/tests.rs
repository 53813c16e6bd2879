use serde_json::Value;
use tidings_core::clock::{Clock, Timestamp};
use url::{Url, form_urlencoded};

use super::*;
use crate::server::Answer;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge, from RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1:1/back";

fn server(manners: Manners) -> (OAuth, Clock) {
    let clock = Clock::manual(Timestamp(1_790_000_000_000));
    let setup = Setup { clock: clock.clone(), ..Setup::default() };
    (OAuth::new(manners, &setup, ("id", "secret"), Person::new("ada@example.com")), clock)
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The parameters that the browser is sent back with; `changed` replaces those of a good request.
fn authorize(oauth: &OAuth, changed: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut asked = vec![
        ("client_id", "id"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid offline_access calendar"),
        ("state", "s t"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    asked.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
    asked.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
    let answer = oauth.authorize(&Call::made("GET", &format!("/auth?{}", form(&asked)), &[], ""));
    let location = answer.headers["location"].to_str().unwrap();
    assert!(location.starts_with(BACK), "{location}");
    location.parse::<Url>().unwrap().query_pairs().into_owned().collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
}

fn ask(oauth: &OAuth, pairs: &[(&str, &str)]) -> (u16, Value) {
    let body = form(&[&[("client_id", "id"), ("client_secret", "secret")], pairs].concat());
    // In the body for those who take it so, in the head for Zoom.
    let basic = [("authorization", "Basic aWQ6c2VjcmV0")];
    read(&oauth.token(&Call::made("POST", "/token", &basic, &body)))
}

fn read(answer: &Answer) -> (u16, Value) {
    let document = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status.as_u16(), document)
}

fn exchange(oauth: &OAuth, code: &str, changed: &[(&str, &str)]) -> (u16, Value) {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    pairs.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
    ask(oauth, &[&pairs, changed].concat())
}

fn refresh(oauth: &OAuth, token: &Value) -> (u16, Value) {
    let token = token["refresh_token"].as_str().unwrap_or_default();
    ask(oauth, &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

#[test]
fn a_code_is_good_once_and_for_its_verifier_and_address_only() {
    let (oauth, clock) = server(Manners::Google);
    let back = authorize(&oauth, &[]);
    assert_eq!(value(&back, "state"), "s t");
    let (status, tokens) = exchange(&oauth, value(&back, "code"), &[]);
    assert_eq!(status, 200);
    assert!(tokens["refresh_token"].is_string() && tokens["id_token"].is_string());
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let call = Call::made("GET", "/", &[("authorization", &bearer)], "");
    assert_eq!(oauth.bearer(&call).unwrap().0.email, "ada@example.com");
    clock.advance_ms(3_600_000);
    assert_eq!(oauth.bearer(&call), Err(Unauthorized));
    for (changed, error) in [
        (("code_verifier", "another"), "invalid_grant"),
        (("redirect_uri", "http://127.0.0.1:1/elsewhere"), "redirect_uri_mismatch"),
        (("client_secret", "x"), ""),
    ] {
        let back = authorize(&oauth, &[]);
        let code = value(&back, "code");
        let (status, answer) = exchange(&oauth, code, &[changed]);
        assert_eq!(status, if error.is_empty() { 200 } else { 400 }, "{changed:?}: {answer}");
        // Used up, whatever came of it.
        assert_eq!(exchange(&oauth, code, &[]).1["error"], "invalid_grant");
    }
    let back = authorize(&oauth, &[]);
    clock.advance_ms(601_000);
    assert_eq!(exchange(&oauth, value(&back, "code"), &[]).1["error"], "invalid_grant");
}

#[test]
fn what_is_refused_at_the_authorization_endpoint_is_said_to_the_client() {
    let (oauth, _) = server(Manners::Google);
    for (changed, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", ""), "invalid_scope"),
    ] {
        assert_eq!(value(&authorize(&oauth, &[changed]), "error"), error, "{changed:?}");
    }
    oauth.rules(|rules| rules.refuse = true);
    assert_eq!(value(&authorize(&oauth, &[]), "error"), "access_denied");
    oauth.rules(|rules| rules.redirect_uris = vec!["http://127.0.0.1:1/other".into()]);
    let target = format!("/auth?{}", form(&[("redirect_uri", BACK), ("client_id", "id")]));
    assert_eq!(oauth.authorize(&Call::made("GET", &target, &[], "")).status, 400);
}

#[test]
fn unticked_scopes_are_not_granted() {
    let (oauth, _) = server(Manners::Google);
    oauth.rules(|rules| rules.scopes = Some(vec!["openid".into()]));
    let back = authorize(&oauth, &[]);
    assert_eq!(value(&back, "scope"), "openid");
    assert_eq!(exchange(&oauth, value(&back, "code"), &[]).1["scope"], "openid");
}

#[test]
fn google_gives_a_second_refresh_token_only_on_a_consent() {
    let (oauth, _) = server(Manners::Google);
    for (changed, given) in [(&[][..], true), (&[("prompt", "")], false), (&[], true)] {
        let back = authorize(&oauth, changed);
        let tokens = exchange(&oauth, value(&back, "code"), &[]).1;
        assert_eq!(tokens["refresh_token"].is_string(), given, "{changed:?}");
    }
}

#[test]
fn a_rotated_refresh_token_ends_and_google_rotates_none() {
    for (manners, rotates) in
        [(Manners::Google, false), (Manners::Microsoft, true), (Manners::Zoom, true)]
    {
        let (oauth, _) = server(manners);
        let back = authorize(&oauth, &[]);
        let old = exchange(&oauth, value(&back, "code"), &[]).1;
        let (status, new) = refresh(&oauth, &old);
        assert_eq!((status, new["refresh_token"].is_string()), (200, rotates), "{manners:?}");
        let again = refresh(&oauth, &old);
        assert_eq!(again.0, if rotates { 400 } else { 200 }, "{manners:?}");
        oauth.withdraw("ada@example.com");
        let (status, error) = refresh(&oauth, if rotates { &new } else { &old });
        assert_eq!((status, error["error"].as_str()), (400, Some("invalid_grant")), "{manners:?}");
    }
}

#[test]
fn ordered_failures_come_in_their_order_and_a_lost_answer_rotates_all_the_same() {
    let (oauth, _) = server(Manners::Microsoft);
    let back = authorize(&oauth, &[]);
    let tokens = exchange(&oauth, value(&back, "code"), &[]).1;
    oauth.rules(|rules| {
        rules.failures = vec![
            TokenFailure::Error("interaction_required".into()),
            TokenFailure::Error("invalid_client".into()),
            TokenFailure::Status(503),
            TokenFailure::Lost,
        ];
    });
    let statuses: Vec<u16> = (0..5).map(|_| refresh(&oauth, &tokens).0).collect();
    assert_eq!(statuses, [400, 401, 503, 503, 400]);
    assert_eq!(oauth.counts().refreshes, 1);
}

#[test]
fn revoking_ends_every_token_of_the_person() {
    let (oauth, _) = server(Manners::Google);
    let (access, token) = oauth.tokens_for("ada@example.com", &["calendar"]);
    let body = form(&[("token", &token)]);
    let revoke = || oauth.revoke(&Call::made("POST", "/revoke", &[], &body)).status.as_u16();
    assert_eq!((revoke(), revoke()), (200, 400));
    let bearer = format!("Bearer {access}");
    let call = Call::made("GET", "/", &[("authorization", &bearer)], "");
    assert_eq!(oauth.bearer(&call), Err(Unauthorized));
    assert_eq!(oauth.counts().revocations, 1);
}

#[test]
fn zoom_takes_the_secret_in_the_head_only_and_the_page_asks_before_it_sends_back() {
    let (oauth, _) = server(Manners::Zoom);
    let body = form(&[("client_id", "id"), ("client_secret", "secret")]);
    assert_eq!(oauth.token(&Call::made("POST", "/token", &[], &body)).status, 401);
    oauth.rules(|rules| rules.ask = true);
    let asked = form(&[("client_id", "id"), ("redirect_uri", BACK)]);
    let page = oauth.authorize(&Call::made("GET", &format!("/auth?{asked}"), &[], ""));
    assert_eq!(page.status, 200);
    assert!(String::from_utf8_lossy(&page.body).contains("&amp;yes=1"));
}
