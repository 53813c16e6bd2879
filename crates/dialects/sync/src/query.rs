//! What a list call asks for: filters, the window of the list, and the fields of each item.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serde_json::value::RawValue;
use tidings_core::clock::Timestamp;
use tidings_core::limits;

use crate::holdings::Holding;
use crate::objects::{Kind, Object};
use crate::params::Params;
use crate::reading::Narrow;
use crate::refusal::Refusal;

/// The piece of a list that is wanted, and the fields of its items.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) skip: u64,
    /// At most [`limits::SYNC_PAGE`].
    pub(crate) limit: usize,
    /// Only these; all when empty.
    fields: Vec<String>,
}

impl Window {
    /// Reads `skip`, `limit` and `fields`. `order` is documented without its values, so none is understood.
    pub(crate) fn read(params: &Params) -> Result<Self, Refusal> {
        if params.get("order").is_some() {
            let why = "is not supported: a list is in the order in which its items first came";
            return Err(Refusal::field("order", why));
        }
        let most = limits::SYNC_PAGE;
        let limit = params.number("limit")?.unwrap_or(most);
        if limit > most {
            return Err(Refusal::field(
                "limit",
                format!("must be at most {most}; use skip for more"),
            ));
        }
        let limit = usize::try_from(limit).unwrap_or_default();
        Ok(Self {
            skip: params.number("skip")?.unwrap_or(0),
            limit,
            fields: params.list("fields")?,
        })
    }

    /// The same piece, with all fields.
    pub(crate) fn whole(self) -> Self {
        Self { fields: Vec::new(), ..self }
    }

    fn keeps(&self, name: &str) -> bool {
        self.fields.is_empty() || self.fields.iter().any(|field| field == name)
    }

    /// An item with the wanted fields only.
    pub(crate) fn keep(&self, mut item: Value) -> Value {
        if let Value::Object(fields) = &mut item {
            fields.retain(|name, _| self.keeps(name));
        }
        item
    }

    /// As [`Window::keep`].
    pub(crate) fn keep_of(&self, mut object: Object) -> Object {
        object.retain(|name, _| self.keeps(name));
        object
    }

    /// The piece of a whole list.
    pub(crate) fn cut(&self, items: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
        items.into_iter().skip(skip).take(self.limit).map(|item| self.keep(item)).collect()
    }
}

/// Filters that look into each item. All of them must hold; within one, any of its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters {
    /// Fields whose value must be one of these texts.
    one_of: Vec<(&'static str, BTreeSet<String>)>,
    /// Fields whose flag must be this.
    flags: Vec<(&'static str, bool)>,
    /// Whether there must be attachments, or must be none.
    has_attachment: Option<bool>,
    /// Times from the first and to the second, both included, s.
    spans: Vec<(&'static str, Option<u64>, Option<u64>)>,
    /// At least one of these keywords, when there are any.
    keywords: BTreeSet<String>,
    /// None of these.
    skip_keywords: BTreeSet<String>,
}

impl Filters {
    /// Reads the filters that are documented for a kind. Those on sites and credentials are not among them:
    /// they are the same for all that a credential holds.
    pub(crate) fn read(kind: Kind, params: &Params) -> Result<Self, Refusal> {
        let mut filters = Self {
            keywords: params.set("keywords")?,
            skip_keywords: params.set("skip_keywords")?,
            ..Self::default()
        };
        for name in kind.id_filters() {
            let values = params.set(name)?;
            if !values.is_empty() {
                // The id under which V3 points to the documents of a job is the job's.
                let field = if *name == "id_job_webhook" { "id_job" } else { *name };
                filters.one_of.push((field, values));
            }
        }
        for name in ["is_disable", "is_valid"] {
            if let Some(flag) = params.flag(name)? {
                filters.flags.push((name, flag));
            }
        }
        filters.has_attachment = params.flag("has_attachment")?;
        for (field, from, to) in [
            (kind.refreshed(), "dt_refresh_from", "dt_refresh_to"),
            ("dt_transaction", "dt_transaction_from", "dt_transaction_to"),
        ] {
            let (from, to) = (params.number(from)?, params.number(to)?);
            if from.is_some() || to.is_some() {
                filters.spans.push((field, from, to));
            }
        }
        Ok(filters)
    }

    /// Whether there are none, so that a page is a range of ordinals.
    pub(crate) fn is_empty(&self) -> bool {
        self.one_of.is_empty()
            && self.flags.is_empty()
            && self.has_attachment.is_none()
            && self.spans.is_empty()
            && self.keywords.is_empty()
            && self.skip_keywords.is_empty()
    }

    /// The only ids that can hold, when the filter on the items' own id is given.
    pub(crate) fn ids(&self, kind: Kind) -> Option<&BTreeSet<String>> {
        self.values(kind.id_name())
    }

    fn values(&self, field: &str) -> Option<&BTreeSet<String>> {
        self.one_of.iter().find(|(name, _)| *name == field).map(|(_, values)| values)
    }

    /// What the store can leave out of `held` items of a holding before these filters look at them.
    pub(crate) fn narrow(&self, kind: Kind, holding: &Holding, held: u64) -> Narrow {
        let span = |field| self.spans.iter().find(|(name, ..)| *name == field);
        let refreshed = span(kind.refreshed()).and_then(|(_, from, _)| *from).map(ms);
        // A job's documents came after it was asked for.
        let jobs = self.values("id_job").filter(|_| kind == Kind::Document);
        let asked = jobs.and_then(|jobs| holding.details.asked_for(jobs));
        let asked = asked.map(|at| at.saturating_sub(limits::SYNC_CLOCK_SLACK_MS));
        // A transaction may say when it was in its body only, so where all can be looked at, they are.
        let dated = span("dt_transaction")
            .filter(|_| kind == Kind::Transaction && held > limits::SYNC_SCAN_MAX);
        Narrow {
            since: refreshed.max(asked).map(Timestamp),
            starts: dated.map(|(_, from, to)| {
                let before = to.map_or(i64::MAX, |to| ms(to.saturating_add(1)));
                (from.map_or(i64::MIN, ms), before)
            }),
        }
    }

    /// Whether an item is asked for.
    pub(crate) fn hold(&self, object: &Object) -> bool {
        let keywords = || texts(object, "keywords");
        self.one_of
            .iter()
            .all(|(name, values)| text(object, name).is_some_and(|value| values.contains(&value)))
            && self.flags.iter().all(|(name, flag)| truth(object, name) == *flag)
            && self.has_attachment.is_none_or(|wanted| truth(object, "attachments") == wanted)
            && self.spans.iter().all(|(name, from, to)| within(object, name, *from, *to))
            && (self.keywords.is_empty() || keywords().iter().any(|k| self.keywords.contains(k)))
            && (self.skip_keywords.is_empty()
                || !keywords().iter().any(|k| self.skip_keywords.contains(k)))
    }
}

/// Unix seconds in ms; what is beyond all times is the last of them.
fn ms(seconds: u64) -> i64 {
    i64::try_from(seconds).map_or(i64::MAX, |seconds| seconds.saturating_mul(1000))
}

fn value(object: &BTreeMap<String, Box<RawValue>>, name: &str) -> Value {
    object.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn text(object: &Object, name: &str) -> Option<String> {
    match value(object, name) {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn texts(object: &Object, name: &str) -> Vec<String> {
    match value(object, name) {
        Value::Array(items) => {
            items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        Value::String(text) => vec![text],
        _ => Vec::new(),
    }
}

/// Whether a value says yes: `true`, a number but 0, a text or array with something in it.
fn truth(object: &Object, name: &str) -> bool {
    match value(object, name) {
        Value::Bool(flag) => flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
        Value::Null => false,
    }
}

fn within(object: &Object, name: &str, from: Option<u64>, to: Option<u64>) -> bool {
    let Some(at) = value(object, name).as_u64() else { return false };
    from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to)
}

#[cfg(test)]
mod tests;
