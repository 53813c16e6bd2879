//! Credentials and their jobs.

use serde_json::{Value, json};

use super::world::{NOW, SITE, World, text};

#[tokio::test]
async fn the_documented_pull_gets_the_documented_answer() {
    let world = World::new().await;
    let session = world.session(&world.user("MIST030794").await).await;
    let made = world.credential(&session).await;
    let job = text(&made["id_job"]);
    let expected = json!({
        "id_credential": made["id_credential"], "id_job_uuid": made["id_job_uuid"], "id_job": job,
        "is_new": 1, "username": "t**t",
        "ws": format!("ws://sync.example/v1/status/{job}"),
        "status": format!("http://sync.example/v1/jobs/{job}/status"),
        "twofa": format!("http://sync.example/v1/jobs/{job}/twofa"),
    });
    assert_eq!(made, expected);
    for name in ["id_credential", "id_job", "id_job_uuid"] {
        assert_eq!(made[name].as_str().unwrap().len(), 24, "{name}");
    }
}

#[tokio::test]
async fn a_credential_is_listed_with_the_documented_fields() {
    let world = World::new().await;
    let user = world.user("MIST030794").await;
    let session = world.session(&user).await;
    let made = world.credential(&session).await;
    let expected = json!([{
        "id_credential": made["id_credential"], "id_user": user,
        "id_environment": "574894bf7848066d138b4571", "id_external": "MIST030794",
        "id_site": SITE, "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4568",
        "id_organization": "56cf4ff5784806152c8b4567",
        "is_authorized": 1, "is_disabled": 0, "is_locked": 0, "is_twofa": 0, "can_sync": 1,
        "ready_in": 0, "username": "t**t", "code": 200, "keywords": null,
        "dt_authorized": NOW, "dt_execute": NOW, "dt_ready": NOW, "dt_refresh": null,
        "dt_last_sync": null,
    }]);
    assert_eq!(world.ask_as(&session, "GET", "/credentials", json!({})).await, expected);
    assert_eq!(world.ask_as(&session, "GET", "/credentials/all", json!({})).await, expected);
    let one = format!("/credentials/{}", text(&made["id_credential"]));
    assert_eq!(world.ask_as(&session, "GET", &one, Value::Null).await, expected, "an array");
    let as_user = format!("{},id_user={user}", world.as_key());
    assert_eq!(world.ask_as(&as_user, "GET", &one, Value::Null).await, expected);
    let in_body = json!({"id_user": user});
    assert_eq!(world.ask("GET", "/credentials", in_body).await, expected);
}

#[tokio::test]
async fn login_data_is_not_kept() {
    let world = World::new().await;
    let session = world.session(&world.user("MIST030794").await).await;
    let login = json!({"username": "alexandra", "password": "s3cret"});
    let request = json!({"id_site": SITE, "credentials": login});
    let made = world.ask_as(&session, "POST", "/credentials/pulls", request).await;
    assert_eq!(made["username"], "a**a");
    let id = tidings_core::id::Bits96::from_hex24(&text(&made["id_credential"])).unwrap();
    let account = tidings_core::id::AccountId(id);
    let kept = world.service.record_account(&world.owner, account).await.unwrap();
    let change = world.changes("credential.created").await.remove(0);
    for stored in [format!("{kept:?}"), format!("{change:?}")] {
        assert!(!stored.contains("s3cret") && !stored.contains("alexandra"), "{stored}");
    }
}

#[tokio::test]
async fn a_user_has_one_credential_at_a_site() {
    let world = World::new().await;
    let session = world.session(&world.user("A").await).await;
    let first = world.credential(&session).await;
    let again = world.credential(&session).await;
    assert_eq!(again["id_credential"], first["id_credential"]);
    assert_ne!(again["id_job"], first["id_job"]);
    assert_eq!((&first["is_new"], &again["is_new"]), (&json!(1), &json!(0)));
    let path = format!("/credentials/{}/pulls", text(&first["id_credential"]));
    let third = world.ask_as(&session, "PUT", &path, json!({})).await;
    assert_eq!((&third["is_new"], &third["username"]), (&json!(0), &json!("t**t")));
    let other = world.session(&world.user("B").await).await;
    assert_ne!(world.credential(&other).await["id_credential"], first["id_credential"]);
    assert_eq!(world.changes("credential.created").await.len(), 2);
    assert_eq!(world.changes("credential.updated").await.len(), 2);
}

#[tokio::test]
async fn a_pull_is_announced_with_all_that_the_formats_write() {
    let world = World::new().await;
    let user = world.user("IXS7607092R5").await;
    let made = world.credential(&world.session(&user).await).await;
    let change = world.changes("credential.created").await.remove(0);
    let body: Value = serde_json::from_slice(change.data.as_ref().unwrap()).unwrap();
    for (pointer, expected) in [
        ("/account/provider", json!("record")),
        ("/user/external_id", json!("IXS7607092R5")),
        ("/credential/id_site", json!(SITE)),
        ("/credential/is_executing", json!(1)),
        ("/job/id_job", made["id_job"].clone()),
        ("/job/id_job_uuid", made["id_job_uuid"].clone()),
    ] {
        assert_eq!(body.pointer(pointer), Some(&expected), "{pointer}: {body}");
    }
}

#[tokio::test]
async fn a_job_is_through_when_data_came_after_it() {
    let world = World::new().await;
    let session = world.session(&world.user("A").await).await;
    let made = world.credential(&session).await;
    let path = format!("/jobs/{}/status", text(&made["id_job"]));
    let begun = json!([{"code": 100}, {"code": 101}]);
    assert_eq!(world.ask_as(&session, "GET", &path, json!({})).await, begun);
    world.clock.advance_ms(1_000);
    let id = text(&made["id_credential"]);
    world.bring(&id, false, &[("accounts", "a", json!({"name": "x"}))]).await;
    let done = json!([{"code": 100}, {"code": 101}, {"code": 102}, {"code": 200}]);
    assert_eq!(world.ask_as(&session, "GET", &path, json!({})).await, done);
    let twofa = format!("/jobs/{}/twofa", text(&made["id_job"]));
    let answer = world.call(&session, "POST", &twofa, json!({"twofa": {"token": "1"}})).await;
    assert_eq!(answer.0, 400);
}

#[tokio::test]
async fn a_job_that_brings_nothing_new_ends_too() {
    let world = World::new().await;
    let session = world.session(&world.user("A").await).await;
    let made = world.credential(&session).await;
    let id = text(&made["id_credential"]);
    let list = [("transactions", "t", json!({"amount": 1}))];
    world.bring(&id, true, &list).await;
    world.clock.advance_ms(60_000);
    let again = world.ask_as(&session, "PUT", &format!("/credentials/{id}/pulls"), json!({})).await;
    let status = format!("/jobs/{}/status", text(&again["id_job"]));
    let codes = world.ask_as(&session, "GET", &status, Value::Null).await;
    assert_eq!(codes.as_array().unwrap().len(), 2, "it has not ended");
    world.bring(&id, true, &list).await;
    assert_eq!(world.changes("records.refreshed").await.len(), 1, "there was nothing new");
    let codes = world.ask_as(&session, "GET", &status, Value::Null).await;
    let expected = json!([{"code": 100}, {"code": 101}, {"code": 102}, {"code": 200}]);
    assert_eq!(codes, expected);
    let shown = world.ask_as(&session, "GET", &format!("/credentials/{id}"), Value::Null).await;
    assert_eq!(shown[0]["dt_refresh"], NOW + 60);
}

#[tokio::test]
async fn nobody_sees_another_users_credential() {
    let world = World::new().await;
    let (one, other) = (world.user("A").await, world.user("B").await);
    let made = world.credential(&world.session(&one).await).await;
    let id = text(&made["id_credential"]);
    let stranger = world.session(&other).await;
    let as_stranger = format!("{},id_user={other}", world.as_key());
    for authorization in [&stranger, &as_stranger] {
        assert_eq!(world.ask_as(authorization, "GET", "/credentials", json!({})).await, json!([]));
        for (method, path) in [
            ("GET", format!("/credentials/{id}")),
            ("PUT", format!("/credentials/{id}/pulls")),
            ("DELETE", format!("/credentials/{id}")),
            ("GET", format!("/transactions?id_credential={id}")),
            ("GET", format!("/jobs/{}/status", text(&made["id_job"]))),
        ] {
            let answer = world.call(authorization, method, &path, Value::Null).await;
            assert_eq!(answer.0, 404, "{method} {path}");
        }
    }
    let pretender = format!("/credentials?id_user={one}");
    assert_eq!(world.call(&stranger, "GET", &pretender, Value::Null).await.0, 404);
    let unknown = format!("{},id_user=000000000000000000000000", world.as_key());
    assert_eq!(world.call(&unknown, "GET", "/credentials", Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_deleted_credential_is_gone_with_what_it_held() {
    let world = World::new().await;
    let session = world.session(&world.user("A").await).await;
    let made = world.credential(&session).await;
    let id = text(&made["id_credential"]);
    world.bring(&id, false, &[("transactions", "t", json!({"amount": 1}))]).await;
    let path = format!("/credentials/{id}");
    assert_eq!(world.ask_as(&session, "DELETE", &path, json!({})).await, json!(true));
    assert_eq!(world.call(&session, "GET", &path, json!({})).await.0, 404);
    assert_eq!(world.ask_as(&session, "GET", "/transactions", json!({})).await, json!([]));
    // The same site can be added again, as a new credential.
    assert_ne!(world.credential(&session).await["id_credential"], made["id_credential"]);
}

#[tokio::test]
async fn a_pull_needs_a_user_a_site_and_login_data() {
    let world = World::new().await;
    let session = world.session(&world.user("A").await).await;
    for (request, field) in [
        (json!({"credentials": {}}), "id_site"),
        (json!({"id_site": "nonsense", "credentials": {}}), "id_site"),
        (json!({"id_site": SITE}), "credentials"),
        (json!({"id_site": SITE, "credentials": "x"}), "credentials"),
    ] {
        let (status, answer) = world.call(&session, "POST", "/credentials", request.clone()).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!(field)), "{request}");
    }
    let request = json!({"id_site": SITE, "credentials": {}});
    assert_eq!(world.call(&world.as_key(), "POST", "/credentials", request).await.0, 400);
}

#[tokio::test]
async fn the_catalogue_has_the_documented_test_sites_in_both_documented_shapes() {
    let world = World::new().await;
    let session = world.session(&world.user("A").await).await;
    let wanted = json!({"id_site": SITE});
    let sites = world.ask_as(&session, "GET", "/catalogues/sites", wanted.clone()).await;
    let field = |name: &str, kind: &str, label: &str, username: bool| {
        json!({
            "name": name, "type": kind, "label": label, "required": true, "username": username,
            "token": false, "validation": null,
        })
    };
    let expected = json!([{
        "id_site": SITE, "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4568",
        "id_site_type": "5b285177056f2911c13dbce1", "is_business": 1, "is_personal": 1,
        "version": 1, "name": "Normal",
        "credentials": [
            field("username", "text", "Username", true),
            field("password", "password", "Password", false),
        ],
        "endpoint": "/v1/credentials",
    }]);
    assert_eq!(sites, expected);
    let path = "/catalogues/organizations/sites";
    let grouped = world.ask_as(&session, "GET", path, wanted).await;
    assert_eq!(grouped[0]["sites"], expected, "as the tests of the vendor read it");
    assert_eq!(grouped[0]["id_site"], SITE, "as its documentation reads it");
    assert_eq!(grouped[0]["credentials"], expected[0]["credentials"]);
    let all = world.ask_as(&session, "GET", "/catalogues/sites", json!({"limit": 3})).await;
    assert_eq!(all.as_array().unwrap().len(), 3);
}
