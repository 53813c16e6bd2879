//! The ledger on the wire, and replays that are counted or go elsewhere.

use serde_json::{Value, json};

use crate::isolation::UNKNOWN;
use crate::world::World;

/// A hook with a failed delivery of its first change, of three.
async fn furnished(world: &World) -> String {
    let key = &world.app.key;
    let hook = json!({"url": "https://example.com/h", "triggers": ["a.*"]});
    let hook = world.post(key, "/hooks", hook).await.json()["hook"]["id"].clone();
    for kind in ["a.b", "c.d", "a.c"] {
        world.publish(key, kind).await;
    }
    world.fail_attempts(hook.as_str().unwrap(), 1).await;
    hook.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_export_has_a_line_for_each_change_and_ends_with_the_counts() {
    let world = World::new().await;
    let hook = furnished(&world).await;
    let key = &world.app.key;
    let page = world.get(key, &format!("/hooks/{hook}/ledger")).await.json();
    let lines = page["data"].as_array().unwrap();
    let states: Vec<_> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["parked", "filtered", "pending"]);
    let summary = world.get(key, &format!("/hooks/{hook}/ledger/summary")).await.json();
    assert_eq!(
        (&summary["from"], &summary["to"], &summary["total"]),
        (&json!(1), &json!(3), &json!(3))
    );

    let export = world.get(key, &format!("/hooks/{hook}/ledger/export")).await;
    assert_eq!(export.headers["content-type"], "application/x-ndjson");
    let text = String::from_utf8(export.body).unwrap();
    let mut exported: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exported.pop(), Some(summary));
    assert_eq!(&exported, lines);
    let filtered = world.get(key, &format!("/hooks/{hook}/ledger?state=filtered")).await.json();
    assert_eq!(filtered["data"], json!([lines[1]]));
    for bad in [
        "ledger?state=lost",
        "ledger?from=0",
        "ledger/export?cursor=x",
        "ledger/summary?state=parked",
    ] {
        let answer = world.get(key, &format!("/hooks/{hook}/{bad}")).await;
        assert!(answer.status.is_client_error(), "{bad}: {answer:?}");
    }
}

#[tokio::test]
async fn a_replay_is_counted_narrowed_down_and_found_where_it_goes() {
    let world = World::new().await;
    let hook = furnished(&world).await;
    let key = &world.app.key;
    let path = format!("/hooks/{hook}/replays");
    let target = world.post(key, "/hooks", json!({"url": "https://example.com/other"})).await;
    let target = target.json()["hook"]["id"].clone();
    let mut body = json!({"from": {"seq": 1}, "types": ["a.c"], "into": target, "rate": 5,
        "states": ["pending", "parked"], "dry_run": true});
    let counted = world.post(key, &path, body.clone()).await;
    assert_eq!(
        (counted.status.as_u16(), counted.json()),
        (200, json!({"dry_run": true, "total": 1}))
    );
    body["dry_run"] = json!(false);
    let begun = world.post(key, &path, body.clone()).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let replay = begun.json();
    for (field, expected) in [
        ("hook", target.clone()),
        ("source", json!(hook)),
        ("total", json!(1)),
        ("sent", json!(0)),
        ("finished", json!(false)),
        ("states", json!(["pending", "parked"])),
    ] {
        assert_eq!(replay[field], expected, "{field}");
    }
    let location = begun.headers["location"].to_str().unwrap().strip_prefix("/api/v1").unwrap();
    assert_eq!(world.get(key, location).await.json(), replay);

    let other = world.tenant("other").await;
    let theirs = json!({"url": "https://example.com/theirs"});
    let theirs = world.post(&other.key, "/hooks", theirs).await.json()["hook"]["id"].clone();
    for dry_run in [true, false] {
        let into = async |id: Value| {
            let body = json!({"from": {"seq": 1}, "into": id, "dry_run": dry_run});
            world.post(key, &path, body).await
        };
        let (foreign, unknown) = (into(theirs.clone()).await, into(json!(UNKNOWN["hook"])).await);
        assert_eq!(foreign.status, 404, "{foreign:?}");
        assert_eq!(foreign.comparable(), unknown.comparable());
    }
}
