//! Reading a filter, strictly: whatever is not understood is refused, with a pointer to it.

use super::reading::{Field, Place};
use super::{Bound, Rule, Scalar, Test};
use crate::json::{self, Inside, Lazy};
use crate::limits;

const WORDS: &str = "path with eq, in, any_in, prefix, exists, gt, gte, lt, lte; or and, or, not";

/// Why a filter is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct FilterError {
    /// JSON pointer (RFC 6901) to the place in the filter.
    pub pointer: String,
    /// What must be there.
    pub why: String,
}

type Result<T> = std::result::Result<T, FilterError>;

fn refuse<T>(pointer: &str, why: impl Into<String>) -> Result<T> {
    Err(FilterError { pointer: pointer.to_owned(), why: why.into() })
}

pub(super) fn rule(source: &str) -> Result<Rule> {
    if source.len() > limits::FILTER_BYTES_MAX {
        return refuse("", format!("must be at most {} bytes", limits::FILTER_BYTES_MAX));
    }
    if let Err(error) = json::validate(source.as_bytes()) {
        return refuse("", error.to_string());
    }
    Parser { parts_left: limits::FILTER_PARTS_MAX }.rule(&Lazy::new(source), "", 0)
}

/// Counts what a filter costs to evaluate.
struct Parser {
    parts_left: usize,
}

impl Parser {
    fn part(&mut self, at: &str) -> Result<()> {
        let Some(left) = self.parts_left.checked_sub(1) else {
            let most = limits::FILTER_PARTS_MAX;
            return refuse(at, format!("a filter has at most {most} rules, words and values"));
        };
        self.parts_left = left;
        Ok(())
    }

    fn rule(&mut self, json: &Lazy<'_>, at: &str, depth: usize) -> Result<Rule> {
        if depth >= limits::FILTER_DEPTH_MAX {
            return refuse(at, format!("rules nest at most {} deep", limits::FILTER_DEPTH_MAX));
        }
        self.part(at)?;
        let Some(Inside::Object(members)) = json.inside() else {
            return refuse(at, format!("must be an object: {WORDS}"));
        };
        if let Some([(name, _), _]) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return refuse(&below(at, name), "is given twice");
        }
        if let Some(path) = json.get("path") {
            return self.about(path, members, at);
        }
        let [(word, inner)] = members.as_slice() else {
            let why = "must have a path, or exactly one of and, or, not";
            return refuse(at, why);
        };
        let at = below(at, word);
        match word.as_ref() {
            "and" => Ok(Rule::All(self.rules(inner, &at, depth + 1)?)),
            "or" => Ok(Rule::Any(self.rules(inner, &at, depth + 1)?)),
            "not" => Ok(Rule::Not(Box::new(self.rule(inner, &at, depth + 1)?))),
            _ if is_test(word) => refuse(&at, "needs a path beside it"),
            _ => refuse(&at, format!("is no word of a filter: {WORDS}")),
        }
    }

    fn rules(&mut self, json: &Lazy<'_>, at: &str, depth: usize) -> Result<Vec<Rule>> {
        let items = list(json, at, "rules")?;
        let rules = items.iter().enumerate();
        rules.map(|(place, rule)| self.rule(rule, &format!("{at}/{place}"), depth)).collect()
    }

    fn about(
        &mut self,
        path: &Lazy<'_>,
        members: &[(std::borrow::Cow<'_, str>, Lazy<'_>)],
        at: &str,
    ) -> Result<Rule> {
        let place = place(path, &below(at, "path"))?;
        if members.len() == 1 {
            return refuse(
                at,
                "says nothing about its path: eq, in, any_in, prefix, exists, gt, gte, lt, lte",
            );
        }
        let mut tests = Vec::new();
        for (word, value) in members.iter().filter(|(word, _)| word != "path") {
            let at = below(at, word);
            self.part(&at)?;
            tests.push(self.test(word, value, &at)?);
        }
        Ok(Rule::At(place, tests))
    }

    fn test(&mut self, word: &str, value: &Lazy<'_>, at: &str) -> Result<Test> {
        let bound = match word {
            "eq" => return Ok(Test::OneOf(vec![scalar(value, at)?])),
            "in" => return Ok(Test::OneOf(self.scalars(value, at)?)),
            "any_in" => return Ok(Test::AnyOf(self.scalars(value, at)?)),
            "prefix" => {
                return match value.inside() {
                    Some(Inside::Text(prefix)) => Ok(Test::Prefix(prefix.clone().into_owned())),
                    _ => refuse(at, "must be a string"),
                };
            }
            "exists" => {
                return match value.inside() {
                    Some(Inside::Bool(exists)) => Ok(Test::Exists(*exists)),
                    _ => refuse(at, "must be true or false"),
                };
            }
            "gt" => Bound::Above,
            "gte" => Bound::AtLeast,
            "lt" => Bound::Below,
            "lte" => Bound::AtMost,
            "and" | "or" | "not" => return refuse(at, "must stand alone, without a path"),
            _ => return refuse(at, format!("is no word of a filter: {WORDS}")),
        };
        match value.inside() {
            Some(Inside::Number(number)) => Ok(Test::Compare(bound, number.text().to_owned())),
            _ => refuse(at, "must be a number"),
        }
    }

    fn scalars(&mut self, json: &Lazy<'_>, at: &str) -> Result<Vec<Scalar>> {
        let mut values = Vec::new();
        for (place, value) in list(json, at, "values")?.iter().enumerate() {
            let at = format!("{at}/{place}");
            self.part(&at)?;
            values.push(scalar(value, &at)?);
        }
        Ok(values)
    }
}

fn is_test(word: &str) -> bool {
    ["eq", "in", "any_in", "prefix", "exists", "gt", "gte", "lt", "lte"].contains(&word)
}

fn list<'l, 'a>(json: &'l Lazy<'a>, at: &str, what: &str) -> Result<&'l [Lazy<'a>]> {
    match json.inside() {
        Some(Inside::List(items)) if !items.is_empty() => Ok(items),
        _ => refuse(at, format!("must be a list of one or more {what}")),
    }
}

fn scalar(json: &Lazy<'_>, at: &str) -> Result<Scalar> {
    match json.inside() {
        Some(Inside::Null) => Ok(Scalar::Null),
        Some(Inside::Bool(value)) => Ok(Scalar::Bool(*value)),
        Some(Inside::Number(number)) => Ok(Scalar::Number(number.text().to_owned())),
        Some(Inside::Text(text)) => Ok(Scalar::Text(text.clone().into_owned())),
        _ => refuse(at, "must be a string, a number, true, false or null"),
    }
}

fn place(json: &Lazy<'_>, at: &str) -> Result<Place> {
    let Some(Inside::Text(path)) = json.inside() else {
        return refuse(at, "must be a JSON pointer such as /data/status");
    };
    let Some(path) = path.strip_prefix('/') else {
        return refuse(at, "must begin with /, as in /data/status");
    };
    let mut names = path.split('/').map(unescape);
    let Some(Some(first)) = names.next() else {
        return refuse(at, "~ must be written ~0, and / within a name ~1");
    };
    let Some(names) = names.collect::<Option<Vec<_>>>() else {
        return refuse(at, "~ must be written ~0, and / within a name ~1");
    };
    if names.len() > limits::JSON_DEPTH_MAX {
        return refuse(at, format!("must have at most {} names", limits::JSON_DEPTH_MAX));
    }
    if first == "data" {
        return Ok(Place::Data(names));
    }
    match Field::ALL.iter().find(|(name, _)| *name == first) {
        Some((_, field)) if names.is_empty() => Ok(Place::Field(*field)),
        Some((name, _)) => refuse(at, format!("/{name} has nothing inside it")),
        None => {
            let fields: Vec<_> = Field::ALL.iter().map(|(name, _)| format!("/{name}")).collect();
            refuse(at, format!("must begin with /data, or be one of {}", fields.join(", ")))
        }
    }
}

fn unescape(name: &str) -> Option<String> {
    let mut pieces = name.split('~');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escaped, rest) = match piece.as_bytes().first()? {
            b'0' => ('~', &piece[1..]),
            b'1' => ('/', &piece[1..]),
            _ => return None,
        };
        plain.push(escaped);
        plain.push_str(rest);
    }
    Some(plain)
}

fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
