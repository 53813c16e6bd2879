//! A person's way through the pages, and back to the app.

use http::StatusCode;

use super::world::{Browser, REDIRECT_URI, World};

fn begins(world: &World, more: &str) -> String {
    format!("client_id={}&user_id=user-456&{more}", world.client_id())
}

#[tokio::test]
async fn authorizing_leads_to_the_selection_with_the_documented_cookie() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let query = begins(
        &world,
        "redirect_uri=https%3A%2F%2Felsewhere.example%2F&response_type=code&state=xyz789&scope=read-write&lng=es",
    );
    for (path, page) in [
        ("/oauth/authorize", "select"),
        ("/authorize", "oauth/select"),
        ("/api/oauth/authorize", "select"),
        ("/connect/api/authorize", "oauth/select"),
    ] {
        let mut browser = Browser::new(&world);
        let sent = browser.get(&format!("{path}?{query}")).await;
        assert_eq!(sent.status, StatusCode::FOUND, "{path}: {sent:?}");
        assert!(sent.location.starts_with(&format!("{page}?")), "{path}: {}", sent.location);
        for (name, expected) in [
            ("state", "xyz789"),
            ("user_id", "user-456"),
            ("scope", "read-write"),
            ("redirect_uri", REDIRECT_URI),
        ] {
            assert_eq!(sent.parameter(name).as_deref(), Some(expected), "{path} {name}");
        }
        for part in
            ["oauth_req=", "; HttpOnly", "; Path=/", "; Max-Age=7200", "; SameSite=Lax", "; Secure"]
        {
            assert!(sent.set_cookie.contains(part), "{path}: {}", sent.set_cookie);
        }
        let prefix = path.strip_suffix("/authorize").unwrap().trim_end_matches("/oauth");
        let page = browser.get(&format!("{prefix}/oauth/select")).await;
        assert_eq!(page.status, StatusCode::OK);
        for part in ["Google Calendar", "Apple Calendar", "CalDAV"] {
            assert!(page.html.contains(part), "{part}: {}", page.html);
        }
        assert!(!page.html.contains("Microsoft"), "it is not configured here");
        assert!(!page.html.contains("Continue"), "nothing is connected yet");
    }
}

#[tokio::test]
async fn pages_run_no_scripts_and_forms_end_only_at_the_app() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, "providers=caldav"))).await;
    browser.logs_in("<script>alert(1)</script>").await;
    let page = browser.get("/oauth/select?problem=%3Cscript%3E").await;
    assert_eq!(
        page.policy,
        "default-src 'none'; style-src 'self'; form-action 'self' https://app.example.com; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    assert!(!page.html.contains("<script"), "{}", page.html);
    assert!(page.html.contains("&lt;script&gt;alert(1)"), "{}", page.html);
}

#[tokio::test]
async fn the_selection_says_what_is_asked_for_and_what_free_busy_does_not_limit() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    for (scope, asks, is_warned) in [
        ("free-busy", "asks to see when you are busy", true),
        ("read", "asks to read your calendars", false),
        ("read-write", "asks to read and change your calendars", false),
    ] {
        let mut browser = Browser::new(&world);
        let query = begins(&world, &format!("scope={scope}"));
        browser.get(&format!("/oauth/authorize?{query}")).await;
        let page = browser.get("/oauth/select").await.html;
        assert!(page.contains(asks), "{page}");
        assert_eq!(page.contains("events with their details"), is_warned, "{page}");
    }
}

#[tokio::test]
async fn the_providers_asked_for_are_offered_and_unknown_ones_passed_over() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    for (providers, expected) in [
        ("google", vec!["Google"]),
        ("caldav,apple", vec!["Apple", "CalDAV"]),
        ("google,%20fax", vec!["Google"]),
        ("fax", vec!["Google", "Apple", "CalDAV"]),
        ("", vec!["Google", "Apple", "CalDAV"]),
    ] {
        let mut browser = Browser::new(&world);
        let query = begins(&world, &format!("providers={providers}"));
        browser.get(&format!("/oauth/authorize?{query}")).await;
        let page = browser.get("/oauth/select").await.html;
        let offered: Vec<_> =
            ["Google", "Apple", "CalDAV"].into_iter().filter(|name| page.contains(name)).collect();
        assert_eq!(offered, expected, "{providers}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_authorization_is_a_page_with_the_documented_status() {
    let world = World::new().await;
    let client = world.client_id();
    let without = format!("client_id={client}&user_id=u");
    let answer = Browser::new(&world).get(&format!("/oauth/authorize?{without}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.html.contains("redirect uri"), "{}", answer.html);
    world.set_redirect_uri(REDIRECT_URI).await;
    for (query, status, words) in [
        ("user_id=u".to_owned(), 400, "client_id is required"),
        (format!("client_id={client}"), 400, "user_id is required"),
        ("client_id=proj-123&user_id=u".into(), 401, "client_id is not one of ours"),
        ("client_id=app_00000000000000000000&user_id=u".into(), 401, "client_id is not"),
        (format!("{without}&response_type=token"), 400, "response_type"),
        (format!("{without}&state={}", "s".repeat(2_000)), 400, "state"),
    ] {
        let page = Browser::new(&world).get(&format!("/oauth/authorize?{query}")).await;
        assert_eq!(page.status.as_u16(), status, "{query}");
        assert!(page.html.contains(words), "{query}: {}", page.html);
        assert!(page.set_cookie.is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_person_connects_by_password_and_comes_back_with_code_and_state() {
    let world = World::new().await;
    world.set_redirect_uri("https://app.example.com/callback?from=tidings").await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, "state=x%26y"))).await;
    assert_eq!(browser.logs_in("ada").await.location, "select");
    let page = browser.get("/oauth/select").await;
    assert!(page.html.contains("CalDAV, ada: is being read"), "{}", page.html);
    let done = browser.post("/oauth/finish", &[("csrf", &page.hidden("csrf"))]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(done.location.starts_with("https://app.example.com/callback?from=tidings&code="));
    assert_eq!(done.parameter("state").as_deref(), Some("x&y"));
    assert!(done.set_cookie.contains("Max-Age=0"), "{}", done.set_cookie);
    let page = Default::default();
    let accounts = world.service.accounts(&world.owner, Default::default(), &page).await;
    let accounts = accounts.unwrap().items;
    let made = accounts.iter().find(|account| account.username.as_deref() == Some("ada")).unwrap();
    assert_eq!(made.user_external_id.as_deref(), Some("user-456"));
}

#[tokio::test]
async fn a_second_try_with_another_password_makes_no_second_account() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, ""))).await;
    for _ in 0..2 {
        assert_eq!(browser.logs_in("ada").await.location, "select");
    }
    let page = browser.get("/oauth/select").await;
    assert_eq!(page.html.matches("CalDAV, ada").count(), 1, "{}", page.html);
}

#[tokio::test]
async fn nobody_replaces_the_password_of_an_account_that_works() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, ""))).await;
    browser.logs_in("ada").await;
    for (state, is_replaced) in
        [("last_sync_at = NULL", true), ("last_sync_at = 1", false), ("status = 'inactive'", true)]
    {
        world.set_account("ada", state);
        let before = world.credential("ada").await;
        let mut other = Browser::new(&world);
        other.get(&format!("/oauth/authorize?{}", begins(&world, ""))).await;
        assert_eq!(other.logs_in("ada").await.location, "select");
        let page = other.get("/oauth/select").await;
        assert!(page.html.contains("CalDAV, ada"), "{state}: {}", page.html);
        assert_eq!(world.credential("ada").await != before, is_replaced, "{state}");
    }
}

#[tokio::test]
async fn an_authorization_that_nobody_finishes_leaves_no_end_user_behind() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    let query = format!("client_id={}&user_id=nobody", world.client_id());
    browser.get(&format!("/oauth/authorize?{query}")).await;
    for path in ["/oauth/leave?provider=google", "/oauth/leave?provider=google&csrf=guessed"] {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let leaving = browser.leaves("", "google").await;
    assert!(leaving.location.starts_with("https://accounts.google.com/"), "{leaving:?}");
    let csrf = browser.get("/oauth/login?provider=caldav").await.hidden("csrf");
    let fields = [("csrf", csrf.as_str()), ("provider", "caldav"), ("server", "no address")];
    assert_eq!(browser.post("/oauth/login", &fields).await.status, StatusCode::BAD_REQUEST);
    let found = world.service.user_named(&world.owner, "nobody").await.unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn a_wrong_form_is_shown_again_without_the_password() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, ""))).await;
    let csrf = browser.get("/oauth/login?provider=caldav").await.hidden("csrf");
    let fields = [
        ("csrf", csrf.as_str()),
        ("provider", "caldav"),
        ("server", "no address"),
        ("username", "ada"),
        ("password", "hunter2"),
    ];
    let page = browser.post("/oauth/login", &fields).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(
        page.html.contains("server_url") && page.html.contains("value=\"ada\""),
        "{}",
        page.html
    );
    assert!(!page.html.contains("hunter2"));
}

#[tokio::test]
async fn a_flow_belongs_to_the_browser_that_began_it() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let (mut ada, mut eve) = (Browser::new(&world), Browser::new(&world));
    for browser in [&mut ada, &mut eve] {
        browser.get(&format!("/oauth/authorize?{}", begins(&world, ""))).await;
        browser.logs_in("somebody").await;
    }
    let of_eve = eve.get("/oauth/select").await.hidden("csrf");
    for csrf in ["", "guessed", &of_eve] {
        let page = ada.post("/oauth/finish", &[("csrf", csrf)]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{csrf}");
    }
    for path in [
        "/oauth/select",
        "/oauth/login?provider=caldav",
        "/oauth/leave?provider=google",
        "/oauth/cancel",
    ] {
        let page = Browser::new(&world).get(path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(page.html.contains("OAuth session expired"), "{path}: {}", page.html);
    }
    let mut forged = Browser::new(&world);
    forged.cookie = ada.cookie.as_ref().map(|cookie| format!("{}x", &cookie[..cookie.len() - 1]));
    assert_eq!(forged.get("/oauth/select").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_cookie_ends_after_two_hours() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, ""))).await;
    world.clock.advance_ms(2 * 3_600_000 - 1);
    assert_eq!(browser.get("/oauth/select").await.status, StatusCode::OK);
    world.clock.advance_ms(1);
    assert_eq!(browser.get("/oauth/select").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_person_who_does_not_want_to_goes_back_with_an_error() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, "state=s"))).await;
    let done = browser.get("/oauth/cancel").await;
    assert_eq!(done.location, format!("{REDIRECT_URI}?error=access_denied&state=s"));
    assert!(done.set_cookie.contains("Max-Age=0"));
}

#[tokio::test]
async fn nobody_goes_on_before_an_account_is_connected() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, ""))).await;
    let csrf = browser.get("/oauth/login?provider=apple").await.hidden("csrf");
    let page = browser.post("/oauth/finish", &[("csrf", &csrf)]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.html.contains("connect an account first"), "{}", page.html);
}

#[tokio::test]
async fn google_is_connected_by_its_own_consent_in_the_same_browser_only() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    for path in ["", "/api", "/connect/api"] {
        let mut browser = Browser::new(&world);
        browser.get(&format!("{path}/oauth/authorize?{}", begins(&world, ""))).await;
        let begin = |page: &super::world::Page| page.parameter("state").unwrap();
        let leaving = browser.leaves(path, "google").await;
        assert!(leaving.location.starts_with("https://accounts.google.com/"), "{leaving:?}");
        // Somebody else's browser comes back with it.
        let answer = Ok("code".to_owned());
        let state = begin(&leaving);
        let ended = world.service.finish_connection("google", &state, answer.clone()).await;
        assert_eq!(ended.unwrap().outcome.unwrap_err().code, "unknown_state");

        let leaving = browser.leaves(path, "google").await;
        let mut headers = http::HeaderMap::new();
        let cookie = format!("oauth_req={}", browser.cookie.as_ref().unwrap());
        headers.insert("cookie", cookie.parse().unwrap());
        let here = world.service.connect_browser(&headers).await;
        assert!(here.is_some());
        let ended = world
            .service
            .finish_connection_in(here.as_slice(), "google", &begin(&leaving), answer)
            .await
            .unwrap();
        let account = ended.outcome.unwrap();
        let back = ended.return_to.unwrap();
        assert_eq!(back.as_str(), format!("https://tidings.example.com{path}/oauth/back"));

        let back = browser.get(&format!("{path}/oauth/back?account={account}")).await;
        assert_eq!(back.location, "select");
        let page = browser.get(&format!("{path}/oauth/select")).await;
        assert!(page.html.contains("Google Calendar, ada@gmail.com"), "{}", page.html);
        let csrf = page.hidden("csrf");
        let done = browser.post(&format!("{path}/oauth/finish"), &[("csrf", &csrf)]).await;
        assert!(done.parameter("code").is_some());
    }
}

#[tokio::test]
async fn a_refused_consent_is_told_in_our_own_words() {
    let world = World::new().await;
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(&world);
    browser.get(&format!("/oauth/authorize?{}", begins(&world, ""))).await;
    let back = browser.get("/oauth/back?error=access_denied&error_description=Call+1-800").await;
    assert_eq!(back.location, "select?problem=access_denied");
    let page = browser.get("/oauth/select?problem=access_denied").await;
    assert!(page.html.contains("The consent was not given"), "{}", page.html);
    let strange = browser.get("/oauth/back?account=acc_00000000000000000000").await;
    assert_eq!(strange.status, StatusCode::NOT_FOUND);
}
