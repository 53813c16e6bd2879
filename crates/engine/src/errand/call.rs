//! A request to a hook's receiver beside its deliveries: recorded nowhere, counted against nobody.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tidings_core::format::{Formats, Rendered};
use tidings_core::id::DeliveryId;
use tidings_core::limits::ERRAND_CALLS_AT_ONCE;
use tidings_providers::errand::{Called, Refusal, Reply};

use super::{not_found, store};
use crate::egress::{Attempted, Budget, Request};
use crate::render::{SignedRequest, Target, signed_request};
use crate::run::EngineParts;
use crate::sync::Providers;
use crate::target;

/// The apps with a call under way: bounded, and one for each, for a receiver may take its time.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashSet<i64>>);

/// An app's call; the app may make the next one once this is dropped.
struct Turn<'a> {
    calls: &'a Calls,
    app_no: i64,
}

impl Calls {
    fn apps(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, app_no: i64) -> Option<Turn<'_>> {
        let mut apps = self.apps();
        // A turn gives itself back when it is dropped: none is made unless it is had.
        if apps.len() < ERRAND_CALLS_AT_ONCE && apps.insert(app_no) {
            Some(Turn { calls: self, app_no })
        } else {
            None
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.calls.apps().remove(&self.app_no);
    }
}

/// Sends `body` to where the hook delivers, signed and let in as a delivery, under an id of its own.
///
/// # Errors
/// The hook is gone; another call of its app is under way, or too many are; the store failed.
pub(super) async fn call(
    calls: &Calls,
    providers: &Providers,
    hook_no: i64,
    body: Bytes,
) -> Result<Reply, Refusal> {
    let hook = providers.store.hook_by_no(hook_no).await.map_err(store)?;
    let hook = hook.ok_or_else(|| not_found("hook"))?;
    let _turn = calls.turn(hook.app_no).ok_or(Refusal::Busy)?;
    let parts = EngineParts {
        store: providers.store.clone(),
        egress: providers.egress.clone(),
        keyring: providers.keyring.clone(),
        clock: providers.clock.clone(),
        ids: providers.ids.clone(),
        formats: Formats::default(),
        meters: std::sync::Arc::default(),
    };
    let target = target::load(&parts, &hook, None).await.map_err(store)?;
    let called = match send(&parts, &target, body).await {
        Ok(attempted) => match attempted.result {
            Ok(response) => Called { status: Some(response.status), why: None },
            Err(failure) => Called { status: None, why: Some(failure.detail) },
        },
        Err(why) => Called { status: None, why: Some(why) },
    };
    Ok(Reply::Called(called))
}

/// Makes the request; otherwise says why it cannot be made.
async fn send(parts: &EngineParts, target: &Target, body: Bytes) -> Result<Attempted, String> {
    let url = target.vetted.as_ref().map_err(ToString::to_string)?;
    let now = parts.clock.now();
    let id = DeliveryId(parts.ids.next(now)).to_string();
    let rendered = Rendered { headers: Vec::new(), content_type: Some("application/json"), body };
    let signed = signed_request(target, id, rendered, Vec::new(), now);
    let SignedRequest { mut headers, body } = signed.map_err(|error| error.to_string())?;
    let budget = Budget {
        total: Duration::from_millis(target.hook.service.timeout_ms),
        ..Budget::delivery()
    };
    match &target.entry {
        Some(Err(why)) => Err(why.clone()),
        Some(Ok(entry)) => {
            entry.authorize(&parts.egress, &parts.clock, &mut headers).await?;
            let request = Request { method: Method::POST, url, headers, body, budget };
            Ok(entry.send(&parts.egress, &parts.clock, request).await)
        }
        None => {
            let request = Request { method: Method::POST, url, headers, body, budget };
            Ok(parts.egress.send(request).await)
        }
    }
}
