//! From the address that a user typed to the calendar home (RFC 6764, RFC 5397, RFC 4791 6.2.1).

use std::collections::VecDeque;

use http::header::LOCATION;
use tidings_core::limits::CALDAV_REDIRECTS_MAX;
use url::Url;

use super::{Depth, Request, Response, multistatus};
use crate::error::ProviderError;

const WHAT: &str = "looking for the calendars";

const BODY: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:current-user-principal/><D:resourcetype/><C:calendar-home-set/></D:prop></D:propfind>"#;

/// A search in progress: send the request, hand in the response, until it is done.
#[derive(Clone, Debug)]
pub struct Discovery {
    at: Url,
    stage: Stage,
    candidates: VecDeque<Url>,
    redirects: usize,
    last_failure: Option<ProviderError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Asking an address that may know who we are.
    Candidate,
    /// Asking our principal for its calendars.
    Principal,
}

/// What to do next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Send this, then call [`Discovery::next`] with the response.
    Send(Request),
    /// The calendar home: what [`super::probe`] asks.
    Done(Url),
}

impl Discovery {
    /// Begins at the address that the user typed: that address when it has a path, then
    /// `/.well-known/caldav`, then the root of the host.
    pub fn start(typed: &Url) -> (Self, Request) {
        let mut candidates = VecDeque::new();
        for path in [typed.path(), "/.well-known/caldav", "/"] {
            let mut candidate = typed.clone();
            candidate.set_path(path);
            candidate.set_query(None);
            candidate.set_fragment(None);
            if (path != "/" || !candidates.is_empty()) && !candidates.contains(&candidate) {
                candidates.push_back(candidate);
            }
        }
        let at = candidates.pop_front().expect("the well-known address is always there");
        let request = ask(&at);
        let stage = Stage::Candidate;
        (Self { at, stage, candidates, redirects: 0, last_failure: None }, request)
    }

    /// Reads the response to the last request.
    ///
    /// # Errors
    /// [`ProviderError::Reauthorise`] on 401, [`ProviderError::Retry`] when the server is in
    /// trouble, [`ProviderError::Permanent`] when there are no calendars to be found or redirects
    /// go in circles.
    pub fn next(&mut self, response: &Response) -> Result<Next, ProviderError> {
        if response.status.is_redirection() {
            return self.follow(response);
        }
        let multistatus = match multistatus::read(&self.at, response, WHAT) {
            Ok(multistatus) => multistatus,
            Err(error @ ProviderError::Reauthorise { .. }) => return Err(error),
            Err(error) => return self.next_candidate(error),
        };
        let mut principal = None;
        let mut is_calendar = false;
        for resource in multistatus.resources.into_iter().filter(|r| r.status == 200) {
            if let Some(home) = resource.props.home {
                return self.join(&home).map(Next::Done);
            }
            is_calendar |= resource.props.is_calendar;
            principal = principal.or(resource.props.principal);
        }
        match (self.stage, principal) {
            (Stage::Candidate, Some(principal)) => {
                let principal = self.join(&principal)?;
                self.stage = Stage::Principal;
                Ok(self.go(principal))
            }
            (Stage::Candidate, None) if is_calendar => Ok(Next::Done(self.at.clone())),
            _ => self.next_candidate(ProviderError::permanent(
                "this address knows of no calendars: it is not a CalDAV server, or the user has no \
                 calendar home",
            )),
        }
    }

    fn follow(&mut self, response: &Response) -> Result<Next, ProviderError> {
        self.redirects += 1;
        if self.redirects > CALDAV_REDIRECTS_MAX {
            return Err(ProviderError::permanent(format!(
                "the calendar server redirected more than {CALDAV_REDIRECTS_MAX} times"
            )));
        }
        let location = response.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        match location {
            Some(location) => {
                let target = self.join(location)?;
                Ok(self.go(target))
            }
            None => self.next_candidate(ProviderError::permanent(
                "the calendar server redirected without saying where to",
            )),
        }
    }

    fn join(&self, href: &str) -> Result<Url, ProviderError> {
        self.at
            .join(href)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| ProviderError::permanent("the calendar server named a bad address"))
    }

    fn go(&mut self, to: Url) -> Next {
        self.at = to;
        Next::Send(ask(&self.at))
    }

    /// Goes on after `failure`; when nothing is left to try, the first failure that may pass wins,
    /// so that trouble is not taken for a wrong address.
    fn next_candidate(&mut self, failure: ProviderError) -> Result<Next, ProviderError> {
        let temporary = |error: &ProviderError| matches!(error, ProviderError::Retry { .. });
        if !self.last_failure.as_ref().is_some_and(temporary) {
            self.last_failure = Some(failure);
        }
        self.stage = Stage::Candidate;
        match self.candidates.pop_front() {
            Some(candidate) => Ok(self.go(candidate)),
            None => Err(match self.last_failure.take() {
                Some(ProviderError::Gone { .. }) | None => ProviderError::permanent(
                    "no CalDAV server answers at this address; check it with your provider",
                ),
                Some(failure) => failure,
            }),
        }
    }
}

fn ask(url: &Url) -> Request {
    Request::propfind(url.clone(), Depth::Zero, BODY.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::caldav::answer;

    /// A server that answers by path: status and body, or a redirect.
    fn discover(typed: &str, pages: &[(&str, u16, &str)]) -> (Vec<String>, Result<String, String>) {
        let (mut discovery, mut request) = Discovery::start(&Url::parse(typed).unwrap());
        let mut asked = Vec::new();
        loop {
            asked.push(request.url.path().to_owned());
            let page = pages.iter().find(|(path, ..)| *path == request.url.path());
            let &(_, status, text) = page.unwrap_or(&("", 404, ""));
            let mut response =
                answer(status, if status == 207 { text.to_owned() } else { String::new() });
            if (300..400).contains(&status) {
                response.headers.insert(LOCATION, HeaderValue::from_str(text).unwrap());
            }
            match discovery.next(&response) {
                Ok(Next::Send(next)) => request = next,
                Ok(Next::Done(home)) => return (asked, Ok(home.to_string())),
                Err(error) => return (asked, Err(error.to_string())),
            }
        }
    }

    #[test]
    fn real_servers_lead_to_their_home() {
        let radicale = [
            ("/.well-known/caldav", 301, "/"),
            ("/", 207, include_str!("../../fixtures/radicale/root.xml")),
            ("/u/", 207, include_str!("../../fixtures/radicale/principal.xml")),
        ];
        let (asked, home) = discover("http://127.0.0.1:5232", &radicale);
        assert_eq!(asked, ["/.well-known/caldav", "/", "/u/"]);
        assert_eq!(home.unwrap(), "http://127.0.0.1:5232/u/");
        let (asked, home) = discover("http://127.0.0.1:5232/u/", &radicale);
        assert_eq!(asked, ["/u/"]);
        assert_eq!(home.unwrap(), "http://127.0.0.1:5232/u/");
        let xandikos = [
            ("/.well-known/caldav", 302, "/"),
            ("/", 207, include_str!("../../fixtures/xandikos/root.xml")),
            ("/user/", 207, include_str!("../../fixtures/xandikos/principal.xml")),
        ];
        let (_, home) = discover("http://127.0.0.1:8080", &xandikos);
        assert_eq!(home.unwrap(), "http://127.0.0.1:8080/user/calendars/");
    }

    #[test]
    fn a_home_on_a_partition_host_is_followed() {
        let body = include_str!("../../fixtures/radicale/principal.xml").replace(
            "<C:calendar-home-set><href>/u/",
            "<C:calendar-home-set><href>https://p42-caldav.icloud.com:443/1/",
        );
        let (_, home) =
            discover("https://caldav.icloud.com/", &[("/.well-known/caldav", 207, &body)]);
        assert_eq!(home.unwrap(), "https://p42-caldav.icloud.com/1/");
    }

    #[test]
    fn dead_ends_are_explained() {
        let login = [("/.well-known/caldav", 401, "")];
        let (_, failure) = discover("https://dav.example.com", &login);
        assert!(failure.unwrap_err().contains("user name or password"));
        let circle = [("/.well-known/caldav", 301, "/.well-known/caldav")];
        let (asked, failure) = discover("https://dav.example.com", &circle);
        assert!(failure.unwrap_err().contains("redirected more than"));
        assert_eq!(asked.len(), 6);
        let (asked, failure) = discover("https://dav.example.com/x/", &[]);
        assert_eq!(asked, ["/x/", "/.well-known/caldav", "/"]);
        assert!(failure.unwrap_err().contains("no CalDAV server answers"));
        let trouble = [("/.well-known/caldav", 503, ""), ("/", 200, "")];
        let (_, failure) = discover("https://dav.example.com/", &trouble);
        assert!(failure.unwrap_err().contains("503"), "trouble outlives the wrong address");
    }

    #[test]
    fn a_calendar_without_principal_is_its_own_home() {
        let body = "<multistatus xmlns=\"DAV:\"><response><href>/cal/</href><propstat><prop><resourcetype>\
            <c:calendar xmlns:c=\"urn:ietf:params:xml:ns:caldav\"/></resourcetype></prop>\
            <status>HTTP/1.1 200 OK</status></propstat></response></multistatus>";
        let (_, home) = discover("https://dav.example.com/cal/", &[("/cal/", 207, body)]);
        assert_eq!(home.unwrap(), "https://dav.example.com/cal/");
    }
}
