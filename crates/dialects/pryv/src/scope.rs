//! Scopes of webhooks: named questions, each turned into a filter of changes.

use serde_json::{Map, Value, json};
use tidings_service::NamedFilter;

use crate::access::Access;
use crate::params::Reader;
use crate::query::{EventFilter, any_in, streams_rule};
use crate::refusal::Refusal;
use crate::tree::Tree;

/// The scopes of a webhook: as clients see them, and as filters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes {
    /// Key to `{kind, query}`.
    pub(crate) shown: Map<String, Value>,
    pub(crate) named: Vec<NamedFilter>,
}

impl Scopes {
    /// Reads the property `scopes`, as far as the calling access may watch what they name.
    pub(crate) fn read(
        scopes: &Map<String, Value>,
        access: &Access,
        tree: &Tree,
    ) -> Result<Self, Refusal> {
        let mut read = Self::default();
        for (key, scope) in scopes {
            let malformed =
                || Refusal::structure(format!("scope '{key}': must be {{kind, query}}"));
            let object = scope.as_object().ok_or_else(malformed)?;
            let kind = match object.get("kind") {
                None => "events",
                Some(kind) => kind.as_str().ok_or_else(malformed)?,
            };
            let none = Map::new();
            let query = match object.get("query") {
                None => &none,
                Some(query) => query.as_object().ok_or_else(malformed)?,
            };
            if object.keys().any(|name| !["kind", "query"].contains(&name.as_str())) {
                return Err(malformed());
            }
            let rule = match kind {
                "events" => of_events(query, access, tree)?,
                "streams" => of_streams(query, access, tree)?,
                "accesses" => of_accesses(query, access, tree)?,
                _ => {
                    let why = format!("scope '{key}': kind '{kind}' is not yet supported");
                    return Err(Refusal::structure(why));
                }
            };
            read.named.push(NamedFilter { name: key.clone(), filter: rule.to_string() });
            read.shown.insert(key.clone(), json!({ "kind": kind, "query": query }));
        }
        Ok(read)
    }
}

fn of_events(query: &Map<String, Value>, access: &Access, tree: &Tree) -> Result<Value, Refusal> {
    let known = ["streams", "types", "tags", "content", "clientData", "state"];
    let mut reader = Reader::strict(query, &known);
    let filter = EventFilter::read(&mut reader, query);
    reader.finish()?;
    filter.check(&access.permissions, tree)?;
    let mut rules = vec![of_type("entry.")];
    rules.extend(streams_rule(&filter.streams));
    rules.extend(readable(access, tree)?);
    if !filter.types.is_empty() {
        rules.push(of_event_types(&filter.types));
    }
    Ok(json!({ "and": rules }))
}

fn of_streams(query: &Map<String, Value>, access: &Access, tree: &Tree) -> Result<Value, Refusal> {
    let mut reader = Reader::strict(query, &["streams"]);
    let filter = EventFilter::read(&mut reader, query);
    reader.finish()?;
    filter.check(&access.permissions, tree)?;
    let mut rules = vec![of_type("stream.")];
    rules.extend(streams_rule(&filter.streams));
    rules.extend(readable(access, tree)?);
    Ok(json!({ "and": rules }))
}

fn of_accesses(query: &Map<String, Value>, access: &Access, tree: &Tree) -> Result<Value, Refusal> {
    if !access.is_personal() {
        return Err(Refusal::forbidden("Watching access changes requires a personal access."));
    }
    let streams = Map::from_iter(query.get("streams").map(|s| ("streams".to_owned(), s.clone())));
    let mut reader = Reader::strict(query, &["streams", "types", "accessIds"]);
    let types = reader.texts("types").unwrap_or_default();
    let ids = reader.texts("accessIds").unwrap_or_default();
    let filter = EventFilter::read(&mut reader, &streams);
    reader.finish()?;
    filter.check(&access.permissions, tree)?;
    if filter.streams.is_empty() && types.is_empty() && ids.is_empty() {
        let why = "An accesses scope requires at least one of: streams, types, accessIds.";
        return Err(Refusal::structure(why));
    }
    let mut rules = vec![of_type("access.")];
    rules.extend(streams_rule(&filter.streams));
    for (path, values) in [("/data/access/type", types), ("/data/access/id", ids)] {
        if !values.is_empty() {
            rules.push(json!({ "path": path, "in": values }));
        }
    }
    Ok(json!({ "and": rules }))
}

fn of_type(prefix: &str) -> Value {
    json!({ "path": "/type", "prefix": prefix })
}

/// In the streams that the access can read, without those below that it cannot; none: it reads everything. What is
/// both in a stream that it can read and in one below such that it cannot is left out.
fn readable(access: &Access, tree: &Tree) -> Result<Option<Value>, Refusal> {
    let permissions = &access.permissions;
    let (roots, hidden) = (permissions.readable_roots(), permissions.hidden_roots());
    if roots.is_empty() {
        return Err(Refusal::permissions());
    }
    let (mut whole, mut rules) = (Vec::new(), Vec::new());
    for root in roots {
        // What is not there now may come below this one later.
        let below = |id: &&str| root == "*" || tree.get(id).is_none() || tree.is_within(id, root);
        let hidden: Vec<_> = hidden.iter().copied().filter(below).collect();
        match (root, hidden.is_empty()) {
            ("*", true) => return Ok(None),
            (_, true) => whole.push(root),
            ("*", false) => rules.push(json!({ "not": any_in(&hidden) })),
            (_, false) => {
                rules.push(json!({ "and": [any_in(&[root]), { "not": any_in(&hidden) }] }));
            }
        }
    }
    if !whole.is_empty() {
        rules.push(any_in(&whole));
    }
    Ok(Some(json!({ "or": rules })))
}

fn of_event_types(types: &[String]) -> Value {
    let path = "/data/event/type";
    let one = |asked: &String| match asked.strip_suffix('*').filter(|class| class.ends_with('/')) {
        Some(class) => json!({ "path": path, "prefix": class }),
        None => json!({ "path": path, "eq": asked }),
    };
    json!({ "or": types.iter().map(one).collect::<Vec<_>>() })
}
