use std::sync::Arc;

use axum::body::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use tidings_core::access::Hidden;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::Ids;
use tidings_core::seal::Keyring;
use tidings_engine::egress::{Egress, Resolver, Tls};
use tidings_providers::settings::{GoogleSettings, MicrosoftSettings, Settings, ZoomSettings};
use tidings_providers::zoom::push;
use tidings_service::{Caller, NewConnection, Service};
use tidings_store::Store;
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;

use super::*;
use crate::metrics::{Metrics, Watched};

const NOON: Timestamp = Timestamp(1_795_248_000_000);

struct World {
    router: Router,
    service: Service,
    owner: Caller,
    store: Store,
    _directory: tempfile::TempDir,
}

impl World {
    /// A server, with providers when they are configured.
    async fn new(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (clock, ids) = (Clock::manual(NOON), Ids::seeded(1));
        let (desk, errands) = mpsc::channel(1);
        drop(errands);
        let service = Service::new(
            store.clone(),
            clock,
            ids,
            Keyring::new(&[vec![7; 32].into()]).unwrap(),
            EgressPolicy::public_only(),
            Formats::new(vec![tidings_native::NATIVE]),
        )
        .with_providers(settings, desk);
        let owner = service.bootstrap(None).await.unwrap().generated.unwrap();
        let owner = service.authenticate(owner.reveal(), None).await.unwrap();
        let (_, stop) = watch::channel(false);
        let egress = Egress::new(EgressPolicy::public_only(), Resolver::System, Tls::public());
        let metrics = Metrics::new(&store, &service, &Arc::new(egress), Watched::default());
        let router = super::super::router(
            &service,
            &crate::config::Platform::default(),
            &metrics,
            &stop,
            None,
        );
        Self { router, service, owner, store, _directory: directory }
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> (StatusCode, HeaderMap, Bytes) {
        let request = http::Request::builder().method(method).uri(target);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(body.into()).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }
}

fn configured() -> Settings {
    let mut zoom = ZoomSettings::new("z", "secret");
    zoom.webhook_secret = Some(Hidden::from("hush".to_owned()));
    Settings {
        google: Some(GoogleSettings::new("g", "secret")),
        microsoft: Some(MicrosoftSettings::new("m", "secret", "common")),
        zoom: Some(zoom),
        public_url: Some("https://tidings.example.com".parse().unwrap()),
    }
}

#[tokio::test]
async fn pushes_are_answered_as_their_provider_expects() {
    let (world, bare) = (World::new(configured()).await, World::new(Settings::default()).await);
    let google = [
        ("x-goog-channel-id", "nobody"),
        ("x-goog-channel-token", "t"),
        ("x-goog-resource-id", "r"),
        ("x-goog-resource-state", "exists"),
        ("x-goog-message-number", "2"),
    ];
    let notice =
        r#"{"value": [{"subscriptionId": "nobody", "clientState": "x", "changeType": "updated"}]}"#;
    let large = "x".repeat(PUSH_BODY_BYTES_MAX + 1);
    for (provider, headers, body, status, unconfigured) in [
        ("google", &google[..], "", 204, 404),
        ("google", &[], "", 204, 404),
        ("microsoft", &[], notice, 202, 404),
        ("microsoft", &[], "nonsense", 400, 404),
        ("zoom", &[], r#"{"event": "meeting.updated"}"#, 401, 404),
        ("google", &[], &large, 413, 413),
        ("microsoft", &[], &large, 413, 413),
        ("zoom", &[], &large, 413, 413),
    ] {
        let path = format!("/providers/{provider}/notifications");
        for (world, expected) in [(&world, status), (&bare, unconfigured)] {
            let body = body.to_owned();
            let (status, _, answer) = world.send(Method::POST, &path, headers, body).await;
            assert_eq!(status, expected, "{path}: {answer:?}");
        }
        let (status, headers, _) = world.send(Method::GET, &path, &[], "").await;
        assert_eq!((status.as_u16(), &headers["allow"]), (405, &"POST".parse().unwrap()));
    }
    let nowhere = world.send(Method::POST, "/providers/caldav/notifications", &[], "").await;
    assert_eq!(nowhere.0, 404);
}

#[tokio::test]
async fn graph_gets_its_own_words_back_without_a_look_into_the_store() {
    let world = World::new(configured()).await;
    world.store.close().await;
    let path = "/providers/microsoft/notifications?validationToken=%3Cscript%3E+%26x";
    let (status, headers, body) = world.send(Method::POST, path, &[], "").await;
    assert_eq!((status.as_u16(), &body[..]), (200, &b"<script> &x"[..]));
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn zoom_gets_its_proof() {
    let world = World::new(configured()).await;
    let body =
        r#"{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}, "event_ts": 1}"#;
    let seconds = NOON.0 / 1_000;
    let signature = push::signature("hush", seconds, body.as_bytes());
    let seconds = seconds.to_string();
    let headers = [(push::SIGNATURE, &signature[..]), (push::TIMESTAMP, &seconds)];
    let path = "/providers/zoom/notifications";
    let (status, headers, answer) = world.send(Method::POST, path, &headers, body).await;
    assert_eq!(
        (status.as_u16(), &headers["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let expected = serde_json::to_vec(&push::validation("hush", "abc")).unwrap();
    assert_eq!(&answer[..], &expected[..]);
}

#[tokio::test]
async fn what_could_not_be_noted_is_asked_for_again() {
    for error in [Error::Unavailable { retry_after_s: 9 }, Error::Internal, Error::Full] {
        let refusal = not_noted(&error);
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
    }
    let world = World::new(configured()).await;
    world.store.close().await;
    let target = "/providers/google/callback?state=x&code=y";
    let (status, headers, _) = world.send(Method::GET, target, &[], "").await;
    assert_eq!(
        (status.as_u16(), &headers["content-type"]),
        (503, &"text/plain; charset=utf-8".parse().unwrap())
    );
}

#[tokio::test]
async fn a_person_who_comes_back_is_told_or_sent_on() {
    let world = World::new(configured()).await;
    let begin = async |return_to: Option<&str>| {
        let provider = "google".to_owned();
        let return_to = return_to.map(str::to_owned);
        let new = NewConnection { provider, return_to, ..NewConnection::default() };
        let begun = world.service.begin_connection(&world.owner, new).await.unwrap();
        let url = Url::parse(&begun.authorize_url).unwrap();
        let mut pairs = url.query_pairs();
        pairs.find(|(name, _)| name == "state").unwrap().1.into_owned()
    };
    let back = async |query: String| {
        let target = format!("/providers/google/callback?{query}");
        world.send(Method::GET, &target, &[], "").await
    };
    for query in ["", "state=made-up&code=x", "state=%3Cscript%3E&error=%3Cscript%3E", "code=%ff"] {
        let (status, headers, body) = back(query.into()).await;
        assert_eq!(
            (status.as_u16(), &headers["content-type"]),
            (400, &"text/plain; charset=utf-8".parse().unwrap())
        );
        assert_eq!(headers["content-security-policy"], "default-src 'none'");
        assert!(!body.windows(7).any(|text| text == b"<script"), "{query}");
    }
    let state = begin(None).await;
    let (status, _, body) = back(format!("state={state}&error=access_denied")).await;
    assert_eq!(
        (status.as_u16(), &body[..]),
        (400, &b"the account was not connected: the consent was not given\n"[..])
    );
    let state = begin(Some("https://app.example.com/done?tab=1")).await;
    let (status, headers, _) = back(format!("state={state}&error=access_denied")).await;
    assert_eq!(status, 303);
    assert_eq!(
        headers["location"],
        "https://app.example.com/done?tab=1&error=access_denied&error_description=the+consent+was+not+given"
    );
    let (status, ..) = back(format!("state={state}&code=late")).await;
    assert_eq!(status, 400, "a state works once");
}

#[test]
fn a_browser_is_sent_back_with_the_outcome_in_the_query() {
    let url = || Url::parse("https://app.example.com/done?tab=1").unwrap();
    let refused = NotConnected { code: "access_denied", why: "no & never".into() };
    assert_eq!(
        returning(url(), &Err(refused)),
        "https://app.example.com/done?tab=1&error=access_denied&error_description=no+%26+never"
    );
    let account = "acc_01k4qzv6s8t2m9r3n5b0".parse().unwrap();
    assert_eq!(
        returning(url(), &Ok(account)),
        "https://app.example.com/done?tab=1&account=acc_01k4qzv6s8t2m9r3n5b0"
    );
}
