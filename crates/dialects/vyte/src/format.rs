//! The formats `vyte@1` and `vyte@2`: what is POSTed to a hook's `target_url` (`README.md`, "Delivery").
//!
//! The vendor's prose says an array whose length is 1, its example shows the one object: both are here.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_core::change::{Change, types};
use tidings_core::format::{Format, Preset, RenderError, RenderInput, Rendered};

use crate::action::Action;

/// The format `vyte@1`: one object.
pub const FORMAT: Format = Format {
    name: "vyte",
    version: 1,
    knows,
    asks,
    documents,
    batches: &[],
    preset: Preset::PLAIN,
    render: render_object,
};

/// The format `vyte@2`: an array that holds the one object.
pub const FORMAT_ARRAY: Format = Format { version: 2, render: render_array, ..FORMAT };

fn knows(trigger: &str) -> bool {
    Action::parse(trigger).is_some()
}

fn asks(trigger: &str, kind: &str) -> bool {
    Action::parse(trigger).is_some_and(|action| action.kind() == kind)
}

fn documents(kind: &str, provider: &str) -> bool {
    Action::of(kind).is_some() && provider == "record"
}

/// The body of a change, as this dialect writes it.
#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    user: Option<String>,
}

/// The documented properties of a delivery.
#[derive(Serialize)]
struct Payload<'a> {
    action: &'a str,
    resource: &'a RawValue,
    organization: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
}

fn render_object(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    Ok(json(serde_json::to_vec(&payload(input)?).map_err(|error| refused(&error.to_string()))?))
}

fn render_array(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    Ok(json(serde_json::to_vec(&[payload(input)?]).map_err(|error| refused(&error.to_string()))?))
}

fn payload<'a>(input: &RenderInput<'a>) -> Result<Payload<'a>, RenderError> {
    let [change] = input.changes else {
        return Err(refused("a vyte request stands for one change"));
    };
    let (action, content) = (action(change)?, content(change)?);
    // What an app publishes itself under such a type is the resource.
    let whole = || serde_json::from_slice(&change.new.body).map_err(|_| unreadable());
    Ok(Payload {
        action,
        resource: content.resource.map_or_else(whole, Ok)?,
        organization: input.app.0.to_hex24(),
        user: content.user,
    })
}

fn action(change: &Change) -> Result<&'static str, RenderError> {
    let kind = change.new.kind.as_str();
    if kind == types::HOOK_TEST {
        return Ok(types::HOOK_TEST);
    }
    let action = Action::of(kind).map(Action::as_str);
    action.ok_or_else(|| refused(&format!("vyte does not send {kind}")))
}

fn content(change: &Change) -> Result<Content<'_>, RenderError> {
    serde_json::from_slice(&change.new.body).map_err(|_| unreadable())
}

/// serde's own message would quote the content.
fn unreadable() -> RenderError {
    refused("the content is not the object that vyte sends")
}

fn json(body: Vec<u8>) -> Rendered {
    Rendered {
        headers: Vec::new(),
        content_type: Some("application/json"),
        body: Bytes::from(body),
    }
}

fn refused(why: &str) -> RenderError {
    RenderError(why.to_owned())
}

#[cfg(test)]
mod tests;
