//! One request that tells which calendars there are and which of them changed.

use tidings_core::limits::ACCOUNT_COLLECTIONS_MAX;
use url::Url;

use super::multistatus::{self, Resource};
use super::{Depth, Href, Request, Response};
use crate::error::ProviderError;

const WHAT: &str = "listing the calendars";

const BODY: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"><D:prop><D:resourcetype/><D:displayname/><CS:getctag/><D:sync-token/><D:supported-report-set/><C:supported-calendar-component-set/><D:current-user-privilege-set/><A:calendar-color/></D:prop></D:propfind>"#;

/// A calendar that can hold events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Its address; `href.key` is its identity within the account.
    pub href: Href,
    /// Where to send requests about it.
    pub url: Url,
    /// The name that the user gave it; the last part of its address when there is none.
    pub name: String,
    /// `#RRGGBB`, as the server spelled it.
    pub color: Option<String>,
    /// Moves whenever a member changes.
    pub ctag: Option<String>,
    /// The current sync token.
    pub sync_token: Option<String>,
    /// Whether `sync-collection` may be tried: announced by a token or by name.
    pub supports_sync: bool,
    /// Whether we may write events; `None` when the server does not say.
    pub writable: Option<bool>,
}

impl Calendar {
    /// The tag that tells whether anything in the calendar changed since the last look: equal tags,
    /// no request needed. `None` when the server has neither tag: look every time.
    pub fn tag(&self) -> Option<String> {
        if self.ctag.is_none() && self.sync_token.is_none() {
            return None;
        }
        let (ctag, token) = (self.ctag.as_deref(), self.sync_token.as_deref());
        Some(format!("{} {}", ctag.unwrap_or_default(), token.unwrap_or_default()))
    }
}

/// Asks for the calendars of `home`.
pub fn request(home: &Url) -> Request {
    Request::propfind(home.clone(), Depth::One, BODY.to_owned())
}

/// Reads the calendars of `home`, in the server's order. A calendar that is missing here was
/// deleted (or the user lost access).
///
/// # Errors
/// As the status asks for. An answer that speaks of no resource at all, or reports trouble with a
/// single one, is [`ProviderError::Retry`]: it proves no deletion.
pub fn parse(home: &Url, response: &Response) -> Result<Vec<Calendar>, ProviderError> {
    let multistatus = multistatus::read(home, response, WHAT)?;
    if multistatus.resources.is_empty() {
        return Err(ProviderError::retry(format!("{WHAT}: the server's answer is empty")));
    }
    let mut calendars: Vec<Calendar> = Vec::new();
    for resource in multistatus.resources {
        match resource.status {
            200..=299 => {}
            404 | 410 => continue,
            status => {
                return Err(ProviderError::retry(format!(
                    "{WHAT}: the server answered {status} for one of them"
                )));
            }
        }
        let repeated = calendars.iter().any(|known| known.href == resource.href);
        if !repeated && let Some(calendar) = calendar(home, resource) {
            calendars.push(calendar);
        }
    }
    if calendars.len() > ACCOUNT_COLLECTIONS_MAX {
        return Err(ProviderError::permanent(format!(
            "the account has more than {ACCOUNT_COLLECTIONS_MAX} calendars"
        )));
    }
    Ok(calendars)
}

fn calendar(home: &Url, resource: Resource) -> Option<Calendar> {
    let Resource { href, props, .. } = resource;
    let holds_events =
        props.components.as_ref().is_none_or(|names| names.iter().any(|name| name == "VEVENT"));
    if !props.is_calendar || !holds_events {
        return None;
    }
    let url = home.join(&href.sent).ok()?;
    let last_part = || href.key.rsplit('/').next().unwrap_or_default().to_owned();
    Some(Calendar {
        name: props.name.unwrap_or_else(last_part),
        color: props.color,
        supports_sync: props.reports_sync || props.sync_token.is_some(),
        ctag: props.ctag,
        sync_token: props.sync_token,
        writable: props.writable,
        url,
        href,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caldav::answer;

    #[test]
    fn real_servers_list_their_calendars() {
        for (home, key, body) in [
            ("/u/", "/u/work", include_str!("../../fixtures/radicale/home.xml")),
            (
                "/user/calendars/",
                "/user/calendars/work",
                include_str!("../../fixtures/xandikos/home.xml"),
            ),
        ] {
            let home = Url::parse("http://127.0.0.1:5232").unwrap().join(home).unwrap();
            let calendars = parse(&home, &answer(207, body)).unwrap();
            let [calendar] = calendars.iter().filter(|c| c.href.key == key).collect::<Vec<_>>()[..]
            else {
                panic!("{calendars:?}");
            };
            assert_eq!(calendar.name, "Work & play");
            assert_eq!(calendar.url.path(), format!("{key}/"));
            assert!(calendar.supports_sync && calendar.ctag.is_some());
            assert!(calendar.sync_token.is_some() && calendar.tag().is_some());
            assert_eq!(calendar.writable, Some(true));
        }
    }

    fn listed(inner: &str) -> Result<Vec<Calendar>, ProviderError> {
        let home = Url::parse("https://dav.example.com/home/").unwrap();
        let body = format!(
            "<multistatus xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\">{inner}</multistatus>"
        );
        parse(&home, &answer(207, body))
    }

    fn entry(href: &str, prop: &str) -> String {
        format!(
            "<response><href>{href}</href><propstat><prop><resourcetype><collection/><C:calendar/>\
             </resourcetype>{prop}</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
        )
    }

    #[test]
    fn only_collections_for_events_count() {
        let set = |name| {
            format!(
                "<C:supported-calendar-component-set><C:comp name=\"{name}\"/></C:supported-calendar-component-set>"
            )
        };
        let body = [
            entry("/home/tasks/", &set("VTODO")),
            entry("/home/work/", &set("vevent")),
            entry("/home/work", &set("VEVENT")),
            entry("https://p1.example.com/home/plain/", ""),
        ];
        let calendars = listed(&body.concat()).unwrap();
        let keys: Vec<_> =
            calendars.iter().map(|c| (c.href.key.as_str(), c.name.as_str())).collect();
        assert_eq!(keys, [("/home/work", "work"), ("/home/plain", "plain")]);
        assert_eq!(calendars[1].url.as_str(), "https://p1.example.com/home/plain/");
        assert_eq!(calendars[1].tag(), None);
    }

    #[test]
    fn trouble_proves_no_deletion() {
        let trouble =
            "<response><href>/home/work/</href><status>HTTP/1.1 503 Later</status></response>";
        assert!(matches!(listed(trouble), Err(ProviderError::Retry { .. })));
        assert!(matches!(listed(""), Err(ProviderError::Retry { .. })));
    }
}
