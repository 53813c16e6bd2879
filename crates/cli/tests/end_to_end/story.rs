//! The whole way, from an event in somebody's calendar to a signed webhook.

use serde_json::{Value, json};
use tidings_core::clock::Clock;
use tidings_core::sign;
use tidings_testkit::caldav::{CalendarServer, Kind};
use tidings_testkit::receiver::{Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{edit, event};

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_real_calendars_arrive_as_signed_webhooks() {
    let tidings = Tidings::start().await;
    for kind in [Kind::Radicale, Kind::Xandikos] {
        let calendars = CalendarServer::start_new(kind).await;
        let calendar = format!("{}work/", calendars.home());
        edit(&calendars, "MKCALENDAR", &calendar, "").await;
        edit(&calendars, "PUT", &format!("{calendar}old.ics"), &event("old", "Was there")).await;

        let receiver = TestReceiver::start().await;
        let (hook, secret) = tidings.hook(&receiver, &["event.*"]).await;
        let account = tidings
            .connect(json!({"provider": "caldav", "server_url": calendars.url("/"),
                "username": "u", "password": "secret"}))
            .await;

        let path = format!("{calendar}new.ics");
        for (number, (method, title, expected)) in [
            ("PUT", "Review", "event.created"),
            ("PUT", "Long review", "event.updated"),
            ("DELETE", "Long review", "event.deleted"),
        ]
        .into_iter()
        .enumerate()
        {
            let body = if method == "PUT" { event("new", title) } else { String::new() };
            edit(&calendars, method, &path, &body).await;
            // The next edit waits for this one's webhook: between two polls, edits are one change.
            let webhooks = receiver.wait_for(number + 1, PATIENCE).await;
            let webhook = verified(&webhooks[number], &secret);
            assert_eq!(webhook["type"], expected, "{kind:?}: {webhook}");
            assert_eq!(webhook["data"]["event"]["title"], title, "{kind:?}: {webhook}");
            assert_eq!(webhook["data"]["event"]["uid"], "new", "{kind:?}: {webhook}");
            assert_eq!(webhook["data"]["account"]["id"], account.as_str(), "{kind:?}: {webhook}");
        }
        // What the calendar held before is silent, and nothing came twice.
        assert_eq!(receiver.count(), 3, "{kind:?}: {:?}", receiver.received());
        tidings.call("DELETE", &format!("/hooks/{hook}"), Value::Null).await;
    }
}

/// The body of a genuine webhook.
fn verified(request: &Received, secret: &sign::Secret) -> Value {
    let header = |name| request.header(name).unwrap_or_else(|| panic!("{name}: {request:?}"));
    let genuine = sign::verify(
        secret,
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
        &request.body,
        Clock::system().now(),
    );
    assert!(genuine, "{request:?}");
    serde_json::from_slice(&request.body).unwrap()
}
