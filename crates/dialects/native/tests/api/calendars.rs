//! Calendars and events on the wire.

use http::{Method, Request};
use serde_json::{Value, json};

use crate::world::{Answer, MADE, World, request};

/// The id of a calendar of the first app.
async fn calendar(world: &World) -> String {
    let account = json!({"provider": "caldav", "server_url": "https://dav.example.com/",
        "username": "ada", "password": "secret"});
    let account = world.post(&world.app.key, "/accounts", account).await.json();
    world.calendar(account["id"].as_str().unwrap()).await
}

fn tea() -> Value {
    json!({"title": "Tea", "start": "2026-12-02T15:00:00", "end": "2026-12-02T16:00:00",
        "timeZone": "Europe/London"})
}

struct Case<'w> {
    world: &'w World,
    calendar: String,
}

impl Case<'_> {
    fn request(&self, method: Method, rest: &str, body: Option<Value>) -> Request<Vec<u8>> {
        let target = format!("/api/v1/calendars/{}{rest}", self.calendar);
        request(method, &self.world.app.key, &target, body)
    }

    async fn send(&self, method: Method, rest: &str, body: Option<Value>) -> Answer {
        self.world.send(self.request(method, rest, body)).await
    }

    async fn with(
        &self,
        method: Method,
        rest: &str,
        body: Option<Value>,
        (name, value): (&'static str, &str),
    ) -> Answer {
        let mut request = self.request(method, rest, body);
        request.headers_mut().insert(name, value.parse().unwrap());
        self.world.send(request).await
    }
}

const PATH: &str = "/events/%2Fada%2Fwork%2Ftea.ics";

#[tokio::test]
async fn an_event_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let case = Case { calendar: calendar(&world).await, world: &world };
    let key = ("idempotency-key", "k-1");
    let made = case.with(Method::POST, "/events", Some(tea()), key).await;
    assert_eq!(made.status, 201, "{made:?}");
    let location = made.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("/api/v1/calendars/{}{PATH}", case.calendar));
    let etag = made.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(
        (made.json()["etag"].as_str(), made.json()["id"].as_str()),
        (Some(&etag[..]), Some(MADE))
    );
    assert!(!made.headers.contains_key("idempotency-replayed"));
    // The engine mirrors what it made.
    world.mirror(&case.calendar, MADE, "m1").await;
    let again = case.with(Method::POST, "/events", Some(tea()), key).await;
    assert_eq!((again.status.as_u16(), again.json()), (201, made.json()));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = case.with(Method::POST, "/events?notify=external", Some(tea()), key).await;
    assert_eq!(other.status, 422, "{other:?}");

    let read = case.send(Method::GET, PATH, None).await;
    assert_eq!((read.status.as_u16(), read.json()), (200, made.json()));
    assert_eq!(read.headers["etag"], etag.as_str());
    assert_eq!(read.json()["event"]["title"], "Tea");
    let list = case.send(Method::GET, "/events?from=2026-12-01T00:00:00Z", None).await.json();
    assert_eq!(list["data"], json!([made.json()]));

    let patch = || Some(json!({"title": "Tea and cake", "location": null}));
    let stale = case.with(Method::PATCH, PATH, patch(), ("if-match", "\"0\"")).await;
    assert_eq!(stale.status, 412, "{stale:?}");
    stale.assert_problem();
    assert_eq!(stale.headers["etag"], etag.as_str(), "the current version is told");
    assert_eq!(
        (stale.json()["code"].as_str(), stale.json()["etag"].as_str()),
        (Some("stale"), Some(&etag[..]))
    );
    let whole = format!("{PATH}?scope=all&notify=none");
    let changed = case.with(Method::PATCH, &whole, patch(), ("if-match", &etag)).await;
    assert_eq!(changed.status, 200, "{changed:?}");

    let deleted = case.with(Method::DELETE, PATH, None, ("if-match", "*")).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    let unknown = case.send(Method::DELETE, "/events/nobody", None).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_said() {
    let world = World::new().await;
    let case = Case { calendar: calendar(&world).await, world: &world };
    for (method, rest, body, status, code) in [
        (Method::POST, "/events", Some(json!({})), 422, "invalid"),
        (Method::POST, "/events", Some(json!([])), 422, "invalid"),
        (Method::POST, "/events", Some(json!({"title": 1, "start": "x"})), 422, "invalid"),
        (Method::POST, "/events?scope=all", Some(tea()), 400, "invalid_query"),
        (Method::POST, "/events?notify=everyone", Some(tea()), 400, "invalid_query"),
        (Method::POST, "/events?notify=all", Some(tea()), 503, "provider_unavailable"),
        (Method::PATCH, "/events/x?scope=some", Some(tea()), 400, "invalid_query"),
        (Method::PATCH, "/events/x", Some(json!({})), 422, "invalid"),
        (Method::PATCH, "/events/x", Some(tea()), 404, "not_found"),
        (Method::GET, "/events?expand=true", None, 400, "invalid_query"),
        (Method::GET, "/events?from=yesterday", None, 400, "invalid_query"),
        (Method::GET, "/events?cursor=AAAA", None, 400, "invalid_query"),
        (Method::GET, "/events/nobody", None, 404, "not_found"),
    ] {
        let answer = case.send(method.clone(), rest, body.clone()).await;
        assert_eq!(answer.status, status, "{method} {rest} {body:?}: {answer:?}");
        answer.assert_problem();
        assert_eq!(answer.json()["code"], code, "{method} {rest}: {answer:?}");
    }
    let closed = case.send(Method::POST, "/events?notify=all", Some(tea())).await;
    assert_eq!(closed.headers["retry-after"], "7");
    let malformed = case.with(Method::DELETE, PATH, None, ("if-match", "0")).await;
    assert_eq!(
        (malformed.status.as_u16(), malformed.json()["code"].as_str()),
        (400, Some("malformed"))
    );
    let pointers: Vec<_> = case
        .send(Method::POST, "/events", Some(json!({"title": 1, "start": "x", "end": "2026-12-03"})))
        .await
        .json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(pointers, ["/start", "/title"]);
}

#[tokio::test]
async fn a_calendar_and_how_it_is_watched_are_told() {
    let world = World::new().await;
    let case = Case { calendar: calendar(&world).await, world: &world };
    let read = case.send(Method::GET, "", None).await.json();
    assert_eq!(
        (read["id"].as_str(), read["name"].as_str()),
        (Some(&case.calendar[..]), Some("Work"))
    );
    assert_eq!(read["watch"]["how"], "polled");
    assert_eq!(read["watch"]["reason"], "caldav does not push");
    let account = read["account"].as_str().unwrap();
    let list = world.get(&world.app.key, &format!("/accounts/{account}/calendars")).await.json();
    assert_eq!(list["data"], json!([read]));
}

#[tokio::test]
async fn a_connection_begins_with_a_page_of_its_provider() {
    let world = World::new().await;
    let begin = json!({"provider": "google", "return_to": "https://app.example.com/done"});
    let begun = world.post(&world.app.key, "/connections", begin).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let begun = begun.json();
    let url = begun["authorize_url"].as_str().unwrap();
    assert!(url.starts_with("https://accounts.google.com/o/oauth2/v2/auth?"), "{url}");
    assert_eq!(begun["expires_at"], "2026-11-21T08:10:00.000Z");
    for (body, pointer) in [
        (json!({"provider": "zoom"}), "/provider"),
        (json!({"provider": "google", "return_to": "http://app.example.com"}), "/return_to"),
        (json!({"provider": "google", "state": "mine"}), "/state"),
    ] {
        let refused = world.post(&world.app.key, "/connections", body.clone()).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()["errors"][0]["pointer"].as_str()),
            (422, Some(pointer)),
            "{body}"
        );
    }
}
