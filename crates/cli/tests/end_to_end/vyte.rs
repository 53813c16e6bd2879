//! Vyte's guide and reference against the binary, with a receiver: the documented requests as curl sends
//! them, and the way of testing of the vendor's founder, a receiver that knows each hook by its path.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tidings_core::egress::EgressPolicy;
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tidings_testkit::receiver::{Answer, Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};

const ACTIONS: [&str; 8] = [
    "event.created",
    "event.confirmed",
    "event.updated",
    "event.cancelled",
    "event.voted",
    "event.new_invitee",
    "user.joined",
    "vyteme.updated",
];

/// An organization that speaks to the binary with its raw key.
struct Organization {
    tidings: Tidings,
    key: String,
    id: String,
    egress: Egress,
}

impl Organization {
    async fn start() -> Self {
        let tidings = Tidings::start().await;
        let scopes = ["hooks", "read", "accounts", "records"];
        let key = tidings.call("POST", "/keys", json!({ "name": "vyte", "scopes": scopes })).await;
        let key = key["token"].as_str().unwrap().to_owned();
        let egress = Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public());
        let mut organization = Self { tidings, key, id: String::new(), egress };
        let hook = json!({ "action": "event.created", "target_url": "http://127.0.0.1:9/" });
        let (status, hook) = organization.send("POST", "/hooks", hook).await;
        assert_eq!(status, 201, "{hook}");
        organization.id = hook["organization"].as_str().unwrap().to_owned();
        let path = format!("/hooks/{}", hook["_id"].as_str().unwrap());
        assert_eq!(organization.send("DELETE", &path, Value::Null).await.0, 204);
        organization
    }

    /// As the documentation's curl: the raw key, a JSON body when there is one.
    async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::try_from(self.key.as_str()).unwrap());
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = Request {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            url: &self.egress.policy().vet_url(&self.tidings.url(path)).unwrap(),
            headers,
            body,
            budget: Budget::provider(),
        };
        let response = self.egress.send(request).await.result.unwrap();
        (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    async fn hook(&self, path: &str, action: &str, target_url: &str) -> Value {
        let asked = json!({ "action": action, "target_url": target_url });
        let (status, hook) = self.send("POST", path, asked).await;
        assert_eq!(status, 201, "{hook}");
        hook
    }
}

fn body(request: &Received) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_is_played_from_creating_a_hook_to_deleting_it() {
    let vyte = Organization::start().await;
    let receiver = TestReceiver::start().await;
    let target_url = receiver.url("/hooks?id=123");

    // Create, modify, list, get: the guide prints PUT for the last two.
    let hook = vyte.hook("/v2/hooks", "event.created", &target_url).await;
    let one = format!("/v2/hooks/{}", hook["_id"].as_str().unwrap());
    let changes = json!({ "action": "event.cancelled", "target_url": target_url });
    let modified = vyte.ok("PUT", &one, changes).await;
    assert_eq!(modified["action"], "event.cancelled");
    for method in ["GET", "PUT"] {
        assert_eq!(vyte.ok(method, "/v2/hooks", Value::Null).await, json!([modified]));
        assert_eq!(vyte.ok(method, "/hooks", Value::Null).await, json!({ "hooks": [modified] }));
        assert_eq!(vyte.ok(method, &one, Value::Null).await, modified);
    }

    // The event of the reference's example of a call, cancelled.
    let asked = json!({
        "confirmed": { "flag": true },
        "created_by": { "email": "user.name@domain.com" },
        "dates": [{ "all_day": false, "date": "2017-11-10T11:00:00.000Z",
            "end_date": "2017-11-10T12:00:00.000Z" }],
        "invitees": [{ "full_name": "Person booking a slot name", "email": "jean.dupont@domain.com",
            "phone": "0601020304" }],
        "lang": "fr", "locale": "fr",
        "messages": [{ "body": "I’m booking appointment about this" }],
        "places": [{ "name": "Office name", "address": "12 rue de Rivoli, 75004, Paris, France" }],
        "timezone": "Europe/Paris", "title": "Appointment about topic", "vyteme": true,
    });
    let event = vyte.ok("POST", "/v2/events", asked).await;
    let path = format!("/v2/events/{}", event["_id"].as_str().unwrap());
    vyte.ok("POST", &format!("{path}/cancel"), Value::Null).await;
    let request = receiver.wait_for(1, PATIENCE).await.remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hooks?id=123"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let delivered = body(&request);
    assert_eq!(delivered["action"], "event.cancelled");
    assert_eq!(delivered["organization"], vyte.id);
    assert!(delivered["resource"]["cancelled"].is_string(), "{delivered}");
    assert_eq!(delivered["resource"], vyte.ok("GET", &path, Value::Null).await);

    let (status, answer) = vyte.send("DELETE", &one, Value::Null).await;
    assert_eq!((status, answer), (204, Value::Null));
    assert_eq!(vyte.send("GET", &one, Value::Null).await.0, 404);
    // Its URL is not called any more: that of a hook made after it is, for the next event.
    vyte.hook("/v2/hooks", "event.cancelled", &receiver.url("/after")).await;
    let event = json!({ "title": "t", "created_by": { "email": "a@example.com" } });
    let event = vyte.ok("POST", "/v2/events", event).await;
    let path = format!("/v2/events/{}/cancel", event["_id"].as_str().unwrap());
    vyte.ok("POST", &path, Value::Null).await;
    let received = receiver.wait_for(2, PATIENCE).await;
    let paths: Vec<_> = received.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/hooks?id=123", "/after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_action_arrives_where_its_hook_is_registered() {
    let vyte = Organization::start().await;
    let receiver = TestReceiver::start().await;
    // As saintmac/webhook-tester: a path for each hook, and 404 for those that nobody waits for.
    receiver.answer_with(|request| {
        let expected = ACTIONS.iter().any(|action| request.path == format!("/webhooks/{action}"));
        Answer::status(if expected { 200 } else { 404 })
    });
    for (place, action) in ACTIONS.into_iter().enumerate() {
        let path = if place % 2 == 0 { "/hooks" } else { "/v2/hooks" };
        vyte.hook(path, action, &receiver.url(&format!("/webhooks/{action}"))).await;
    }

    let link = format!("/organizations/{}/join?extid=1234&email=creator@example.com", vyte.id);
    let joined = vyte.ok("GET", &link, Value::Null).await;
    let user = joined["user"]["_id"].as_str().unwrap();
    let page = json!({ "nickname": "jean-dupont", "custom": { "duration": 30 } });
    vyte.ok("PUT", &format!("/v2/users/{user}/vyteme"), page).await;
    let event = json!({
        "title": "First created event",
        "created_by": { "email": "creator@example.com" },
        "dates": [
            { "all_day": false, "date": "2020-07-16T09:00:00", "end_date": "2020-07-16T10:00:00" },
            { "all_day": false, "date": "2020-07-16T14:00:00+0100", "end_date": "2020-07-16T15:00:00" },
        ],
        "places": [{ "name": "Place for the meeting." }],
    });
    let event = vyte.ok("POST", "/v2/events", event).await;
    let path = format!("/v2/events/{}", event["_id"].as_str().unwrap());
    vyte.ok("POST", &format!("{path}/invitees"), json!([{ "email": "guest@example.com" }])).await;
    let ballot = json!({ "created_by": { "email": "guest@example.com" },
        "dates": { "yes": [event["dates"][1]["_id"]] } });
    vyte.ok("POST", &format!("{path}/votes"), ballot).await;
    let confirmed = vyte.ok("POST", &format!("{path}/confirm"), Value::Null).await;
    assert_eq!(confirmed["confirmed"]["date_id"], event["dates"][1]["_id"]);
    vyte.ok("PUT", &path, json!({ "title": "First created event (updated)" })).await;
    vyte.ok("POST", &format!("{path}/cancel"), Value::Null).await;

    let received = receiver.wait_for(ACTIONS.len(), PATIENCE).await;
    assert_eq!(received.len(), ACTIONS.len(), "each once");
    for action in ACTIONS {
        let path = format!("/webhooks/{action}");
        let request = received.iter().find(|request| request.path == path).expect(action);
        let delivered = body(request);
        assert_eq!(delivered["action"], action);
        assert_eq!(delivered["organization"], vyte.id);
        assert_eq!(delivered["user"], user, "{action}");
        let resource = &delivered["resource"];
        match action {
            "user.joined" => {
                assert_eq!(resource["account"]["organization"]["extid"], "1234");
            }
            "vyteme.updated" => assert_eq!(resource["nickname"], "jean-dupont"),
            _ => assert_eq!(resource["_id"], event["_id"], "{action}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_gets_the_same_delivery_again() {
    let vyte = Organization::start().await;
    let receiver = TestReceiver::start().await;
    receiver.answer_next(Answer::status(503));
    let (status, hook) = vyte
        .send(
            "POST",
            "/hooks",
            json!({ "action": "event.created", "target_url": receiver.url("/"), "format": "array" }),
        )
        .await;
    assert_eq!(status, 201, "{hook}");
    let event = json!({ "title": "t", "created_by": { "email": "a@example.com" } });
    let event = vyte.ok("POST", "/v2/events", event).await;
    let received = receiver.wait_for(2, PATIENCE + Duration::from_secs(30)).await;
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    let delivered = body(&received[1]);
    assert_eq!(delivered.as_array().unwrap().len(), 1, "{delivered}");
    assert_eq!(delivered[0]["resource"], event);
}
