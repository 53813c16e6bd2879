//! The two-way story of Pyas, told with the calls that its documentation names: accounts are connected by
//! a code, a change at the provider becomes a webhook, the webhook leads to the event, what is written
//! back is there at the provider, and no echo comes of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_simulators::google::{CLIENT_ID, CLIENT_SECRET, Google, PERSON};
use tidings_simulators::graph::{ADA, CLIENT, Graph};
use tidings_simulators::server::Setup;
use tidings_testkit::caldav::{CalendarServer, Kind};
use tidings_testkit::receiver::{Received, TestReceiver};

use crate::google::sent_on;
use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{edit, event as resource};
use crate::watched::soon;

const POLL: Duration = Duration::from_millis(20);
const REDIRECT: &str = "https://app.example.com/callback";

/// An application that was written for Pyas.
struct Application {
    tidings: Tidings,
    receiver: TestReceiver,
}

impl Application {
    async fn start(google: &Google, graph: &Graph) -> Self {
        google.switches(|switches| switches.https_only = false);
        let tidings = Tidings::start_with(&[
            ("TIDINGS_GOOGLE__CLIENT_ID", CLIENT_ID),
            ("TIDINGS_GOOGLE__CLIENT_SECRET", CLIENT_SECRET),
            ("TIDINGS_GOOGLE__API_URL", google.api_url().as_str()),
            ("TIDINGS_GOOGLE__AUTHORIZE_URL", google.authorize_url().as_str()),
            ("TIDINGS_GOOGLE__TOKEN_URL", google.token_url().as_str()),
            ("TIDINGS_GOOGLE__REVOKE_URL", google.revoke_url().as_str()),
            ("TIDINGS_MICROSOFT__CLIENT_ID", CLIENT.0),
            ("TIDINGS_MICROSOFT__CLIENT_SECRET", CLIENT.1),
            ("TIDINGS_MICROSOFT__API_URL", graph.api().as_str()),
            ("TIDINGS_MICROSOFT__AUTHORIZE_URL", graph.authorize_url("common").as_str()),
            ("TIDINGS_MICROSOFT__TOKEN_URL", graph.token_url("common").as_str()),
        ])
        .await;
        Self::on(tidings).await
    }

    /// With a hook that takes every trigger.
    async fn on(tidings: Tidings) -> Self {
        let receiver = TestReceiver::start().await;
        let apps = tidings.get("/apps").await;
        let app = format!("/apps/{}", apps["data"][0]["id"].as_str().unwrap());
        let settings = json!({ "settings": { "redirect_uris": [REDIRECT] } });
        tidings.call("PATCH", &app, settings).await;
        let hook = hook(&receiver.url("/webhooks"), "documented");
        tidings.call("POST", "/hooks", hook).await;
        Self { tidings, receiver }
    }

    /// A call of Pyas that must succeed.
    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let key = self.tidings.server.key.clone();
        let headers = [("x-api-key", key.as_str())];
        let body = (!body.is_null()).then_some(&body);
        let path = format!("/pyas{path}");
        let (status, answer) = self.tidings.send(method, &path, "", &headers, body).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{method} {path}: {answer}");
        answer
    }

    /// Connects an account as the application's pages would; returns its id.
    async fn connect(&self, provider: &str, email: &str) -> String {
        let path = format!("/{provider}/oauth?email={}&state=s1", email.replace('@', "%40"));
        let page = self.call("GET", &path, Value::Null).await;
        let back = sent_on(page["url"].as_str().unwrap()).await;
        assert!(back.as_str().starts_with(REDIRECT), "{back}");
        let said = |wanted: &str| {
            let found = back.query_pairs().find(|(name, _)| name == wanted);
            found.unwrap_or_else(|| panic!("{back}")).1.into_owned()
        };
        assert_eq!(said("state"), "s1");
        let body = json!({ "code": said("code"), "name": "John Doe" });
        let answer = self.call("POST", &format!("/{provider}/connect"), body).await;
        let account = &answer["data"]["account"];
        assert_eq!((&account["name"], &account["status"]), (&json!("John Doe"), &json!("active")));
        let id = account["accountId"].as_str().unwrap().to_owned();
        let connected = self.told("account.connected", &id, provider, "").await;
        assert_eq!(connected.header("content-type"), None);
        id
    }

    /// Waits until the provider pushes about this calendar.
    async fn pushed(&self, account: &str, calendar: &str) {
        let begun = Instant::now();
        loop {
            let calendars = self.tidings.get(&format!("/accounts/{account}/calendars")).await;
            let mut items = calendars["data"].as_array().unwrap().iter();
            let found = items.find(|one| one["external_id"] == calendar);
            if found.is_some_and(|one| one["watch"]["how"] == "pushed") {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{calendars}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits for a webhook with these headers and these words in its body.
    async fn told(&self, trigger: &str, account: &str, provider: &str, words: &str) -> Received {
        let fits = |received: &Received| {
            received.header("x-pyas-webhook-event") == Some(trigger)
                && received.header("x-pyas-account-id") == Some(account)
                && received.header("x-provider") == Some(provider)
                && String::from_utf8_lossy(&received.body).contains(words)
                && received.body.is_empty() == trigger.starts_with("account.")
        };
        let begun = Instant::now();
        loop {
            if let Some(found) = self.receiver.received().into_iter().find(fits) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "no {trigger} with {words:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The webhooks of a trigger that name this event.
    fn named(&self, trigger: &str, event: &str) -> usize {
        let received = self.receiver.received();
        let named = received.iter().filter(|received| {
            received.header("x-pyas-webhook-event") == Some(trigger)
                && String::from_utf8_lossy(&received.body).contains(event)
        });
        named.count()
    }
}

/// A hook with every trigger.
fn hook(url: &str, providers: &str) -> Value {
    json!({ "url": url, "format": "pyas@1", "providers": providers, "triggers": [
        "account.connected", "account.inactive", "account.deleted", "calendars.created",
        "calendars.deleted", "events.created", "events.updated", "events.deleted",
    ]})
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_at_google_comes_back_to_it_without_an_echo() {
    let google = Google::start(&Setup::default()).await.unwrap();
    let graph = Graph::start(&Setup::default()).await.unwrap();
    let app = Application::start(&google, &graph).await;
    let account = app.connect("google", PERSON).await;
    app.pushed(&account, PERSON).await;
    let path = format!("/google/calendars?accountId={account}");
    let calendars = app.call("GET", &path, Value::Null).await["data"]["calendars"].clone();
    let entry = calendars.as_array().unwrap().iter().find(|one| one["id"] == PERSON).unwrap();
    assert_eq!(entry["kind"], "calendar#calendarListEntry", "{entry}");

    let theirs = google.create_event(
        PERSON,
        &json!({ "summary": "Theirs", "start": { "dateTime": format!("{}T15:00:00Z", soon()) },
                 "end": { "dateTime": format!("{}T16:00:00Z", soon()) } }),
    );
    let id = text(&theirs["id"]);
    let told = app.told("events.created", &account, "google", &id).await;
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    let named = json!({ "events": [{ "calendarId": PERSON, "eventId": id }] });
    assert_eq!(body, named);

    // What the webhook names is what the calls for it take.
    let named = &body["events"][0];
    let place = format!(
        "/google/events/{}?accountId={}&calendarId={}",
        text(&named["eventId"]),
        told.header("x-pyas-account-id").unwrap(),
        encoded(&text(&named["calendarId"])),
    );
    let event = app.call("GET", &place, Value::Null).await["event"].clone();
    assert_eq!((&event["summary"], &event["kind"]), (&json!("Theirs"), &json!("calendar#event")));
    let list = place.replace(&format!("/events/{id}?"), "/events?");
    let data = app.call("GET", &list, Value::Null).await["data"].clone();
    assert_eq!(data["events"], json!([event]));
    let token = text(&data["nextSyncToken"]);

    let change = json!({ "accountId": account, "calendarId": PERSON,
                         "eventData": { "title": "Confirmed", "meta": { "crm": "7" } } });
    let changed = app.call("PATCH", &format!("/google/events/{id}"), change).await;
    assert_eq!(changed["event"]["summary"], "Confirmed");
    assert_eq!(google.truth()[PERSON][&id]["summary"], "Confirmed");
    let path = format!("{list}&privateExtendedProperty=crm%3D7");
    let found = app.call("GET", &path, Value::Null).await;
    assert_eq!(found["data"]["events"][0]["id"], json!(id));

    // A change of theirs after ours: everything before it has been told by then.
    google.edit_event(PERSON, &id, &json!({ "location": "Room Ulm" }));
    app.told("events.updated", &account, "google", &id).await;
    let read = async || app.call("GET", &place, Value::Null).await["event"]["location"].clone();
    let begun = Instant::now();
    while read().await != "Room Ulm" {
        assert!(begun.elapsed() < PATIENCE, "their change does not arrive");
        tokio::time::sleep(POLL).await;
    }
    assert_eq!(app.named("events.updated", &id), 1, "an echo of our own change");
    let since = app.call("GET", &format!("{list}&syncToken={token}"), Value::Null).await;
    assert_eq!(since["data"]["events"][0]["summary"], "Confirmed", "{since}");

    google.delete_event(PERSON, &id);
    app.told("events.deleted", &account, "google", &id).await;
    let second = google.create_calendar(PERSON, "Second");
    app.told("calendars.created", &account, "google", &second).await;
    google.delete_calendar(&second);
    app.told("calendars.deleted", &account, "google", &second).await;
    app.tidings.call("DELETE", &format!("/accounts/{account}"), Value::Null).await;
    app.told("account.deleted", &account, "google", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_mailbox_is_told_written_and_deleted() {
    let google = Google::start(&Setup::default()).await.unwrap();
    let graph = Graph::start(&Setup::default()).await.unwrap();
    let app = Application::start(&google, &graph).await;
    let account = app.connect("microsoft", ADA).await;
    let calendar = graph.default_calendar(ADA);
    app.pushed(&account, &calendar).await;
    let one = format!("/microsoft/calendars/{}?accountId={account}", encoded(&calendar));
    let shown = app.call("GET", &one, Value::Null).await["calendar"].clone();
    assert_eq!((&shown["id"], &shown["isDefaultCalendar"]), (&json!(calendar), &json!(true)));

    let at =
        |hour: &str| json!({ "dateTime": format!("{}T{hour}:00:00", soon()), "timeZone": "UTC" });
    let event = json!({ "subject": "Theirs", "start": at("09"), "end": at("10") });
    let id = graph.create_event(ADA, &calendar, event);
    app.told("events.created", &account, "microsoft", &id).await;
    let named = format!("accountId={account}&calendarId={}", encoded(&calendar));
    let place = format!("/microsoft/events/{}?{named}", encoded(&id));
    assert_eq!(app.call("GET", &place, Value::Null).await["event"]["subject"], "Theirs");

    let ours = json!({ "accountId": account, "calendarId": calendar, "eventData": {
        "title": "Ours", "startDate": format!("{}T11:00:00Z", soon()),
        "endDate": format!("{}T12:00:00Z", soon()),
    }});
    let made = app.call("POST", "/microsoft/events", ours).await["event"].clone();
    let made_id = text(&made["id"]);
    assert_eq!(made["subject"], "Ours", "{made}");
    let list = format!("/microsoft/events?{named}");
    let listed = app.call("GET", &list, Value::Null).await["data"].clone();
    assert_eq!(listed["count"], 2, "{listed}");
    let path = format!("/microsoft/events/{}?{named}", encoded(&made_id));
    app.call("DELETE", &path, Value::Null).await;
    assert_eq!(graph.truth(ADA)[0].events.len(), 1);

    graph.delete_event(ADA, &id);
    app.told("events.deleted", &account, "microsoft", &id).await;
    for trigger in ["events.created", "events.deleted"] {
        assert_eq!(app.named(trigger, &made_id), 0, "an echo of our own {trigger}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ids_ride_in_one_request_and_a_switch_widens_it_to_caldav() {
    // Only a sync that is asked for sees the two events, both at once.
    let tidings = Tidings::start_with(&[
        ("TIDINGS_SYNC__FAST_SECONDS", "600"),
        ("TIDINGS_SYNC__NORMAL_SECONDS", "600"),
        ("TIDINGS_SYNC__IDLE_SECONDS", "900"),
    ])
    .await;
    let app = Application::on(tidings).await;
    let wide = TestReceiver::start().await;
    app.tidings.call("POST", "/hooks", hook(&wide.url("/webhooks"), "all")).await;
    let calendars = CalendarServer::start_new(Kind::Radicale).await;
    let calendar = format!("{}work/", calendars.home());
    edit(&calendars, "MKCALENDAR", &calendar, "").await;
    let login = json!({ "provider": "caldav", "server_url": calendars.url("/"), "username": "u",
                        "password": "secret" });
    let account = app.tidings.connect(login).await;
    app.told("account.connected", &account, "caldav", "").await;
    wide.wait_for(1, PATIENCE).await;

    for name in ["a", "b"] {
        let path = format!("{calendar}{name}.ics");
        edit(&calendars, "PUT", &path, &resource(name, "Review")).await;
    }
    app.tidings.call("POST", &format!("/accounts/{account}/sync"), json!({})).await;
    let received = wide.wait_for(2, PATIENCE).await;
    let told = &received[1];
    assert_eq!(told.header("x-pyas-webhook-event"), Some("events.created"));
    assert_eq!(told.header("x-provider"), Some("caldav"));
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    let mut ids: Vec<String> = body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!(event["calendarId"], calendar.trim_end_matches('/'), "{body}");
            text(&event["eventId"])
        })
        .collect();
    ids.sort();
    assert_eq!(ids, ["a", "b"].map(|name| format!("{calendar}{name}.ics")));
    // What is told last is told to both: nothing else came before it.
    app.tidings.call("DELETE", &format!("/accounts/{account}"), Value::Null).await;
    app.told("account.deleted", &account, "caldav", "").await;
    assert_eq!(app.receiver.count(), 2, "the documented providers only");
}
