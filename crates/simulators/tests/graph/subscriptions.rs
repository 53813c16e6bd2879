use serde_json::{Value, json};
use tidings_core::clock::{Clock, Timestamp};
use tidings_simulators::graph::{ADA, Lifecycle};

use crate::client::{Client, Listener, Reply};
use crate::hour;

fn minutes(minutes: i64) -> Timestamp {
    Clock::system().now().plus_ms(minutes * 60_000)
}

fn wish(listener: &Listener, calendar: &str) -> Value {
    json!({
        "changeType": "created,updated,deleted",
        "notificationUrl": listener.url("notifications"),
        "lifecycleNotificationUrl": listener.url("lifecycle"),
        "resource": format!("/me/calendars/{calendar}/events"),
        "expirationDateTime": minutes(4_000),
        "clientState": format!("secret of {calendar}"),
    })
}

async fn subscribed(client: &Client, listener: &Listener, calendar: &str) -> Reply {
    let reply = client.post("subscriptions", &wish(listener, calendar)).await;
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    reply
}

#[tokio::test]
async fn both_addresses_are_asked_before_a_subscription_is_there() {
    let (client, listener) = (Client::start().await, Listener::start().await);
    let calendar = client.graph.default_calendar(ADA);
    let made = subscribed(&client, &listener, &calendar).await;
    let asked: Vec<String> = listener.asked().into_iter().map(|call| call.path).collect();
    assert_eq!(asked, ["/notifications", "/lifecycle"]);
    assert_eq!(made.body["clientState"], format!("secret of {calendar}"));
    let listed = client.get("subscriptions").await.body["value"].clone();
    assert_eq!((&listed[0]["id"], &listed[0]["clientState"]), (&json!(made.id()), &Value::Null));

    for (field, url) in [
        ("notificationUrl", client.graph.url().join("nobody").unwrap()),
        ("lifecycleNotificationUrl", "http://127.0.0.1:9/".parse().unwrap()),
    ] {
        let mut wish = wish(&listener, &client.graph.add_calendar(ADA, field));
        wish[field] = url.as_str().into();
        let refused = client.post("subscriptions", &wish).await;
        assert_eq!(refused.code(), (400, "ValidationError"), "{field}");
    }
    assert_eq!(client.graph.subscriptions().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_subscribed_is_refused() {
    let (client, listener) = (Client::start().await, Listener::start().await);
    let calendar = client.graph.default_calendar(ADA);
    subscribed(&client, &listener, &calendar).await;
    let other = client.graph.add_calendar(ADA, "Other");
    client.graph.switches(|switches| switches.max_minutes = 4_230);
    for (name, value, status) in [
        ("resource", json!(format!("/me/calendars/{calendar}/events")), 409),
        ("resource", json!("/me/calendars"), 400),
        ("resource", json!("/users/bob@contoso.example/events"), 403),
        ("expirationDateTime", json!(minutes(4_300)), 400),
        ("expirationDateTime", json!(minutes(-1)), 400),
        ("clientState", json!("x".repeat(129)), 400),
        ("notificationUrl", json!("http://example.com/"), 400),
        ("changeType", json!("renamed"), 400),
        ("includeEverything", json!(true), 400),
    ] {
        let mut wish = wish(&listener, &other);
        wish[name] = value.clone();
        assert_eq!(client.post("subscriptions", &wish).await.status, status, "{name} {value}");
    }
    client.graph.switches(|switches| switches.max_subscriptions = 1);
    let refused = client.post("subscriptions", &wish(&listener, &other)).await;
    assert_eq!(refused.status, 403, "the mailbox is full");
}

#[tokio::test]
async fn a_subscription_is_renewed_deleted_and_ends() {
    let (mut client, listener) = (Client::start().await, Listener::start().await);
    client.graph.switches(|switches| switches.granted_minutes = Some(60));
    let calendar = client.graph.default_calendar(ADA);
    let made = subscribed(&client, &listener, &calendar).await;
    let granted = made.body["expirationDateTime"].as_str().unwrap();
    assert!(Timestamp::parse(granted).unwrap() <= minutes(60), "what the server says holds");
    client.graph.switches(|switches| switches.granted_minutes = None);
    let path = format!("subscriptions/{}", made.id());
    let longer = json!({ "expirationDateTime": minutes(5_000) });
    let renewed = client.send("PATCH", &path, &[], Some(&longer)).await;
    assert_eq!(renewed.body["expirationDateTime"], longer["expirationDateTime"]);
    client.prefer = "";
    assert_eq!(client.send("DELETE", &path, &[], None).await.status, 204);
    assert_eq!(client.send("DELETE", &path, &[], None).await.code(), (404, "ResourceNotFound"));
    assert_eq!(client.send("PATCH", &path, &[], Some(&longer)).await.status, 404);

    client.graph.switches(|switches| switches.granted_minutes = Some(0));
    let ended = subscribed(&client, &listener, &calendar).await.id();
    let path = format!("subscriptions/{ended}");
    assert_eq!(client.send("PATCH", &path, &[], Some(&longer)).await.status, 404, "it has ended");
    client.graph.create_event(ADA, &calendar, hour("Unseen", 2));
    client.graph.pushes().settled().await;
    assert!(listener.items().is_empty());
}

#[tokio::test]
async fn one_request_mixes_the_items_of_several_subscriptions() {
    let (client, listener) = (Client::start().await, Listener::start().await);
    let calendars = [client.graph.default_calendar(ADA), client.graph.add_calendar(ADA, "Other")];
    for calendar in &calendars {
        subscribed(&client, &listener, calendar).await;
    }
    client.graph.switches(|switches| {
        switches.hold_notifications = true;
        switches.created_for_update = true;
        switches.noisy_saves = 1;
    });
    let one = client.graph.create_event(ADA, &calendars[0], hour("One", 2));
    client.graph.edit_event(ADA, &one, json!({ "subject": "One, later" }));
    client.graph.create_event(ADA, &calendars[1], hour("Two", 2));
    client.graph.flush();
    client.graph.pushes().settled().await;
    let told: Vec<(String, String)> = listener
        .items()
        .iter()
        .map(|item| {
            (
                item["changeType"].as_str().unwrap().into(),
                item["clientState"].as_str().unwrap().into(),
            )
        })
        .collect();
    let secret = |place: usize| format!("secret of {}", calendars[place]);
    let expected = [
        (0, "created"),
        (0, "updated"),
        (0, "created"),
        (0, "updated"),
        (1, "created"),
        (1, "updated"),
    ]
    .map(|(place, kind)| (kind.to_owned(), secret(place)));
    assert_eq!(told, expected);
    assert_eq!(listener.kept.lock().unwrap().len(), 1, "in one request");
    let item = &listener.items()[0];
    assert_eq!(item["resourceData"]["id"], one.as_str(), "immutable, as at the subscription");
}

#[tokio::test]
async fn lifecycle_notifications_come_without_a_change_and_a_paused_one_is_silent() {
    let (client, listener) = (Client::start().await, Listener::start().await);
    let calendar = client.graph.default_calendar(ADA);
    let id = subscribed(&client, &listener, &calendar).await.id();
    client.graph.lifecycle(&id, Lifecycle::Missed);
    client.graph.lifecycle(&id, Lifecycle::Reauthorise);
    client.graph.pushes().settled().await;
    client.graph.create_event(ADA, &calendar, hour("Lost", 2));
    client.graph.pushes().settled().await;
    let longer = json!({ "expirationDateTime": minutes(5_000) });
    client.send("PATCH", &format!("subscriptions/{id}"), &[], Some(&longer)).await;
    client.graph.create_event(ADA, &calendar, hour("Told", 2));
    client.graph.lifecycle(&id, Lifecycle::Removed);
    client.graph.pushes().settled().await;
    let items = listener.items();
    assert!(items.iter().all(|item| item["clientState"] == format!("secret of {calendar}")));
    let mut words: Vec<&str> = items
        .iter()
        .map(|item| item["lifecycleEvent"].as_str().or(item["changeType"].as_str()).unwrap())
        .collect();
    words.sort_unstable();
    assert_eq!(words, ["created", "missed", "reauthorizationRequired", "subscriptionRemoved"]);
    assert!(
        items
            .iter()
            .all(|item| item.get("changeType").is_none() || item.get("lifecycleEvent").is_none())
    );
    assert_eq!(client.graph.subscriptions(), [""; 0]);
}
