//! A hook's transform: from the rendered request to what its script makes of it, before it is signed.

use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use tidings_core::change::Change;
use tidings_core::format::Rendered;
use tidings_core::hook::Selection;
use tidings_transform::{Sandbox, Script, TransformError};

/// Error class of a transform that failed. It says nothing about the receiver.
pub(crate) const TRANSFORM: &str = "transform";

/// Headers that a script adds.
pub(crate) type Added = Vec<(HeaderName, HeaderValue)>;

/// Compiles the script of a hook, once for all its deliveries.
pub(crate) fn script(selection: &Selection) -> Option<Result<Script, TransformError>> {
    selection.transform.as_deref().map(Script::compile)
}

/// Lets the script change what the format rendered.
pub(crate) async fn transformed(
    sandbox: &Sandbox,
    script: &Result<Script, TransformError>,
    rendered: Rendered,
    changes: &[Arc<Change>],
) -> Result<(Rendered, Added), String> {
    let script = script.as_ref().map_err(said)?;
    let reshaped = sandbox.reshape(script, rendered, changes).await;
    let (rendered, headers) = reshaped.map_err(|error| said(&error))?;
    let mut added = Added::with_capacity(headers.len());
    for (name, value) in headers {
        let header = (HeaderName::try_from(&name), HeaderValue::try_from(value));
        let (Ok(name), Ok(value)) = header else {
            return Err(format!("transform: header {name} cannot be written in HTTP"));
        };
        added.push((name, value));
    }
    Ok((rendered, added))
}

fn said(error: &TransformError) -> String {
    format!("transform: {error}")
}
