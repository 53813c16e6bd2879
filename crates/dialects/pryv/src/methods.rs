//! The methods of the API by their ids. HTTP requests and batches end up here alike.

mod accesses;
mod deleting;
mod events;
mod finding;
mod info;
mod streams;
mod webhooks;

use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::call::Call;
use crate::refusal::Refusal;

/// Runs a method.
pub(crate) async fn run(
    call: &Call,
    method: &str,
    params: &Map<String, Value>,
) -> Result<Answer, Refusal> {
    match method {
        "getAccessInfo" => Ok(info::access(call)),
        "service.info" => Ok(call.place.info()),
        "auth.logout" => info::logout(call).await,
        "events.get" => finding::get(call, params).await,
        "events.getOne" => finding::get_one(call, params).await,
        "events.create" => events::create(call, params).await,
        "events.update" => events::update(call, params).await,
        "events.delete" => events::delete(call, params).await,
        "streams.get" => streams::get(call, params).await,
        "streams.create" => streams::create(call, params).await,
        "streams.update" => streams::update(call, params).await,
        "streams.delete" => deleting::delete(call, params).await,
        "accesses.get" => accesses::get(call, params).await,
        "accesses.getOne" => accesses::get_one(call, params).await,
        "accesses.create" => accesses::create(call, params).await,
        "accesses.update" => accesses::update(call, params).await,
        "accesses.delete" => accesses::delete(call, params).await,
        "webhooks.get" => webhooks::get(call).await,
        "webhooks.getOne" => webhooks::get_one(call, params).await,
        "webhooks.create" => webhooks::create(call, params).await,
        "webhooks.update" => webhooks::update(call, params).await,
        "webhooks.delete" => webhooks::delete(call, params).await,
        "webhooks.test" => webhooks::test(call, params).await,
        _ => Err(Refusal::method(method)),
    }
}

/// Whether a method can be called by its own HTTP request only.
pub(crate) fn is_http_only(method: &str) -> bool {
    method.starts_with("auth.")
}

/// The parameter `id`, which must be there.
fn id_of(params: &Map<String, Value>) -> Result<&str, Refusal> {
    let id = params.get("id").and_then(Value::as_str);
    id.ok_or_else(|| {
        let mut reader = crate::params::Reader::lenient(params);
        reader.fault("id", "OBJECT_MISSING_REQUIRED_PROPERTY", "is required, a string");
        reader.finish().err().unwrap_or_else(|| Refusal::structure("id is required"))
    })
}

/// The parameters `id` and `update`, which must be there.
fn update_of(params: &Map<String, Value>) -> Result<(&str, &Map<String, Value>), Refusal> {
    let mut reader = crate::params::Reader::strict(params, &["id", "update"]);
    let update = reader.object("update");
    let update = reader.require("update", update);
    reader.finish()?;
    let id = id_of(params)?;
    update.map(|update| (id, update)).ok_or_else(|| Refusal::structure("update is required"))
}

/// Refuses fields that only the server writes.
fn check_protected(update: &Map<String, Value>, protected: &[&str]) -> Result<(), Refusal> {
    let tried: Vec<_> =
        protected.iter().copied().filter(|name| update.contains_key(*name)).collect();
    if tried.is_empty() { Ok(()) } else { Err(Refusal::protected(&tried)) }
}
