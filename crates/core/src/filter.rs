//! Filters: which changes a hook takes, by their content.
//!
//! A filter is JSON. A rule looks at one place and says what must be there; rules are combined:
//!
//! ```json
//! {"and": [
//!   {"path": "/data/status", "in": ["paid", "refunded"]},
//!   {"path": "/data/amount", "gte": 100, "lt": 1000000},
//!   {"not": {"path": "/type", "prefix": "test."}}
//! ]}
//! ```
//!
//! | word | holds when |
//! |---|---|
//! | `eq` | the value equals this string, number, boolean or `null` |
//! | `in` | it equals one of these |
//! | `any_in` | it is a list, and one of its elements equals one of these |
//! | `prefix` | it is a string that begins so |
//! | `exists` | something is there (`true`; also `null`), or nothing (`false`) |
//! | `gt`, `gte`, `lt`, `lte` | it is a number and compares so |
//! | `and`, `or` | all, or at least one of these rules hold |
//! | `not` | this rule does not hold |
//!
//! Several words about one path must all hold. `path` is a JSON pointer (RFC 6901) into the change as
//! `native@1` shows it: `/id`, `/type`, `/timestamp`, `/seq` and `/data/…`, besides `/origin`,
//! `/provider`, `/item`, `/order_key` and `/actor` where they apply. Where nothing is, every word but
//! `"exists": false` fails, and so it does for a value of another kind: `"1"` is not `1`. Numbers are
//! compared by the exact value that is written, however long: `1`, `1.0` and `10e-1` are equal, and
//! 9007199254740993 is not 9007199254740992.

mod parse;
mod reading;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::json::{Decimal, Inside};

pub use parse::FilterError;
use reading::Place;
pub use reading::Reading;

/// What the content of a change must be. Written as the JSON text that it was given as.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter {
    source: Arc<str>,
    rule: Arc<Rule>,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// With a pointer to the place in the filter that is wrong.
    pub fn parse(source: &str) -> Result<Self, FilterError> {
        let rule = parse::rule(source)?;
        Ok(Self { source: source.into(), rule: rule.into() })
    }

    /// The JSON text that it was given as.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it holds for a change.
    pub fn holds(&self, change: &Reading<'_>) -> bool {
        self.rule.holds(change)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Filter {}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter(…)")
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;
    fn try_from(source: String) -> Result<Self, FilterError> {
        Self::parse(&source)
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.source.as_ref().to_owned()
    }
}

#[derive(Debug)]
enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
    At(Place, Vec<Test>),
}

/// One word about a place.
#[derive(Debug)]
enum Test {
    OneOf(Vec<Scalar>),
    AnyOf(Vec<Scalar>),
    Prefix(String),
    Exists(bool),
    Compare(Bound, String),
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// A value without an inside. Numbers keep their text.
#[derive(Debug)]
enum Scalar {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
}

impl Rule {
    fn holds(&self, change: &Reading<'_>) -> bool {
        match self {
            Self::All(rules) => rules.iter().all(|rule| rule.holds(change)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(change)),
            Self::Not(rule) => !rule.holds(change),
            Self::At(place, tests) => {
                change.look(place, |found| tests.iter().all(|test| test.holds(found)))
            }
        }
    }
}

impl Test {
    fn holds(&self, found: Option<&Inside<'_>>) -> bool {
        match (self, found) {
            (Self::Exists(wanted), found) => found.is_some() == *wanted,
            (_, None) => false,
            (Self::OneOf(values), Some(found)) => values.iter().any(|value| value.equals(found)),
            (Self::AnyOf(values), Some(Inside::List(items))) => items.iter().any(|item| {
                item.inside().is_some_and(|item| values.iter().any(|value| value.equals(item)))
            }),
            (Self::Prefix(prefix), Some(found)) => {
                matches!(found, Inside::Text(text) if text.starts_with(prefix.as_str()))
            }
            (Self::Compare(bound, number), Some(Inside::Number(found))) => Decimal::parse(number)
                .is_some_and(|number| match bound {
                    Bound::Above => *found > number,
                    Bound::AtLeast => *found >= number,
                    Bound::Below => *found < number,
                    Bound::AtMost => *found <= number,
                }),
            (Self::Compare(..) | Self::AnyOf(_), Some(_)) => false,
        }
    }
}

impl Scalar {
    fn equals(&self, found: &Inside<'_>) -> bool {
        match (self, found) {
            (Self::Null, Inside::Null) => true,
            (Self::Bool(value), Inside::Bool(found)) => value == found,
            (Self::Text(value), Inside::Text(found)) => value == found,
            (Self::Number(value), Inside::Number(found)) => {
                Decimal::parse(value).is_some_and(|value| value == *found)
            }
            _ => false,
        }
    }
}
