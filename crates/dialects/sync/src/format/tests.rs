use serde_json::{Value, json};
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, AppId, Bits96, ChangeId, DeliveryId, HookId, UserId};

use super::*;

const CREDENTIAL: &str = "5e793889ea4c5165d46f9811";
const USER: &str = "5e751d54d0510472295413b3";

fn id(hex: &str) -> Bits96 {
    Bits96::from_hex24(hex).unwrap()
}

/// The body of a change about the documented credential, as this dialect and the records' verbs write it.
fn body() -> Value {
    json!({
        "account": {
            "id": AccountId(id(CREDENTIAL)), "provider": "record", "external_id": "sync:x", "name": "SAT",
        },
        "user": {"id": UserId(id(USER)), "external_id": "IXS7607092R5"},
    })
}

fn site() -> Value {
    json!({
        "id_site": "5da784f1f9de2a06483abec1",
        "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4569",
    })
}

fn job() -> Value {
    json!({"id_job": "5e793889b783081dd61de29c", "id_job_uuid": "5e793889b783081dd61de29b"})
}

fn credential() -> Value {
    let mut body = body();
    body["credential"] = site();
    body["credential"]["is_executing"] = 1.into();
    body["job"] = job();
    body
}

fn refreshed(accounts: u64, attachments: u64, transactions: u64) -> Value {
    let mut body = body();
    body["account"]["details"] = site();
    body["account"]["details"]["jobs"] = json!([job()]);
    let count = |total| json!({"created": 1, "updated": 0, "deleted": 0, "total": total});
    body["counts"] = json!({
        "accounts": count(accounts), "attachments": count(attachments),
        "transactions": count(transactions),
    });
    body["refresh"] =
        json!({"id": "5e793889b783081dd61de2aa", "started_at": "", "finished_at": ""});
    body
}

fn change(kind: &str, body: &Value) -> Change {
    let at = Timestamp::parse("2023-06-16T19:06:18.944Z").unwrap();
    Change {
        seq: 7,
        recorded_at: at,
        new: NewChange {
            id: ChangeId(id("648cb2a9718d6c796e4091c1")),
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
        app: AppId(Bits96::new(1)),
        hook: HookId(Bits96::new(2)),
        hook_external_id: None,
        delivery: DeliveryId(Bits96::new(3)),
        changes,
        named: &[],
        now: Timestamp(1_790_000_001_000),
    };
    let rendered = (format.render)(&input)?;
    assert_eq!(rendered.headers, []);
    assert_eq!(rendered.content_type, Some("application/json"));
    Ok(serde_json::from_slice(&rendered.body).unwrap())
}

#[test]
fn the_documented_credential_events_are_reproduced_field_by_field() {
    for (kind, event) in
        [("credential.created", "credential_create"), ("credential.updated", "credential_update")]
    {
        let expected = json!({
            "endpoints": {"credential": ["/v1/credentials/5e793889ea4c5165d46f9811"]},
            "event": event,
            "id_credential": CREDENTIAL, "id_external": "IXS7607092R5",
            "id_job": "5e793889b783081dd61de29c", "id_job_uuid": "5e793889b783081dd61de29b",
            "id_site": "5da784f1f9de2a06483abec1",
            "id_site_organization": "56cf4ff5784806152c8b4567",
            "id_site_organization_type": "56cf4f5b784806cf028b4569",
            "id_user": USER, "is_executing": 1,
        });
        assert_eq!(rendered(&V1, &[change(kind, &credential())]).unwrap(), expected);
    }
}

#[test]
fn a_user_without_an_external_id_has_null_there() {
    let mut body = credential();
    body["user"]["external_id"] = Value::Null;
    let payload = rendered(&V1, &[change("credential.created", &body)]).unwrap();
    assert_eq!(payload["id_external"], Value::Null);
    assert!(payload.as_object().unwrap().contains_key("id_external"));
}

#[test]
fn the_documented_refresh_lists_pages_of_5_000() {
    let page = |path: &str, skip: u64| {
        format!("/v1/{path}?id_credential={CREDENTIAL}&limit=5000&skip={skip}&wbhk=1")
    };
    let pages = |path: &str| [page(path, 0), page(path, 5000), page(path, 10_000)];
    let expected = json!({
        "endpoints": {
            "accounts": [page("accounts", 0)],
            "attachments": pages("attachments/export"),
            "credential": ["/v1/credentials/5e793889ea4c5165d46f9811"],
            "transactions": pages("transactions"),
        },
        "event": "refresh",
        "id_credential": CREDENTIAL, "id_external": "IXS7607092R5",
        "id_job": "5e793889b783081dd61de29c", "id_job_uuid": "5e793889b783081dd61de29b",
        "id_site": "5da784f1f9de2a06483abec1", "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4569",
        "id_user": USER,
    });
    let body = refreshed(3, 10_001, 15_000);
    assert_eq!(rendered(&V1, &[change("records.refreshed", &body)]).unwrap(), expected);
}

#[test]
fn a_refresh_lists_exactly_the_pages_that_there_are() {
    for (total, pages) in [(0, 0), (1, 1), (4_999, 1), (5_000, 1), (5_001, 2), (1_000_000, 200)] {
        let body = refreshed(0, 0, total);
        let payload = rendered(&V1, &[change("records.refreshed", &body)]).unwrap();
        let listed = payload["endpoints"]["transactions"].as_array().unwrap();
        assert_eq!(listed.len(), pages, "{total}");
        assert_eq!(payload["endpoints"]["accounts"], json!([]));
    }
    let mut bare = body();
    bare["counts"] = json!({});
    bare["refresh"] = json!({"id": "5e793889b783081dd61de2aa"});
    let payload = rendered(&V1, &[change("records.refreshed", &bare)]).unwrap();
    assert_eq!(payload["endpoints"]["transactions"], json!([]));
    assert_eq!(
        payload["id_job"], "5e793889b783081dd61de2aa",
        "the bulk job is the only one there is"
    );
    assert_eq!(payload["id_site"], Value::Null);
}

#[test]
fn whatever_an_application_keeps_in_the_details_of_an_account_is_sent() {
    let bulk = "5e793889b783081dd61de2aa";
    for (details, site, job) in [
        (Value::Null, Value::Null, bulk),
        (json!("x"), Value::Null, bulk),
        (json!([1]), Value::Null, bulk),
        (json!({"note": {"a": 1}}), Value::Null, bulk),
        (json!({"id_site": 5, "jobs": "x"}), Value::Null, bulk),
        (json!({"id_site": "s", "id_site_organization": []}), json!("s"), bulk),
        (json!({"id_site": "s", "is_executing": "yes", "jobs": null}), json!("s"), bulk),
        (json!({"jobs": [{"id_job": 1, "id_job_uuid": "u"}, "x", null]}), Value::Null, bulk),
        (json!({"jobs": [{"id_job": "j", "id_job_uuid": "u"}, {"id_job": "k"}]}), Value::Null, "j"),
        (json!({"jobs": [{"id_job": "j", "id_job_uuid": "u", "at": 5}]}), Value::Null, "j"),
        (json!({"username": 1, "document_events": 7, "id_site": "s"}), json!("s"), bulk),
    ] {
        let mut body = refreshed(1, 0, 1);
        body["account"]["details"] = details.clone();
        let v1 = rendered(&V1, &[change("records.refreshed", &body)]).unwrap();
        assert_eq!((&v1["id_site"], &v1["id_job"]), (&site, &json!(job)), "{details}");
        let v3 = rendered(&V3, &[change("records.refreshed", &body)]).unwrap();
        assert_eq!(v3["events"][0]["payload"], v1, "{details}");
    }
}

#[test]
fn documents_that_are_large_have_smaller_pages() {
    let mut body = documents(7);
    body["documents"]["page"] = 3.into();
    let v1 = rendered(&V1, &[change("documents.completed", &body)]).unwrap();
    let pages = |shape: &str| {
        [0, 3, 6]
            .map(|skip| format!("/v1/webhooks/events/UUID/documents{shape}?limit=3&skip={skip}"))
    };
    let expected = json!({
        "documents": pages(""), "documents_json": pages("/json"), "documents_zip": pages("/zip"),
    });
    assert_eq!(v1["endpoints"], expected);
    let v3 = rendered(&V3, &[change("documents.completed", &body)]).unwrap();
    let path = "/v1/documents?id_job_webhook=5e793889b783081dd61de29c&limit=3";
    let expected = [0, 3, 6].map(|skip| format!("{path}&skip={skip}"));
    assert_eq!(v3["events"][0]["payload"]["endpoints"], json!(expected));
}

fn documents(total: u64) -> Value {
    let mut body = credential();
    body["documents"] = json!({"uuid": "UUID", "total": total, "failed": 0});
    body
}

#[test]
fn the_documented_documents_completed_is_reproduced_field_by_field() {
    let expected = json!({
        "endpoints": {
            "documents": ["/v1/webhooks/events/UUID/documents?limit=1000&skip=0"],
            "documents_json": ["/v1/webhooks/events/UUID/documents/json?limit=1000&skip=0"],
            "documents_zip": ["/v1/webhooks/events/UUID/documents/zip?limit=1000&skip=0"],
        },
        "event": "documents_completed",
        "id_external": "IXS7607092R5",
        "id_job": "5e793889b783081dd61de29c", "id_job_uuid": "5e793889b783081dd61de29b",
        "id_site": "5da784f1f9de2a06483abec1", "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4569",
        "id_user": USER, "uuid": "UUID",
    });
    let payload = rendered(&V1, &[change("documents.completed", &documents(7))]).unwrap();
    assert_eq!(payload, expected);
    let payload = rendered(&V1, &[change("documents.completed", &documents(1001))]).unwrap();
    assert_eq!(payload["endpoints"]["documents_zip"].as_array().unwrap().len(), 2);
}

#[test]
fn v3_puts_the_payload_of_v1_into_an_envelope() {
    let v3 = rendered(&V3, &[change("credential.created", &credential())]).unwrap();
    let v1 = rendered(&V1, &[change("credential.created", &credential())]).unwrap();
    let expected = json!({
        "rid": "00000000-0000-8000-8000-00000c000000",
        "events": [{
            "header": {
                "event": {
                    "at": "2023-06-16 19:06:18.944000+0000",
                    "eid": v3["events"][0]["header"]["event"]["eid"],
                    "name": "credentials.created", "version": "3.1",
                },
                "user": {
                    "id_environment": "574894bf7848066d138b4571",
                    "id_external": "IXS7607092R5", "id_user": USER,
                },
            },
            "payload": v1,
        }],
    });
    assert_eq!(v3, expected);
    let again = rendered(&V3, &[change("credential.created", &credential())]).unwrap();
    assert_eq!(v3, again, "a retry has the same body");
}

#[test]
fn v3_groups_events_and_has_its_own_shape_for_documents() {
    let changes = [
        change("records.refreshed", &refreshed(1, 0, 1)),
        change("documents.completed", &documents(1)),
        change("documents.failed", &documents(1)),
        change("documents.success", &documents(1)),
    ];
    let v3 = rendered(&V3, &changes).unwrap();
    let names: Vec<_> = v3["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["header"]["event"]["name"].clone())
        .collect();
    assert_eq!(
        names,
        ["credentials.refreshed", "documents.completed", "documents.failed", "documents.success"]
    );
    assert_eq!(v3["events"][0]["payload"]["event"], "refresh");
    let expected = json!({
        "id_job": "5e793889b783081dd61de29c", "id_job_uuid": "5e793889b783081dd61de29b",
        "id_site": "5da784f1f9de2a06483abec1", "id_site_organization": "56cf4ff5784806152c8b4567",
        "id_site_organization_type": "56cf4f5b784806cf028b4569",
        "endpoints": ["/v1/documents?id_job_webhook=5e793889b783081dd61de29c"],
    });
    assert_eq!(v3["events"][1]["payload"], expected);
}

#[test]
fn a_test_event_says_what_it_is() {
    let body = json!({"message": "this is a test event", "hook": "hook_1"});
    let expected = json!({"endpoints": {}, "event": "test", "message": "this is a test event"});
    assert_eq!(rendered(&V1, &[change("hook.test", &body)]).unwrap(), expected);
    let v3 = rendered(&V3, &[change("hook.test", &body)]).unwrap();
    assert_eq!(v3["events"][0]["payload"], expected);
}

#[test]
fn what_does_not_fit_is_refused_and_says_why() {
    let good = credential();
    for (format, changes, why) in [
        (&V1, vec![], "holds one change"),
        (&V3, vec![], "there is none"),
        (&V1, vec![change("credential.created", &good); 2], "holds one change"),
        (&V1, vec![change("event.created", &good)], "does not send event.created"),
        (&V1, vec![change("documents.success", &good)], "does not send documents.success"),
        (&V3, vec![change("event.created", &good)], "does not send event.created"),
        (&V1, vec![change("documents.completed", &good)], "names no documents"),
        (&V3, vec![change("documents.completed", &good)], "names no documents"),
        (&V1, vec![change("credential.created", &json!({"account": "s3cret"}))], "not that of a"),
        (&V1, vec![change("credential.created", &json!([]))], "not that of a"),
    ] {
        let Err(error) = rendered(format, &changes) else { panic!("rendered: {why}") };
        assert!(error.0.contains(why), "{error} does not say {why}");
        assert!(!error.0.contains("s3cret"), "{error} quotes the content");
    }
}

#[test]
fn the_four_events_ask_for_one_type_each_of_record_accounts_only() {
    for (event, kind) in V1_EVENTS {
        assert!((V1.knows)(event) && (V1.documents)(kind, "record"), "{event}");
        assert!(!(V1.documents)(kind, "google"), "{event}");
        for (_, other) in V1_EVENTS {
            assert_eq!((V1.asks)(event, other), kind == other, "{event} {other}");
        }
    }
    for event in V3_EVENTS {
        assert!((V3.knows)(event.name) && (V3.asks)(event.name, event.kind), "{event:?}");
        assert!((V3.documents)(event.kind, "record") && !(V3.documents)(event.kind, "caldav"));
    }
    for stranger in ["*", "", "credential.created", "credentials.*", "refreshed", "event.created"] {
        assert!(!(V1.knows)(stranger), "{stranger}");
        assert!(!(V3.knows)(stranger), "{stranger}");
        assert!(!(V1.asks)(stranger, "credential.created"), "{stranger}");
    }
}

#[test]
fn a_webhook_is_disabled_past_1_000_failures() {
    for format in [V1, V3] {
        let rule = format.preset.disable.unwrap();
        assert_eq!((rule.failures, rule.failing_ms), (Some(1_001), None));
        assert!(format.preset.breaker);
    }
}
