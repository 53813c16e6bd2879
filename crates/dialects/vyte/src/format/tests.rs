use serde_json::{Value, json};
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, Bits96, ChangeId, DeliveryId, HookId};

use super::*;

/// An app whose id prints like the documented organizations.
const ORGANIZATION: &str = "60af5269459aad001d0cb565";

fn change(kind: &str, body: &Value) -> Change {
    let at = Timestamp::parse("2017-12-01T12:05:00.000Z").unwrap();
    Change {
        seq: 7,
        recorded_at: at,
        new: NewChange {
            id: ChangeId(Bits96::new(7)),
            kind: kind.into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: at,
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: Bytes::from(body.to_string()),
        },
    }
}

fn rendered(format: &Format, changes: &[Change]) -> Result<Value, RenderError> {
    let input = RenderInput {
        app: AppId(Bits96::from_hex24(ORGANIZATION).unwrap()),
        hook: HookId(Bits96::new(2)),
        hook_external_id: None,
        delivery: DeliveryId(Bits96::new(3)),
        changes,
        named: &[],
        now: Timestamp(1_790_000_001_000),
    };
    let rendered = (format.render)(&input)?;
    assert_eq!(rendered.content_type, Some("application/json"));
    assert_eq!(rendered.headers, []);
    Ok(serde_json::from_slice(&rendered.body).unwrap())
}

/// The resource of the reference's example of a delivery.
fn documented_resource() -> Value {
    json!({
        "cancelled": "2017-12-01T12:05:00.000Z",
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
    })
}

fn body(resource: &Value, user: Option<&str>) -> Value {
    json!({
        "account": { "id": "acc_1", "provider": "record", "external_id": "vyte", "name": "Vyte" },
        "resource": resource, "user": user,
    })
}

#[test]
fn a_delivery_is_as_the_example_prints_it() {
    let resource = documented_resource();
    let change = change("scheduling.cancelled", &body(&resource, None));
    let expected =
        json!({ "action": "event.cancelled", "resource": resource, "organization": ORGANIZATION });
    assert_eq!(rendered(&FORMAT, &[change]), Ok(expected));
}

#[test]
fn a_delivery_is_an_array_of_length_1_where_the_prose_is_believed() {
    let resource = documented_resource();
    let change = change("scheduling.cancelled", &body(&resource, Some("5eecc40bb2181073ac6ff375")));
    let expected = json!([{ "action": "event.cancelled", "resource": resource,
        "organization": ORGANIZATION, "user": "5eecc40bb2181073ac6ff375" }]);
    assert_eq!(rendered(&FORMAT_ARRAY, &[change]), Ok(expected));
    assert_eq!((FORMAT_ARRAY.name, FORMAT_ARRAY.version), ("vyte", 2));
}

#[test]
fn every_action_asks_for_one_type_of_change() {
    for action in Action::ALL {
        assert!((FORMAT.knows)(action.as_str()), "{action:?}");
        for other in Action::ALL {
            let asks = (FORMAT.asks)(action.as_str(), other.kind());
            assert_eq!(asks, action == other, "{action:?} {other:?}");
        }
        assert!((FORMAT.documents)(action.kind(), "record"), "{action:?}");
        assert!(!(FORMAT.documents)(action.kind(), "google"), "{action:?}");
        let sent = rendered(&FORMAT, &[change(action.kind(), &body(&json!({}), None))]).unwrap();
        assert_eq!(sent["action"], action.as_str());
    }
    for stranger in ["event.*", "event.deleted", "events.created", "vyteme.created", "*", ""] {
        assert!(!(FORMAT.knows)(stranger), "{stranger}");
        assert!(!(FORMAT.asks)(stranger, "scheduling.created"), "{stranger}");
    }
    // Events of watched calendars are another matter.
    assert!(!(FORMAT.asks)("event.created", "event.created"));
}

#[test]
fn numbers_in_a_resource_are_forwarded_byte_for_byte() {
    let mut change = change("page.updated", &json!({}));
    change.new.body = Bytes::from(concat!(
        r#"{"account":{"provider":"record"},"resource":{"custom":{"duration":30.10}},"#,
        r#""user":null}"#
    ));
    let input = RenderInput {
        app: AppId(Bits96::new(1)),
        hook: HookId(Bits96::new(2)),
        hook_external_id: None,
        delivery: DeliveryId(Bits96::new(3)),
        changes: &[change],
        named: &[],
        now: Timestamp(0),
    };
    let sent = (FORMAT.render)(&input).unwrap().body;
    let expected = concat!(
        r#"{"action":"vyteme.updated","resource":{"custom":{"duration":30.10}},"#,
        r#""organization":"000000000000000000000001"}"#
    );
    assert_eq!(sent, expected);
}

#[test]
fn what_an_app_publishes_itself_is_the_resource() {
    for own in [
        json!({ "_id": "u1", "emails": ["a@example.com"] }),
        // Members that are called as ours are still the app's.
        json!({ "resource": { "a": 1 }, "user": "u1" }),
        json!({ "resource": { "a": 1 }, "user": { "name": "Jean" } }),
        json!({ "resource": "room 5", "user": 5, "account": "A-1" }),
        json!({ "resource": { "a": 1 }, "user": "u1", "account": { "provider": "google" } }),
        json!({ "account": { "provider": "record" }, "user": "u1" }),
    ] {
        let sent = rendered(&FORMAT, &[change("user.joined", &own)]).unwrap();
        let expected =
            json!({ "action": "user.joined", "resource": own, "organization": ORGANIZATION });
        assert_eq!(sent, expected);
    }
}

#[test]
fn a_test_event_and_what_is_not_ours() {
    let test = change(types::HOOK_TEST, &json!({ "message": "this is a test event" }));
    let sent = rendered(&FORMAT, &[test]).unwrap();
    assert_eq!(sent["action"], "hook.test");
    assert_eq!(sent["resource"]["message"], "this is a test event");
    for (kind, body) in [
        ("event.created", json!({})),
        ("scheduling.created", json!([1])),
        ("scheduling.created", json!("text")),
    ] {
        let refused = rendered(&FORMAT, &[change(kind, &body)]);
        assert!(refused.is_err(), "{kind} {body}: {refused:?}");
    }
    let two = [change("user.joined", &json!({})), change("user.joined", &json!({}))];
    assert!(rendered(&FORMAT, &two).is_err());
}
