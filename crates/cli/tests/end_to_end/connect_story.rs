//! The whole story of Mobiscroll Connect with the vendor's SDK, unmodified: OAuth in a browser, calendars and
//! events, a delivery of the automatic subscription, its signature, and the end of it all.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidings_testkit::caldav::{CalendarServer, Kind};
use tidings_testkit::receiver::TestReceiver;

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{edit, event, python, root, run};

const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_sdk_lives_its_whole_story() {
    let tidings = Tidings::start().await;
    let receiver = TestReceiver::start().await;
    let calendars = CalendarServer::start_new(Kind::Radicale).await;
    let calendar = format!("{}work/", calendars.home());
    let calendar_id = calendar.trim_end_matches('/');
    edit(&calendars, "MKCALENDAR", &calendar, "").await;

    let apps = tidings.get("/apps").await;
    let client_id = apps["data"][0]["id"].as_str().unwrap().to_owned();
    let settings = json!({"webhook_url": receiver.url("/changes"),
        "settings": {"redirect_uris": [REDIRECT_URI]}});
    tidings.call("PATCH", &format!("/apps/{client_id}"), settings).await;
    let key = json!({"name": "server", "scopes": ["accounts"]});
    let secret = tidings.call("POST", "/keys", key).await["token"].as_str().unwrap().to_owned();

    let sdk = |part: &str, input: &str| {
        let script = root().join("tests/vendor/connect_sdk_story.py");
        let mut program = Command::new(python());
        program
            .arg(script)
            .arg(part)
            .env("CONNECT_BASE_URL", tidings.url("/api"))
            .env("CONNECT_CLIENT_ID", &client_id)
            .env("CONNECT_CLIENT_SECRET", &secret)
            .env("CONNECT_REDIRECT_URI", REDIRECT_URI)
            .env("CONNECT_CALDAV_URL", calendars.url("/"))
            .env("CONNECT_CALENDAR_ID", calendar_id);
        let says = run(&mut program, input);
        assert_eq!(says.matches(": ok").count(), 2, "{says}");
    };
    sdk("story", "");
    // Somebody else changes the calendar: both users who connected it hear of it.
    edit(&calendars, "PUT", &format!("{calendar}a.ics"), &event("a", "Product review")).await;
    let mut users: Vec<String> = Vec::new();
    for n in 1.. {
        let request = receiver.wait_for(n, PATIENCE).await.remove(n - 1);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let (user, events) = (&body["userId"], body["events"].as_array().unwrap());
        let Some(new) = events.iter().find(|event| event["title"] == "Product review") else {
            // The second user's meeting is news to the first, who has the same calendar.
            assert_eq!(user, "sdk-sync", "writes of a user come back to it as no delivery: {body}");
            continue;
        };
        let seen = (&body["calendarId"], &new["changeType"]);
        assert_eq!(seen, (&json!(calendar_id), &json!("created")), "{body}");
        users.push(user.as_str().unwrap().to_owned());
        let headers: serde_json::Map<_, _> =
            request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        assert!(request.header("webhook-signature").unwrap().starts_with("v1a,"));
        let delivery = json!({"headers": headers, "body": STANDARD.encode(&request.body)});
        sdk("verify", &delivery.to_string());
        if users.len() == 2 {
            break;
        }
    }
    users.sort();
    assert_eq!(users, ["sdk-async", "sdk-sync"]);
    sdk("leave", "");
}
