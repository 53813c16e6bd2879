use super::*;
use crate::event::tests::event;
use crate::tree::tests::tree;

fn read(params: &Value) -> Result<EventQuery, Refusal> {
    EventQuery::read(params.as_object().unwrap(), 1_000_000.0)
}

#[test]
fn each_documented_parameter_selects_events() {
    let tree = tree();
    let steps = Event { kind: "count/steps".into(), ..event(1_000.0, &["steps"]) };
    let note = event(2_000.0, &["white-cells", "work"]);
    let trashed = Event { trashed: true, ..event(3_000.0, &["work"]) };
    let running = Event { duration: Some(None), ..event(4_000.0, &["work"]) };
    let tagged =
        Event { tags: vec!["old".into()], modified: 9_000.0, ..event(5_000.0, &["health"]) };
    let all = [&steps, &note, &trashed, &running, &tagged];
    for (params, times) in [
        (json!({}), &[1_000.0, 2_000.0, 4_000.0, 5_000.0][..]),
        (json!({"state": "trashed"}), &[3_000.0]),
        (json!({"state": "all"}), &[1_000.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0]),
        (json!({"fromTime": 2_000}), &[2_000.0, 4_000.0, 5_000.0]),
        (json!({"fromTime": 1_500, "toTime": 2_500}), &[2_000.0]),
        (json!({"toTime": 88_000}), &[2_000.0, 4_000.0, 5_000.0]),
        (json!({"running": true}), &[4_000.0]),
        (json!({"types": ["count/steps"]}), &[1_000.0]),
        (json!({"types": ["count/*", "note/html"]}), &[1_000.0]),
        (json!({"tags": ["old", "new"]}), &[5_000.0]),
        (json!({"modifiedSince": 4_500}), &[5_000.0]),
        (json!({"modifiedSince": 9_000}), &[5_000.0]),
        (json!({"streams": ["health"]}), &[1_000.0, 2_000.0, 5_000.0]),
        (json!({"streams": ["steps", "blood"]}), &[1_000.0, 2_000.0]),
        (json!({"streams": "*"}), &[1_000.0, 2_000.0, 4_000.0, 5_000.0]),
        (json!({"streams": {"any": ["health"], "not": ["work"]}}), &[1_000.0, 5_000.0]),
        (json!({"streams": {"any": ["health"], "all": ["work"]}}), &[2_000.0]),
        (json!({"streams": [{"any": ["steps"]}, {"all": ["work", "blood"]}]}), &[1_000.0, 2_000.0]),
    ] {
        let query = read(&params).unwrap();
        let found: Vec<_> = all.iter().filter(|event| query.holds(event, &tree)).collect();
        let found: Vec<_> = found.iter().map(|event| event.time).collect();
        assert_eq!(found, times, "{params}");
    }
}

#[test]
fn a_query_without_a_time_frame_is_for_20_events() {
    for (params, limit) in [
        (json!({}), 20),
        (json!({"modifiedSince": 1}), 20),
        (json!({"limit": 3}), 3),
        (json!({"fromTime": 1}), u64::MAX),
        (json!({"toTime": 1}), u64::MAX),
        (json!({"fromTime": 1, "limit": 5}), 5),
    ] {
        assert_eq!(read(&params).unwrap().limit, limit, "{params}");
    }
    let query = read(&json!({"includeDeletions": true})).unwrap();
    assert!(!query.include_deletions, "deletions need modifiedSince");
}

#[test]
fn wrong_parameters_are_named() {
    for (params, why) in [
        (json!({"fromTime": "x"}), "fromTime must be a number"),
        (json!({"state": "gone"}), "state must be one of default, trashed, all"),
        (json!({"skip": -1}), "skip must be a whole number"),
        (json!({"limit": 1.5}), "limit must be a whole number"),
        (json!({"running": "maybe"}), "running must be a boolean"),
        (json!({"streams": 1}), "streams must be an array of stream ids"),
        (json!({"streams": {"not": ["a"]}}), "streams must be an array of stream ids"),
        (json!({"streams": {"some": ["a"]}}), "streams must be an array of stream ids"),
        (json!({"streams": ["a", {"any": ["b"]}]}), "streams must be an array of stream ids"),
        (json!({"types": [1]}), "types must be an array of strings"),
        (json!({"content": []}), "content cannot be queried"),
        (json!({"nope": 1}), "nope is not a property"),
    ] {
        let refusal = read(&params).unwrap_err().to_json();
        assert_eq!(refusal["id"], "invalid-parameters-format", "{params}");
        let told = refusal["data"][0]["message"].as_str().unwrap();
        assert!(told.starts_with(why), "{params}: {told}");
    }
}

#[test]
fn only_readable_streams_may_be_asked_for() {
    let tree = tree();
    let own = json!([{"streamId": "health", "level": "read"}, {"streamId": "steps", "level": "create-only"}]);
    let own = Permissions::parse(own.as_array().unwrap()).unwrap();
    for (streams, id) in [
        (json!(["health"]), None),
        (json!(["blood"]), None),
        (json!(["work"]), Some("forbidden")),
        (json!(["steps"]), Some("forbidden")),
        (json!(["nowhere", "health"]), Some("unknown-referenced-resource")),
        (json!({"any": ["health"], "not": ["work"]}), None),
        (json!(["*"]), None),
    ] {
        let query = read(&json!({ "streams": streams })).unwrap();
        let refused = query.filter().check(&own, &tree).err().map(|r| r.to_json()["id"].clone());
        assert_eq!(refused, id.map(Value::from), "{streams}");
    }
}

#[test]
fn a_streams_query_is_a_filter_of_changes_too() {
    let query =
        StreamsQuery { any: vec!["a".into()], all: vec!["b".into()], not: vec!["c".into()] };
    let rule = json!({"or": [{"and": [
        {"path": "/data/streams", "any_in": ["a"]},
        {"path": "/data/streams", "any_in": ["b"]},
        {"not": {"path": "/data/streams", "any_in": ["c"]}},
    ]}]});
    assert_eq!(streams_rule(&[query]), Some(rule));
}

#[test]
fn every_stream_is_no_condition() {
    for (streams, rule) in [
        (json!("*"), None),
        (json!([]), None),
        (json!({"any": ["*", "a"]}), None),
        (json!({"all": ["*"]}), None),
        (json!([{"any": ["a"]}, {"all": ["*"]}]), None),
        (
            json!({"any": ["*"], "not": ["a"]}),
            Some(json!({"or": [{"and": [{"not": {"path": "/data/streams", "any_in": ["a"]}}]}]})),
        ),
        (
            json!({"any": ["*"], "not": ["*"]}),
            Some(json!({"or": [{"and": [{"path": "/data/streams", "exists": false}]}]})),
        ),
    ] {
        let query = read(&json!({ "streams": streams })).unwrap();
        assert_eq!(streams_rule(&query.filter().streams), rule, "{streams}");
    }
}
