//! Render: from changes to the signed request that a hook receives.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::{Members, delivery_id};
use tidings_core::egress::{UrlRefusal, VettedUrl};
use tidings_core::format::{Formats, RenderError, RenderInput};
use tidings_core::sign::{self, Secret};
use tidings_store::Hook;

/// What the sender calls itself.
const AGENT: &str = concat!("tidings/", env!("CARGO_PKG_VERSION"));

/// Everything about a hook that an attempt needs. Replaced when the hook changes, so that parked
/// deliveries use the current URL, secrets and format.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) hook: Hook,
    /// The URL in force, as text for the record.
    pub(crate) url: String,
    /// The same after the egress policy looked at it.
    pub(crate) vetted: Result<VettedUrl, UrlRefusal>,
    /// The secrets, each with the time at which it stops signing.
    pub(crate) secrets: Vec<(Secret, Option<Timestamp>)>,
}

/// A request, ready to be sent.
#[derive(Debug)]
pub(crate) struct SignedRequest {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Renders and signs a delivery for one attempt at `now`.
pub(crate) fn signed_request(
    target: &Target,
    formats: &Formats,
    members: &Members,
    changes: &[Arc<Change>],
    now: Timestamp,
) -> Result<SignedRequest, RenderError> {
    let hook = &target.hook;
    let format = formats
        .get(&hook.selection().format)
        .ok_or_else(|| RenderError(format!("format {} is unknown", hook.selection().format)))?;
    let delivery = delivery_id(hook.id, hook.hook_no, members);
    let owned: Vec<Change> = changes.iter().map(|change| Change::clone(change)).collect();
    let rendered = (format.render)(&RenderInput {
        app: hook.app_id,
        hook: hook.id,
        hook_external_id: hook.external_id.as_deref(),
        delivery,
        changes: &owned,
        now,
    })?;
    let secrets: Vec<Secret> = target
        .secrets
        .iter()
        .filter(|(_, until)| until.is_none_or(|until| until > now))
        .map(|(secret, _)| secret.clone())
        .collect();
    let id = delivery.to_string();
    let signature = sign::signature_header(&secrets, &id, now, &rendered.body);
    let mut headers = HeaderMap::with_capacity(6 + rendered.headers.len());
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", now.unix_seconds().to_string()),
        ("webhook-signature", signature),
    ]
    .into_iter()
    .chain(rendered.headers)
    {
        let value = HeaderValue::try_from(value)
            .map_err(|_| RenderError(format!("header {name} has characters that HTTP forbids")))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    if let Some(content_type) = rendered.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    Ok(SignedRequest { headers, body: rendered.body })
}
