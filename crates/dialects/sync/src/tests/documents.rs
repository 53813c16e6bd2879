//! Documents and their announcement.

use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::world::{NOW, World, text};

#[tokio::test]
async fn a_jobs_documents_are_announced_and_read_in_three_shapes() {
    let world = World::new().await;
    let user = world.user("IXS7607092R5").await;
    let session = world.session(&user).await;
    let made = world.credential(&session).await;
    let (credential, job) = (text(&made["id_credential"]), text(&made["id_job"]));
    // {"total":810.18}
    let mine = json!({"id_job": job, "file": "a.json", "content": "eyJ0b3RhbCI6ODEwLjE4fQ=="});
    let others = json!({"id_job": "other", "file": "b.json", "content": "e30="});
    let same_name = json!({"id_job": job, "file": "a.json", "content": "AP8="});
    let list =
        [("documents", "d1", mine), ("documents", "d2", others), ("documents", "d3", same_name)];
    world.bring(&credential, false, &list).await;

    let done = json!({"id_credential": credential, "id_job": job});
    let told = world.ask_as(&session, "POST", "/documents/completed", done).await;
    assert_eq!(told["count"], 2);
    let uuid = text(&told["uuid"]);
    let change = world.changes("documents.completed").await.remove(0);
    let body: Value = serde_json::from_slice(change.data.as_ref().unwrap()).unwrap();
    assert_eq!(body["documents"], json!({"uuid": uuid, "total": 2, "failed": 0, "page": 1000}));
    assert_eq!(body["job"]["id_job_uuid"], made["id_job_uuid"]);
    assert_eq!(world.changes("documents.success").await.len(), 1);
    assert_eq!(world.changes("documents.failed").await.len(), 0);

    let path = format!("/webhooks/events/{uuid}/documents");
    let listed =
        world.ask_as(&session, "GET", &format!("{path}?limit=1000&skip=0"), Value::Null).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["content"], "eyJ0b3RhbCI6ODEwLjE4fQ==");
    for (name, expected) in [
        ("id_document", json!("d1")),
        ("id_document_status", json!(null)),
        ("id_document_type", json!(null)),
        ("id_external", json!("")),
        ("file", json!("a.json")),
        ("identifiers", json!(null)),
        ("keywords", json!(null)),
        ("dt_refreshed", json!(NOW)),
        ("dt_created", json!(NOW)),
    ] {
        assert_eq!(listed[0][name], expected, "{name}");
    }
    let parsed = world.ask_as(&session, "GET", &format!("{path}/json"), json!({})).await;
    assert_eq!(parsed[0]["content"], json!({"total": 810.18}));
    assert_eq!(parsed[1]["content"], "AP8=", "what is no JSON stays as it is");

    let request = Request::get(format!("/v1{path}/zip?limit=1000&skip=0"))
        .header(AUTHORIZATION, &session)
        .body(Body::empty());
    let response = world.send(request.unwrap()).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "application/zip");
    let archive = response.into_body().collect().await.unwrap().to_bytes();
    let holds = |wanted: &[u8]| archive.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(b"a.json{\"total\":810.18}") && holds(b"d3\x00\xff"), "{archive:?}");

    let skipped = world.ask_as(&session, "GET", &format!("{path}?skip=1"), Value::Null).await;
    assert_eq!(skipped[0]["id_document"], "d3");
    let pointed = format!("/documents?id_job_webhook={job}");
    let by_job = world.ask_as(&session, "GET", &pointed, Value::Null).await;
    assert_eq!(by_job.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_job_with_failures_is_completed_but_no_success() {
    let world = World::new().await;
    let session = world.session(&world.user("A").await).await;
    let made = world.credential(&session).await;
    let done = json!({
        "id_credential": made["id_credential"], "id_job": made["id_job"], "failed": 2,
    });
    world.ask_as(&session, "POST", "/documents/completed", done).await;
    for (kind, count) in
        [("documents.completed", 1), ("documents.failed", 1), ("documents.success", 0)]
    {
        assert_eq!(world.changes(kind).await.len(), count, "{kind}");
    }
}

#[tokio::test]
async fn an_announcement_is_its_users_only() {
    let world = World::new().await;
    let session = world.session(&world.user("A").await).await;
    let made = world.credential(&session).await;
    let done = json!({"id_credential": made["id_credential"], "id_job": made["id_job"]});
    let told = world.ask_as(&session, "POST", "/documents/completed", done.clone()).await;
    let path = format!("/webhooks/events/{}/documents", text(&told["uuid"]));
    assert_eq!(world.ask_as(&session, "GET", &path, Value::Null).await, json!([]));
    let stranger = world.session(&world.user("B").await).await;
    assert_eq!(world.call(&stranger, "GET", &path, Value::Null).await.0, 404);
    assert_eq!(world.call(&stranger, "POST", "/documents/completed", done).await.0, 404);
    for wrong in [format!("{path}/xml"), "/webhooks/events/x/documents".into()] {
        assert_eq!(world.call(&session, "GET", &wrong, Value::Null).await.0, 404, "{wrong}");
    }
}
