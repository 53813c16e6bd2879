//! What every answer says to the browser.

use crate::world::{Answer, World};

fn check(path: &str, secure: bool, answer: &Answer) {
    let header = |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap());
    let policy = header("content-security-policy");
    for directive in [
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ] {
        assert!(policy.contains(directive), "{path}: {directive} is not in {policy:?}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(header("x-frame-options"), "DENY", "{path}");
    assert_eq!(header("referrer-policy"), "same-origin", "{path}");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
    let strict = header("strict-transport-security");
    assert_eq!(strict, if secure { "max-age=63072000; includeSubDomains" } else { "" }, "{path}");
    let is_asset = answer.status == 200 && path.starts_with("/console/assets/");
    let kept = if is_asset { "public, max-age=31536000, immutable" } else { "no-store" };
    assert_eq!(header("cache-control"), kept, "{path}");
}

#[tokio::test]
async fn asvs_3_4_every_route_answers_with_the_security_headers_and_nothing_inline() {
    for secure in [false, true] {
        let world = World::new(secure).await;
        let mut browser = world.browser();
        for route in world.routes() {
            let path = world.example(&route);
            let answer = browser.get(&path).await;
            assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
            check(&path, secure, &answer);
        }
    }
    let (world, mut owner) = World::owned().await;
    for route in world.routes().iter().filter(|route| !route.ends_with("/live")) {
        let path = world.example(route);
        let answer = owner.get(&path).await;
        assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
        check(&path, false, &answer);
        for inline in ["<style", " style=", " onclick=", " onload=", "<script>"] {
            assert!(!answer.body.contains(inline), "{path} has {inline}");
        }
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_the_name_of_their_content() {
    let world = World::new(false).await;
    let mut browser = world.browser();
    let page = browser.get("/console/login").await.body;
    let assets = regex::Regex::new(r#"(?:href|src)="(/console/assets/[^"]+)""#).unwrap();
    let assets: Vec<_> = assets.captures_iter(&page).map(|found| found[1].to_owned()).collect();
    assert_eq!(assets.len(), 3, "{page}");
    for asset in assets {
        let answer = browser.get(&asset).await;
        assert_eq!(answer.status, 200, "{asset}");
        assert!(!answer.body.is_empty());
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        let other = asset.replace('-', "-0");
        assert_eq!(browser.get(&other).await.status, 404, "{other}");
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_told_in_plain_words() {
    let (_world, mut owner) = World::owned().await;
    let missing = owner.get("/console/apps/app_1/nothing/here").await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("There is no such page"), "{missing:?}");
    for path in ["/console/assets/", "/console/assets/a/b", "/console/assets//", "/console/assets"]
    {
        assert_eq!(owner.get(path).await.status, 404, "{path}");
        let mut nobody = owner.clone();
        nobody.cookies.clear();
        assert_eq!(nobody.get(path).await.status, 303, "{path}");
    }
    let csrf = owner.csrf().await;
    let wrong = owner.post("/console/sessions", &csrf, &[]).await;
    assert_eq!(wrong.status, 405);
    assert!(wrong.body.contains("not for this kind of request"), "{wrong:?}");
    assert!(wrong.headers.contains_key("allow"), "{wrong:?}");
    let mut head = http::Request::head("/console/").body(axum::body::Body::empty()).unwrap();
    head.headers_mut().insert("accept", "text/html".parse().unwrap());
    let answer = owner.send(head).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    let start = owner.get("/").await;
    assert_eq!((start.status.as_u16(), start.location()), (303, "/console/"));
}
