//! The reference "Vytemes": booking pages.

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use super::world::World;

/// The example of `POST /v2/vytemes`, which is its printed answer too.
fn documented() -> Value {
    json!({
        "nickname": "jonh-doe-acme",
        "message": "Welcome to my booking page",
        "custom": {
            "auto_message": "Thank you for your booking. See you soon.",
            "auto_title": "RDV {{invitee}} / {{me}}",
            "ask_phone": true, "ask_company": false, "block_new_invitee": false, "duration": 30,
            "set_lang": true, "enable_api": true, "fixed_lang": "en", "set_timezone": true,
            "fixed_timezone": "Europe/London", "event_hide_decline": false, "hide_places": false,
            "hide_support": true, "hide_title": true, "forbid_add_places": true, "min_dates": 1,
            "one_slot": true, "auto_confirm": true,
            "invite_title": "Book a short appointment with",
            "redirect_url": "https://www.example.com/thanks-for-booking",
            "fixed_places": [
                { "name": "Office", "address": "Office address", "source": "appName",
                    "source_id": "placeIdInThirdPartyAppDatabase" },
                { "name": "Phone", "address": "0102030405" },
            ],
        },
    })
}

#[tokio::test]
async fn a_page_is_created_read_updated_and_deleted_as_printed() {
    let world = World::new().await;
    let one = "/v2/vytemes/jonh-doe-acme";
    assert_eq!(world.call("GET", one, Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post("/v2/vytemes", documented()).await, documented());
    assert_eq!(world.get(one).await, documented());
    assert_eq!(world.get("/v2/vytemes/JONH-doe-acme").await, documented());
    assert_eq!(world.kinds().await, [""; 0], "to create is not to update");
    let answer = world.call("POST", "/v2/vytemes/", documented()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["message"], "nickname is taken: choose another nickname");

    let mut expected = documented();
    expected["message"] = json!("Hello");
    expected["custom"]["duration"] = json!(45);
    let changes = json!({ "message": "Hello", "custom": { "duration": 45 } });
    assert_eq!(world.put(one, changes.clone()).await, expected);
    assert_eq!(world.put(one, changes).await, expected, "nothing is new");
    let told = world.told_since(0).await;
    let [(kind, data)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((kind.as_str(), &data["resource"]), ("page.updated", &expected));

    let answer = world.call("DELETE", one, Value::Null).await.ok();
    assert_eq!(answer, json!({ "n": 1, "ok": 1 }));
    for method in ["GET", "PUT", "DELETE"] {
        let answer = world.call(method, one, json!({ "message": "m" })).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}");
    }
    world.post("/v2/vytemes", documented()).await;
}

#[tokio::test]
async fn a_users_page_is_reached_by_user_and_by_nickname() {
    let world = World::new().await;
    let jean = world.jean().await;
    let of_jean = format!("/v2/users/{jean}/vyteme");
    assert_eq!(world.call("GET", &of_jean, Value::Null).await.status, StatusCode::NOT_FOUND);
    let page = world.put(&of_jean, documented()).await;
    assert_eq!(page["belongs_to"], jean);
    assert_eq!(world.get(&of_jean).await, page);
    assert_eq!(world.get("/v2/vytemes/jonh-doe-acme").await, page);
    let told = world.told_since(0).await;
    assert_eq!((told[0].0.as_str(), &told[0].1["user"]), ("page.updated", &json!(jean)));

    let renamed = world.put(&of_jean, json!({ "nickname": "jean" })).await;
    assert_eq!(renamed["custom"], documented()["custom"]);
    let old = world.call("GET", "/v2/vytemes/jonh-doe-acme", Value::Null).await;
    assert_eq!(old.status, StatusCode::NOT_FOUND);
    for path in [of_jean.as_str(), "/v2/vytemes/jean"] {
        assert_eq!(world.get(path).await, renamed, "{path}");
    }
    world.call("DELETE", &format!("/v2/users/{jean}"), Value::Null).await.ok();
    let gone = world.call("GET", "/v2/vytemes/jean", Value::Null).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "a page goes with its user");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_first_pages_at_the_same_time_one_is_made() {
    let world = World::new().await;
    let jean = world.jean().await;
    let of_jean = format!("/v2/users/{jean}/vyteme");
    let puts = (0..6).map(|n| {
        let (world, of_jean) = (&world, &of_jean);
        async move {
            let page = json!({ "nickname": format!("jean-{n}"), "custom": { n.to_string(): n } });
            world.put(of_jean, page).await
        }
    });
    join_all(puts).await;
    let page = world.get(&of_jean).await;
    assert_eq!(page["custom"].as_object().unwrap().len(), 6, "each is an update of the one before");
    let mut pages = 0;
    for n in 0..6 {
        let answer = world.call("GET", &format!("/v2/vytemes/jean-{n}"), Value::Null).await;
        if answer.status == StatusCode::OK {
            assert_eq!(answer.body, page);
            pages += 1;
        }
    }
    assert_eq!(pages, 1, "a user has one page");
}

#[tokio::test]
async fn a_page_may_come_with_its_user() {
    let world = World::new().await;
    let body = json!({ "organization": world.organization, "user": { "first_name": "Jean" },
        "vyteme": { "nickname": "jean" } });
    let user = world.post("/v2/users", body).await["user"]["_id"].clone();
    let page = world.get("/v2/vytemes/jean").await;
    assert_eq!(page, json!({ "nickname": "jean", "belongs_to": user, "custom": {} }));
    // One that cannot be made makes no user.
    let body =
        json!({ "organization": world.organization, "user": {}, "vyteme": { "nickname": "jean" } });
    let answer = world.call("POST", "/v2/users", body).await;
    assert_eq!(answer.body["message"], "nickname is taken: choose another nickname");
    assert_eq!(world.get("/v2/users").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_page_is_named() {
    let world = World::new().await;
    let jean = world.jean().await;
    world.put(&format!("/v2/users/{jean}/vyteme"), json!({ "nickname": "jean" })).await;
    world.post("/v2/vytemes", json!({ "nickname": "free" })).await;
    for (method, path, body, words) in [
        ("POST", "/v2/vytemes", json!({}), "nickname is required"),
        ("POST", "/v2/vytemes", json!({ "nickname": "a/b" }), "nickname has letters"),
        ("POST", "/v2/vytemes", json!({ "nickname": "jean" }), "nickname is taken"),
        ("POST", "/v2/vytemes", json!({ "nickname": "x", "message": 1 }), "message must be"),
        (
            "POST",
            "/v2/vytemes",
            json!({ "nickname": "x", "custom": [] }),
            "custom must be an object",
        ),
        ("POST", "/v2/vytemes", json!({ "nickname": "x", "belongs_to": "no" }), "is not a user"),
        (
            "POST",
            "/v2/vytemes",
            json!({ "nickname": "x", "belongs_to": jean }),
            "has a page already",
        ),
        ("PUT", "/v2/vytemes/free", json!({ "nickname": "jean" }), "nickname is taken"),
        ("PUT", "/v2/vytemes/free", json!({ "belongs_to": jean }), "has a page already"),
    ] {
        let answer = world.call(method, path, body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.body);
        let said = answer.body["message"].as_str().unwrap();
        assert!(said.contains(words), "{body}: {said}");
    }
    let other = json!({ "belongs_to": "5f2d28fb1e0662e70071d46b" });
    let answer = world.call("PUT", &format!("/v2/users/{jean}/vyteme"), other).await;
    assert_eq!(answer.body["message"], "belongs_to is not the user in the path");
}
