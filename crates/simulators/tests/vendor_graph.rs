//! What Tidings sends to Graph, and what the simulator answers and pushes, are values of the types that
//! Microsoft publishes (`@microsoft/microsoft-graph-types`): a field that is not one, or a word that
//! no enumeration has, does not compile.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "graph/client.rs"]
mod client;
#[path = "vendor_graph/story.rs"]
mod story;
#[path = "vendor_graph/types.rs"]
mod types;

use serde_json::json;

use types::Constants;

#[tokio::test]
async fn everything_on_the_wire_is_of_the_types_that_microsoft_publishes() {
    let wire = story::told().await;
    for (kind, at_least) in [
        ("Event", 20),
        ("Calendar", 2),
        ("User", 1),
        ("Subscription", 4),
        ("Change", 4),
        ("Removed", 2),
        ("Page", 4),
        ("Refusal", 4),
    ] {
        assert!(wire.of(kind) >= at_least, "only {} of {kind}", wire.of(kind));
    }
    let complaints = wire.complaints("graph-wire");
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_wrong_field_or_word_is_found() {
    let mut wrong = Constants::default();
    for (kind, value) in [
        ("Event", json!({ "title": "the name is subject" })),
        ("Event", json!({ "showAs": "maybe" })),
        ("Event", json!({ "start": { "datetime": "2026-12-02T09:00:00", "timeZone": "UTC" } })),
        ("Event", json!({ "attendees": [{ "type": "boss" }] })),
        ("Event", json!({ "isAllDay": "yes" })),
        ("Event", json!({ "recurrence": { "pattern": { "type": "fortnightly" } } })),
        ("Subscription", json!({ "expiration": "2026-12-02T09:00:00Z" })),
        ("Change", json!({ "changeType": "renamed" })),
        ("Change", json!({ "lifecycleEvent": "gone" })),
        ("Removed", json!({ "id": "x", "@removed": { "reason": "moved" } })),
        ("Calendar", json!({ "title": "Work" })),
        ("Refusal", json!({ "error": "no" })),
    ] {
        wrong.add(kind, value);
    }
    let found: Vec<usize> = wrong.complaints("graph-wrong").iter().map(|(at, _)| *at).collect();
    assert_eq!(found, (0..12).collect::<Vec<_>>(), "each of them");
}
