//! Zoom, as the simulator plays it: the whole way.

use serde_json::json;
use tidings_simulators::server::Setup;
use tidings_simulators::zoom::Zoom;

use crate::watched::{Watched, soon};

const HOST: &str = "host@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn meetings_are_told_by_pushes_until_the_app_is_removed() {
    let zoom = Zoom::start(&Setup::default()).await.unwrap();
    let (id, secret) = zoom.oauth().client();
    let world = Watched::connect(
        "zoom",
        &[
            ("TIDINGS_ZOOM__CLIENT_ID", id),
            ("TIDINGS_ZOOM__CLIENT_SECRET", secret),
            ("TIDINGS_ZOOM__WEBHOOK_SECRET", zoom.webhook_secret()),
            ("TIDINGS_ZOOM__API_URL", zoom.api_url().as_str()),
            ("TIDINGS_ZOOM__AUTHORIZE_URL", zoom.authorize_url().as_str()),
            ("TIDINGS_ZOOM__TOKEN_URL", zoom.token_url().as_str()),
            ("TIDINGS_ZOOM__REVOKE_URL", zoom.revoke_url().as_str()),
            // Polls come too late for this test's patience: what arrives was pushed.
            ("TIDINGS_SYNC__FAST_SECONDS", "600"),
            ("TIDINGS_SYNC__NORMAL_SECONDS", "600"),
            ("TIDINGS_SYNC__IDLE_SECONDS", "900"),
        ],
    )
    .await;
    world.pushed("Meetings").await;
    let endpoint = world.tidings.url("/providers/zoom/notifications");
    assert!(
        zoom.subscribe(&endpoint).await,
        "the endpoint does not prove that it knows the secret"
    );

    let meeting = json!({ "topic": "Theirs", "type": 2, "duration": 30, "timezone": "UTC",
                          "start_time": format!("{}T09:00:00Z", soon()) });
    let id = zoom.create(HOST, &meeting);
    world.told("event.created", "Theirs").await;
    zoom.edit(id, &json!({ "topic": "Theirs again" }));
    world.told("event.updated", "Theirs again").await;
    zoom.delete(id);
    world.told("event.deleted", "Theirs again").await;

    zoom.deauthorize(HOST);
    let told = world.told("account.deleted", &world.account).await;
    assert_eq!(told["data"]["account"]["status"], "deleted", "{told}");
    let accounts = world.tidings.get("/accounts").await;
    assert_eq!(accounts["data"], json!([]));
}
