//! The guide "Webhooks" and the reference "Webhooks", request by request.

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tidings_core::egress::EgressPolicy;
use tidings_service::{HookChanges, NewHook, PageInput};

use super::likeness::{assert_like, is_id, names};
use super::world::World;
use crate::action::Action;

const MOUNTS: [&str; 2] = ["/v2/hooks", "/hooks"];
const FIELDS: [&str; 8] =
    ["__v", "_id", "action", "createdAt", "organization", "scope", "target_url", "updatedAt"];

fn asked(action: &str, target_url: &str) -> Value {
    json!({ "action": action, "target_url": target_url })
}

async fn created(world: &World, action: &str, target_url: &str) -> Value {
    let answer = world.call("POST", "/v2/hooks", asked(action, target_url)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn creating_as_printed_answers_201_with_the_object_as_printed() {
    let world = World::new().await;
    for (path, target_url, printed) in [
        (
            "/v2/hooks",
            "https://www.test.com/hooks?id=123",
            json!({ "_id": "60af526954e6605aae0dad5a", "target_url": "https://www.test.com/hooks?id=123",
                "action": "event.cancelled", "scope": "organization",
                "organization": "60af5269459aad001d0cb565", "updatedAt": "2021-05-27T08:03:53.775Z",
                "createdAt": "2021-05-27T08:03:53.775Z", "__v": 0 }),
        ),
        (
            "/hooks",
            "https://api.example.com/hooks/12345",
            json!({ "__v": 0, "createdAt": "2018-01-04T15:00:58.486Z",
                "updatedAt": "2018-01-04T15:00:58.486Z", "organization": "60af5269459aad001d0cb565",
                "scope": "organization", "action": "event.cancelled",
                "target_url": "https://api.example.com/hooks/12345", "_id": "5a4e41aaa8ced3001bf5da77" }),
        ),
    ] {
        let answer = world.call("POST", path, asked("event.cancelled", target_url)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{path}: {}", answer.body);
        assert_like(&printed, &answer.body, &[]);
        assert_eq!(names(&answer.body), FIELDS, "{path}");
        assert_eq!(answer.body["organization"], world.organization);
        assert_eq!(answer.body["createdAt"], answer.body["updatedAt"]);
    }
}

#[tokio::test]
async fn the_printed_url_with_the_stray_quote_in_its_key_works() {
    let world = World::new().await;
    let path = format!("/v2/hooks?api_key={}%5C%22", world.key);
    let body = asked("event.cancelled", "https://www.test.com/hooks?id=123").to_string();
    let answer = world.send("POST", &path, &[(AUTHORIZATION.as_str(), &world.key)], body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
}

#[tokio::test]
async fn the_printed_bodies_are_no_json_and_get_a_400() {
    let world = World::new().await;
    let printed = "{\n    target_url: \"https://www.test.com/hooks?id=123\"\n    action: 'event.cancelled'\n}";
    let hook = created(&world, "event.created", "https://www.test.com/hooks").await;
    let one = format!("/v2/hooks/{}", hook["_id"].as_str().unwrap());
    for (method, path) in [("POST", "/v2/hooks"), ("PUT", one.as_str())] {
        let answer =
            world.send(method, path, &[(AUTHORIZATION.as_str(), &world.key)], printed.into()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method}");
        assert_eq!(answer.body["code"], "malformed", "{}", answer.body);
    }
}

#[tokio::test]
async fn the_key_is_taken_from_the_header_or_the_query_and_must_be_one() {
    let world = World::new().await;
    let header = |key| vec![(AUTHORIZATION.as_str(), key)];
    let (own, other) = (world.key.as_str(), world.others_key.as_str());
    for (headers, query, status) in [
        (header(own), String::new(), StatusCode::OK),
        (vec![], format!("?api_key={own}"), StatusCode::OK),
        (header(own), format!("?api_key={own}"), StatusCode::OK),
        (header(own), format!("?api_key={other}"), StatusCode::UNAUTHORIZED),
        (header(own), "?api_key=nonsense".into(), StatusCode::UNAUTHORIZED),
        (vec![], String::new(), StatusCode::UNAUTHORIZED),
        (vec![], "?api_key=".into(), StatusCode::UNAUTHORIZED),
        (header("nonsense"), String::new(), StatusCode::UNAUTHORIZED),
        (
            vec![(AUTHORIZATION.as_str(), own), (AUTHORIZATION.as_str(), own)],
            String::new(),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        for path in MOUNTS {
            let answer =
                world.send("GET", &format!("{path}{query}"), &headers, String::new()).await;
            assert_eq!(answer.status, status, "{path}{query} {headers:?}: {}", answer.body);
        }
    }
    let bearer = format!("Bearer {own}");
    let answer = world.send("GET", "/hooks", &[("authorization", &bearer)], String::new()).await;
    assert_eq!(
        answer.status,
        StatusCode::UNAUTHORIZED,
        "the key is sent as it is, without a scheme"
    );
}

#[tokio::test]
async fn listing_is_a_bare_array_under_v2_and_under_a_key_without() {
    let world = World::new().await;
    assert_eq!(world.get("/v2/hooks").await, json!([]));
    assert_eq!(world.get("/hooks").await, json!({ "hooks": [] }));
    let mut expected = Vec::new();
    for (action, id) in [("event.updated", 645), ("event.cancelled", 123), ("event.created", 241)] {
        let url = format!("https://www.toto.com/hooks?id={id}");
        expected.push(created(&world, action, &url).await);
    }
    assert_eq!(world.get("/v2/hooks").await, json!(expected));
    assert_eq!(world.get("/hooks").await, json!({ "hooks": expected }));
}

#[tokio::test]
async fn put_without_a_body_lists_and_gets_as_the_guide_prints_it() {
    let world = World::new().await;
    let hook = created(&world, "event.created", "https://www.toto.com/hooks?id=241").await;
    let id = hook["_id"].as_str().unwrap();
    assert_eq!(world.put("/v2/hooks", Value::Null).await, json!([hook]));
    assert_eq!(world.put("/hooks", Value::Null).await, json!({ "hooks": [hook] }));
    for path in MOUNTS {
        let one = format!("{path}/{id}");
        assert_eq!(world.put(&one, Value::Null).await, hook, "{path}");
        assert_eq!(world.get(&one).await, hook, "{path}");
        let answer =
            world.call("PUT", path, asked("event.created", "https://a.example.com/")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn updating_replaces_action_and_target_url_and_needs_both() {
    let world = World::new().await;
    let hook = created(&world, "event.cancelled", "https://api.example.com/hooks/12345").await;
    let id = hook["_id"].as_str().unwrap();
    world.clock.advance_ms(5_000);
    for path in MOUNTS {
        let one = format!("{path}/{id}");
        for missing in [
            json!({ "action": "event.updated" }),
            json!({ "target_url": "https://api.example.com/hooks/54321" }),
            json!({ "action": "", "target_url": "https://api.example.com/hooks/54321" }),
            json!({}),
        ] {
            let answer = world.call("PUT", &one, missing.clone()).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{missing}");
            let said = answer.body["message"].as_str().unwrap();
            assert!(said.contains("is required"), "{missing}: {said}");
        }
        let answer =
            world.put(&one, asked("event.updated", "https://api.example.com/hooks/54321")).await;
        assert_eq!(answer["action"], "event.updated");
        assert_eq!(answer["target_url"], "https://api.example.com/hooks/54321");
        assert_eq!((&answer["_id"], &answer["createdAt"]), (&hook["_id"], &hook["createdAt"]));
        assert_eq!(answer["updatedAt"], "2020-07-14T09:45:25.862Z");
        assert_eq!(world.get(&one).await, answer);
        world.put(&one, asked("event.cancelled", "https://api.example.com/hooks/12345")).await;
    }
}

#[tokio::test]
async fn deleting_answers_204_without_content_and_then_404() {
    let world = World::new().await;
    for path in MOUNTS {
        let hook = created(&world, "event.created", "https://www.toto.com/hooks").await;
        let one = format!("{path}/{}", hook["_id"].as_str().unwrap());
        let answer = world.call("DELETE", &one, Value::Null).await;
        assert_eq!((answer.status, answer.body), (StatusCode::NO_CONTENT, Value::Null), "{path}");
        for method in ["GET", "PUT", "DELETE"] {
            let answer = world.call(method, &one, Value::Null).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(answer.body["message"], "hook not found");
        }
    }
    // As the reference prints it.
    let answer = world.call("DELETE", "/hooks/1234", Value::Null).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_documented_action_can_be_asked_for_and_no_other() {
    let world = World::new().await;
    for action in Action::ALL {
        let hook = created(&world, action.as_str(), "https://www.toto.com/hooks").await;
        assert_eq!(hook["action"], action.as_str());
        assert!(is_id(hook["_id"].as_str().unwrap()));
    }
    // Several hooks may ask for the same action.
    created(&world, "event.created", "https://www.toto.com/hooks").await;
    for stranger in ["event", "event.deleted", "event.*", "scheduling.created", "vyteme.created"] {
        let answer = world.call("POST", "/hooks", asked(stranger, "https://www.toto.com/")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{stranger}");
        let said = answer.body["message"].as_str().unwrap();
        assert!(said.starts_with("action must be one of event.created"), "{said}");
    }
    let several = json!({ "action": ["event.created"], "target_url": "https://www.toto.com/" });
    let answer = world.call("POST", "/hooks", several).await;
    assert_eq!(answer.body["message"], "action must be a string");
}

#[tokio::test]
async fn a_target_must_be_https_but_where_the_operator_allows_http() {
    let public = World::with(EgressPolicy::public_only()).await;
    for (url, words) in [
        ("http://www.test.com/hooks", "target_url must be a https url"),
        ("ftp://www.test.com/hooks", "target_url must be a https url"),
        ("www.test.com/hooks", "target_url"),
        ("https://localhost/hooks", "target_url is not acceptable"),
        ("https://127.0.0.1/hooks", "target_url is not acceptable"),
        ("https://user:pw@www.test.com/hooks", "target_url is not acceptable"),
    ] {
        let answer = public.call("POST", "/hooks", asked("event.created", url)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{url}");
        let said = answer.body["message"].as_str().unwrap();
        assert!(said.contains(words), "{url}: {said}");
    }
    let hook = created(&public, "event.created", "https://www.test.com/hooks").await;
    let one = format!("/hooks/{}", hook["_id"].as_str().unwrap());
    let answer = public.call("PUT", &one, asked("event.created", "http://www.test.com/")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(public.get(&one).await, hook);

    let development = World::new().await;
    created(&development, "event.created", "http://localhost:4003/webhooks/1").await;
    let answer =
        development.call("POST", "/hooks", asked("event.created", "http://10.0.0.1/")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_body_of_deliveries_is_an_object_unless_an_array_is_asked_for() {
    let world = World::new().await;
    for (format, expected) in
        [(None, "vyte@1"), (Some("object"), "vyte@1"), (Some("array"), "vyte@2")]
    {
        let mut body = asked("event.created", "https://www.test.com/hooks");
        body["format"] = json!(format);
        let answer = world.call("POST", "/hooks", body).await;
        assert_eq!(names(&answer.body), FIELDS);
        let hooks = world.service.hooks(&world.caller, &PageInput::default()).await.unwrap().items;
        assert_eq!(hooks.last().unwrap().format, expected);
    }
    let mut body = asked("event.created", "https://www.test.com/hooks");
    body["format"] = json!("xml");
    assert_eq!(world.call("POST", "/hooks", body).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn hooks_of_other_organizations_are_not_found() {
    let world = World::new().await;
    let hook = created(&world, "event.created", "https://www.test.com/hooks").await;
    let one = format!("/v2/hooks/{}", hook["_id"].as_str().unwrap());
    let headers = [(AUTHORIZATION.as_str(), world.others_key.as_str())];
    for method in ["GET", "PUT", "DELETE"] {
        let answer = world.send(method, &one, &headers, String::new()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}");
    }
    let answer = world.send("GET", "/v2/hooks", &headers, String::new()).await;
    assert_eq!(answer.body, json!([]));
    assert_eq!(world.get("/v2/hooks").await, json!([hook]));
}

#[tokio::test]
async fn a_hook_of_the_native_api_shows_when_it_is_of_this_format() {
    let world = World::new().await;
    let new = NewHook {
        url: Some("https://www.test.com/native".into()),
        format: Some("vyte@2".into()),
        triggers: vec!["user.joined".into()],
        ..NewHook::default()
    };
    let made = world.service.create_hook(&world.caller, new).await.unwrap().hook;
    let shown = world.get("/v2/hooks").await;
    assert_eq!(shown[0]["_id"], made.id.0.to_hex24());
    assert_eq!(shown[0]["action"], "user.joined");
    let changes = HookChanges {
        triggers: Some(vec!["user.joined".into(), "event.created".into()]),
        ..HookChanges::default()
    };
    world.service.update_hook(&world.caller, made.id, changes).await.unwrap();
    assert_eq!(world.get("/hooks").await["hooks"][0]["action"], "user.joined,event.created");
}
