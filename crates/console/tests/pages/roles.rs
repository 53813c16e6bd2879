//! What each role may do.

use tidings_service::{PageInput, Role};

use crate::world::{Browser, PASSWORD, World};

/// Where a viewer's forms are taken: their own affairs, and what only computes.
const OWN: [&str; 5] = [
    "/console/theme",
    "/console/logout",
    "/console/confirm",
    "/console/profile/",
    "/console/sessions/",
];

#[tokio::test]
async fn asvs_8_2_1_a_viewer_changes_nothing_anywhere() {
    let (world, owner) = World::owned().await;
    let mut viewer = world.operator(&owner, "viewer@example.com", Role::Viewer).await;
    let csrf = viewer.csrf().await;
    let mut taken = 0;
    for route in world.routes() {
        if !route.starts_with("/console/") || OWN.iter().any(|own| route.starts_with(own)) {
            continue;
        }
        if matches!(route.as_str(), "/console/login") || route.ends_with("/verify") {
            continue;
        }
        let path = world.example(&route);
        let answer = viewer.post(&path, &csrf, &[("name", "x"), ("confirm", "Default")]).await;
        if path.starts_with("/console/assets/") {
            assert_eq!(answer.status, 405, "{path}");
            continue;
        }
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        assert!(answer.body.contains("You may look, but not change"), "{path}: {answer:?}");
        taken += 1;
    }
    assert!(taken > 20, "{taken}");
}

#[tokio::test]
async fn a_viewer_is_shown_no_button_that_would_be_refused() {
    let (world, mut owner) = World::owned().await;
    let mut viewer = world.operator(&owner, "viewer@example.com", Role::Viewer).await;
    for (path, button) in [
        ("/console/".to_owned(), "Create app"),
        (format!("/console/apps/{}/settings", world.app), "Delete app"),
    ] {
        assert!(owner.get(&path).await.body.contains(button), "{path}");
        let seen = viewer.get(&path).await;
        assert_eq!(seen.status, 200, "{path}");
        assert!(!seen.body.contains(button), "{path}");
    }
    for path in ["/console/audit", "/console/operators", "/console/apps/new"] {
        assert_eq!(viewer.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn an_admin_tends_apps_and_no_operators() {
    let (world, owner) = World::owned().await;
    let mut admin = world.operator(&owner, "admin@example.com", Role::Admin).await;
    let fields = [("name", "Second"), ("external_id", ""), ("webhook_url", "")];
    let made = admin.submit("/console/apps/new", "/console/apps/new", &fields).await;
    assert_eq!(made.status, 303, "{made:?}");
    assert!(made.location().ends_with("/webhooks"), "{made:?}");
    for path in ["/console/operators", "/console/operators/new"] {
        assert_eq!(admin.get(path).await.status, 403, "{path}");
    }
    let csrf = admin.csrf().await;
    let fields = [("email", "x@example.com"), ("name", "x"), ("role", "owner"), ("password", "x")];
    let refused = admin.post("/console/operators/new", &csrf, &fields).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(admin.get("/console/audit").await.status, 200);
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    let (world, mut owner) = World::owned().await;
    let path = own_path(&world, &owner).await;
    for (target, fields) in [
        (path.clone(), vec![("name", "Olga"), ("role", "admin")]),
        (path.clone(), vec![("name", "Olga"), ("role", "owner"), ("disabled", "yes")]),
        (format!("{path}/delete"), vec![]),
    ] {
        let answer = owner.submit(&path, &target, &fields).await;
        assert!(matches!(answer.status.as_u16(), 409 | 422), "{target}: {answer:?}");
    }
    assert_eq!(owner.get("/console/operators").await.status, 200);
}

#[tokio::test]
async fn asvs_7_5_3_operators_are_made_and_changed_only_after_the_password_was_given_lately() {
    let (world, mut owner) = World::owned().await;
    let path = own_path(&world, &owner).await;
    let csrf = owner.csrf().await;
    world.clock.advance_ms(11 * 60_000);
    let new = "/console/operators/new".to_owned();
    let fields =
        [("email", "eve@example.com"), ("name", "Eve"), ("role", "owner"), ("password", PASSWORD)];
    for target in [new.clone(), path.clone(), format!("{path}/password"), format!("{path}/delete")]
    {
        let answer = owner.post(&target, &csrf, &fields).await;
        assert!(answer.location().starts_with("/console/confirm?next="), "{target}: {answer:?}");
    }
    assert!(owner.get(&new).await.location().starts_with("/console/confirm?next="));
    let mut eve = world.browser();
    assert_eq!(eve.sign_in("eve@example.com", PASSWORD).await.status, 401);
}

async fn own_path(world: &World, browser: &Browser) -> String {
    format!("/console/operators/{}", world.session(browser).await.operator.id)
}

#[tokio::test]
async fn an_app_is_deleted_by_typing_its_name() {
    let (world, mut owner) = World::owned().await;
    let path = format!("/console/apps/{}/settings/delete", world.app);
    let name = owner.get("/console/").await;
    assert!(name.body.contains(&world.app.to_string()));
    let wrong = owner.submit(&path, &path, &[("confirm", "something else")]).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let caller = world.session(&owner).await.caller_of_installation();
    let apps = world.service.apps(&caller, &PageInput::default()).await.unwrap().items;
    let right = owner.submit(&path, &path, &[("confirm", &apps[0].name)]).await;
    assert_eq!((right.status.as_u16(), right.location()), (303, "/console/"));
    let after = world.service.apps(&caller, &PageInput::default()).await.unwrap().items;
    assert_eq!(after.len(), apps.len() - 1);
    let empty = owner.get("/console/").await;
    assert!(empty.body.contains("Create the first app"), "{empty:?}");
}
