//! What the operator says about the platform.

/// How the platform presents itself, and which apps it trusts.
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
    fn only_trusted_origins_may_log_persons_in() {
        let options = |domain: Option<&str>, trusted: &[&str]| Options {
            domain: domain.map(str::to_owned),
            trusted_origins: trusted.iter().map(|origin| (*origin).to_owned()).collect(),
            name: None,
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
