//! A CalDAV server as the demo's calendar, changed the way a calendar program does: by CalDAV requests.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tidings_engine::egress::{BodyEnd, Budget, Egress, Request};
use tidings_providers::caldav::discovery::{Discovery, Next};
use tidings_providers::caldav::{self, Login, probe};
use url::Url;

use super::place::CaldavPlace;
use crate::error::{Error, Result};

/// One event in the first calendar that can be written.
pub(super) struct CalendarClient {
    egress: Arc<Egress>,
    login: Login,
    event: Url,
}

impl CalendarClient {
    /// Finds the calendar; `uid` will be the event's.
    pub(super) async fn find(egress: Arc<Egress>, place: &CaldavPlace, uid: &str) -> Result<Self> {
        let login = Login::caldav(&place.server, &place.user, &place.password)
            .map_err(Error::failed("the calendar server"))?;
        let event = place.server.clone();
        let mut client = Self { egress, login, event };
        let home = client.home().await?;
        let answer = client.send(probe::request(&home)).await?;
        let calendars = probe::parse(&home, &answer).map_err(Error::failed("listing calendars"))?;
        let calendar = calendars
            .into_iter()
            .find(|calendar| calendar.writable != Some(false))
            .ok_or_else(|| Error::Failed("there is no calendar that can be written".into()))?;
        client.event = calendar
            .url
            .join(&format!("{uid}.ics"))
            .map_err(Error::failed("the calendar's address"))?;
        Ok(client)
    }

    /// Where the event is, or will be.
    pub(super) fn event(&self) -> &Url {
        &self.event
    }

    /// Creates the event or replaces it.
    pub(super) async fn put(&self, icalendar: String) -> Result<()> {
        let status = self.write(Method::PUT, icalendar).await?;
        if status.is_success() {
            return Ok(());
        }
        Err(Error::Failed(format!("the calendar server refused to take the event: {status}")))
    }

    /// Deletes the event; it may be gone already.
    pub(super) async fn delete(&self) -> Result<()> {
        let status = self.write(Method::DELETE, String::new()).await?;
        if status.is_success() || matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(());
        }
        Err(Error::Failed(format!("the calendar server refused to delete the event: {status}")))
    }

    async fn write(&self, method: Method, body: String) -> Result<StatusCode> {
        let mut headers = HeaderMap::new();
        if !body.is_empty() {
            let media_type = HeaderValue::from_static("text/calendar; charset=utf-8");
            headers.insert(CONTENT_TYPE, media_type);
        }
        let url = self.event.clone();
        let request = caldav::Request { method, url, headers, body: body.into() };
        self.send(request).await.map(|response| response.status)
    }

    async fn home(&self) -> Result<Url> {
        let (mut discovery, mut request) = Discovery::start(self.login.server());
        loop {
            let answer = self.send(request).await?;
            let next = discovery.next(&answer).map_err(Error::failed("the calendar server"))?;
            match next {
                Next::Send(next) => request = next,
                Next::Done(home) => return Ok(home),
            }
        }
    }

    async fn send(&self, mut request: caldav::Request) -> Result<caldav::Response> {
        self.login.authorize(&mut request).map_err(Error::failed("the calendar server"))?;
        let vetted = self.egress.policy().vet_url(request.url.as_str());
        let url = vetted.map_err(Error::failed(format!("the address {}", request.url)))?;
        let caldav::Request { method, headers, body, .. } = request;
        let budget = Budget::provider();
        let sent = self.egress.send(Request { method, url: &url, headers, body, budget }).await;
        let response = sent.result.map_err(Error::failed(format!("no answer from {url}")))?;
        if response.body_end != BodyEnd::Complete {
            return Err(Error::Failed(format!("the answer from {url} broke off")));
        }
        let status = StatusCode::from_u16(response.status);
        let mut headers = HeaderMap::new();
        for (name, value) in response.headers {
            let name = HeaderName::try_from(name.as_str());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_maybe_shared(value)) {
                headers.append(name, value);
            }
        }
        Ok(caldav::Response {
            status: status.map_err(Error::failed("the calendar server"))?,
            headers,
            body: response.body,
        })
    }
}

/// The object of an event of one hour (RFC 5545).
pub(super) fn event(uid: &str, summary: &str, start: &str, sequence: u32) -> String {
    [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//tidings//demo//EN",
        "BEGIN:VEVENT",
        &format!("UID:{uid}"),
        "DTSTAMP:20300101T000000Z",
        &format!("DTSTART:{start}"),
        "DURATION:PT1H",
        &format!("SEQUENCE:{sequence}"),
        &format!("SUMMARY:{summary}"),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    .join("\r\n")
}
