//! Setting up, signing in and out, and what a session is worth.

use tidings_service::Role;

use crate::world::{OWNER, PASSWORD, World};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_setup_link_makes_one_owner_and_no_second_one() {
    let world = World::new(false).await;
    let link = world.service.setup_link().await.unwrap().unwrap();
    let path = format!("/console/setup/{link}");
    let mut browser = world.browser();
    let weak = [("email", OWNER), ("name", "O"), ("password", "password123456789")];
    let answer = browser.submit(&path, &path, &weak).await;
    assert_eq!(answer.status, 422, "a common password: {answer:?}");
    assert!(answer.body.contains("aria-invalid"), "{answer:?}");
    assert!(!answer.body.contains("password123456789"), "a password is never shown again");
    let good = [("email", OWNER), ("name", "Olga"), ("password", PASSWORD)];
    let answer = browser.submit(&path, &path, &good).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/console/"));
    let apps = browser.get("/console/").await;
    assert_eq!(apps.status, 200);
    assert!(apps.body.contains("Olga"), "{apps:?}");
    let mut other = world.browser();
    let again = [("email", "eve@example.com"), ("name", "Eve"), ("password", PASSWORD)];
    let answer = other.submit(&path, &path, &again).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(world.service.setup_link().await.unwrap(), None);
}

#[tokio::test]
async fn a_setup_link_that_is_none_has_no_form_which_could_lead_elsewhere() {
    let world = World::new(false).await;
    let mut browser = world.browser();
    for token in ["x", "..%2F..%2Finbox%2Fabc", "%2e%2e", "a%3Fb"] {
        let answer = browser.get(&format!("/console/setup/{token}")).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        assert!(!answer.body.contains("<form"), "{answer:?}");
    }
}

#[tokio::test]
async fn whoever_is_signed_out_signs_in_and_comes_back_to_pages_of_ours_only() {
    let (world, _) = World::owned().await;
    let mut browser = world.browser();
    let sent = browser.get("/console/audit?cursor=abc").await;
    assert_eq!(sent.status, 303);
    assert_eq!(sent.location(), "/console/login?next=%2Fconsole%2Faudit%3Fcursor%3Dabc");
    let shown = browser.get(sent.location()).await;
    assert!(shown.body.contains(r#"name="next" value="/console/audit?cursor=abc""#), "{shown:?}");
    for (next, leads) in [
        ("/console/audit?cursor=abc", "/console/audit?cursor=abc"),
        ("https://evil.example/", "/console/"),
        ("//evil.example/", "/console/"),
        ("/\\evil.example/", "/console/"),
        ("javascript:alert(1)", "/console/"),
        ("/console/../portal/x", "/console/"),
        ("", "/console/"),
    ] {
        let mut browser = world.browser();
        let fields = [("email", OWNER), ("password", PASSWORD), ("next", next)];
        let answer = browser.submit("/console/login", "/console/login", &fields).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, leads), "{next}");
    }
}

#[tokio::test]
async fn asvs_6_3_8_unknown_people_and_wrong_passwords_are_told_the_same() {
    let (world, _) = World::owned().await;
    let mut told = Vec::new();
    for (email, password) in [
        (OWNER, "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("nobody@example.com", "wrong password"),
        (OWNER, "x"),
    ] {
        let mut browser = world.browser();
        let answer = browser.sign_in(email, password).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(!browser.cookies.contains_key("tidings"));
        let form = answer.csrf().unwrap();
        told.push(answer.body.replace(&form, "").replace(email, ""));
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[tokio::test]
async fn asvs_7_2_4_a_sign_in_has_a_session_of_its_own_and_a_sign_out_ends_it() {
    let (world, mut owner) = World::owned().await;
    let mut browser = world.browser();
    browser.cookies.insert("tidings".into(), "tds_planted".into());
    browser.sign_in(OWNER, PASSWORD).await;
    let token = browser.cookies["tidings"].clone();
    assert_ne!(token, "tds_planted");
    assert_ne!(token, owner.cookies["tidings"]);
    let before = browser.clone();
    let answer = browser.submit("/console/profile", "/console/logout", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/console/login"));
    assert!(!browser.cookies.contains_key("tidings"));
    let mut thief = before;
    assert_eq!(thief.get("/console/").await.location(), "/console/login");
    let answer = thief.post("/console/theme", "x", &[]).await;
    assert!(matches!(answer.status.as_u16(), 401 | 403), "{answer:?}");
    assert_eq!(owner.get("/console/").await.status, 200, "the other session goes on");
}

#[tokio::test]
async fn asvs_7_3_sessions_end_when_idle_and_after_half_a_day() {
    let (world, mut owner) = World::owned().await;
    for _ in 0..23 {
        world.clock.advance_ms(HOUR_MS / 2 - 60_000);
        assert_eq!(owner.get("/console/").await.status, 200);
    }
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(owner.get("/console/").await.location(), "/console/login", "12 hours are over");
    owner.sign_in(OWNER, PASSWORD).await;
    assert_eq!(owner.get("/console/").await.status, 200);
    world.clock.advance_ms(HOUR_MS / 2 + 60_000);
    assert_eq!(owner.get("/console/").await.location(), "/console/login", "idle for 31 minutes");
}

#[tokio::test]
async fn asvs_7_4_3_a_new_password_ends_the_other_sessions() {
    let (world, mut owner) = World::owned().await;
    let mut other = world.browser();
    other.sign_in(OWNER, PASSWORD).await;
    let path = "/console/profile/password";
    let wrong = [("present", "not it"), ("new", "another good password")];
    let answer = owner.submit("/console/profile", path, &wrong).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(other.get("/console/").await.status, 200);
    let right = [("present", PASSWORD), ("new", "another good password")];
    let answer = owner.submit("/console/profile", path, &right).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(owner.get("/console/").await.status, 200);
    assert_eq!(other.get("/console/").await.location(), "/console/login");
}

#[tokio::test]
async fn asvs_7_5_2_sessions_are_listed_and_ended() {
    let (world, mut owner) = World::owned().await;
    let mut other = world.browser();
    other.sign_in(OWNER, PASSWORD).await;
    let session = world.session(&other).await;
    let listed = owner.get("/console/sessions").await;
    assert_eq!(listed.body.matches("/end\"").count(), 2, "{listed:?}");
    let path = format!("/console/sessions/{}/end", session.id);
    let answer = owner.submit("/console/sessions", &path, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/console/sessions"));
    assert_eq!(other.get("/console/").await.location(), "/console/login");
}

#[tokio::test]
async fn a_disabled_operator_is_out_at_once() {
    let (world, mut owner) = World::owned().await;
    let mut admin = world.operator(&owner, "admin@example.com", Role::Admin).await;
    assert_eq!(admin.get("/console/").await.status, 200);
    let session = world.session(&admin).await;
    let path = format!("/console/operators/{}", session.operator.id);
    let fields = [("name", "Ada"), ("role", "admin"), ("disabled", "yes")];
    let answer = owner.submit(&path, &path, &fields).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(admin.get("/console/").await.location(), "/console/login");
    let answer = admin.sign_in("admin@example.com", PASSWORD).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[tokio::test]
async fn asvs_3_3_by_https_only_host_cookies_are_set_and_read() {
    let world = World::new(true).await;
    let link = world.service.setup_link().await.unwrap().unwrap();
    let path = format!("/console/setup/{link}");
    let mut browser = world.browser();
    let csrf = browser.get(&path).await.csrf().unwrap();
    let body = format!("csrf={csrf}&email=o%40example.com&name=O&password=a+door+of+seven+boards");
    let answer = browser.send(crate::world::request(&path, body)).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let token = browser.cookies["__Host-tidings"].clone();
    assert_eq!(browser.get("/console/").await.status, 200);
    let mut plain = world.browser();
    plain.cookies.insert("tidings".into(), token);
    assert_eq!(plain.get("/console/").await.location(), "/console/login");
}

#[tokio::test]
async fn asvs_6_3_1_guessing_is_slowed_down_and_nobody_is_locked_out_for_ever() {
    let (world, _) = World::owned().await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let mut browser = world.browser();
        statuses.push(browser.sign_in(OWNER, "a wrong password").await.status.as_u16());
    }
    assert_eq!(statuses[0], 401);
    assert_eq!(statuses[11], 429, "{statuses:?}");
    let mut browser = world.browser();
    let right = browser.sign_in(OWNER, PASSWORD).await;
    assert_eq!(right.status, 429, "the right password is slowed down too: {right:?}");
    world.clock.advance_ms(HOUR_MS);
    let later = browser.sign_in(OWNER, PASSWORD).await;
    assert_eq!(later.status, 303, "{later:?}");
}

#[tokio::test]
async fn asvs_6_3_1_trying_one_password_on_many_is_slowed_down_by_address() {
    let (world, _) = World::owned().await;
    let mut browser = world.browser();
    let mut slowed = false;
    let csrf = browser.get("/console/login").await.csrf().unwrap();
    for number in 0..100 {
        let body = format!("csrf={csrf}&email=person{number}%40example.com&password=Winter2026");
        let mut form = crate::world::request("/console/login", body);
        let peer = std::net::SocketAddr::from(([203, 0, 113, 7], 4000));
        form.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        slowed |= browser.send(form).await.status == 429;
    }
    assert!(slowed, "a hundred people were tried from one address");
    let mut other = world.browser();
    assert_eq!(other.sign_in(OWNER, PASSWORD).await.status, 303, "others are not slowed down");
}

#[tokio::test]
async fn a_password_of_a_mebibyte_is_refused_before_it_is_hashed() {
    let (world, _) = World::owned().await;
    for length in [2_000, 1024 * 1024] {
        let mut browser = world.browser();
        let answer = browser.sign_in(OWNER, &"x".repeat(length)).await;
        assert!(matches!(answer.status.as_u16(), 401 | 413 | 422), "{answer:?}");
    }
}

#[tokio::test]
async fn a_session_that_only_a_live_page_uses_goes_idle() {
    let (world, mut owner) = World::owned().await;
    for _ in 0..8 {
        world.clock.advance_ms(5 * 60_000);
        // No such stream is there, but who is there is found out all the same.
        owner.get("/console/apps/nothing/live").await;
    }
    assert_eq!(owner.get("/console/").await.location(), "/console/login");
}
