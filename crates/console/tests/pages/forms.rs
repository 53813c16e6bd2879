//! Only forms of ours, from a page that this browser has open, change anything (CSRF).

use axum::body::Body;
use http::Method;

use crate::world::{Browser, World, request};

#[tokio::test]
async fn asvs_3_5_1_no_route_takes_a_post_without_the_token_of_this_session() {
    let (world, mut owner) = World::owned().await;
    let mut stranger = world.browser();
    let foreign = {
        let mut other = world.browser();
        other.sign_in(crate::world::OWNER, crate::world::PASSWORD).await;
        other.csrf().await
    };
    for route in world.routes() {
        let path = world.example(&route);
        if path.starts_with("/console/assets/") {
            continue;
        }
        for token in ["", "wrong", foreign.as_str()] {
            let answer = owner.post(&path, token, &[("name", "x"), ("confirm", "x")]).await;
            // An operator has no place in the portal, which has links of its own.
            let refused = if path.starts_with("/portal") { 401 } else { 403 };
            assert_eq!(answer.status.as_u16(), refused, "{path} with {token:?}: {answer:?}");
        }
        let answer = stranger.post(&path, "wrong", &[]).await;
        assert!(matches!(answer.status.as_u16(), 401 | 403), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn asvs_3_5_3_forms_of_other_sites_are_refused_even_with_the_token() {
    let (_world, mut owner) = World::owned().await;
    let csrf = owner.csrf().await;
    for (origin, site, taken) in [
        (Some("http://127.0.0.1:8480"), Some("same-origin"), true),
        (Some("null"), Some("same-origin"), true),
        (Some("http://127.0.0.1:8480"), None, true),
        (None, None, true),
        (None, Some("none"), true),
        (Some("null"), None, false),
        (Some("https://evil.example"), None, false),
        (Some("http://127.0.0.1:9999"), None, false),
        (Some("https://127.0.0.1:8480"), None, false),
        (Some("http://127.0.0.1:8480.evil.example"), None, false),
        (Some("http://127.0.0.1:8480"), Some("cross-site"), false),
        (Some("http://127.0.0.1:8480"), Some("same-site"), false),
        (None, Some("cross-site"), false),
    ] {
        let mut form = request("/console/theme", format!("csrf={csrf}&theme=dark&back=/console/"));
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            form.headers_mut().remove(name);
            if let Some(value) = value {
                form.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        let answer = owner.send(form).await;
        let expected = if taken { 303 } else { 403 };
        assert_eq!(answer.status.as_u16(), expected, "{origin:?} {site:?}: {answer:?}");
    }
}

#[tokio::test]
async fn asvs_3_5_2_only_forms_change_anything() {
    let (_world, mut owner) = World::owned().await;
    let csrf = owner.csrf().await;
    let body = format!("csrf={csrf}&theme=dark&back=/console/");
    for (media_type, status) in [
        (Some("application/x-www-form-urlencoded"), 303),
        (Some("application/x-www-form-urlencoded; charset=UTF-8"), 303),
        (Some("text/plain"), 415),
        (Some("multipart/form-data; boundary=x"), 415),
        (Some("application/json"), 415),
        (None, 415),
    ] {
        let mut form = request("/console/theme", body.clone());
        form.headers_mut().remove("content-type");
        if let Some(media_type) = media_type {
            form.headers_mut().insert("content-type", media_type.parse().unwrap());
        }
        assert_eq!(owner.send(form).await.status.as_u16(), status, "{media_type:?}");
    }
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let mut form = request("/console/sessions", "");
        *form.method_mut() = method.clone();
        assert_eq!(owner.send(form).await.status, 403, "{method}");
    }
    let twice = format!("csrf={csrf}&csrf={csrf}&theme=dark&back=/");
    assert_eq!(owner.send(request("/console/theme", twice)).await.status, 403);
    let long = "x".repeat(tidings_core::limits::CONSOLE_FORM_BYTES_MAX + 1);
    let answer = owner.send(request("/console/theme", Body::from(long))).await;
    assert_eq!(answer.status, 413, "{answer:?}");
}

#[tokio::test]
async fn a_notice_is_shown_once_and_only_one_of_ours() {
    let (_world, mut owner) = World::owned().await;
    let first = owner.get("/console/").await;
    assert!(first.body.contains("The console is set up."), "{first:?}");
    let again = owner.get("/console/").await;
    assert!(!again.body.contains("The console is set up."), "{again:?}");
    owner.cookies.insert("notice".into(), "<b>hello".into());
    let forged = owner.get("/console/").await;
    assert!(!forged.body.contains("hello"), "{forged:?}");
}

#[tokio::test]
async fn the_theme_is_kept_and_shown_on_every_page_also_before_the_door() {
    let (_world, mut owner) = World::owned().await;
    let shows = async |browser: &mut Browser, theme: &str| {
        for path in ["/console/", "/console/nothing", "/console/login"] {
            let mut browser = browser.clone();
            if path == "/console/login" {
                browser.cookies.remove("tidings");
            }
            let page = browser.get(path).await.body;
            assert!(page.contains(&format!("data-theme=\"{theme}\"")), "{path} {theme}: {page}");
        }
    };
    shows(&mut owner, "system").await;
    for (sent, shown) in [("dark", "dark"), ("light", "light"), ("\"><b>", "system")] {
        let back = "/console/profile";
        let fields = [("theme", sent), ("back", back)];
        let answer = owner.submit("/console/", "/console/theme", &fields).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, back));
        shows(&mut owner, shown).await;
    }
    let fields = [("theme", "dark"), ("back", "https://evil.example/")];
    let answer = owner.submit("/console/", "/console/theme", &fields).await;
    assert_eq!(answer.location(), "/console/");
}

#[tokio::test]
async fn nothing_is_changed_by_reading() {
    let (world, mut owner) = World::owned().await;
    let before = world.service.commits();
    for route in world.routes() {
        // What ends a live stream is its browser.
        if !route.ends_with("/live") {
            owner.get(&world.example(&route)).await;
        }
    }
    assert_eq!(world.service.commits(), before, "a page wrote something");
}
