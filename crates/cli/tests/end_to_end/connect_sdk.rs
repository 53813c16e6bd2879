//! The vendor's SDK of Mobiscroll Connect against us, with a real calendar behind.

use std::process::Command;

use serde_json::{Value, json};
use tidings_testkit::caldav::{CalendarServer, Kind};
use tidings_testkit::receiver::TestReceiver;

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{edit, event, python, root, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_sdk_subscribes_and_the_app_receives() {
    let tidings = Tidings::start().await;
    let receiver = TestReceiver::start().await;
    let calendars = CalendarServer::start_new(Kind::Radicale).await;
    let calendar = format!("{}work/", calendars.home());
    edit(&calendars, "MKCALENDAR", &calendar, "").await;

    let user = tidings.call("POST", "/users", json!({"external_id": "user-81"})).await;
    let account = tidings
        .connect(json!({"provider": "caldav", "server_url": calendars.url("/"), "username": "u",
            "password": "secret", "user": user["id"]}))
        .await;
    let found = tidings.get(&format!("/accounts/{account}/calendars")).await;
    let calendar_id = found["data"][0]["external_id"].as_str().unwrap();
    let apps = tidings.get("/apps").await;
    let app = format!("/apps/{}", apps["data"][0]["id"].as_str().unwrap());
    tidings.call("PATCH", &app, json!({"webhook_url": receiver.url("/changes")})).await;
    let tokens = format!("/users/{}/connect-tokens", user["id"].as_str().unwrap());
    let minted = tidings.call("POST", &tokens, json!({"name": "sdk"})).await;
    let token = minted["token"].as_str().unwrap();

    let says = run(
        Command::new(python())
            .arg(root().join("tests/vendor/connect_sdk.py"))
            .env("CONNECT_BASE_URL", tidings.url("/connect/api"))
            .env("CONNECT_TOKEN", token)
            .env("CONNECT_CALENDAR_ID", calendar_id)
            .env("CONNECT_PROVIDER", "caldav"),
        "",
    );
    assert_eq!(says.matches(": ok").count(), 6, "{says}");

    let wanted = json!({"provider": "caldav", "calendarId": calendar_id, "channelId": "mine"});
    let path = "/connect/api/subscribe-webhook";
    let (status, answer) = tidings.send("POST", path, token, &[], Some(&wanted)).await;
    assert_eq!((status, &answer["success"]), (200, &Value::Bool(true)), "{answer}");

    edit(&calendars, "PUT", &format!("{calendar}a.ics"), &event("a", "Product review")).await;
    let request = receiver.wait_for(1, PATIENCE).await.remove(0);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(request.path, "/changes");
    assert!(request.header("webhook-signature").unwrap().starts_with("v1a,"));
    for (pointer, expected) in [
        ("/provider", json!("caldav")),
        ("/userId", json!("user-81")),
        ("/calendarId", json!(calendar_id)),
        ("/changeType", json!("created")),
        ("/events/0/title", json!("Product review")),
        ("/events/0/changeType", json!("created")),
        ("/events/0/start", json!("2026-03-12T09:00:00.000Z")),
        ("/metadata/channelId", json!("mine")),
        ("/metadata/eventCount", json!(1)),
    ] {
        assert_eq!(body.pointer(pointer), Some(&expected), "{pointer}: {body}");
    }
}
