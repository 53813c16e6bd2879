//! A calendar server, an account that watches it, and somebody who edits.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tidings_engine::egress::{Budget, Request};
use tidings_store::{CollectionWrite, MirrorCommit};
use tidings_testkit::caldav::{CalendarServer, Kind};

use crate::watched::Watched;

/// `u:secret`.
const BASIC: &str = "Basic dTpzZWNyZXQ=";

pub(crate) struct World {
    pub(crate) server: CalendarServer,
    pub(crate) watched: Watched,
}

impl World {
    pub(crate) async fn start(kind: Kind) -> Self {
        let server = CalendarServer::start_new(kind).await;
        let watched = Watched::new(server.home()).await;
        Self { server, watched }
    }

    pub(crate) async fn connect(&mut self, password: &str) {
        self.watched.connect(self.server.url("/"), password).await;
    }

    /// Makes the stored cursor of a calendar one that no server knows.
    pub(crate) async fn corrupt_token(&self, calendar: &str, token: &str) {
        let known =
            self.watched.mirror().await.into_iter().find(|c| c.external_id.ends_with(calendar));
        let mut commit = MirrorCommit::new(self.watched.app.app_no, self.watched.account_no);
        commit.collections.push(CollectionWrite::Synced {
            collection_no: known.unwrap().collection_no,
            ctag: Some("other".into()),
            sync_token: Some(token.into()),
            synced_gen: None,
            window: None,
        });
        assert!(self.watched.store.commit_mirror(commit, self.watched.clock.now()).await.unwrap());
    }

    pub(crate) async fn make_calendar(&self, name: &str) {
        let body = format!(
            r#"<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:displayname>{name}</D:displayname></D:prop></D:set></C:mkcalendar>"#
        );
        self.edit("MKCALENDAR", &format!("{name}/"), "application/xml; charset=utf-8", body).await;
    }

    pub(crate) async fn rename_calendar(&self, calendar: &str, name: &str) {
        let name = name.replace('&', "&amp;");
        let body = format!(
            r#"<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>{name}</D:displayname></D:prop></D:set></D:propertyupdate>"#
        );
        let path = format!("{calendar}/");
        self.edit("PROPPATCH", &path, "application/xml; charset=utf-8", body).await;
    }

    pub(crate) async fn put(&self, path: &str, icalendar: &str) {
        self.edit("PUT", path, "text/calendar; charset=utf-8", icalendar.to_owned()).await;
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.edit("DELETE", path, "text/plain", String::new()).await;
    }

    async fn edit(&self, method: &str, path: &str, kind: &'static str, body: String) {
        let url = self.server.url(&format!("{}{path}", self.server.home()));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(BASIC));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let attempted = self
            .watched
            .egress
            .send(Request {
                method: Method::from_bytes(method.as_bytes()).unwrap(),
                url: &self.watched.egress.policy().vet_url(&url).unwrap(),
                headers,
                body: Bytes::from(body),
                budget: Budget::provider(),
            })
            .await;
        let status = attempted.status();
        assert!(
            status.is_some_and(|status| (200..300).contains(&status)),
            "{method} {path}: {attempted:?} {:?}",
            attempted.result.as_ref().map(|response| &response.body)
        );
    }
}
