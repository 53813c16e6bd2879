//! The formats `vyte@1` and `vyte@2`: what is POSTed to a hook's `target_url` (`README.md`, "Delivery").
//!
//! The vendor's prose says an array whose length is 1, its example shows the one object: both are here.

use std::borrow::Cow;

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
    title: "Vyte",
    triggers: || Action::ALL.into_iter().map(Action::as_str).collect(),
    knows,
    asks,
    documents,
    batches: &[],
    preset: Preset::PLAIN,
    render: render_object,
};

/// The format `vyte@2`: an array that holds the one object.
pub const FORMAT_ARRAY: Format =
    Format { version: 2, title: "Vyte (array)", render: render_array, ..FORMAT };

fn knows(trigger: &str) -> bool {
    Action::parse(trigger).is_some()
}

fn asks(trigger: &str, kind: &str) -> bool {
    Action::parse(trigger).is_some_and(|action| action.kind() == kind)
}

fn documents(kind: &str, provider: &str) -> bool {
    Action::of(kind).is_some() && provider == "record"
}

/// The body of a change, as this dialect writes it about its record account.
#[derive(Deserialize)]
struct Content<'a> {
    account: About<'a>,
    #[serde(borrow)]
    resource: &'a RawValue,
    user: Option<String>,
}

#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow)]
    provider: Cow<'a, str>,
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
    let (resource, user) = content(&change.new.body)?;
    let organization = input.app.0.to_hex24();
    Ok(Payload { action: action(change)?, resource, organization, user })
}

fn action(change: &Change) -> Result<&'static str, RenderError> {
    let kind = change.new.kind.as_str();
    if kind == types::HOOK_TEST {
        return Ok(types::HOOK_TEST);
    }
    let action = Action::of(kind).map(Action::as_str);
    action.ok_or_else(|| refused(&format!("vyte does not send {kind}")))
}

/// The resource of a change, and the user whom it is about. Of what an app publishes itself under one of our
/// types, whatever its members are called, the whole is the resource.
fn content(body: &[u8]) -> Result<(&RawValue, Option<String>), RenderError> {
    match serde_json::from_slice::<Content<'_>>(body) {
        Ok(ours) if ours.account.provider == "record" => Ok((ours.resource, ours.user)),
        _ if !body.trim_ascii_start().starts_with(b"{") => Err(unreadable()),
        _ => Ok((serde_json::from_slice(body).map_err(|_| unreadable())?, None)),
    }
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
