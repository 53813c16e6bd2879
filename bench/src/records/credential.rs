//! What the application of Sync has before its data comes: a user, a credential, a webhook.

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::world::World;

/// A test site of the catalogue.
const SITE: &str = "56cf5728784806f72b8b4568";

/// Makes them and answers the credential's record account.
///
/// # Errors
/// A call is not answered as documented.
pub(super) async fn make(world: &World, told: &Receiver) -> Result<String, String> {
    let post = async |path: &str, body: Value| {
        let answer = world.api.post(path, &body).await?;
        Ok::<Value, String>(answer["response"].clone())
    };
    let user = post("/v1/users", json!({"id_external": "user-1", "name": "Ada"})).await?;
    let webhook = json!({"url": told.url(0, "/keep"), "events": ["refresh"]});
    post("/v1/webhooks", webhook).await?;
    let pull = json!({
        "id_user": user["id_user"],
        "id_site": SITE,
        "credentials": {"username": "ada"},
    });
    post("/v1/credentials", pull).await?;
    let (_, accounts) = world.api.get("/api/v1/record-accounts").await?;
    let account = accounts["data"][0]["id"].as_str();
    account.map(str::to_owned).ok_or_else(|| "the credential is no record account".to_owned())
}
