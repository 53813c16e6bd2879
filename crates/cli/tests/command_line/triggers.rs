//! `tidings trigger`: every documented trigger of every format, delivered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidings_testkit::receiver::TestReceiver;

use crate::place::{Place, wait_for};

/// Format, trigger and the type that it asks for.
fn documented(examples: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all = Vec::new();
    for example in examples.as_array().unwrap() {
        for asked in example["asked_by"].as_array().unwrap() {
            all.push((text(&asked["format"]), text(&asked["trigger"]), text(&example["type"])));
        }
    }
    all
}

#[tokio::test]
async fn every_documented_trigger_of_every_format_is_delivered() {
    let place = Place::start().await;
    let receiver = TestReceiver::start().await;
    let all = documented(&place.json(&["trigger", "--list"]).await);
    let mut triggers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (format, trigger, _) in &all {
        triggers.entry(format).or_default().insert(trigger);
    }
    assert!(triggers.len() >= 2, "{triggers:?}");
    for (format, triggers) in &triggers {
        let url = receiver.url(&format!("/{format}"));
        let mut arguments = vec!["hook", "create", &url, "--format", format];
        arguments.extend(triggers.iter().flat_map(|trigger| ["--trigger", trigger]));
        // One change a request, at once.
        arguments.extend(["--set", "merges=false", "--set", "coalesce=null"]);
        arguments.extend(["--set", "ordering=\"none\""]);
        place.ok(&arguments).await;
    }
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for (format, triggers) in &triggers {
        for trigger in triggers {
            let receipt = place.json(&["trigger", trigger, "--format", format]).await;
            *sent.entry(receipt["type"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    for format in triggers.keys() {
        let kinds: BTreeSet<_> =
            all.iter().filter(|(of, _, _)| of == format).map(|(_, _, kind)| kind).collect();
        let owed: usize = kinds.iter().filter_map(|kind| sent.get(*kind)).sum();
        let path = format!("/{format}");
        let arrived = || receiver.received().iter().filter(|request| request.path == path).count();
        wait_for(&format!("{owed} deliveries of {format}"), async || {
            (arrived() >= owed).then_some(())
        })
        .await;
        assert_eq!(arrived(), owed, "{format}");
    }
}

#[tokio::test]
async fn an_apps_own_types_are_triggered_as_their_examples_or_schemas_say() {
    let place = Place::start().await;
    let receiver = TestReceiver::start().await;
    place.ok(&["app", "update", "--validation", "enforce"]).await;
    let example = r#"{"invoice": "in_1", "lines": [{"n": 1}, {"n": 2}], "note": "x"}"#;
    place.ok(&["event-type", "create", "invoice.paid", "--example", example]).await;
    let schema = r#"{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"},
        "paid": {"type": "boolean"}}}"#;
    place.ok(&["event-type", "create", "invoice.sent", "--schema", schema]).await;
    place.ok(&["hook", "create", &receiver.url("/"), "--trigger", "*"]).await;
    let edits = ["--add", "lines.0.n=9", "--add", "who.name=Ada", "--remove", "note"];
    for (arguments, wanted) in [
        (
            &[&["invoice.paid"][..], &edits].concat()[..],
            json!({"invoice": "in_1", "lines": [{"n": 9}, {"n": 2}], "who": {"name": "Ada"}}),
        ),
        (&["invoice.sent"], json!({"id": "text", "paid": true})),
        (&["invoice.sent", "--data", "{\"id\": \"mine\"}"], json!({"id": "mine"})),
    ] {
        let before = receiver.count();
        place.ok(&[&["trigger"], arguments].concat()).await;
        let last =
            wait_for("the delivery", async || receiver.received().get(before).cloned()).await;
        let body: Value = serde_json::from_slice(&last.body).unwrap();
        assert_eq!(body["data"], wanted, "{arguments:?}");
    }
    let refused = place.run(&["trigger", "invoice.sent", "--data", "{}"]).await;
    assert_eq!(refused.status.code(), Some(4));
}
