//! Which method of the API a request calls, with which parameters.

use http::Method;
use serde_json::{Map, Value};

use crate::refusal::Refusal;
use crate::request::Asked;

/// A call of a method of a person's account.
#[derive(Debug, PartialEq)]
pub(crate) struct Routed {
    pub(crate) method: &'static str,
    pub(crate) params: Map<String, Value>,
}

/// Finds the method for what follows the user's name; none: there is no such resource.
pub(crate) fn find(asked: &Asked, path: &[String]) -> Result<Option<Routed>, Refusal> {
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    let query = || Ok(asked.query.clone());
    let routed = |method, params: Result<Map<String, Value>, Refusal>, id: Option<&str>| {
        let mut params = params?;
        if let Some(id) = id {
            params.insert("id".into(), id.into());
        }
        Ok(Some(Routed { method, params }))
    };
    let update = || {
        let update = asked.fields()?;
        Ok(Map::from_iter([("update".to_owned(), Value::Object(update))]))
    };
    match (asked.method.as_str(), path.as_slice()) {
        ("GET", ["access-info"]) => routed("getAccessInfo", query(), None),
        ("GET", ["events"]) => routed("events.get", query(), None),
        ("GET", ["events", id]) => routed("events.getOne", query(), Some(id)),
        ("POST", ["events"]) => routed("events.create", asked.fields(), None),
        ("PUT", ["events", id]) => routed("events.update", update(), Some(id)),
        ("DELETE", ["events", id]) => routed("events.delete", query(), Some(id)),
        ("GET", ["streams"]) => routed("streams.get", query(), None),
        ("POST", ["streams"]) => routed("streams.create", asked.fields(), None),
        ("PUT", ["streams", id]) => routed("streams.update", update(), Some(id)),
        ("DELETE", ["streams", id]) => routed("streams.delete", query(), Some(id)),
        ("GET", ["accesses"]) => routed("accesses.get", query(), None),
        ("GET", ["accesses", id]) => routed("accesses.getOne", query(), Some(id)),
        ("POST", ["accesses"]) => routed("accesses.create", asked.fields(), None),
        ("PUT", ["accesses", id]) => routed("accesses.update", update(), Some(id)),
        ("DELETE", ["accesses", id]) => routed("accesses.delete", query(), Some(id)),
        ("GET", ["webhooks"]) => routed("webhooks.get", query(), None),
        ("GET", ["webhooks", id]) => routed("webhooks.getOne", query(), Some(id)),
        ("POST", ["webhooks"]) => routed("webhooks.create", asked.fields(), None),
        ("PUT", ["webhooks", id]) => routed("webhooks.update", update(), Some(id)),
        ("DELETE", ["webhooks", id]) => routed("webhooks.delete", query(), Some(id)),
        ("POST", ["webhooks", id, "test"]) => routed("webhooks.test", Ok(Map::new()), Some(id)),
        ("POST", ["auth", "logout"]) => routed("auth.logout", Ok(Map::new()), None),
        _ => Ok(None),
    }
}

/// Whether the request is a batch of calls.
pub(crate) fn is_batch(asked: &Asked, path: &[String]) -> bool {
    asked.method == Method::POST && path.is_empty()
}
