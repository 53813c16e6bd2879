//! Asking a receiver whether it wants to be sent to: the `OPTIONS` handshake of CloudEvents' HTTP 1.1 Web
//! Hooks for Event Delivery 1.0.2, §4. Only the answer to the request itself counts, no later call back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use serde_json::json;
use tidings_core::clock::Clock;
use tidings_core::egress::{UrlRefusal, VettedUrl};
use tidings_core::hook::{Consent, HookStatus, Rate, Service, Span};
use tidings_store::{AuditEntry, Hook, HookUpdate, Store};

use crate::egress::{Budget, Egress, Request, Response};
use crate::render::AGENT;

/// What asking needs.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) store: Store,
    pub(crate) egress: Arc<Egress>,
    pub(crate) clock: Clock,
}

impl Asker {
    /// Asks the receiver of a hook whose consent is [`Consent::Asked`], and writes what it said. Credentials
    /// are for receivers that agreed: they are not sent.
    pub(crate) async fn ask(&self, hook: &Hook, url: &str, vetted: &Result<VettedUrl, UrlRefusal>) {
        let answer = match vetted {
            Ok(vetted) => self.answer(hook, vetted).await,
            Err(refusal) => Err(refusal.to_string()),
        };
        if let Err(error) = self.write(hook, url, answer).await {
            tracing::error!(error = %error, hook.id = %hook.id, "a receiver's consent was not written");
        }
    }

    async fn answer(&self, hook: &Hook, url: &VettedUrl) -> Result<Option<Rate>, String> {
        let origin = self.egress.origin();
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let named = HeaderValue::try_from(origin).map_err(|_| "our own name is no header value")?;
        headers.insert("webhook-request-origin", named);
        if let Some(rate) = hook.service.rate {
            headers.insert("webhook-request-rate", HeaderValue::from(per_minute(rate)));
        }
        let budget =
            Budget { total: Duration::from_millis(hook.service.timeout_ms), ..Budget::delivery() };
        let request = Request { method: Method::OPTIONS, url, headers, body: Bytes::new(), budget };
        match self.egress.send(request).await.result {
            Ok(response) => judge(&response, origin),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Writes the answer, unless the question has become another one meanwhile.
    async fn write(
        &self,
        asked: &Hook,
        url: &str,
        answer: Result<Option<Rate>, String>,
    ) -> tidings_store::Result<()> {
        let Some(hook) = self.store.hook_by_no(asked.hook_no).await? else { return Ok(()) };
        let same = hook.url.as_deref().unwrap_or(url) == url;
        if hook.service.consent != Some(Consent::Asked) || !same {
            return Ok(());
        }
        let detail = json!({"consents": answer.is_ok()});
        let update = update(&hook, answer);
        let entry = AuditEntry {
            actor: "system".into(),
            action: "hook.verify",
            object: hook.id.to_string(),
            denied: false,
            address: None,
            detail,
        };
        self.store.update_hook(hook.hook_no, update, entry, self.clock.now()).await?;
        Ok(())
    }
}

/// What an answer makes of the hook. One that its owner stopped meanwhile stays stopped.
fn update(hook: &Hook, answer: Result<Option<Rate>, String>) -> HookUpdate {
    let reason = hook.status_reason.as_deref().unwrap_or_default();
    let waits = hook.status == HookStatus::Disabled
        && [Consent::WAITING, Consent::REFUSED].iter().any(|words| reason.starts_with(words));
    let mut service = hook.service.clone();
    let status = match answer {
        Ok(allowed) => {
            service.consent = Some(Consent::Given);
            service.rate = lower(&service, allowed);
            (HookStatus::Active, None)
        }
        Err(why) => {
            service.consent = Some(Consent::Refused);
            let advice = "ask again with POST /hooks/{id}/verify";
            (HookStatus::Disabled, Some(format!("{}: {why}; {advice}", Consent::REFUSED)))
        }
    };
    HookUpdate { service: Some(service), status: waits.then_some(status), ..HookUpdate::default() }
}

/// Whether the receiver agreed, and the rate that it allows, if it names one.
fn judge(response: &Response, origin: &str) -> Result<Option<Rate>, String> {
    let status = response.status;
    if !(200..300).contains(&status) {
        return Err(format!("it answered {status} to OPTIONS"));
    }
    let Some(allowed) = response.header("webhook-allowed-origin").map(str::trim) else {
        return Err("its answer to OPTIONS has no header WebHook-Allowed-Origin".into());
    };
    if allowed != "*" && !allowed.eq_ignore_ascii_case(origin) {
        return Err(format!("WebHook-Allowed-Origin is neither * nor {origin}"));
    }
    match response.header("webhook-allowed-rate").map(str::trim) {
        None | Some("*") => Ok(None),
        Some(rate) => match rate.parse() {
            Ok(count @ 1..) => Ok(Some(Rate { count, per: Span::Minute })),
            _ => Err("WebHook-Allowed-Rate is neither * nor a number of requests a minute".into()),
        },
    }
}

/// The slower of the hook's own rate and what the receiver allows.
fn lower(service: &Service, allowed: Option<Rate>) -> Option<Rate> {
    match (service.rate, allowed) {
        (Some(own), Some(allowed)) if per_minute(own) <= u64::from(allowed.count) => Some(own),
        (own, allowed) => allowed.or(own),
    }
}

/// Attempts a minute, rounded up.
fn per_minute(rate: Rate) -> u64 {
    let count = u64::from(rate.count);
    match rate.per {
        Span::Second => count * 60,
        Span::Minute => count,
        Span::Hour => count.div_ceil(60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::BodyEnd;

    fn response(status: u16, headers: &[(&str, &str)]) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Bytes::copy_from_slice(value.as_bytes())));
        let headers = headers.collect();
        Response { status, headers, body: Bytes::new(), body_end: BodyEnd::Complete }
    }

    #[test]
    fn only_a_clear_yes_is_consent() {
        let (origin, rate) = ("webhook-allowed-origin", "webhook-allowed-rate");
        let minute = |count| Ok(Some(Rate { count, per: Span::Minute }));
        for (status, headers, expected) in [
            (200, vec![(origin, "*")], Ok(None)),
            (204, vec![(origin, "hooks.example.org")], Ok(None)),
            (204, vec![(origin, "Hooks.Example.ORG "), (rate, "120")], minute(120)),
            (200, vec![(origin, "*"), (rate, "*")], Ok(None)),
            (200, vec![(origin, "*"), (rate, "0")], Err("WebHook-Allowed-Rate")),
            (200, vec![(origin, "*"), (rate, "-5")], Err("WebHook-Allowed-Rate")),
            (200, vec![(origin, "*"), (rate, "99999999999")], Err("WebHook-Allowed-Rate")),
            (200, vec![(origin, "other.example.org")], Err("neither * nor hooks.example.org")),
            (200, vec![(origin, "")], Err("neither")),
            (200, vec![], Err("no header WebHook-Allowed-Origin")),
            (200, vec![("access-control-allow-origin", "*")], Err("no header")),
            (405, vec![(origin, "*")], Err("405")),
            (301, vec![(origin, "*")], Err("301")),
        ] {
            let found = judge(&response(status, &headers), "hooks.example.org");
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(*found, expected, "{headers:?}"),
                (Err(why), Err(words)) => assert!(why.contains(words), "{headers:?}: {why}"),
                _ => panic!("{status} {headers:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn the_slower_rate_counts() {
        let rate = |count, per| Some(Rate { count, per });
        for (own, allowed, expected) in [
            (None, None, None),
            (None, rate(60, Span::Minute), rate(60, Span::Minute)),
            (rate(5, Span::Second), None, rate(5, Span::Second)),
            (rate(5, Span::Second), rate(60, Span::Minute), rate(60, Span::Minute)),
            (rate(1, Span::Second), rate(60, Span::Minute), rate(1, Span::Second)),
            (rate(100, Span::Hour), rate(60, Span::Minute), rate(100, Span::Hour)),
        ] {
            let service = Service { rate: own, ..Service::default() };
            assert_eq!(lower(&service, allowed), expected, "{own:?} {allowed:?}");
        }
    }
}
