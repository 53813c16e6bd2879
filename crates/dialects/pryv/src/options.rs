//! What the operator says about the platform.

use tidings_core::hook::DisableRule;
use tidings_core::limits;
use tidings_service::{Coalescing, Serving};

/// How the platform presents itself, which apps it trusts, and how it serves webhooks.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The domain under which each person has a host, `{username}.{domain}`; absent: persons are found by
    /// path only.
    pub domain: Option<String>,
    /// Origins that may log persons in, such as `https://app.example.com` or `https://*.example.com`; `*`
    /// for all. Empty: every host of `domain`, or every origin when there is no domain.
    pub trusted_origins: Vec<String>,
    /// Name of the platform; absent: `Tidings`.
    pub name: Option<String>,
    /// How new webhooks are served.
    pub pace: Pace,
}

/// What the documentation leaves to the platform's administrator of the serving of webhooks. Those that are
/// there keep the pace that they were created with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between two calls of a webhook, ms: [`limits::PRYV_INTERVAL_MS_MIN`] to
    /// [`limits::PRYV_INTERVAL_MS_MAX`].
    pub min_interval_ms: u64,
    /// How often a failed call is tried again before the webhook becomes inactive, at most
    /// [`limits::PRYV_RETRIES_MAX`].
    pub max_retries: u32,
    /// Runs that a webhook shows, at most [`limits::HOOK_RUNS_MAX`].
    pub runs_size: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { min_interval_ms: 5_000, max_retries: 5, runs_size: 20 }
    }
}

impl Pace {
    /// How a new webhook is served: the n-th try again comes n intervals after the one before, in whole
    /// seconds.
    pub(crate) fn serving(self) -> Serving {
        let longest = limits::PRYV_INTERVAL_MS_MAX;
        let interval_ms = self.min_interval_ms.clamp(limits::PRYV_INTERVAL_MS_MIN, longest);
        let retries = self.max_retries.min(limits::PRYV_RETRIES_MAX);
        let wait = |n: u32| (interval_ms * u64::from(n)).div_ceil(1_000) as u32;
        let min_interval_ms = Some(interval_ms);
        let failures = Some(u64::from(retries) + 1);
        Serving {
            retry: Some((0..=retries).map(wait).collect()),
            coalesce: Some(Some(Coalescing { min_interval_ms, ..Coalescing::default() })),
            disable: Some(DisableRule { failing_ms: None, failures }),
            ..Serving::default()
        }
    }
}

impl Options {
    /// Whether an app at this origin may log a person in.
    pub(crate) fn trust(&self, origin: Option<&str>) -> bool {
        if self.trusted_origins.iter().any(|trusted| trusted == "*") {
            return true;
        }
        let Some(origin) = origin.map(root_of) else { return false };
        match (&self.domain, self.trusted_origins.is_empty()) {
            (None, true) => true,
            (Some(domain), true) => matches(&format!("https://*.{domain}"), &origin),
            (_, false) => self.trusted_origins.iter().any(|trusted| matches(trusted, &origin)),
        }
    }
}

/// Scheme, host and port of a `Referer` or an `Origin`, in lower case.
fn root_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}").to_ascii_lowercase()
}

/// Whether an origin is the trusted one, in which a leading `*.` of the host stands for one or more names.
fn matches(trusted: &str, origin: &str) -> bool {
    let trusted = root_of(trusted);
    match trusted.split_once("://*.") {
        Some((scheme, domain)) => {
            let names = origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
            let names = names.and_then(|host| host.strip_suffix(domain));
            names.and_then(|names| names.strip_suffix('.')).is_some_and(|names| {
                let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
                !names.is_empty() && names.bytes().all(letter)
            })
        }
        None => trusted == origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_served_at_the_pace_of_the_platform() {
        let pace = |min_interval_ms, max_retries| {
            let runs_size = 20;
            let serving = Pace { min_interval_ms, max_retries, runs_size }.serving();
            let interval_ms = serving.coalesce.unwrap().unwrap().min_interval_ms.unwrap();
            (serving.retry.unwrap(), interval_ms, serving.disable.unwrap().failures.unwrap())
        };
        let usual = Pace::default();
        let documented = (vec![0, 5, 10, 15, 20, 25], 5_000, 6);
        assert_eq!(pace(usual.min_interval_ms, usual.max_retries), documented);
        assert_eq!(pace(300, 4), (vec![0, 1, 1, 1, 2], 300, 5));
        assert_eq!(pace(0, 0), (vec![0], limits::PRYV_INTERVAL_MS_MIN, 1));
        let (longest, ..) = pace(u64::MAX, u32::MAX);
        let span_ms: i64 = longest.iter().map(|&wait| i64::from(wait) * 1_000).sum();
        assert!(span_ms <= limits::RETRY_SPAN_MAX_MS, "{span_ms}");
        assert!(longest.len() <= limits::RETRY_TRIES_MAX);
    }

    #[test]
    fn only_trusted_origins_may_log_persons_in() {
        let options = |domain: Option<&str>, trusted: &[&str]| Options {
            domain: domain.map(str::to_owned),
            trusted_origins: trusted.iter().map(|origin| (*origin).to_owned()).collect(),
            ..Options::default()
        };
        let (open, domain) = (options(None, &[]), options(Some("pryv.me"), &[]));
        let named =
            options(Some("pryv.me"), &["https://app.example.com", "http://*.example.org:8080"]);
        for (options, origin, trusted) in [
            (&open, Some("http://localhost:3000"), true),
            (&open, None, false),
            (&domain, Some("https://sw.pryv.me"), true),
            (&domain, Some("https://sw.pryv.me/access/login.html?x=1"), true),
            (&domain, Some("https://SW.Pryv.me"), true),
            (&domain, Some("http://sw.pryv.me"), false),
            (&domain, Some("https://pryv.me"), false),
            (&domain, Some("https://notpryv.me"), false),
            (&domain, Some("https://sw.pryv.me.evil.com"), false),
            (&domain, Some("https://evil.com/.pryv.me"), false),
            (&domain, Some("https://evil.com@sw.pryv.me"), false),
            (&domain, None, false),
            (&named, Some("https://app.example.com"), true),
            (&named, Some("https://sw.pryv.me"), false),
            (&named, Some("http://a.b.example.org:8080"), true),
            (&named, Some("http://a.example.org"), false),
            (&options(None, &["*"]), None, true),
        ] {
            assert_eq!(options.trust(origin), trusted, "{options:?} {origin:?}");
        }
    }
}
