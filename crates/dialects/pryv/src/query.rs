//! What `events.get` asks for.

use serde_json::{Map, Value, json};

use crate::event::Event;
use crate::params::Reader;
use crate::permission::{Act, Permissions};
use crate::refusal::Refusal;
use crate::tree::Tree;

/// Seconds of a day: how far an end without a beginning reaches back.
const DAY_S: f64 = 86_400.0;

/// Which events, and how many of them.
#[derive(Clone, Debug)]
pub(crate) struct EventQuery {
    pub(crate) from: Option<f64>,
    pub(crate) to: Option<f64>,
    filter: EventFilter,
    running: bool,
    state: State,
    pub(crate) modified_since: Option<f64>,
    /// Only with `modified_since`.
    pub(crate) include_deletions: bool,
    pub(crate) ascending: bool,
    pub(crate) skip: u64,
    pub(crate) limit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Default,
    Trashed,
    All,
}

/// What an event is like: the part of the query that a hook's scope has too.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EventFilter {
    /// At least one of these must hold; none: every stream.
    pub(crate) streams: Vec<StreamsQuery>,
    /// At least one of these, or all types: `note/txt`, `note/*`.
    pub(crate) types: Vec<String>,
    /// At least one of these, when there are any.
    tags: Vec<String>,
}

/// A streams query: in one of `any`, in all of `all`, in none of `not`; each with what is below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StreamsQuery {
    pub(crate) any: Vec<String>,
    pub(crate) all: Vec<String>,
    pub(crate) not: Vec<String>,
}

impl EventQuery {
    /// Reads the parameters; `now` (seconds) ends a time frame that only begins.
    pub(crate) fn read(params: &Map<String, Value>, now: f64) -> Result<Self, Refusal> {
        const KNOWN: [&str; 15] = [
            "fromTime",
            "toTime",
            "streams",
            "tags",
            "types",
            "content",
            "clientData",
            "running",
            "sortAscending",
            "skip",
            "limit",
            "state",
            "modifiedSince",
            "includeDeletions",
            "includeHistory",
        ];
        let mut reader = Reader::strict(params, &KNOWN);
        let (from, to) = (reader.number("fromTime"), reader.number("toTime"));
        let filter = EventFilter::read(&mut reader, params);
        let state = match reader.choice("state", &["default", "trashed", "all"]).as_deref() {
            Some("trashed") => State::Trashed,
            Some("all") => State::All,
            _ => State::Default,
        };
        let modified_since = reader.number("modifiedSince");
        let default_limit = match (from, to) {
            (None, None) => 20,
            _ => u64::MAX,
        };
        let query = Self {
            from: from.or_else(|| to.map(|to| to - DAY_S)),
            to: to.or_else(|| from.map(|_| now)),
            filter,
            running: reader.boolean("running").unwrap_or(false),
            state,
            include_deletions: reader.boolean("includeDeletions").unwrap_or(false)
                && modified_since.is_some(),
            modified_since,
            ascending: reader.boolean("sortAscending").unwrap_or(false),
            skip: reader.count("skip").unwrap_or(0),
            limit: reader.count("limit").unwrap_or(default_limit),
        };
        reader.finish()?;
        Ok(query)
    }

    /// What it asks of events beyond time and state.
    pub(crate) fn filter(&self) -> &EventFilter {
        &self.filter
    }

    /// Whether it asks for an event.
    pub(crate) fn holds(&self, event: &Event, tree: &Tree) -> bool {
        let state = match self.state {
            State::Default => !event.trashed,
            State::Trashed => event.trashed,
            State::All => true,
        };
        state
            && event.is_within(self.from, self.to)
            && (!self.running || event.is_running())
            && self.modified_since.is_none_or(|since| event.modified >= since)
            && self.filter.holds(event, tree)
    }
}

impl EventFilter {
    pub(crate) fn read(reader: &mut Reader<'_>, params: &Map<String, Value>) -> Self {
        for name in ["content", "clientData"] {
            if params.get(name).is_some_and(|value| !value.is_null()) {
                reader.fault(name, "UNSUPPORTED", "cannot be queried on this server");
            }
        }
        let streams = match params.get("streams") {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(value) => streams_queries(value),
        };
        if streams.is_none() {
            let why = "must be an array of stream ids, or streams queries with any, all and not";
            reader.fault("streams", "INVALID_TYPE", why);
        }
        Self {
            streams: streams.unwrap_or_default(),
            types: reader.texts("types").unwrap_or_default(),
            tags: reader.texts("tags").unwrap_or_default(),
        }
    }

    fn holds(&self, event: &Event, tree: &Tree) -> bool {
        let reach = tree.reach(event.stream_ids.iter().map(String::as_str));
        let in_streams = |query: &StreamsQuery| query.holds(&reach);
        (self.streams.is_empty() || self.streams.iter().any(in_streams))
            && (self.types.is_empty() || self.types.iter().any(|asked| is_type(asked, &event.kind)))
            && (self.tags.is_empty() || self.tags.iter().any(|tag| event.tags.contains(tag)))
    }

    /// Checks that the caller may read every stream that is asked for.
    pub(crate) fn check(&self, permissions: &Permissions, tree: &Tree) -> Result<(), Refusal> {
        let wanted = self.streams.iter().flat_map(|query| query.any.iter().chain(&query.all));
        let wanted: Vec<_> = wanted.filter(|id| id.as_str() != "*").cloned().collect();
        let unknown: Vec<_> = wanted.iter().filter(|id| tree.get(id).is_none()).cloned().collect();
        if !unknown.is_empty() {
            return Err(Refusal::unknown_referenced("stream", "streams", json!(unknown)));
        }
        match wanted.iter().find(|id| !permissions.allow(tree, id, Act::Read)) {
            Some(id) => Err(Refusal::forbidden(format!(
                "stream [{id}] has not sufficient permission to get events"
            ))),
            None => Ok(()),
        }
    }
}

/// Whether `kind` is the asked type, or of the asked class (`note/*`).
fn is_type(asked: &str, kind: &str) -> bool {
    match asked.strip_suffix('*').filter(|class| class.ends_with('/')) {
        Some(class) => kind.starts_with(class),
        None => asked == kind,
    }
}

/// The documented forms: a list of ids, one query, a list of queries.
fn streams_queries(value: &Value) -> Option<Vec<StreamsQuery>> {
    match value {
        Value::String(id) => Some(vec![StreamsQuery::any_of(vec![id.clone()])]),
        Value::Object(query) => Some(vec![StreamsQuery::read(query)?]),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            let ids = list.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
            Some(vec![StreamsQuery::any_of(ids)])
        }
        Value::Array(list) => {
            list.iter().map(|item| StreamsQuery::read(item.as_object()?)).collect()
        }
        _ => None,
    }
}

impl StreamsQuery {
    pub(crate) fn any_of(any: Vec<String>) -> Self {
        Self { any, ..Self::default() }
    }

    fn read(query: &Map<String, Value>) -> Option<Self> {
        let known = query.keys().all(|key| ["any", "all", "not"].contains(&key.as_str()));
        let ids = |name: &str| match query.get(name) {
            None => Some(Vec::new()),
            Some(list) => {
                list.as_array()?.iter().map(|id| id.as_str().map(str::to_owned)).collect()
            }
        };
        let read = Self { any: ids("any")?, all: ids("all")?, not: ids("not")? };
        (known && !(read.any.is_empty() && read.all.is_empty())).then_some(read)
    }

    /// Whether it holds for what is in these streams or below them.
    fn holds(&self, reach: &[String]) -> bool {
        let within = |id: &String| id == "*" || reach.contains(id);
        (self.any.is_empty() || self.any.iter().any(within))
            && self.all.iter().all(within)
            && !self.not.iter().any(within)
    }
}

/// The same as a filter of changes, which have the ids of all streams above in `/data/streams`; none when
/// every change is meant.
pub(crate) fn streams_rule(queries: &[StreamsQuery]) -> Option<Value> {
    let rules: Option<Vec<_>> = queries.iter().map(query_rule).collect();
    rules.filter(|rules| !rules.is_empty()).map(|rules| json!({ "or": rules }))
}

fn query_rule(query: &StreamsQuery) -> Option<Value> {
    let is_all = |id: &String| id == "*";
    let mut rules = Vec::new();
    if !query.any.is_empty() && !query.any.iter().any(is_all) {
        rules.push(any_in(&query.any));
    }
    let single = |id: &String| any_in(std::slice::from_ref(id));
    rules.extend(query.all.iter().filter(|id| !is_all(id)).map(single));
    if query.not.iter().any(is_all) {
        // In no stream at all: nothing is.
        rules.push(json!({ "path": "/data/streams", "exists": false }));
    } else if !query.not.is_empty() {
        rules.push(json!({ "not": any_in(&query.not) }));
    }
    (!rules.is_empty()).then(|| json!({ "and": rules }))
}

/// The filter of changes in one of these streams or below it.
pub(crate) fn any_in<T: serde::Serialize>(ids: &[T]) -> Value {
    json!({ "path": "/data/streams", "any_in": ids })
}

#[cfg(test)]
mod tests;
