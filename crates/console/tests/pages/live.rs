//! Parts of a page that keep themselves up to date.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http::header::{CACHE_CONTROL, COOKIE};
use http_body_util::BodyExt;
use tidings_service::{NewHook, NewPublication, OperatorChanges, PortalInput, Role};
use tower::ServiceExt;

use crate::world::{Browser, World};

async fn follow(world: &World, browser: &Browser, path: &str) -> (u16, Body) {
    let cookies = browser.cookies.iter().map(|(name, value)| format!("{name}={value}"));
    let cookie = cookies.collect::<Vec<_>>().join("; ");
    let request = Request::get(path).header(COOKIE, cookie).body(Body::empty()).unwrap();
    let response = world.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    (response.status().as_u16(), response.into_body())
}

/// The stream until it has said `text`.
async fn until(body: &mut Body, text: &str) -> String {
    let mut said = String::new();
    while !said.contains(text) {
        let frame = body.frame().await.expect("the stream goes on").unwrap();
        said.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    said
}

#[tokio::test]
async fn a_live_part_is_sent_at_once_and_again_when_it_has_changed_and_ends_with_the_server() {
    let (world, owner) = World::owned().await;
    let path = format!("/console/apps/{}/changes/live", world.app);
    let (status, mut body) = follow(&world, &owner, &path).await;
    assert_eq!(status, 200);
    until(&mut body, "data: ").await;
    let caller = world.owner(&owner).await;
    let change = NewPublication {
        kind: "invoice.paid".into(),
        data: Bytes::from_static(b"{}"),
        id: None,
        account: None,
        order_key: None,
        occurred_at: None,
    };
    world.service.publish(&caller, change, None, None).await.unwrap();
    let said = until(&mut body, "invoice.paid").await;
    assert!(said.contains("data: "), "{said}");
    world.stop.send_replace(true);
    while let Some(frame) = body.frame().await {
        frame.unwrap();
    }
}

#[tokio::test]
async fn a_live_part_ends_when_whoever_looks_is_signed_out_or_has_another_role() {
    let (world, owner) = World::owned().await;
    let path = format!("/console/apps/{}/changes/live", world.app);
    for signs_out in [true, false] {
        let email = if signs_out { "one@example.com" } else { "two@example.com" };
        let viewer = world.operator(&owner, email, Role::Viewer).await;
        let (status, mut body) = follow(&world, &viewer, &path).await;
        assert_eq!(status, 200);
        until(&mut body, "data: ").await;
        let session = world.session(&viewer).await;
        if signs_out {
            world.service.sign_out(&session).await.unwrap();
        } else {
            let admin = OperatorChanges { role: Some(Role::Admin), ..OperatorChanges::default() };
            let caller = world.session(&owner).await.caller_of_installation();
            let id = session.operator.id;
            world.service.update_operator(&caller, id, admin).await.unwrap();
        }
        while let Some(frame) = body.frame().await {
            frame.unwrap();
        }
    }
}

#[tokio::test]
async fn end_users_take_no_live_stream_from_operators() {
    let (world, owner) = World::owned().await;
    let caller = world.owner(&owner).await;
    let user = world.service.upsert_user(&caller, "ana".into()).await.unwrap().0.id;
    let link = world.service.portal_link(&caller, PortalInput { user, ttl_s: 600 }).await.unwrap();
    let hook = NewHook {
        url: Some("https://example.com/ana".into()),
        triggers: vec!["*".into()],
        user: Some(user),
        ..NewHook::default()
    };
    let hook = world.service.create_hook(&caller, hook).await.unwrap().hook.id;
    let mut ana = world.browser();
    ana.get(&format!("/portal/{}", link.token)).await;
    let mut open = Vec::new();
    let hers = format!("/portal/webhooks/{hook}/live");
    for _ in 0..tidings_core::limits::PORTAL_STREAMS_MAX {
        let (status, body) = follow(&world, &ana, &hers).await;
        assert_eq!(status, 200);
        open.push(body);
    }
    assert_eq!(follow(&world, &ana, &hers).await.0, 503);
    let path = format!("/console/apps/{}/changes/live", world.app);
    assert_eq!(follow(&world, &owner, &path).await.0, 200);
}

#[tokio::test]
async fn live_streams_are_bounded_and_a_closed_one_gives_its_place_back() {
    let (world, owner) = World::owned().await;
    let path = format!("/console/apps/{}/changes/live", world.app);
    let mut open = Vec::new();
    for _ in 0..tidings_core::limits::CONSOLE_STREAMS_MAX {
        let (status, body) = follow(&world, &owner, &path).await;
        assert_eq!(status, 200);
        open.push(body);
    }
    assert_eq!(follow(&world, &owner, &path).await.0, 503);
    open.pop();
    assert_eq!(follow(&world, &owner, &path).await.0, 200);
}
