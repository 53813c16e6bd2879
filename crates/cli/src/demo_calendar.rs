//! The calendar of `tidings demo`: a small CalDAV server in memory, for loopback only. It knows just
//! enough of RFC 4791 and RFC 6578 that a calendar client, curl and Tidings itself can use it, and
//! answers every PROPFIND with all properties that it has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ALLOW, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Request, StatusCode, Uri};
use tidings_core::id::Ids;
use tidings_core::limits::PROVIDER_ITEM_BYTES_MAX;
use tidings_providers::caldav::{Href, escape};
use tidings_providers::icalendar;
use url::Url;
use xml::{found, gone, multistatus, xml};

mod xml;

const METHODS: &str = "OPTIONS, GET, PUT, DELETE, PROPFIND, REPORT, MKCALENDAR";

/// The server's state; clones share it.
#[derive(Clone)]
pub(crate) struct DemoCalendar(Arc<Shared>);

struct Shared {
    user: String,
    authorization: String,
    /// Sets this run's tags and tokens apart from those of an earlier one.
    run: String,
    data: Mutex<Data>,
}

#[derive(Default)]
struct Data {
    /// Counts every write; what a tag or token says.
    revision: u64,
    calendars: BTreeMap<String, Calendar>,
}

struct Calendar {
    title: String,
    created: u64,
    changed: u64,
    objects: BTreeMap<String, Object>,
}

struct Object {
    revision: u64,
    /// `None` once it is removed.
    text: Option<String>,
}

/// What a path names.
enum Place<'a> {
    Root,
    Home,
    Calendar(&'a str),
    Object(&'a str, &'a str),
    Nowhere,
}

impl DemoCalendar {
    /// A server for one user, with the calendar `/{user}/work/`.
    pub(crate) fn new(user: &str, password: &str, ids: &Ids) -> Self {
        let mut run = [0; 8];
        ids.fill(&mut run);
        let calendar =
            Calendar { title: "Work".into(), created: 1, changed: 1, objects: BTreeMap::new() };
        let calendars = BTreeMap::from([("work".into(), calendar)]);
        Self(Arc::new(Shared {
            user: user.into(),
            authorization: format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
            run: format!("{:x}", u64::from_le_bytes(run)),
            data: Mutex::new(Data { revision: 1, calendars }),
        }))
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.0.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place<'a>(&self, path: &'a str) -> Place<'a> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts[..] {
            [] => Place::Root,
            [user] if user == self.0.user => Place::Home,
            [user, calendar] if user == self.0.user => Place::Calendar(calendar),
            [user, calendar, object] if user == self.0.user => Place::Object(calendar, object),
            _ => Place::Nowhere,
        }
    }

    fn etag(&self, revision: u64) -> String {
        format!("\"{}-{revision}\"", self.0.run)
    }

    fn token(&self, revision: u64) -> String {
        format!("urn:tidings:demo:{}:{revision}", self.0.run)
    }

    /// The revision that `token` stands for; `None` when it is not ours or `calendar` is younger.
    fn revision(&self, token: &str, calendar: &Calendar, now: u64) -> Option<u64> {
        if token.is_empty() {
            return Some(0);
        }
        let prefix = format!("urn:tidings:demo:{}:", self.0.run);
        let revision = token.strip_prefix(&prefix)?.parse().ok()?;
        (calendar.created..=now).contains(&revision).then_some(revision)
    }
}

/// The server as a router; serve it on a loopback address.
pub(crate) fn router(state: DemoCalendar) -> Router {
    Router::new().fallback(answer).with_state(state)
}

async fn answer(State(demo): State<DemoCalendar>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/.well-known/caldav" {
        return (StatusCode::MOVED_PERMANENTLY, [(LOCATION, "/")]).into_response();
    }
    let authorized = parts
        .headers
        .get(AUTHORIZATION)
        .is_some_and(|given| given.as_bytes() == demo.0.authorization.as_bytes());
    if !authorized {
        let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"tidings demo\"")];
        return (StatusCode::UNAUTHORIZED, challenge, "wrong user or password\n").into_response();
    }
    let Ok(body) = axum::body::to_bytes(body, PROVIDER_ITEM_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Ok(body) = std::str::from_utf8(&body) else {
        return (StatusCode::BAD_REQUEST, "the body is not UTF-8\n").into_response();
    };
    let place = demo.place(parts.uri.path());
    match (parts.method.as_str(), place) {
        ("OPTIONS", _) => {
            let headers = [("dav", "1, 3, calendar-access"), (ALLOW.as_str(), METHODS)];
            (StatusCode::OK, headers).into_response()
        }
        (_, Place::Nowhere) => StatusCode::NOT_FOUND.into_response(),
        ("PROPFIND", place) => demo.propfind(&place, &parts.headers),
        ("REPORT", Place::Calendar(calendar)) => demo.report(calendar, body),
        ("MKCALENDAR", Place::Calendar(calendar)) => demo.make_calendar(calendar, body),
        ("DELETE", Place::Calendar(calendar)) => demo.delete_calendar(calendar),
        ("GET" | "HEAD", Place::Object(calendar, object)) => demo.get(calendar, object),
        ("PUT", Place::Object(calendar, object)) => {
            demo.write(calendar, object, &parts.headers, Some((body, &parts.uri)))
        }
        ("DELETE", Place::Object(calendar, object)) => {
            demo.write(calendar, object, &parts.headers, None)
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, METHODS)]).into_response(),
    }
}

impl DemoCalendar {
    fn propfind(&self, place: &Place<'_>, headers: &HeaderMap) -> Response {
        let data = self.data();
        let deep = headers.get("depth").is_none_or(|depth| depth != "0");
        let home = format!("/{}/", self.0.user);
        let mut answer = String::new();
        match place {
            Place::Root => answer.push_str(&found("/", &self.principal("<D:collection/>"))),
            Place::Home => {
                let types = "<D:principal/><D:collection/>";
                answer.push_str(&found(&home, &self.principal(types)));
                for (name, calendar) in data.calendars.iter().filter(|_| deep) {
                    answer.push_str(&found(&format!("{home}{name}/"), &self.describe(calendar)));
                }
            }
            Place::Calendar(name) => {
                let Some(calendar) = data.calendars.get(*name) else {
                    return StatusCode::NOT_FOUND.into_response();
                };
                answer.push_str(&found(&format!("{home}{name}/"), &self.describe(calendar)));
                for (object, entry) in calendar.present().filter(|_| deep) {
                    answer.push_str(&self.member(&home, name, object, entry, false));
                }
            }
            Place::Object(name, object) => match data.object(name, object) {
                Some(entry) => answer.push_str(&self.member(&home, name, object, entry, false)),
                None => return StatusCode::NOT_FOUND.into_response(),
            },
            Place::Nowhere => return StatusCode::NOT_FOUND.into_response(),
        }
        multistatus(&answer)
    }

    fn principal(&self, types: &str) -> String {
        let user = escape(&self.0.user);
        format!(
            "<D:resourcetype>{types}</D:resourcetype>\
             <D:current-user-principal><D:href>/{user}/</D:href></D:current-user-principal>\
             <C:calendar-home-set><D:href>/{user}/</D:href></C:calendar-home-set>"
        )
    }

    fn describe(&self, calendar: &Calendar) -> String {
        let title = escape(&calendar.title);
        let token = self.token(calendar.changed);
        format!(
            "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>\
             <D:displayname>{title}</D:displayname><CS:getctag>{token}</CS:getctag>\
             <D:sync-token>{token}</D:sync-token><C:supported-calendar-component-set>\
             <C:comp name=\"VEVENT\"/></C:supported-calendar-component-set><D:supported-report-set>\
             <D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report>\
             <D:supported-report><D:report><C:calendar-multiget/></D:report></D:supported-report>\
             </D:supported-report-set><D:current-user-privilege-set><D:privilege><D:all/>\
             </D:privilege></D:current-user-privilege-set>"
        )
    }

    fn member(&self, home: &str, name: &str, object: &str, entry: &Object, full: bool) -> String {
        let mut props = format!(
            "<D:getetag>{}</D:getetag><D:resourcetype/>",
            escape(&self.etag(entry.revision))
        );
        if let Some(text) = entry.text.as_deref().filter(|_| full) {
            props.push_str(&format!("<C:calendar-data>{}</C:calendar-data>", escape(text)));
        }
        found(&format!("{home}{name}/{object}"), &props)
    }

    fn report(&self, name: &str, body: &str) -> Response {
        let data = self.data();
        let Some(calendar) = data.calendars.get(name) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let Ok(document) = roxmltree::Document::parse(body) else {
            return (StatusCode::BAD_REQUEST, "the body is not XML\n").into_response();
        };
        let home = format!("/{}/", self.0.user);
        let texts = |tag: &'static str| {
            let nodes = document.descendants().filter(move |n| n.tag_name().name() == tag);
            nodes.map(|node| node.text().unwrap_or_default().trim().to_owned())
        };
        let mut answer = String::new();
        match document.root_element().tag_name().name() {
            "sync-collection" => {
                let token = texts("sync-token").next().unwrap_or_default();
                let Some(since) = self.revision(&token, calendar, data.revision) else {
                    let error = "<D:error xmlns:D=\"DAV:\"><D:valid-sync-token/></D:error>";
                    return xml(StatusCode::FORBIDDEN, error.into());
                };
                for (object, entry) in &calendar.objects {
                    match entry.text {
                        _ if entry.revision <= since => {}
                        Some(_) => answer.push_str(&self.member(&home, name, object, entry, false)),
                        None if since == 0 => {}
                        None => answer.push_str(&gone(&format!("{home}{name}/{object}"))),
                    }
                }
                let token = self.token(calendar.changed);
                answer.push_str(&format!("<D:sync-token>{token}</D:sync-token>"));
            }
            "calendar-multiget" => {
                for href in texts("href") {
                    let object = href.rsplit('/').next().unwrap_or_default();
                    match data.object(name, object) {
                        Some(entry) => {
                            answer.push_str(&self.member(&home, name, object, entry, true));
                        }
                        None => answer.push_str(&gone(&href)),
                    }
                }
            }
            _ => {
                let error = "<D:error xmlns:D=\"DAV:\"><D:supported-report/></D:error>";
                return xml(StatusCode::FORBIDDEN, error.into());
            }
        }
        multistatus(&answer)
    }

    fn make_calendar(&self, name: &str, body: &str) -> Response {
        let mut data = self.data();
        if data.calendars.contains_key(name) {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let title = roxmltree::Document::parse(body).ok().and_then(|document| {
            let node = document.descendants().find(|n| n.tag_name().name() == "displayname")?;
            node.text().map(str::to_owned)
        });
        let revision = data.advance();
        let title = title.unwrap_or_else(|| name.to_owned());
        let objects = BTreeMap::new();
        let calendar = Calendar { title, created: revision, changed: revision, objects };
        data.calendars.insert(name.to_owned(), calendar);
        StatusCode::CREATED.into_response()
    }

    fn delete_calendar(&self, name: &str) -> Response {
        let mut data = self.data();
        data.advance();
        match data.calendars.remove(name) {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn get(&self, name: &str, object: &str) -> Response {
        let data = self.data();
        match data.object(name, object) {
            Some(Object { text: Some(text), revision }) => {
                let tag = self.etag(*revision);
                let headers = [(CONTENT_TYPE, "text/calendar; charset=utf-8"), (ETAG, &tag)];
                (headers, text.clone()).into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    /// Stores `new`, or removes the object when there is none.
    fn write(
        &self,
        name: &str,
        object: &str,
        headers: &HeaderMap,
        new: Option<(&str, &Uri)>,
    ) -> Response {
        if let Some((text, uri)) = new
            && let Err(why) = check(text, uri)
        {
            return (StatusCode::BAD_REQUEST, why).into_response();
        }
        let mut data = self.data();
        let present = data.object(name, object).map(|entry| self.etag(entry.revision));
        let expected = |header| headers.get(header).map(|value| value.as_bytes().to_vec());
        let conflicts = expected(IF_MATCH)
            .is_some_and(|tag| present.as_ref().is_none_or(|etag| etag.as_bytes() != tag))
            || (expected(IF_NONE_MATCH).as_deref() == Some(b"*") && present.is_some());
        if conflicts {
            return StatusCode::PRECONDITION_FAILED.into_response();
        }
        let (status, text) = match (new, &present) {
            (None, None) => return StatusCode::NOT_FOUND.into_response(),
            (None, Some(_)) => (StatusCode::NO_CONTENT, None),
            (Some((text, _)), Some(_)) => (StatusCode::NO_CONTENT, Some(text.to_owned())),
            (Some((text, _)), None) => (StatusCode::CREATED, Some(text.to_owned())),
        };
        let revision = data.advance();
        let Some(calendar) = data.calendars.get_mut(name) else {
            return (StatusCode::CONFLICT, "no such calendar\n").into_response();
        };
        calendar.changed = revision;
        calendar.objects.insert(object.to_owned(), Object { revision, text });
        (status, [(ETAG, self.etag(revision))]).into_response()
    }
}

impl Data {
    fn advance(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    fn object(&self, calendar: &str, object: &str) -> Option<&Object> {
        self.calendars.get(calendar)?.objects.get(object).filter(|entry| entry.text.is_some())
    }
}

impl Calendar {
    fn present(&self) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.iter().filter(|(_, entry)| entry.text.is_some())
    }
}

fn check(text: &str, uri: &Uri) -> Result<(), String> {
    let base = Url::parse("http://127.0.0.1/").expect("a constant address");
    let href = Href::read(&base, uri.path()).ok_or("the path is not an address\n")?;
    match icalendar::items(&href, None, text) {
        Ok(items) if items.is_empty() => Err("the calendar takes events only\n".into()),
        Ok(_) => Ok(()),
        Err(why) => Err(format!("{why}\n")),
    }
}

#[cfg(test)]
mod tests;
