//! Render: from changes to the signed request that a hook receives.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::{Members, delivery_id};
use tidings_core::egress::{UrlRefusal, VettedUrl};
use tidings_core::filter::Reading;
use tidings_core::format::{Formats, RenderError, RenderInput, Rendered};
use tidings_core::sign::{self, Scheme, Secret, SigningKey};
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
    pub(crate) secrets: Vec<(Secret, Option<Timestamp>)>,
    /// The app's signing keys, when the hook signs with them, each with the time at which it stops.
    pub(crate) keys: Vec<(SigningKey, Option<Timestamp>)>,
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

/// Puts a delivery into the format of its hook, for one attempt at `now`.
pub(crate) fn render(
    target: &Target,
    formats: &Formats,
    members: &Members,
    changes: &[Arc<Change>],
    now: Timestamp,
) -> Result<Rendered, RenderError> {
    let hook = &target.hook;
    let format = formats
        .get(&hook.selection().format)
        .ok_or_else(|| RenderError(format!("format {} is unknown", hook.selection().format)))?;
    let delivery = delivery_id(hook.id, hook.hook_no, members);
    let owned: Vec<Change>;
    let changes = match changes {
        // By far the most: nothing is copied.
        [only] => std::slice::from_ref(only.as_ref()),
        several => {
            owned = several.iter().map(|change| Change::clone(change)).collect();
            &owned
        }
    };
    let names = names(hook, changes);
    (format.render)(&RenderInput {
        app: hook.app_id,
        hook: hook.id,
        hook_external_id: hook.external_id.as_deref(),
        delivery,
        changes,
        named: &names,
        now,
    })
}

/// By which of the hook's named filters each change was taken; nothing for a hook without any.
fn names<'h>(hook: &'h Hook, changes: &[Change]) -> Vec<Vec<&'h str>> {
    if hook.versions.iter().all(|(_, selection)| selection.named.is_empty()) {
        return Vec::new();
    }
    let names = |change: &Change| {
        let selection = hook.selection_at(change.seq)?;
        Some(selection.names(&Reading::new(change)).collect())
    };
    changes.iter().map(|change| names(change).unwrap_or_default()).collect()
}

/// Signs what was rendered under the id `id`, for one attempt at `now`.
pub(crate) fn signed_request(
    target: &Target,
    id: String,
    rendered: Rendered,
    added: Added,
    now: Timestamp,
) -> Result<SignedRequest, RenderError> {
    let signature = signature(target, &id, &rendered.body, now)?;
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

/// The value of `webhook-signature` under everything that signs at `now`, in the schemes of the hook.
fn signature(
    target: &Target,
    id: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<String, RenderError> {
    let signing = target.hook.service.signing;
    let mut signatures = String::new();
    if signing.has(Scheme::V1) {
        let secrets =
            target.secrets.iter().filter(|(_, until)| until.is_none_or(|until| until > now));
        signatures = sign::signature_header(secrets.map(|(secret, _)| secret), id, now, body);
    }
    if signing.has(Scheme::V1a) {
        let keys = target.keys.iter().filter(|(_, until)| until.is_none_or(|until| until > now));
        let public = sign::public_signature_header(keys.map(|(key, _)| key), id, now, body);
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        signatures += &public;
    }
    let unsigned = "there is no secret or key to sign with; nothing is sent unsigned: rotate it";
    if signatures.trim().is_empty() { Err(RenderError(unsigned.into())) } else { Ok(signatures) }
}
