//! A real CalDAV server as a peer.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tidings_core::clock::Clock;
use tidings_core::egress::EgressPolicy;
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tidings_providers::settings::Settings;
use tidings_testkit::caldav::{CalendarServer, Kind};

use crate::POLL_MS;
use crate::peer::{Edit, Peer, Signed, There, Truth};
use crate::watcher::Watcher;

/// `u:secret`.
const BASIC: &str = "Basic dTpzZWNyZXQ=";

/// A calendar server and what was put there.
pub(crate) struct Caldav {
    server: CalendarServer,
    kind: Kind,
    egress: Egress,
    calendars: BTreeMap<&'static str, String>,
    resources: BTreeMap<(&'static str, &'static str), Resource>,
}

/// One resource: an event, or a series with its exceptions.
#[derive(Clone, Debug, Default)]
struct Resource {
    title: String,
    day: u8,
    weekly: bool,
    different: BTreeMap<u8, String>,
    cancelled: BTreeSet<u8>,
}

impl Resource {
    fn icalendar(&self, name: &str) -> String {
        let event = |title: &str, day: u8, more: &str| {
            let title = title.replace(',', "\\,");
            format!(
                "BEGIN:VEVENT\r\nUID:{name}@example.com\r\nDTSTAMP:20261121T080000Z\r\n\
                 DTSTART:202612{day:02}T090000Z\r\nDTEND:202612{day:02}T100000Z\r\n\
                 SUMMARY:{title}\r\n{more}END:VEVENT\r\n"
            )
        };
        let mut more = String::new();
        if self.weekly {
            more.push_str("RRULE:FREQ=WEEKLY;COUNT=8\r\n");
        }
        for day in &self.cancelled {
            more.push_str(&format!("EXDATE:202612{day:02}T090000Z\r\n"));
        }
        let mut events = event(&self.title, self.day, &more);
        for (day, title) in &self.different {
            let replaces = format!("RECURRENCE-ID:202612{day:02}T090000Z\r\n");
            events.push_str(&event(title, *day, &replaces));
        }
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tidings//test//EN\r\n{events}END:VCALENDAR\r\n"
        )
    }
}

impl Caldav {
    pub(crate) async fn start_kind(kind: Kind) -> Self {
        let server = CalendarServer::start_new(kind).await;
        let egress = Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public());
        let (calendars, resources) = (BTreeMap::new(), BTreeMap::new());
        let mut peer = Self { server, kind, egress, calendars, resources };
        peer.edit(Edit::AddCalendar("work")).await;
        peer.edit(Edit::AddCalendar("home")).await;
        peer
    }

    async fn send(&self, method: &str, path: &str, kind: &'static str, body: String) {
        let url = self.server.url(&format!("{}{path}", self.server.home()));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(BASIC));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let request = Request {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            url: &self.egress.policy().vet_url(&url).unwrap(),
            headers,
            body: Bytes::from(body),
            budget: Budget::provider(),
        };
        let attempted = self.egress.send(request).await;
        let status = attempted.status().unwrap_or_default();
        assert!((200..300).contains(&status), "{method} {path}: {attempted:?}");
    }

    async fn put(&self, calendar: &'static str, name: &'static str) {
        let body = self.resources[&(calendar, name)].icalendar(name);
        let path = format!("{calendar}/{name}.ics");
        self.send("PUT", &path, "text/calendar; charset=utf-8", body).await;
    }

    async fn delete(&self, path: &str) {
        self.send("DELETE", path, "text/plain", String::new()).await;
    }

    async fn name(&mut self, method: &str, calendar: &'static str, name: &'static str) {
        let set = format!("<D:set><D:prop><D:displayname>{name}</D:displayname></D:prop></D:set>");
        let body = match method {
            "MKCALENDAR" => format!(
                r#"<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{set}</C:mkcalendar>"#
            ),
            _ => format!(r#"<D:propertyupdate xmlns:D="DAV:">{set}</D:propertyupdate>"#),
        };
        let path = format!("{calendar}/");
        self.send(method, &path, "application/xml; charset=utf-8", body).await;
        self.calendars.insert(calendar, name.to_owned());
    }

    /// Changes a resource that is there and writes it.
    async fn change(
        &mut self,
        calendar: &'static str,
        name: &'static str,
        change: impl FnOnce(&mut Resource),
    ) {
        change(self.resources.get_mut(&(calendar, name)).unwrap());
        self.put(calendar, name).await;
    }
}

impl Peer for Caldav {
    const PROVIDER: &'static str = "caldav";
    const PUSHES_LISTS: bool = false;
    const RENAMES_MS: i64 = POLL_MS;

    async fn start(_clock: &Clock) -> Self {
        Self::start_kind(Kind::Radicale).await
    }

    fn settings(&self) -> Settings {
        Settings::default()
    }

    fn sign_in(&self, _clock: &Clock) -> Signed {
        Signed { server_url: Some(self.server.url("/")), credential: b"secret".to_vec() }
    }

    async fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::AddCalendar(name) => self.name("MKCALENDAR", name, name).await,
            Edit::RenameCalendar(calendar, name) => self.name("PROPPATCH", calendar, name).await,
            Edit::RemoveCalendar(calendar) => {
                self.delete(&format!("{calendar}/")).await;
                self.calendars.remove(calendar);
                self.resources.retain(|(of, _), _| *of != calendar);
            }
            Edit::Create(calendar, name) => {
                let resource = Resource { title: name.into(), day: 2, ..Resource::default() };
                self.resources.insert((calendar, name), resource);
                self.put(calendar, name).await;
            }
            Edit::CreateSeries(calendar, name) => {
                let (title, weekly) = (name.into(), true);
                let resource = Resource { title, day: 2, weekly, ..Resource::default() };
                self.resources.insert((calendar, name), resource);
                self.put(calendar, name).await;
            }
            Edit::Retitle(calendar, name, title) => {
                self.change(calendar, name, |resource| resource.title = title.into()).await;
            }
            Edit::Move(calendar, name, day) => {
                self.change(calendar, name, |resource| resource.day = day).await;
            }
            Edit::Delete(calendar, name) => {
                self.delete(&format!("{calendar}/{name}.ics")).await;
                self.resources.remove(&(calendar, name));
            }
            Edit::RetitleDay(calendar, name, day, title) => {
                let change = |resource: &mut Resource| {
                    resource.different.insert(day, title.into());
                };
                self.change(calendar, name, change).await;
            }
            Edit::CancelDay(calendar, name, day) => {
                let change = |resource: &mut Resource| {
                    resource.different.remove(&day);
                    resource.cancelled.insert(day);
                };
                self.change(calendar, name, change).await;
            }
        }
    }

    fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        let place = |path: &str| format!("{}{path}", self.server.home());
        for (calendar, name) in &self.calendars {
            truth.calendars.insert(place(calendar), name.clone());
        }
        for ((calendar, name), resource) in &self.resources {
            let key = place(&format!("{calendar}/{name}.ics"));
            let there = |title: &str, rest: String| There {
                calendar: place(calendar),
                title: Some(title.to_owned()),
                rest,
            };
            for (day, title) in &resource.different {
                let exception = format!("{key}#202612{day:02}T090000Z");
                truth.events.insert(exception, there(title, String::new()));
            }
            let rest = format!("{} {:?}", resource.day, resource.cancelled);
            truth.events.insert(key, there(&resource.title, rest));
        }
        truth
    }

    async fn forget_cursors(&self, watcher: &Watcher) {
        watcher.spoil_cursors("http://radicale.org/ns/sync/bogus").await;
    }

    fn withdraw(&self) -> bool {
        match self.kind {
            Kind::Radicale => {
                self.server.set_password("another");
                true
            }
            Kind::Xandikos => false,
        }
    }
}

/// The other server: it lets everybody in.
pub(crate) struct Xandikos(Caldav);

impl Peer for Xandikos {
    const PROVIDER: &'static str = "caldav";
    const PUSHES_LISTS: bool = false;
    const RENAMES_MS: i64 = POLL_MS;

    async fn start(_clock: &Clock) -> Self {
        Self(Caldav::start_kind(Kind::Xandikos).await)
    }

    fn settings(&self) -> Settings {
        self.0.settings()
    }

    fn sign_in(&self, clock: &Clock) -> Signed {
        self.0.sign_in(clock)
    }

    async fn edit(&mut self, edit: Edit) {
        self.0.edit(edit).await;
    }

    fn truth(&self) -> Truth {
        self.0.truth()
    }

    async fn forget_cursors(&self, watcher: &Watcher) {
        watcher.spoil_cursors("bogus").await;
    }

    fn withdraw(&self) -> bool {
        self.0.withdraw()
    }
}
