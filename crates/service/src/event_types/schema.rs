//! A JSON Schema of a stranger: bounded before it is compiled, and in what it costs to ask it.
//!
//! References lead only into the schema itself and never in a circle, so that a schema has a size: its parts,
//! each counted as often as it is referred to. Patterns run in linear time. `format` says nothing.

use std::collections::HashMap;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use tidings_core::limits;

/// The versions of JSON Schema that we know.
const DRAFTS: [&str; 3] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
];
/// What would lead out of the schema, or in circles.
const FORBIDDEN: [&str; 5] =
    ["$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "$vocabulary"];

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// JSON pointer into the schema.
    pub(super) at: String,
    /// Plain words.
    pub(super) why: String,
}

impl Refused {
    fn new(at: &str, why: impl Into<String>) -> Self {
        Self { at: at.to_owned(), why: why.into() }
    }
}

/// A schema that can be asked.
#[derive(Debug)]
pub(super) struct Schema {
    validator: Validator,
    parts: u64,
}

impl Schema {
    /// Reads, bounds and compiles a schema.
    pub(super) fn compile(text: &str) -> Result<Self, Refused> {
        if text.len() > limits::SCHEMA_BYTES_MAX {
            let why = format!("must be at most {} bytes", limits::SCHEMA_BYTES_MAX);
            return Err(Refused::new("", why));
        }
        let schema: Value =
            serde_json::from_str(text).map_err(|_| Refused::new("", "must be a JSON document"))?;
        if !matches!(schema, Value::Object(_) | Value::Bool(_)) {
            return Err(Refused::new("", "must be a JSON Schema: an object, true or false"));
        }
        let mut walk = Walk { root: &schema, targets: HashMap::new() };
        let size = walk.size(&schema, "")?;
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(false)
            .with_pattern_options(
                PatternOptions::regex()
                    .size_limit(limits::SCHEMA_PATTERN_SIZE_MAX)
                    .dfa_size_limit(limits::SCHEMA_PATTERN_SIZE_MAX),
            )
            .build(&schema)
            .map_err(|error| {
                let at = error.instance_path().as_str().to_owned();
                Refused {
                    at,
                    why: "is not a JSON Schema that can be used: see the keyword there".into(),
                }
            })?;
        Ok(Self { validator, parts: size.parts })
    }

    /// What it has against a document: JSON pointers into it, with the reason in words that do not repeat
    /// its values.
    pub(super) fn faults(&self, data: &[u8]) -> Vec<(String, String)> {
        if self.parts.saturating_mul(data.len() as u64) > limits::SCHEMA_WORK_MAX {
            return vec![(String::new(), "is too large to be judged by its schema".into())];
        }
        let Ok(data) = serde_json::from_slice::<Value>(data) else {
            return vec![(String::new(), "must be a JSON document".into())];
        };
        if self.validator.is_valid(&data) {
            return Vec::new();
        }
        let faults = self.validator.iter_errors(&data).take(limits::SCHEMA_FAULTS_MAX);
        faults
            .map(|fault| (fault.instance_path().as_str().to_owned(), fault.masked().to_string()))
            .collect()
    }
}

/// How large a part of a schema is.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Parts, those that it refers to included.
    parts: u64,
    /// Parts within one another.
    depth: usize,
}

/// Goes through a schema once; what is referred to, once each.
struct Walk<'s> {
    root: &'s Value,
    /// Sizes of what was referred to; absent while it is being looked at.
    targets: HashMap<&'s str, Option<Size>>,
}

impl<'s> Walk<'s> {
    /// Everything below `value` is taken for a part, which errs on the side of caution.
    fn size(&mut self, value: &'s Value, at: &str) -> Result<Size, Refused> {
        let mut size = Size { parts: 1, depth: 1 };
        let mut add = |part: Size| {
            size.parts = size.parts.saturating_add(part.parts);
            size.depth = size.depth.max(part.depth + 1);
        };
        match value {
            Value::Array(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    add(self.size(part, &format!("{at}/{index}"))?);
                }
            }
            Value::Object(fields) => {
                for (name, part) in fields {
                    let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    check(name, part, &at)?;
                    if let ("$ref", Value::String(target)) = (name.as_str(), part) {
                        add(self.target(target, &at)?);
                    }
                    add(self.size(part, &at)?);
                }
            }
            _ => {}
        }
        if size.parts > limits::SCHEMA_PARTS_MAX || size.depth > limits::JSON_DEPTH_MAX {
            let (parts, depth) = (limits::SCHEMA_PARTS_MAX, limits::JSON_DEPTH_MAX);
            let why = format!(
                "must have at most {parts} parts, {depth} deep, each counted as often as it is referred to"
            );
            return Err(Refused::new(at, why));
        }
        Ok(size)
    }

    fn target(&mut self, target: &'s str, at: &str) -> Result<Size, Refused> {
        match self.targets.get(target) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(Refused::new(at, "must not lead back to itself")),
            None => {}
        }
        let pointer =
            target.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let Some(part) = pointer.and_then(|pointer| self.root.pointer(pointer)) else {
            let why = "must lead to a part of this schema, as #/$defs/name";
            return Err(Refused::new(at, why));
        };
        self.targets.insert(target, None);
        let size = self.size(part, pointer.unwrap_or_default())?;
        self.targets.insert(target, Some(size));
        Ok(size)
    }
}

/// What no schema may say.
fn check(name: &str, part: &Value, at: &str) -> Result<(), Refused> {
    if FORBIDDEN.contains(&name) && !part.is_object() {
        return Err(Refused::new(at, "cannot be used here"));
    }
    match (name, part) {
        ("$id", Value::String(_)) if at != "/$id" => {
            Err(Refused::new(at, "can be used at the top only"))
        }
        ("$schema", Value::String(draft)) if !DRAFTS.contains(&draft.trim_end_matches('#')) => {
            let why = "must be JSON Schema 2020-12, 2019-09 or draft-07";
            Err(Refused::new(at, why))
        }
        ("pattern", Value::String(pattern)) => short(pattern, at),
        ("patternProperties", Value::Object(patterns)) => {
            patterns.keys().try_for_each(|pattern| short(pattern, at))
        }
        _ => Ok(()),
    }
}

fn short(pattern: &str, at: &str) -> Result<(), Refused> {
    let most = limits::SCHEMA_PATTERN_BYTES_MAX;
    if pattern.len() > most {
        return Err(Refused::new(at, format!("a pattern must be at most {most} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
