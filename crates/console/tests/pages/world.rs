//! A console over a real service and store, and browsers that visit it.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use regex::Regex;
use tempfile::TempDir;
use tidings_console::Options;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::{Format, Formats};
use tidings_core::id::{AppId, Ids};
use tidings_core::seal::Keyring;
use tidings_service::{Caller, NewOperator, OperatorSession, Origin, Role, Service};
use tidings_store::Store;
use tokio::sync::watch;
use tower::ServiceExt;
use url::form_urlencoded::Serializer;

pub(crate) const PASSWORD: &str = "a door of seven boards";
pub(crate) const OWNER: &str = "owner@example.com";

/// A running console.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) app: AppId,
    pub(crate) router: Router,
    secure: bool,
    pub(crate) stop: watch::Sender<bool>,
    _directory: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl World {
    /// A console that nobody has set up.
    pub(crate) async fn new(secure: bool) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let clock = Clock::manual(Timestamp::parse("2026-11-21T08:00:00Z").unwrap());
        let service = Service::new(
            store.clone(),
            clock.clone(),
            Ids::seeded(11),
            Keyring::new(&[vec![7; 32].into()]).unwrap(),
            EgressPolicy::public_only(),
            Formats::new(formats()),
        );
        let app = service.bootstrap(None).await.unwrap().created_app.unwrap();
        let (stop, stopping) = watch::channel(false);
        let options = Options { secure, version: "0.0.0" };
        let router = tidings_console::router(service.clone(), options, stopping);
        Self { service, store, clock, app, router, secure, stop, _directory: directory }
    }

    /// The same installation with another service in it. Browsers from before stay with the old one.
    pub(crate) fn served_by(mut self, other: impl FnOnce(Service) -> Service) -> Self {
        self.service = other(self.service.clone());
        let options = Options { secure: self.secure, version: "0.0.0" };
        self.router = tidings_console::router(self.service.clone(), options, self.stop.subscribe());
        self
    }

    /// The operator of a browser as a caller in the app.
    pub(crate) async fn owner(&self, browser: &Browser) -> Caller {
        let origin = Default::default();
        let session = self.service.operator_session(&browser.cookies["tidings"], &origin);
        self.service.operator_caller(&session.await.unwrap(), self.app).await.unwrap()
    }

    /// A console with an owner, and the owner's browser, signed in.
    pub(crate) async fn owned() -> (Self, Browser) {
        let world = Self::new(false).await;
        let link = world.service.setup_link().await.unwrap().unwrap();
        let mut browser = world.browser();
        let path = format!("/console/setup/{link}");
        let fields = [("email", OWNER), ("name", "Olga Owner"), ("password", PASSWORD)];
        let answer = browser.submit(&path, &path, &fields).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        (world, browser)
    }

    /// The session of a browser that is signed in.
    pub(crate) async fn session(&self, browser: &Browser) -> OperatorSession {
        let (token, origin) = (&browser.cookies["tidings"], Origin::default());
        self.service.operator_session(token, &origin).await.unwrap()
    }

    /// Another operator's browser, signed in.
    pub(crate) async fn operator(&self, owner: &Browser, email: &str, role: Role) -> Browser {
        let caller = self.session(owner).await.caller_of_installation();
        let new = NewOperator {
            email: email.into(),
            name: "Somebody".into(),
            role,
            password: PASSWORD.to_owned().into(),
        };
        self.service.create_operator(&caller, new).await.unwrap();
        let mut browser = self.browser();
        let answer = browser.sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), secure: self.secure, cookies: BTreeMap::new() }
    }

    /// The path of every route, as the router itself tells them.
    pub(crate) fn routes(&self) -> Vec<String> {
        let told = format!("{:?}", self.router);
        let paths = Regex::new(r#"RouteId\(\d+\): "([^"]+)""#).unwrap();
        let mut paths: Vec<_> =
            paths.captures_iter(&told).map(|found| found[1].to_owned()).collect();
        paths.sort();
        paths.dedup();
        assert!(paths.len() > 30, "the router tells no routes any more: {told}");
        paths
    }

    /// A path of a route: ids of nothing, but the app's.
    pub(crate) fn example(&self, route: &str) -> String {
        let mut path = route.replace("{app}", &self.app.to_string());
        for (parameter, value) in [
            ("{hook}", "hook_01k4qzv6s8t2m9r3n5b0"),
            ("{delivery}", "dlv_01k4qzv6s8t2m9r3n5b0"),
            ("{account}", "acc_01k4qzv6s8t2m9r3n5b0"),
            ("{change}", "chg_01k4qzv6s8t2m9r3n5b0"),
            ("{key}", "key_01k4qzv6s8t2m9r3n5b0"),
            ("{operator}", "opr_01k4qzv6s8t2m9r3n5b0"),
            ("{session}", "ses_01k4qzv6s8t2m9r3n5b0"),
            ("{replay}", "rpl_01k4qzv6s8t2m9r3n5b0"),
            ("{inbox}", "inb_01k4qzv6s8t2m9r3n5b0"),
        ] {
            path = path.replace(parameter, value);
        }
        Regex::new(r"\{[^}]+\}").unwrap().replace_all(&path, "something").into_owned()
    }
}

/// A browser: it keeps cookies, and says where its forms come from.
#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    secure: bool,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Posts a form that this browser's session or form cookie vouches for, found on the page at `page`.
    pub(crate) async fn submit(
        &mut self,
        page: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let shown = self.get(page).await;
        let csrf = shown.csrf().unwrap_or_else(|| panic!("no form at {page}: {shown:?}"));
        self.post(path, &csrf, fields).await
    }

    pub(crate) async fn post(&mut self, path: &str, csrf: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = Serializer::new(String::new());
        form.append_pair("csrf", csrf).extend_pairs(fields);
        self.send(request(path, form.finish())).await
    }

    /// What the forms of this browser carry when an operator is signed in.
    pub(crate) async fn csrf(&mut self) -> String {
        self.get("/console/profile").await.csrf().expect("the page has forms")
    }

    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        let fields = [("email", email), ("password", password)];
        self.submit("/console/login", "/console/login", &fields).await
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(COOKIE, cookies.join("; ").parse().unwrap());
        }
        request.headers_mut().insert("host", "127.0.0.1:8480".parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        self.keep(&parts.headers);
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let body = String::from_utf8(body).expect("pages are text");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            assert_eq!(line.contains("; Secure"), self.secure, "{line}");
            assert_eq!(name.starts_with("__Host-"), self.secure, "{line}");
            match rest.split(';').next().unwrap() {
                "" => drop(self.cookies.remove(name)),
                value => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
    }
}

/// Every format that the binary has.
pub(crate) fn formats() -> Vec<Format> {
    vec![
        tidings_native::NATIVE,
        tidings_native::CLOUDEVENTS,
        tidings_connect::FORMAT,
        tidings_pryv::FORMAT,
        tidings_pyas::FORMAT,
        tidings_sync::V1,
        tidings_sync::V3,
        tidings_vyte::FORMAT,
        tidings_vyte::FORMAT_ARRAY,
    ]
}

/// A form as a browser posts it from a page of the same origin.
pub(crate) fn request(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("origin", "http://127.0.0.1:8480")
        .header("sec-fetch-site", "same-origin")
        .body(body.into())
        .unwrap()
}

impl Answer {
    /// What the forms of the page carry.
    pub(crate) fn csrf(&self) -> Option<String> {
        let field = Regex::new(r#"name="csrf" value="([^"]+)""#).unwrap();
        field.captures(&self.body).map(|found| found[1].to_owned())
    }

    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |location| location.to_str().unwrap())
    }
}
