//! Google, as the simulator plays it: the whole way, and what Google's own description says of every
//! request that was made on it.

use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tidings_core::egress::EgressPolicy;
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tidings_simulators::google::{CLIENT_ID, CLIENT_SECRET, Google, PERSON};
use tidings_simulators::server::Setup;
use tidings_testkit::receiver::{Received, TestReceiver};
use url::Url;

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{python, root, run};

/// Tidings with an account at a Google.
struct World {
    google: Google,
    tidings: Tidings,
    receiver: TestReceiver,
    account: String,
    calendar: String,
}

impl World {
    /// Connects the account by consent and waits until Google pushes.
    async fn start() -> Self {
        let google = Google::start(&Setup::default()).await.unwrap();
        google.switches(|switches| switches.https_only = false);
        let tidings = Tidings::start_with(&[
            ("TIDINGS_GOOGLE__CLIENT_ID", CLIENT_ID),
            ("TIDINGS_GOOGLE__CLIENT_SECRET", CLIENT_SECRET),
            ("TIDINGS_GOOGLE__API_URL", google.api_url().as_str()),
            ("TIDINGS_GOOGLE__AUTHORIZE_URL", google.authorize_url().as_str()),
            ("TIDINGS_GOOGLE__TOKEN_URL", google.token_url().as_str()),
            ("TIDINGS_GOOGLE__REVOKE_URL", google.revoke_url().as_str()),
        ])
        .await;
        let receiver = TestReceiver::start().await;
        tidings.hook(&receiver, &["event.*", "calendar.*", "account.*"]).await;
        let connection = json!({ "provider": "google", "return_to": tidings.url("/done") });
        let begun = tidings.call("POST", "/connections", connection).await;
        let callback = sent_on(begun["authorize_url"].as_str().unwrap()).await;
        let back = sent_on(callback.as_str()).await;
        let account = back.query_pairs().find(|(name, _)| name == "account");
        let account = account.unwrap_or_else(|| panic!("{back}")).1.into_owned();
        let mut world = Self { google, tidings, receiver, account, calendar: String::new() };
        world.calendar = world.watched(PERSON).await;
        world
    }

    /// Waits until the calendar is pushed about; returns its id.
    async fn watched(&self, external_id: &str) -> String {
        let begun = Instant::now();
        loop {
            let path = format!("/accounts/{}/calendars", self.account);
            let calendars = self.tidings.get(&path).await;
            let mut items = calendars["data"].as_array().unwrap().iter();
            let found = items.find(|one| one["external_id"] == external_id);
            if let Some(found) = found.filter(|one| one["watch"]["how"] == "pushed") {
                return found["id"].as_str().unwrap().to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{calendars}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Waits for a webhook that says this.
    async fn told(&self, kind: &str, says: &str) {
        let fits = |received: &Received| {
            let body = String::from_utf8_lossy(&received.body);
            let document: Value = serde_json::from_slice(&received.body).unwrap_or_default();
            document["type"] == kind && body.contains(says)
        };
        let begun = Instant::now();
        while !self.receiver.received().iter().any(fits) {
            assert!(begun.elapsed() < PATIENCE, "no {kind} with {says:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn events(&self) -> String {
        format!("/calendars/{}/events", self.calendar)
    }

    /// Events made, changed and deleted by us: a single one, and a series in every scope.
    async fn write(&self) {
        let tidings = &self.tidings;
        let single = json!({
            "title": "Ours", "start": "2030-01-07T09:00:00", "end": "2030-01-07T10:00:00",
            "timeZone": "Europe/Berlin", "attendees": [{ "email": "bob@example.com", "optional": true }],
            "availability": "free", "privacy": "private", "conference": "create",
            "properties": { "crm": "7" },
        });
        let path = format!("{}?notify=all", self.events());
        let id = text(&tidings.call("POST", &path, single).await["id"]);
        let event = format!("{}/{id}", self.events());
        let days = json!({ "title": "All day", "start": "2030-01-07", "end": "2030-01-08", "location": null });
        let changed = tidings.call("PATCH", &event, days).await;
        let again = json!({ "conference": null, "attendees": [], "description": "x" });
        let etag = text(&changed["etag"]);
        let full = format!("/api/v1{event}");
        let key = &tidings.server.key;
        let headers = [("if-match", etag.as_str())];
        assert_eq!(tidings.send("PATCH", &full, key, &headers, Some(&again)).await.0, 200);
        assert_eq!(tidings.send("PATCH", &full, key, &headers, Some(&again)).await.0, 412);
        tidings.call("DELETE", &event, Value::Null).await;

        let series = json!({
            "title": "Series", "start": "2030-01-07T09:00:00", "end": "2030-01-07T10:00:00",
            "timeZone": "Europe/Berlin", "recurrence": "FREQ=DAILY;COUNT=6",
        });
        let master = text(&tidings.call("POST", &self.events(), series).await["id"]);
        let range = "from=2030-01-05T00:00:00Z&to=2030-02-01T00:00:00Z&expand=true";
        let expanded = tidings.get(&format!("{}?{range}", self.events())).await;
        let occurrences: Vec<String> =
            expanded["data"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect();
        assert_eq!(occurrences.len(), 6, "{expanded}");
        let of = |n: usize| format!("{}/{}", self.events(), occurrences[n].replace('#', "%23"));
        let title = |title: &str| json!({ "title": title });
        tidings.call("PATCH", &of(1), title("Moved once")).await;
        tidings.call("DELETE", &of(2), Value::Null).await;
        tidings.call("PATCH", &format!("{}?scope=following", of(4)), title("Later")).await;
        let all = format!("{}/{master}?scope=all", self.events());
        tidings.call("PATCH", &all, title("All")).await;
        tidings.call("DELETE", &all, Value::Null).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Where a page sends a browser on to.
pub(crate) async fn sent_on(url: &str) -> Url {
    let egress = Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public());
    let request = Request {
        method: Method::GET,
        url: &egress.policy().vet_url(url).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        budget: Budget::provider(),
    };
    let response = egress.send(request).await.result.unwrap();
    let location = response.headers.iter().find(|(name, _)| name == "location");
    let location = &location.unwrap_or_else(|| panic!("{url}: {}", response.status)).1;
    std::str::from_utf8(location).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_google_is_as_google_describes_it() {
    let world = World::start().await;
    let google = &world.google;
    let event = json!({
        "summary": "Theirs",
        "start": { "dateTime": "2030-01-02T15:00:00Z" },
        "end": { "dateTime": "2030-01-02T16:00:00Z" },
    });
    let id = text(&google.create_event(PERSON, &event)["id"]);
    world.told("event.created", "Theirs").await;
    google.edit_event(PERSON, &id, &json!({ "summary": "Theirs again" }));
    world.told("event.updated", "Theirs again").await;
    world.write().await;
    let second = google.create_calendar(PERSON, "Second");
    world.watched(&second).await;
    google.expire_sync_tokens(PERSON);
    google.delete_event(PERSON, &id);
    world.told("event.deleted", &id).await;
    google.delete_calendar(&second);
    world.told("calendar.deleted", "Second").await;

    // Everything is given back: channels are stopped before the tokens are revoked.
    let path = format!("/accounts/{}", world.account);
    world.tidings.call("DELETE", &path, Value::Null).await;
    let begun = Instant::now();
    while google.oauth().counts().revocations == 0 {
        assert!(begun.elapsed() < PATIENCE, "nothing was revoked");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(google.live_channels(), []);

    let lines = google.log().json_lines();
    let script = root().join("tests/vendor/google_requests.py");
    let judged: Value =
        serde_json::from_str(&run(Command::new(python()).arg(script), &lines)).unwrap();
    for method in [
        "calendarList.list",
        "calendarList.watch",
        "channels.stop",
        "events.delete",
        "events.insert",
        "events.list",
        "events.patch",
        "events.watch",
    ] {
        assert!(judged[format!("calendar.{method}")].as_u64() > Some(0), "{method}: {judged}");
    }
}
