//! How much one call reads, keeps and answers.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidings_core::limits;
use tidings_service::{Record, RecordPut, RecordWrite};

use super::world::{NOW, World, text};
use crate::Desk;
use crate::auth::Acting;
use crate::holdings::{self, Holding};
use crate::objects::Kind;
use crate::reading::{Narrow, Reading, Span};

async fn session_and_credential(world: &World) -> (String, String, Value) {
    let session = world.session(&world.user("A").await).await;
    let made = world.credential(&session).await;
    (session, text(&made["id_credential"]), made)
}

/// The ids on a page of transactions.
async fn ids(world: &World, session: &str, params: Value) -> Vec<String> {
    let page = world.ask_as(session, "GET", "/transactions", params).await;
    page.as_array().unwrap().iter().map(|item| text(&item["id_transaction"])).collect()
}

#[tokio::test]
async fn what_changed_since_is_found_among_many_and_in_the_order_of_the_list() {
    let world = World::new().await;
    let (session, credential, _) = session_and_credential(&world).await;
    let many = u64::from(limits::SYNC_INDEXED_MAX) * 4;
    let keys: Vec<String> = (0..many).map(|n| format!("{n:06}")).collect();
    let of = |n: usize, amount: u64| ("transactions", keys[n].as_str(), json!({"amount": amount}));
    let all: Vec<_> = (0..keys.len()).map(|n| of(n, 0)).collect();
    world.bring(&credential, false, &all).await;
    // A few, the last one first; then more than the index is asked for.
    for (seconds, changed) in [(10, vec![1_700, 3]), (20, (600..1_300).rev().collect::<Vec<_>>())] {
        world.clock.advance_ms(10_000);
        let list: Vec<_> = changed.iter().map(|n| of(*n, seconds)).collect();
        world.bring(&credential, false, &list).await;
    }
    let few = vec![keys[3].clone(), keys[1_700].clone()];
    let some = keys[600..1_300].to_vec();
    let mut both = [few[..1].to_vec(), some.clone(), few[1..].to_vec()].concat();
    let between = json!({"dt_refresh_from": NOW + 1, "dt_refresh_to": NOW + 19});
    assert_eq!(ids(&world, &session, between).await, few);
    assert_eq!(ids(&world, &session, json!({"dt_refresh_from": NOW + 11})).await, some);
    assert_eq!(ids(&world, &session, json!({"dt_refresh_from": NOW + 1})).await, both);
    let window = json!({"dt_refresh_from": NOW + 1, "skip": 1, "limit": 2});
    assert_eq!(ids(&world, &session, window).await, both.drain(1..3).collect::<Vec<_>>());
    let wanted = json!({"dt_refresh_from": NOW + 1});
    let count = world.ask_as(&session, "GET", "/transactions/count", wanted).await;
    assert_eq!(count, json!({"count": 702}));
    assert_eq!(ids(&world, &session, json!({"dt_refresh_from": NOW + 99})).await, [""; 0]);
}

/// The service's side of a call, and the credential that it reads.
async fn reader(world: &World, credential: &str) -> (Desk, Acting, Holding) {
    let desk = Desk { service: world.service.clone(), upserting: Arc::default() };
    let acting = Acting { caller: world.owner.clone(), user: None };
    let holding = holdings::one(&desk, &acting, credential).await.unwrap();
    (desk, acting, holding)
}

#[tokio::test]
async fn a_time_of_transactions_is_looked_up_by_their_start() {
    let world = World::new().await;
    let (_, credential, _) = session_and_credential(&world).await;
    let (desk, acting, holding) = reader(&world, &credential).await;
    let narrow = Narrow { starts: Some((100_000, 200_000)), ..Narrow::default() };
    let all = Span { after: 0, until: 3_000 };
    let mut reading = Reading::new(&desk, &acting, Kind::Transaction);
    let refused = reading.each(&holding, all, narrow, |_| Ok(true)).await.unwrap_err();
    assert_eq!(refused.status, 400, "nothing tells when they were");
    let input = tidings_service::RefreshInput { whole: false };
    let account = holding.account.id;
    let mut refresh = world.service.begin_refresh(&world.owner, account, input).await.unwrap();
    let puts = (1..=3_000).map(|n: i64| RecordPut {
        collection: "transactions".into(),
        key: n.to_string(),
        // Backwards in time; some have none.
        starts_at: (n % 10 != 0).then_some((3_000 - n) * 1_000),
        body: Bytes::from_static(b"{}"),
    });
    world.service.stage_records(&world.owner, &mut refresh, puts.collect()).await.unwrap();
    world.service.finish_refresh(&world.owner, refresh, |_| Vec::new()).await.unwrap();
    for (from, before) in [(100, 200), (0, 2_000), (5_000, 6_000), (2_999, i64::MAX / 1_000)] {
        let narrow = Narrow { starts: Some((from * 1_000, before * 1_000)), ..narrow };
        let mut found = Vec::new();
        let take = |record: Record| {
            found.push(record.ordinal as i64);
            Ok(true)
        };
        let mut reading = Reading::new(&desk, &acting, Kind::Transaction);
        reading.each(&holding, all, narrow, take).await.unwrap();
        let expected: Vec<i64> =
            (1..=3_000).filter(|n| n % 10 != 0 && (from..before).contains(&(3_000 - n))).collect();
        assert_eq!(found, expected, "{from} {before}");
    }
}

#[tokio::test]
async fn looking_items_up_by_id_counts_as_looking_at_them() {
    let world = World::new().await;
    let (_, credential, _) = session_and_credential(&world).await;
    let (desk, acting, holding) = reader(&world, &credential).await;
    let mut reading = Reading::new(&desk, &acting, Kind::Transaction);
    reading.looked_at = limits::SYNC_SCAN_MAX - 1;
    assert!(reading.one(&holding, "a").await.unwrap().is_none());
    assert_eq!(reading.one(&holding, "b").await.unwrap_err().status, 400);
}

#[tokio::test]
async fn an_answer_has_a_bounded_number_of_bytes_and_announced_pages_fit() {
    let world = World::new().await;
    let (session, credential, made) = session_and_credential(&world).await;
    let job = text(&made["id_job"]);
    // 270 documents of 250 KB: 67 MB.
    let content = "QUFB".repeat(62_500);
    let account = holdings_id(&credential);
    let body = json!({"id_job": job, "file": "a.txt", "content": content}).to_string();
    let put = |n: usize| RecordPut {
        collection: "documents".into(),
        key: format!("d{n}"),
        starts_at: None,
        body: Bytes::from(body.clone()),
    };
    for step in (0..270).collect::<Vec<_>>().chunks(30) {
        let writes = step.iter().map(|n| RecordWrite::Put(put(*n), tidings_service::Expect::Any));
        let writes = writes.collect();
        world.service.write_records(&world.owner, account, writes, Vec::new()).await.unwrap();
    }
    let all = json!({"id_job_webhook": job});
    let (status, answer) = world.call(&session, "GET", "/documents", all.clone()).await;
    assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!("limit")));
    let names = json!({"id_job_webhook": job, "fields": "id_document"});
    let names = world.ask_as(&session, "GET", "/documents", names).await;
    assert_eq!(names.as_array().unwrap().len(), 270, "what is left out does not count");

    let done = json!({"id_credential": credential, "id_job": job});
    let told = world.ask_as(&session, "POST", "/documents/completed", done).await;
    let change = world.changes("documents.completed").await.remove(0);
    let body: Value = serde_json::from_slice(change.data.as_ref().unwrap()).unwrap();
    let page = body["documents"]["page"].as_u64().unwrap();
    assert!((200..270).contains(&page), "{page}");
    let path = format!("/webhooks/events/{}/documents", text(&told["uuid"]));
    let mut seen = 0;
    for skip in [0, page] {
        let path = format!("{path}?limit={page}&skip={skip}");
        seen += world.ask_as(&session, "GET", &path, Value::Null).await.as_array().unwrap().len();
    }
    assert_eq!(seen, 270);
    let request = Request::get(format!("/v1{path}/zip?limit={page}&skip={page}"));
    let request = request.header(AUTHORIZATION, &session).body(Body::empty()).unwrap();
    let archive = world.send(request).await.into_body().collect().await.unwrap().to_bytes();
    assert!(archive.len() > (270 - page as usize) * 187_500, "{}", archive.len());
    assert_eq!(world.call(&session, "GET", &format!("{path}/zip"), Value::Null).await.0, 400);
}

fn holdings_id(credential: &str) -> tidings_core::id::AccountId {
    tidings_core::id::AccountId(tidings_core::id::Bits96::from_hex24(credential).unwrap())
}

#[tokio::test]
async fn pages_of_documents_begin_where_they_are_counted_to_also_among_others() {
    let world = World::new().await;
    let (session, credential, made) = session_and_credential(&world).await;
    let job = text(&made["id_job"]);
    let of = |job: &str, n: usize| {
        ("documents", format!("{job}{n}"), json!({"id_job": job, "content": ""}))
    };
    let event = async |job: &str| {
        let done = json!({"id_credential": credential, "id_job": job});
        text(&world.ask_as(&session, "POST", "/documents/completed", done).await["uuid"])
    };
    let mut list: Vec<_> = (0..5).map(|n| of("before", n)).collect();
    list.extend((0..700).map(|n| of(&job, n)));
    list.extend((0..300).flat_map(|n| [of("x", n), of("y", n)]));
    let list: Vec<_> = list.iter().map(|(c, key, body)| (*c, key.as_str(), body.clone())).collect();
    world.bring(&credential, false, &list).await;
    for (job, total) in [(job.as_str(), 700), ("x", 300), ("y", 300), ("before", 5), ("none", 0)] {
        let path = format!("/webhooks/events/{}/documents", event(job).await);
        let mut seen = Vec::new();
        for skip in (0..=total).step_by(130) {
            let path = format!("{path}?limit=130&skip={skip}&fields=id_document");
            let page = world.ask_as(&session, "GET", &path, Value::Null).await;
            seen.extend(page.as_array().unwrap().iter().map(|item| text(&item["id_document"])));
        }
        let expected: Vec<_> = (0..total).map(|n| format!("{job}{n}")).collect();
        assert_eq!(seen, expected, "{job}");
    }
}
