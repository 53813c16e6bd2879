//! Accounts, transactions and attachments.

use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::world::{NOW, SITE, World, text};

const ACCOUNT: &str = "3406d3750b215b9a7f8b4523";
const TRANSACTION: &str = "5b64940bcaaf237edf60ce7a";
const ATTACHMENT: &str = "5db073b4caaf236a6a4c2eb5";

/// A user's session, and the id of the user's credential.
async fn held(world: &World) -> (String, String, String) {
    let user = world.user("MIST030794").await;
    let session = world.session(&user).await;
    let credential = text(&world.credential(&session).await["id_credential"]);
    (user, session, credential)
}

/// The documented transaction, without what is ours to fill in.
fn transaction() -> Value {
    json!({
        "id_account": ACCOUNT, "id_account_type": "520d3aa93b8e778e0d000000",
        "id_currency": "523a25953b8e77910e8b456c", "id_disable_type": "5bcff1e77d8b6b44380f6da2",
        "is_disable": 1, "description": "ACME Checking Transaction 20", "amount": 26,
        "currency": "MXN", "dt_transaction": 1_533_099_600, "dt_disable": 1_561_500_261,
    })
}

#[tokio::test]
async fn the_documented_transaction_is_shown_with_all_its_fields() {
    let world = World::new().await;
    let (user, session, credential) = held(&world).await;
    world.bring(&credential, false, &[("transactions", TRANSACTION, transaction())]).await;
    let params = json!({"id_credential": credential, "limit": 5});
    let expected = json!([{
        "id_transaction": TRANSACTION, "id_account": ACCOUNT,
        "id_account_type": "520d3aa93b8e778e0d000000", "id_credential": credential,
        "id_currency": "523a25953b8e77910e8b456c", "id_disable_type": "5bcff1e77d8b6b44380f6da2",
        "id_external": "", "id_site": SITE, "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4568", "id_user": user,
        "is_account_disable": 0, "is_deleted": 0, "is_disable": 1, "is_pending": 0,
        "description": "ACME Checking Transaction 20", "amount": 26, "currency": "MXN",
        "attachments": [], "extra": null, "reference": null, "keywords": null,
        "dt_transaction": 1_533_099_600, "dt_refresh": NOW, "dt_disable": 1_561_500_261,
        "dt_deleted": null,
    }]);
    assert_eq!(world.ask_as(&session, "GET", "/transactions", params.clone()).await, expected);
    let count = world.ask_as(&session, "GET", "/transactions/count", params).await;
    assert_eq!(count, json!({"count": 1}));
}

#[tokio::test]
async fn the_documented_account_is_shown_with_all_its_fields() {
    let world = World::new().await;
    let (user, session, credential) = held(&world).await;
    let account = json!({"name": "My Bank Account", "balance": 1200, "currency": "MXN"});
    world.bring(&credential, false, &[("accounts", ACCOUNT, account)]).await;
    let shown =
        world.ask_as(&session, "GET", "/accounts", json!({"id_credential": credential})).await;
    let expected = json!([{
        "id_account": ACCOUNT, "id_account_type": null, "id_currency": null, "id_user": user,
        "id_external": "", "id_credential": credential, "id_site": SITE,
        "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4568", "is_disable": 0,
        "name": "My Bank Account", "number": null, "balance": 1200, "currency": "MXN",
        "account_type": null,
        "site": {
            "id_site": SITE, "id_site_organization": "56cf4ff5784806152c8b4567",
            "id_site_organization_type": "56cf4f5b784806cf028b4568", "name": "Normal",
            "organization": "Acme", "avatar": null, "cover": null, "small_cover": null,
            "time_zone": "UTC",
        },
        "extra": null, "keywords": null, "dt_refresh": NOW,
    }]);
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn what_a_body_says_is_passed_on_byte_for_byte() {
    let world = World::new().await;
    let (_, session, credential) = held(&world).await;
    let account =
        tidings_core::id::AccountId(tidings_core::id::Bits96::from_hex24(&credential).unwrap());
    let put = tidings_service::RecordPut {
        collection: "transactions".into(),
        key: TRANSACTION.into(),
        starts_at: Some(1_533_099_600_000),
        body: r#"{"amount":1234567890123456789.10,"id_credential":"forged"}"#.into(),
    };
    let write = tidings_service::RecordWrite::Put(put, tidings_service::Expect::Any);
    world.service.write_records(&world.owner, account, vec![write], Vec::new()).await.unwrap();
    let request = Request::get("/v1/transactions")
        .header(AUTHORIZATION, &session)
        .body(Body::empty())
        .unwrap();
    let body = world.send(request).await.into_body().collect().await.unwrap().to_bytes();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(body.contains("\"amount\":1234567890123456789.10,"), "{body}");
    assert!(!body.contains("forged") && body.contains("\"dt_transaction\":1533099600"), "{body}");
}

#[tokio::test]
async fn pages_by_skip_and_limit_hold_everything_once_and_the_refresh_names_them() {
    let world = World::new().await;
    let (_, session, credential) = held(&world).await;
    let all: Vec<_> =
        (0..12_001).map(|n| ("transactions", format!("{n:024x}"), json!({"amount": n}))).collect();
    for part in all.chunks(6_001) {
        let part: Vec<_> =
            part.iter().map(|(c, key, body)| (*c, key.as_str(), body.clone())).collect();
        world.bring(&credential, false, &part).await;
    }
    let change = world.changes("records.refreshed").await.pop().unwrap();
    let body: Value = serde_json::from_slice(change.data.as_ref().unwrap()).unwrap();
    assert_eq!(body["counts"]["transactions"]["total"], 12_001);
    assert_eq!(body["account"]["details"]["id_site"], SITE);
    let mut seen = Vec::new();
    for skip in [0, 5_000, 10_000, 15_000] {
        let path =
            format!("/transactions?id_credential={credential}&limit=5000&skip={skip}&wbhk=1");
        let page = world.ask_as(&session, "GET", &path, Value::Null).await;
        seen.extend(page.as_array().unwrap().iter().map(|t| t["amount"].as_u64().unwrap()));
    }
    assert_eq!(seen, (0..12_001).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_a_credential_the_users_credentials_are_read_as_one_list() {
    let world = World::new().await;
    let (user, session, first) = held(&world).await;
    let login = json!({"id_site": "58b884fc056f295aa1483a02", "credentials": {"username": "x"}});
    let second = world.ask_as(&session, "POST", "/credentials", login).await;
    let second = text(&second["id_credential"]);
    world
        .bring(&first, false, &[("transactions", "a", json!({})), ("transactions", "b", json!({}))])
        .await;
    world
        .bring(
            &second,
            false,
            &[("transactions", "c", json!({})), ("transactions", "d", json!({}))],
        )
        .await;
    let stranger = world.session(&world.user("B").await).await;
    let third = text(&world.credential(&stranger).await["id_credential"]);
    world.bring(&third, false, &[("transactions", "e", json!({}))]).await;
    let as_user = format!("{},id_user={user}", world.as_key());
    let ids = |page: Value| -> String {
        page.as_array().unwrap().iter().map(|item| text(&item["id_transaction"])).collect()
    };
    for (authorization, params, expected) in [
        (&session, json!({}), "abcd"),
        (&as_user, json!({}), "abcd"),
        (&world.as_key(), json!({}), "abcde"),
        (&session, json!({"skip": 1, "limit": 2}), "bc"),
        (&session, json!({"skip": 2}), "cd"),
        (&session, json!({"skip": 4}), ""),
        (&session, json!({"limit": 0}), ""),
        (&session, json!({"id_site": SITE}), "ab"),
        (&session, json!({"id_credential": format!("{second},{first}")}), "cdab"),
        (&session, json!({"id_transaction": "d,b"}), "bd"),
    ] {
        let page = world.ask_as(authorization, "GET", "/transactions", params.clone()).await;
        assert_eq!(ids(page), expected, "{params}");
    }
}

#[tokio::test]
async fn documented_filters_and_fields_choose_what_is_shown() {
    let world = World::new().await;
    let (_, session, credential) = held(&world).await;
    let of = |account: &str, at: u64, keywords: Value| json!({"id_account": account, "dt_transaction": at, "keywords": keywords});
    let (one, two, three) =
        (of("a1", 10, json!(["iva"])), of("a2", 20, json!(null)), of("a1", 30, json!(["x"])));
    let list =
        [("transactions", "1", one), ("transactions", "2", two), ("transactions", "3", three)];
    world.bring(&credential, false, &list).await;
    world.clock.advance_ms(10_000);
    world.bring(&credential, false, &[("transactions", "2", of("a2", 25, json!(null)))]).await;
    for (params, expected) in [
        (json!({"id_account": "a1"}), vec!["1", "3"]),
        (json!({"dt_transaction_from": 11, "dt_transaction_to": 29}), vec!["2"]),
        (json!({"dt_refresh_from": NOW + 1}), vec!["2"]),
        (json!({"keywords": "iva,x"}), vec!["1", "3"]),
        (json!({"skip_keywords": "x"}), vec!["1", "2"]),
        (json!({"id_account": "a1", "skip": 1}), vec!["3"]),
        (json!({"id_account": "a1", "limit": 1}), vec!["1"]),
        (json!({"is_disable": 1}), vec![]),
        (json!({"has_attachment": 0}), vec!["1", "2", "3"]),
    ] {
        let mut wanted = params.clone();
        wanted["fields"] = json!("id_transaction");
        let page = world.ask_as(&session, "GET", "/transactions", wanted).await;
        let expected: Vec<_> = expected.iter().map(|id| json!({"id_transaction": id})).collect();
        assert_eq!(page, json!(expected), "{params}");
        if params.get("skip").is_none() && params.get("limit").is_none() {
            let count = world.ask_as(&session, "GET", "/transactions/count", params.clone()).await;
            assert_eq!(count["count"], expected.len(), "{params}");
        }
    }
    for params in [json!({"order": "dt_transaction"}), json!({"limit": 5_001})] {
        assert_eq!(world.call(&session, "GET", "/transactions", params).await.0, 400);
    }
}

#[tokio::test]
async fn what_a_whole_load_no_longer_lists_is_shown_as_deleted_in_its_place() {
    let world = World::new().await;
    let (_, session, credential) = held(&world).await;
    let both = [("transactions", "1", transaction()), ("transactions", "2", transaction())];
    world.bring(&credential, true, &both).await;
    world.clock.advance_ms(5_000);
    world.bring(&credential, true, &both[1..]).await;
    let page = world.ask_as(&session, "GET", "/transactions", json!({})).await;
    assert_eq!(page[0]["id_transaction"], "1");
    assert_eq!((&page[0]["is_deleted"], &page[0]["dt_deleted"]), (&json!(1), &json!(NOW + 5)));
    assert_eq!((&page[1]["is_deleted"], &page[1]["dt_deleted"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn a_deleted_bank_account_is_not_listed() {
    let world = World::new().await;
    let (_, session, credential) = held(&world).await;
    let list = ["1", "2", "3"].map(|id| ("accounts", id, json!({"name": id})));
    world.bring(&credential, true, &list).await;
    world.bring(&credential, true, &[list[0].clone(), list[2].clone()]).await;
    let mark = ("accounts", "4", json!({"name": "4"}));
    world.bring(&credential, false, &[mark]).await;
    for (params, expected) in [
        (json!({}), "134"),
        (json!({"limit": 2}), "1"),
        (json!({"skip": 2, "limit": 2}), "34"),
        (json!({"id_account": "1,2"}), "1"),
        (json!({"is_disable": 0}), "134"),
    ] {
        let page = world.ask_as(&session, "GET", "/accounts", params.clone()).await;
        let names: String = page.as_array().unwrap().iter().map(|a| text(&a["name"])).collect();
        assert_eq!(names, expected, "{params}");
    }
    let count = world.ask_as(&session, "GET", "/accounts/count", json!({})).await;
    assert_eq!(count, json!({"count": 3}));
}

#[tokio::test]
async fn the_documented_attachment_is_listed_and_its_file_is_fetched_by_itself() {
    let world = World::new().await;
    let (user, session, credential) = held(&world).await;
    let attachment = json!({
        "id_account": "5db073b1caaf236a6a4c2acc", "id_attachment_type": "56bcdfca784806d1378b4567",
        "id_transaction": "5db073b1caaf236a6a4c2acd", "file": "4B2B511C.xml",
        "keywords": ["3.3", "emitidas"], "content": "PD94bWwgdmVyc2lvbj0iMS4wIj8+",
        "extra": [{"n": "CFDI:COMPROBANTE"}],
    });
    world.bring(&credential, false, &[("attachments", ATTACHMENT, attachment)]).await;
    let url = format!("/attachments/{ATTACHMENT}");
    let expected = json!([{
        "id_attachment": ATTACHMENT, "id_account": "5db073b1caaf236a6a4c2acc", "id_user": user,
        "id_external": "", "id_attachment_type": "56bcdfca784806d1378b4567",
        "id_transaction": "5db073b1caaf236a6a4c2acd", "is_valid": 1, "file": "4B2B511C.xml",
        "mime": null, "url": url, "keywords": ["3.3", "emitidas"], "dt_refresh": NOW,
        "id_credential": credential, "id_site": SITE,
        "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4568",
    }]);
    for path in ["/attachments", "/attachments/export"] {
        let params = json!({"id_credential": credential, "limit": 10});
        assert_eq!(world.ask_as(&session, "GET", path, params).await, expected, "{path}");
    }
    let count = world.ask_as(&session, "GET", "/attachments/count", json!({})).await;
    assert_eq!(count, json!({"count": 1}));
    let extra = world.ask_as(&session, "GET", &format!("{url}/extra"), json!({})).await;
    assert_eq!(extra["extra"], json!([{"n": "CFDI:COMPROBANTE"}]));
    assert_eq!((&extra["file"], extra.get("content")), (&json!("4B2B511C.xml"), None));

    let request = Request::get(format!("/v1{url}")).header(AUTHORIZATION, &session);
    let response = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "text/xml; charset=utf-8");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["content-disposition"], "attachment");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.as_ref(), b"<?xml version=\"1.0\"?>");
}

#[tokio::test]
async fn an_attachment_without_content_or_of_another_user_is_not_there() {
    let world = World::new().await;
    let (_, session, credential) = held(&world).await;
    world.bring(&credential, false, &[("attachments", ATTACHMENT, json!({"file": "x"}))]).await;
    let url = format!("/attachments/{ATTACHMENT}");
    assert_eq!(world.call(&session, "GET", &url, json!({})).await.0, 404);
    let stranger = world.session(&world.user("B").await).await;
    assert_eq!(world.call(&stranger, "GET", &format!("{url}/extra"), json!({})).await.0, 404);
}
