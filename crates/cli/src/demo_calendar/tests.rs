//! The demo calendar as the translators of `tidings-providers` see it.

use tidings_providers::ProviderError;
use tidings_providers::caldav::discovery::{Discovery, Next};
use tidings_providers::caldav::{self, Login, probe, sync};
use tower::ServiceExt;

use super::*;

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n\
    DTSTART:20261202T090000Z\r\nSUMMARY:A & B\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

struct Client {
    router: Router,
    login: Login,
}

impl Client {
    fn new() -> Self {
        let server = Url::parse("http://127.0.0.1:1/").unwrap();
        Self {
            router: router(DemoCalendar::new("demo", "pw", &Ids::seeded(1))),
            login: Login::caldav(&server, "demo", "pw").unwrap(),
        }
    }

    async fn send(&self, mut request: caldav::Request) -> caldav::Response {
        self.login.authorize(&mut request).unwrap();
        let mut sent = http::Request::new(Body::from(request.body));
        *sent.method_mut() = request.method;
        *sent.uri_mut() = request.url.path().parse().unwrap();
        *sent.headers_mut() = request.headers;
        let (parts, body) = self.router.clone().oneshot(sent).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        caldav::Response { status: parts.status, headers: parts.headers, body }
    }

    /// Status and entity tag of a plain request.
    async fn plain(
        &self,
        method: &str,
        path: &str,
        header: (&str, &str),
        body: &str,
    ) -> (u16, String) {
        let url = Url::parse("http://127.0.0.1:1/").unwrap().join(path).unwrap();
        let mut headers = HeaderMap::new();
        let name: http::HeaderName = header.0.parse().unwrap();
        headers.insert(name, header.1.parse().unwrap());
        let method = method.parse().unwrap();
        let body = body.to_owned().into();
        let response = self.send(caldav::Request { method, url, headers, body }).await;
        let tag = response.headers.get(ETAG).map(|tag| tag.to_str().unwrap().to_owned());
        (response.status.as_u16(), tag.unwrap_or_default())
    }

    async fn put(&self, path: &str, body: &str) -> u16 {
        self.plain("PUT", path, ("x-a", "b"), body).await.0
    }

    async fn sync(&self, calendar: &Url, token: &str) -> Result<sync::Page, ProviderError> {
        let response = self.send(sync::request(calendar, token)).await;
        sync::parse(calendar, &response, token)
    }

    async fn home(&self) -> Url {
        let (mut discovery, mut request) = Discovery::start(self.login.server());
        loop {
            match discovery.next(&self.send(request).await).unwrap() {
                Next::Send(next) => request = next,
                Next::Done(home) => return home,
            }
        }
    }

    async fn calendars(&self) -> Vec<probe::Calendar> {
        let home = self.home().await;
        probe::parse(&home, &self.send(probe::request(&home)).await).unwrap()
    }
}

#[tokio::test]
async fn a_change_is_found_from_the_bare_address() {
    let client = Client::new();
    let [calendar] = &client.calendars().await[..] else { panic!("one calendar") };
    assert_eq!((calendar.name.as_str(), calendar.url.path()), ("Work", "/demo/work/"));
    let first = client.sync(&calendar.url, "").await.unwrap();
    assert_eq!(first.changed.len(), 0);
    assert_eq!(client.put("/demo/work/a.ics", EVENT).await, 201);
    assert_ne!(client.calendars().await[0].tag(), calendar.tag());
    let second = client.sync(&calendar.url, &first.token).await.unwrap();
    let listing = client.send(sync::list_request(&calendar.url)).await;
    assert_eq!(sync::parse_list(&calendar.url, &listing).unwrap(), second.changed);
    let response = client.send(sync::multiget_request(&calendar.url, &second.changed)).await;
    let fetched = sync::parse_multiget(&calendar.url, &second.changed, &response).unwrap();
    // XML knows no CR LF.
    let text = EVENT.trim().replace("\r\n", "\n");
    assert_eq!(fetched.objects[0].icalendar.as_deref(), Some(text.as_str()));
    assert_eq!(client.plain("DELETE", "/demo/work/a.ics", ("x-a", "b"), "").await.0, 204);
    let third = client.sync(&calendar.url, &second.token).await.unwrap();
    assert_eq!((third.changed.len(), third.removed[0].key.as_str()), (0, "/demo/work/a.ics"));
    assert_eq!(client.sync(&calendar.url, "").await.unwrap().removed, []);
}

#[tokio::test]
async fn foreign_tokens_are_refused() {
    let client = Client::new();
    let calendar = client.calendars().await.remove(0).url;
    for token in ["x", "urn:tidings:demo:0:1"] {
        let refused = client.sync(&calendar, token).await.unwrap_err();
        assert!(matches!(refused, ProviderError::TokenRefused { .. }), "{token}");
    }
    let old = client.sync(&calendar, "").await.unwrap().token;
    assert_eq!(client.plain("DELETE", "/demo/work/", ("x-a", "b"), "").await.0, 204);
    assert_eq!(client.calendars().await.len(), 0);
    assert_eq!(client.plain("MKCALENDAR", "/demo/work/", ("x-a", "b"), "").await.0, 201);
    let refused = client.sync(&calendar, &old).await.unwrap_err();
    assert!(matches!(refused, ProviderError::TokenRefused { .. }), "a new calendar, an old token");
}

#[tokio::test]
async fn writes_keep_their_conditions() {
    let client = Client::new();
    let path = "/demo/work/a.ics";
    let (status, first) = client.plain("PUT", path, ("if-none-match", "*"), EVENT).await;
    assert_eq!(status, 201);
    assert_eq!(client.plain("PUT", path, ("if-none-match", "*"), EVENT).await.0, 412);
    let (status, second) = client.plain("PUT", path, ("if-match", &first), EVENT).await;
    assert_eq!(status, 204);
    assert_ne!(first, second);
    assert_eq!(client.plain("DELETE", path, ("if-match", &first), "").await.0, 412);
    assert_eq!(client.plain("GET", path, ("x-a", "b"), "").await, (200, second));
    assert_eq!(client.put(path, "nonsense").await, 400);
    assert_eq!(client.put("/demo/nowhere/a.ics", EVENT).await, 409);
    assert_eq!(client.put("/other/work/a.ics", EVENT).await, 404);
    assert_eq!(client.plain("PATCH", path, ("x-a", "b"), "").await.0, 405);
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let mut client = Client::new();
    client.login = Login::caldav(client.login.server(), "demo", "guess").unwrap();
    assert_eq!(client.put("/demo/work/a.ics", EVENT).await, 401);
}
