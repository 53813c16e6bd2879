//! Why a transform failed, and where.

use std::fmt;

use rhai::{EvalAltResult, ParseError, Position};
use tidings_core::limits;

/// A transform does not compile, failed, or used up what it may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformError {
    /// What is wrong, in one line.
    pub why: String,
    /// Line in the script, from 1, when it is known.
    pub line: Option<usize>,
    /// Column in that line, from 1, when it is known.
    pub column: Option<usize>,
    /// It used up what it may use.
    pub over_limit: bool,
}

impl std::error::Error for TransformError {}

impl fmt::Display for TransformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column {column}: {}", self.why),
            (Some(line), None) => write!(f, "line {line}: {}", self.why),
            _ => f.write_str(&self.why),
        }
    }
}

impl TransformError {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), line: None, column: None, over_limit: false }
    }

    fn at(why: &str, position: Position) -> Self {
        let plain: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut end = plain.len().min(limits::TRANSFORM_ERROR_BYTES_MAX);
        while !plain.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            why: plain[..end].to_owned(),
            line: position.line(),
            column: position.position(),
            over_limit: false,
        }
    }
}

impl From<ParseError> for TransformError {
    fn from(error: ParseError) -> Self {
        let ParseError(kind, position) = error;
        Self::at(&kind.to_string(), position)
    }
}

impl From<Box<EvalAltResult>> for TransformError {
    fn from(mut error: Box<EvalAltResult>) -> Self {
        let position = error.take_position();
        let why = match error.as_ref() {
            EvalAltResult::ErrorTooManyOperations(_) => {
                format!("takes more than {} steps", limits::TRANSFORM_STEPS_MAX)
            }
            EvalAltResult::ErrorTerminated(..) => {
                format!("takes more than {} ms of CPU time", limits::TRANSFORM_CPU_MS)
            }
            EvalAltResult::ErrorTooManyVariables(_) => {
                format!("has more than {} variables", limits::TRANSFORM_VARIABLES_MAX)
            }
            EvalAltResult::ErrorDataTooLarge(..) => format!(
                "makes a value of more than {} elements or fields, or {} bytes of text",
                limits::TRANSFORM_VALUES_MAX,
                limits::TRANSFORM_BODY_BYTES_MAX
            ),
            EvalAltResult::ErrorRuntime(thrown, _) => format!("throws: {thrown}"),
            other => other.to_string(),
        };
        let over_limit = matches!(
            error.as_ref(),
            EvalAltResult::ErrorTooManyOperations(_)
                | EvalAltResult::ErrorTerminated(..)
                | EvalAltResult::ErrorTooManyVariables(_)
                | EvalAltResult::ErrorDataTooLarge(..)
        );
        Self { over_limit, ..Self::at(&why, position) }
    }
}
