use serde_json::{Value, json};
use tidings_simulators::graph::{ADA, Resync};

use crate::client::{Client, Reply};
use crate::{hour, weekly};

const DECEMBER: &str = "startDateTime=2026-12-01T00:00:00Z&endDateTime=2027-01-01T00:00:00Z";

fn round(calendar: &str) -> String {
    format!("me/calendars/{calendar}/calendarView/delta?{DECEMBER}")
}

/// Subject, or what else a value is.
fn told(values: &[Value]) -> Vec<String> {
    let name = |value: &Value| match value.get("@removed") {
        Some(removed) => format!("removed {}", removed["reason"].as_str().unwrap()),
        None => match value["type"].as_str().unwrap() {
            "occurrence" => value["start"]["dateTime"].as_str().unwrap()[..10].to_owned(),
            kind => format!("{kind} {}", value["subject"].as_str().unwrap()),
        },
    };
    values.iter().map(name).collect()
}

async fn begun(client: &Client, calendar: &str) -> String {
    client.pages(&round(calendar)).await.1.link("delta")
}

#[tokio::test]
async fn a_round_has_pages_and_its_delta_link_tells_only_what_changed() {
    let mut client = Client::start().await;
    client.prefer = "IdType=\"ImmutableId\", odata.maxpagesize=2";
    let calendar = client.graph.default_calendar(ADA);
    let create = |title: &str, day| client.graph.create_event(ADA, &calendar, hour(title, day));
    let one = create("One", 2);
    create("Two", 3);
    let three = create("Three", 4);
    let (values, last) = client.pages(&round(&calendar)).await;
    assert_eq!(told(&values), ["singleInstance One", "singleInstance Two", "singleInstance Three"]);
    assert_eq!(client.graph.log().matching("GET", "skiptoken").len(), 1, "two pages");

    client.graph.edit_event(ADA, &one, json!({ "subject": "One, later" }));
    client.graph.delete_event(ADA, &three);
    let (values, later) = client.pages(&last.link("delta")).await;
    assert_eq!(told(&values), ["singleInstance One, later", "removed deleted"]);
    assert_eq!(values[1], json!({ "id": three, "@removed": { "reason": "deleted" } }));
    let (values, _) = client.pages(&later.link("delta")).await;
    assert_eq!(told(&values), [""; 0]);

    let parentheses = round(&calendar).replace("delta?", "delta()?");
    assert_eq!(told(&client.pages(&parentheses).await.0).len(), 2);
}

#[tokio::test]
async fn a_series_comes_whole_and_its_untouched_days_with_ids_and_times_only() {
    let client = Client::start().await;
    let calendar = client.graph.default_calendar(ADA);
    let series = client.graph.create_event(ADA, &calendar, weekly("Weekly"));
    let (values, _) = client.pages(&round(&calendar)).await;
    let days = ["2026-12-02", "2026-12-09", "2026-12-16", "2026-12-23"];
    assert_eq!(told(&values)[0], "seriesMaster Weekly");
    assert_eq!(told(&values)[1..], days);
    assert_eq!(values[2].get("subject"), None);
    assert_eq!(values[2]["seriesMasterId"], series.as_str());

    let link = begun(&client, &calendar).await;
    let ninth = client.graph.occurrence(&series, "2026-12-09");
    client.graph.edit_event(ADA, &ninth, json!({ "subject": "Elsewhere" }));
    client.graph.delete_event(ADA, &client.graph.occurrence(&series, "2026-12-16"));
    let (values, last) = client.pages(&link).await;
    let mut lines = told(&values);
    lines.sort();
    let expected = [
        "2026-12-02",
        "2026-12-23",
        "exception Elsewhere",
        "removed deleted",
        "seriesMaster Weekly",
    ];
    assert_eq!(lines, expected);

    client.graph.switches(|switches| switches.hide_cancelled = true);
    client.graph.delete_event(ADA, &ninth);
    let (values, _) = client.pages(&last.link("delta")).await;
    assert_eq!(told(&values), ["seriesMaster Weekly", "2026-12-02", "2026-12-23"]);
    let path = format!("me/events/{series}?$select=cancelledOccurrences");
    let cancelled = client.get(&path).await.body["cancelledOccurrences"].clone();
    assert_eq!(
        cancelled,
        json!([format!("OID.{series}.2026-12-09"), format!("OID.{series}.2026-12-16")])
    );
}

#[tokio::test]
async fn what_happens_outside_the_window_comes_as_removed_though_it_is_there() {
    let client = Client::start().await;
    let calendar = client.graph.default_calendar(ADA);
    let inside = client.graph.create_event(ADA, &calendar, hour("Inside", 2));
    let link = begun(&client, &calendar).await;
    let mut far = hour("Far", 2);
    far["start"]["dateTime"] = "2028-12-02T09:00:00".into();
    far["end"]["dateTime"] = "2028-12-02T10:00:00".into();
    let outside = client.graph.create_event(ADA, &calendar, far.clone());
    let (values, last) = client.pages(&link).await;
    assert_eq!((values.len(), &values[0]["id"]), (1, &json!(outside)));
    assert!(values[0].get("@removed").is_some());
    assert_eq!(client.get(&format!("me/events/{outside}")).await.status, 200);

    client.graph.switches(|switches| switches.removed_outside = false);
    client.graph.edit_event(ADA, &outside, json!({ "subject": "Far, later" }));
    let moved = json!({ "start": far["start"], "end": far["end"] });
    client.graph.edit_event(ADA, &inside, moved);
    let (values, _) = client.pages(&last.link("delta")).await;
    assert_eq!((values.len(), &values[0]["id"]), (1, &json!(inside)), "it left the window");
}

#[tokio::test]
async fn a_forgotten_token_asks_for_a_new_round_in_four_ways() {
    let client = Client::start().await;
    let calendar = client.graph.default_calendar(ADA);
    client.graph.create_event(ADA, &calendar, hour("One", 2));
    for (resync, expected) in [
        (Resync::Location, (410, "syncStateNotFound")),
        (Resync::Required, (410, "resyncRequired")),
        (Resync::NotFound, (410, "syncStateNotFound")),
        (Resync::Invalid, (400, "SyncStateInvalid")),
    ] {
        client.graph.switches(|switches| switches.resync = resync);
        let link = begun(&client, &calendar).await;
        client.graph.forget_deltas();
        let refused: Reply = client.get(&link).await;
        assert_eq!(refused.code(), expected);
        let location = refused.headers.get("location").map(|value| value.to_str().unwrap());
        assert_eq!(location.is_some(), resync == Resync::Location);
        if let Some(location) = location {
            assert_eq!(told(&client.pages(location).await.0), ["singleInstance One"]);
        }
    }
}

#[tokio::test]
async fn while_replication_lags_the_delta_does_not_show_what_was_notified() {
    let client = Client::start().await;
    let calendar = client.graph.default_calendar(ADA);
    let link = begun(&client, &calendar).await;
    client.graph.hold_replication();
    client.graph.create_event(ADA, &calendar, hour("Soon", 2));
    let (values, last) = client.pages(&link).await;
    assert_eq!(told(&values), [""; 0]);
    client.graph.release_replication();
    assert_eq!(told(&client.pages(&last.link("delta")).await.0), ["singleInstance Soon"]);
}

#[tokio::test]
async fn query_options_are_refused() {
    let client = Client::start().await;
    let calendar = client.graph.default_calendar(ADA);
    for option in ["$select=subject", "$filter=subject eq 'x'", "$expand=instances"] {
        let option = option.replace(' ', "%20");
        let refused = client.get(&format!("{}&{option}", round(&calendar))).await;
        assert_eq!(refused.code(), (400, "ErrorInvalidUrlQuery"), "{option}");
    }
}
