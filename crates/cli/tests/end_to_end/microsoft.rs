//! Microsoft, as the simulator plays it: the whole way.

use serde_json::{Value, json};
use tidings_simulators::graph::{ADA, CLIENT, Graph};
use tidings_simulators::server::Setup;

use crate::watched::{Watched, soon};

/// An event of an hour in the JSON of Graph.
fn event(subject: &str) -> Value {
    let at =
        |hour: &str| json!({ "dateTime": format!("{}T{hour}:00:00", soon()), "timeZone": "UTC" });
    json!({ "subject": subject, "start": at("09"), "end": at("10") })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_watched_by_pushes_written_to_and_let_go() {
    let graph = Graph::start(&Setup::default()).await.unwrap();
    let world = Watched::connect(
        "microsoft",
        &[
            ("TIDINGS_MICROSOFT__CLIENT_ID", CLIENT.0),
            ("TIDINGS_MICROSOFT__CLIENT_SECRET", CLIENT.1),
            ("TIDINGS_MICROSOFT__API_URL", graph.api().as_str()),
            ("TIDINGS_MICROSOFT__AUTHORIZE_URL", graph.authorize_url("common").as_str()),
            ("TIDINGS_MICROSOFT__TOKEN_URL", graph.token_url("common").as_str()),
            // Polls come too late for this test's patience: what arrives was pushed.
            ("TIDINGS_SYNC__FAST_SECONDS", "600"),
            ("TIDINGS_SYNC__NORMAL_SECONDS", "600"),
            ("TIDINGS_SYNC__IDLE_SECONDS", "900"),
        ],
    )
    .await;
    // A subscription is there only when we answered Graph's handshake.
    let events = world.pushed(&graph.truth(ADA)[0].name).await;
    assert_eq!(graph.subscriptions().len(), 1);

    let calendar = graph.default_calendar(ADA);
    let id = graph.create_event(ADA, &calendar, event("Theirs"));
    world.told("event.created", "Theirs").await;
    graph.edit_event(ADA, &id, json!({ "subject": "Theirs again" }));
    world.told("event.updated", "Theirs again").await;
    graph.delete_event(ADA, &id);
    world.told("event.deleted", "Theirs again").await;

    let ours = json!({ "title": "Ours", "start": format!("{}T09:00:00", soon()),
                       "end": format!("{}T10:00:00", soon()), "timeZone": "Europe/Berlin" });
    let tidings = &world.tidings;
    let made = tidings.call("POST", &events, ours).await;
    let path = format!("/api/v1{events}/{}", made["id"].as_str().unwrap().replace('#', "%23"));
    let key = &tidings.server.key;
    let seen = [("if-match", made["etag"].as_str().unwrap())];
    let change = json!({ "title": "Ours again" });
    let (status, answer) = tidings.send("PATCH", &path, key, &seen, Some(&change)).await;
    assert_eq!((status, &answer["event"]["title"]), (200, &"Ours again".into()), "{answer}");
    let (status, answer) = tidings.send("PATCH", &path, key, &seen, Some(&change)).await;
    assert_eq!((status, &answer["code"]), (412, &"stale".into()), "{answer}");
    let titles: Vec<_> =
        graph.truth(ADA)[0].events.values().map(|event| event["title"].clone()).collect();
    assert_eq!(titles, ["Ours again"]);

    world.delete_account().await;
    assert_eq!(graph.subscriptions(), [""; 0], "subscriptions end before the account does");
}
