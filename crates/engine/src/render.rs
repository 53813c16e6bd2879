//! From a rendered delivery to the signed request that a hook receives.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tidings_core::clock::Timestamp;
use tidings_core::egress::{UrlRefusal, VettedUrl};
use tidings_core::format::{RenderError, Rendered};
use tidings_core::sign::{self, Lasting, Secret, SigningKey};
use tidings_store::Hook;
use tidings_transform::{Script, TransformError};

use crate::access::Entry;
use crate::transform::Added;

/// What the sender calls itself.
pub(crate) const AGENT: &str = concat!("tidings/", env!("CARGO_PKG_VERSION"));

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
    pub(crate) secrets: Vec<Lasting<Secret>>,
    /// The app's signing keys, when the hook signs with them, each with the time at which it stops.
    pub(crate) keys: Vec<Lasting<SigningKey>>,
    /// What its requests carry to be let in, or why that cannot be used.
    pub(crate) entry: Option<Result<Arc<Entry>, String>>,
    /// Its transform, when it has one, or why that does not compile.
    pub(crate) script: Option<Result<Script, TransformError>>,
}

/// A request, ready to be sent.
#[derive(Debug)]
pub(crate) struct SignedRequest {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Signs what was rendered under the id `id`, for one attempt at `now`.
pub(crate) fn signed_request(
    target: &Target,
    id: String,
    rendered: Rendered,
    added: Added,
    now: Timestamp,
) -> Result<SignedRequest, RenderError> {
    let (signing, body) = (target.hook.service.signing, &rendered.body);
    let signature = sign::signatures(signing, &target.secrets, &target.keys, &id, now, body);
    let unsigned = "there is no secret or key to sign with; nothing is sent unsigned: rotate it";
    let signature = signature.ok_or_else(|| RenderError(unsigned.into()))?;
    // What the hook's owner adds comes first, so that it replaces nothing.
    let mut headers = match &target.entry {
        Some(Ok(entry)) => entry.headers().clone(),
        _ => HeaderMap::with_capacity(6 + rendered.headers.len()),
    };
    for (name, value) in added {
        // A script does not take the place of what lets the request in.
        headers.entry(name).or_insert(value);
    }
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
