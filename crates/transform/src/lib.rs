//! Transforms: a hook's own script reshapes the body and adds headers before a delivery is signed.
//!
//! The script is [Rhai](https://rhai.rs) without functions, modules, time, chance, output and `eval`.
//! It finds four variables and changes the first two in place:
//!
//! | variable | what it is |
//! |---|---|
//! | `body` | the rendered body as a value; `()` when it is not JSON. What stands there in the end is sent |
//! | `headers` | an empty object; what is put there is added, lower-case name by value |
//! | `change` | the (first) change: `id`, `type`, `seq`, `timestamp`, `origin`, and `provider`, `item`, `order_key`, `actor` where they apply; constant |
//! | `changes` | all changes of the delivery, in order; constant |
//!
//! ```rhai
//! headers["x-invoice"] = body.data.number;
//! body = #{ text: `Invoice ${body.data.number} was paid`, at: change.timestamp };
//! ```
//!
//! A body that is left as it was is sent byte for byte; a changed one is printed as JSON with its keys
//! in alphabetical order. Numbers beyond what the script can count with (integers of more than 64 bits,
//! decimals that a double cannot hold) can be moved but not calculated with, and keep their digits.
//! The same input gives the same output. A script cannot suppress a delivery: filters do that.
//!
//! Limits: steps, depth, variables and the size of every value ([`tidings_core::limits`]), and CPU time as
//! the last resort for what those count too coarsely. Scripts run on [`Sandbox`] threads of their own,
//! never on those that deliver.

mod error;
mod language;
mod run;
mod sandbox;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tidings_core::change::Change;
use tidings_core::limits;

pub use error::TransformError;
pub use sandbox::Sandbox;

/// A compiled transform.
#[derive(Clone)]
pub struct Script(Arc<rhai::AST>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script(…)")
    }
}

impl Script {
    /// Compiles a script: its grammar, and that it names no variable that is not there.
    ///
    /// # Errors
    /// With line and column of the first mistake.
    pub fn compile(source: &str) -> Result<Self, TransformError> {
        if source.len() > limits::TRANSFORM_BYTES_MAX {
            let why = format!("a transform has at most {} bytes", limits::TRANSFORM_BYTES_MAX);
            return Err(TransformError::new(why));
        }
        language::compile(source).map(|ast| Self(Arc::new(ast)))
    }
}

/// What a transform is given.
#[derive(Clone, Debug)]
pub struct Input {
    /// The changes of the delivery, in order.
    pub changes: Vec<Arc<Change>>,
    /// The body as the format rendered it.
    pub body: Bytes,
}

/// What a transform made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The new body, as JSON; absent: it stays as it was.
    pub body: Option<Bytes>,
    /// Headers to add, names in lower case.
    pub headers: Vec<(String, String)>,
}
