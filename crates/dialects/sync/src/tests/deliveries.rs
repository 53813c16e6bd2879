//! What webhooks are sent of the changes that calls of Sync and bulk jobs cause, and where it leads.

use serde_json::{Value, json};
use tidings_core::change::{Change, NewChange, Subject};
use tidings_core::format::{Format, RenderInput};
use tidings_core::id::{AppId, Bits96, DeliveryId, HookId};

use super::world::{SITE, World, text};

/// The one change of a type in the journal, as a format sends it.
async fn sent(world: &World, format: &Format, kind: &str) -> Value {
    let change = world.changes(kind).await.pop().unwrap();
    let change = Change {
        seq: change.seq,
        recorded_at: change.recorded_at,
        new: NewChange {
            id: change.id,
            kind: change.kind,
            subject: Subject::default(),
            order_key: change.order_key,
            occurred_at: change.occurred_at,
            origin: change.origin,
            actor: None,
            traceparent: None,
            body: change.data.unwrap(),
        },
    };
    let input = RenderInput {
        app: AppId(Bits96::new(1)),
        hook: HookId(Bits96::new(2)),
        hook_external_id: None,
        delivery: DeliveryId(Bits96::new(3)),
        changes: &[change],
        named: &[],
        now: world.clock.now(),
    };
    serde_json::from_slice(&(format.render)(&input).unwrap().body).unwrap()
}

/// Both formats of a change; the payload of V1.
async fn payload(world: &World, kind: &str, name: &str, user: &str) -> Value {
    let v1 = sent(world, &crate::V1, kind).await;
    let v3 = sent(world, &crate::V3, kind).await;
    let event = &v3["events"][0];
    assert_eq!(event["header"]["event"]["name"], name);
    let told = json!({
        "id_environment": "574894bf7848066d138b4571", "id_external": "IXS7607092R5", "id_user": user,
    });
    assert_eq!(event["header"]["user"], told);
    if !kind.starts_with("documents") {
        assert_eq!(event["payload"], v1);
    }
    v1
}

/// What the paths of a list of endpoints answer with, one after another.
async fn followed(world: &World, session: &str, endpoints: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for path in endpoints.as_array().unwrap() {
        let path = text(path);
        let path = path.strip_prefix("/v1").unwrap();
        found.push(world.ask_as(session, "GET", path, Value::Null).await);
    }
    found
}

fn ids(pages: &[Value], name: &str) -> Vec<String> {
    pages.iter().flat_map(|page| page.as_array().unwrap()).map(|item| text(&item[name])).collect()
}

#[tokio::test]
async fn a_pull_is_sent_in_both_formats_as_it_was_answered() {
    let world = World::new().await;
    let user = world.user("IXS7607092R5").await;
    let session = world.session(&user).await;
    let made = world.credential(&session).await;
    let update = format!("/credentials/{}/pulls", text(&made["id_credential"]));
    for (kind, event, name) in [
        ("credential.created", "credential_create", "credentials.created"),
        ("credential.updated", "credential_update", "credentials.updated"),
    ] {
        let answered = if event == "credential_create" {
            made.clone()
        } else {
            world.ask_as(&session, "PUT", &update, json!({})).await
        };
        let id = &answered["id_credential"];
        let expected = json!({
            "endpoints": {"credential": [format!("/v1/credentials/{}", text(id))]},
            "event": event, "id_credential": id, "id_external": "IXS7607092R5",
            "id_job": answered["id_job"], "id_job_uuid": answered["id_job_uuid"], "id_site": SITE,
            "id_site_organization": "56cf4ff5784806152c8b4567",
            "id_site_organization_type": "56cf4f5b784806cf028b4568",
            "id_user": user, "is_executing": 1,
        });
        let v1 = payload(&world, kind, name, &user).await;
        assert_eq!(v1, expected);
        let found = followed(&world, &session, &v1["endpoints"]["credential"]).await;
        assert_eq!(ids(&found, "id_credential"), [text(id)]);
    }
}

#[tokio::test]
async fn a_refresh_leads_to_everything_that_there_is() {
    let world = World::new().await;
    let user = world.user("IXS7607092R5").await;
    let session = world.session(&user).await;
    let made = world.credential(&session).await;
    let credential = text(&made["id_credential"]);
    let keys: Vec<String> = (0..5_001).map(|n| format!("{n:024x}")).collect();
    let mut list: Vec<_> = keys.iter().map(|key| ("transactions", &key[..], json!({}))).collect();
    list.extend([("accounts", "a", json!({})), ("attachments", "f", json!({"content": "QQ=="}))]);
    world.bring(&credential, true, &list).await;
    let v1 = payload(&world, "records.refreshed", "credentials.refreshed", &user).await;
    assert_eq!((&v1["event"], &v1["id_job"]), (&json!("refresh"), &made["id_job"]));
    assert_eq!(v1.get("is_executing"), None);
    let endpoints = &v1["endpoints"];
    let pages = followed(&world, &session, &endpoints["transactions"]).await;
    assert_eq!((pages.len(), ids(&pages, "id_transaction")), (2, keys));
    for (name, id_name, expected) in [
        ("accounts", "id_account", "a"),
        ("attachments", "id_attachment", "f"),
        ("credential", "id_credential", &credential),
    ] {
        let pages = followed(&world, &session, &endpoints[name]).await;
        assert_eq!(ids(&pages, id_name), [expected], "{name}");
    }
}

#[tokio::test]
async fn announced_documents_are_where_both_formats_point_to() {
    let world = World::new().await;
    let user = world.user("IXS7607092R5").await;
    let session = world.session(&user).await;
    let made = world.credential(&session).await;
    let (credential, job) = (text(&made["id_credential"]), text(&made["id_job"]));
    let keys: Vec<String> = (0..1_001).map(|n| format!("{n:024x}")).collect();
    let document = json!({"id_job": job, "content": "e30="});
    let list: Vec<_> = keys.iter().map(|key| ("documents", &key[..], document.clone())).collect();
    world.bring(&credential, false, &list).await;
    let done = json!({"id_credential": credential, "id_job": job});
    let told = world.ask_as(&session, "POST", "/documents/completed", done).await;
    let v1 = payload(&world, "documents.completed", "documents.completed", &user).await;
    let head = (&v1["event"], &v1["uuid"], &v1["id_job"], v1.get("id_credential"));
    assert_eq!(head, (&json!("documents_completed"), &told["uuid"], &made["id_job"], None));
    for name in ["documents", "documents_json"] {
        let pages = followed(&world, &session, &v1["endpoints"][name]).await;
        assert_eq!((pages.len(), ids(&pages, "id_document")), (2, keys.clone()), "{name}");
    }
    assert_eq!(v1["endpoints"]["documents_zip"].as_array().unwrap().len(), 2);
    for kind in ["documents.completed", "documents.success"] {
        payload_of_documents(&world, &session, kind, &keys).await;
    }
}

/// V3 points to the documents of the job.
async fn payload_of_documents(world: &World, session: &str, kind: &str, keys: &[String]) {
    let v3 = sent(world, &crate::V3, kind).await;
    let payload = &v3["events"][0]["payload"];
    assert_eq!(payload.get("event"), None);
    let pages = followed(world, session, &payload["endpoints"]).await;
    assert_eq!(ids(&pages, "id_document"), keys, "{kind}");
}
