//! Scopes of webhooks: named questions, each turned into a filter of changes.

use serde_json::{Map, Value, json};
use tidings_service::NamedFilter;

use crate::access::Access;
use crate::params::Reader;
use crate::query::{EventFilter, StreamsQuery, streams_rule};
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
    let mut rules = vec![of_type("entry."), within(&filter.streams, access)];
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
    Ok(json!({ "and": [of_type("stream."), within(&filter.streams, access)] }))
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
    let mut rules = vec![of_type("access.")];
    if !filter.streams.is_empty() {
        rules.push(streams_rule(&filter.streams));
    }
    for (path, values) in [("/data/access/type", types), ("/data/access/id", ids)] {
        if !values.is_empty() {
            rules.push(json!({ "path": path, "in": values }));
        }
    }
    if rules.len() == 1 {
        let why = "An accesses scope requires at least one of: streams, types, accessIds.";
        return Err(Refusal::structure(why));
    }
    Ok(json!({ "and": rules }))
}

fn of_type(prefix: &str) -> Value {
    json!({ "path": "/type", "prefix": prefix })
}

/// In the streams that are asked for; without a word on them, or with `*`, in those that the access can read.
fn within(streams: &[StreamsQuery], access: &Access) -> Value {
    let readable: Vec<_> =
        access.permissions.readable_roots().into_iter().map(str::to_owned).collect();
    let of_own = |ids: &[String]| match ids.iter().any(|id| id == "*") {
        true => readable.clone(),
        false => ids.to_vec(),
    };
    let own = StreamsQuery::any_of(readable.clone());
    let asked: Vec<_> = streams
        .iter()
        .map(|query| StreamsQuery { any: of_own(&query.any), ..query.clone() })
        .collect();
    streams_rule(if asked.is_empty() { std::slice::from_ref(&own) } else { &asked })
}

fn of_event_types(types: &[String]) -> Value {
    let path = "/data/event/type";
    let one = |asked: &String| match asked.strip_suffix('*').filter(|class| class.ends_with('/')) {
        Some(class) => json!({ "path": path, "prefix": class }),
        None => json!({ "path": path, "eq": asked }),
    };
    json!({ "or": types.iter().map(one).collect::<Vec<_>>() })
}
