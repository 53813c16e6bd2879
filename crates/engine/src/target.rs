//! From a stored hook to what its attempts need: secrets are opened, URLs vetted.

use std::sync::Arc;

use tidings_core::access::Access;
use tidings_core::seal::Place;
use tidings_core::sign::{Lasting, Scheme, Secret, SigningKey};
use tidings_store::Hook;

use crate::access::Entry;
use crate::render::Target;
use crate::run::EngineParts;
use crate::transform::script;

/// Reads and opens everything. What does not open is left out and told of: an attempt says so too.
pub(crate) async fn load(
    parts: &EngineParts,
    hook: &Hook,
    before: Option<&Target>,
) -> tidings_store::Result<Target> {
    let app_url = match &hook.url {
        Some(_) => None,
        None => parts.store.dispatch_app(hook.app_no).await?.and_then(|app| app.webhook_url),
    };
    let url = hook.url.clone().or(app_url).unwrap_or_default();
    Ok(Target {
        hook: hook.clone(),
        vetted: parts.egress.policy().vet_url(&url),
        url,
        secrets: secrets(parts, hook).await?,
        keys: keys(parts, hook).await?,
        entry: entry(parts, hook, before).await?,
        script: script(hook.selection()),
    })
}

/// The app's keys, when the hook signs with them.
async fn keys(parts: &EngineParts, hook: &Hook) -> tidings_store::Result<Vec<Lasting<SigningKey>>> {
    if !hook.service.signing.has(Scheme::V1a) {
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    for key in parts.store.signing_keys(hook.app_no, parts.clock.now()).await? {
        match SigningKey::open(&parts.keyring, hook.app_id, key.id, &key.sealed) {
            Some(opened) => keys.push((opened, key.expires_at)),
            None => tracing::error!(hook.id = %hook.id, "a signing key of its app does not open"),
        }
    }
    Ok(keys)
}

/// What lets the hook's requests in. That of `before` goes on when it is still the same, with its token and
/// its connections.
async fn entry(
    parts: &EngineParts,
    hook: &Hook,
    before: Option<&Target>,
) -> tidings_store::Result<Option<Result<Arc<Entry>, String>>> {
    if hook.service.access.is_empty() {
        return Ok(None);
    }
    let Some(found) = parts.store.hook_access(hook.hook_no).await? else {
        return Ok(Some(Err("the hook's headers and credentials are gone; give them anew".into())));
    };
    let name = format!("{:024x}", found.id.value());
    if let Some(Some(Ok(entry))) = before.map(|before| &before.entry)
        && entry.name() == name
    {
        return Ok(Some(Ok(Arc::clone(entry))));
    }
    let place = Place { table: "hook_access", column: "sealed", app: hook.app_id, row: found.id };
    let opened = parts.keyring.open(place, &found.sealed).ok();
    let Some(access) = opened.and_then(|document| Access::from_json(&document)) else {
        tracing::error!(hook.id = %hook.id, "the access of a hook does not open");
        let why = "the hook's headers and credentials cannot be opened; give them anew";
        return Ok(Some(Err(why.into())));
    };
    Ok(Some(Entry::new(&access, &parts.egress, name).map(Arc::new)))
}

async fn secrets(parts: &EngineParts, hook: &Hook) -> tidings_store::Result<Vec<Lasting<Secret>>> {
    let mut secrets = Vec::new();
    for secret in parts.store.hook_secrets(hook.hook_no, parts.clock.now()).await? {
        match Secret::open(&parts.keyring, hook.app_id, secret.id, &secret.sealed) {
            Some(opened) => secrets.push((opened, secret.expires_at)),
            None => tracing::error!(hook.id = %hook.id, "a signing secret does not open"),
        }
    }
    Ok(secrets)
}
