use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::json;
use tidings_core::access::ClientCredentials;
use tidings_core::clock::Timestamp;
use tidings_core::egress::{EgressPolicy, FailureClass};
use tidings_core::limits::TOKEN_FAILURE_MS;
use tidings_testkit::receiver::{Answer, Authority, Gate, TestReceiver};

use super::*;
use crate::egress::{Resolver, Table, Tls};

fn hidden(text: &str) -> Hidden {
    Hidden::from(text.to_owned())
}

struct World {
    egress: Egress,
    clock: Clock,
    receiver: TestReceiver,
    endpoint: TestReceiver,
}

impl World {
    async fn new() -> Self {
        let endpoint = TestReceiver::start().await;
        let issued = AtomicUsize::new(0);
        endpoint.answer_with(move |_| {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            let token = format!("t{n}");
            let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
            Answer::status(200).body(body.to_string())
        });
        Self {
            egress: Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public()),
            clock: Clock::manual(Timestamp(1_000_000)),
            receiver: TestReceiver::start().await,
            endpoint,
        }
    }

    fn entry(&self) -> Entry {
        self.entry_at(&self.endpoint.url("/token"))
    }

    fn entry_at(&self, token_url: &str) -> Entry {
        let client = ClientCredentials {
            token_url: token_url.into(),
            client_id: hidden("us"),
            client_secret: hidden("hush"),
            scope: Some("hooks".into()),
            audience: None,
        };
        let access = Access { auth: Some(Auth::Oauth2(client)), ..Access::default() };
        Entry::new(&access, &self.egress, "a".into()).unwrap()
    }

    async fn deliver(&self, entry: &Entry) -> Result<Attempted, String> {
        let mut headers = entry.headers().clone();
        entry.authorize(&self.egress, &self.clock, &mut headers).await?;
        let url = self.egress.policy().vet_url(&self.receiver.url("/hook")).unwrap();
        let request = Request {
            method: Method::POST,
            url: &url,
            headers,
            body: Bytes::from_static(b"{}"),
            budget: Budget::delivery(),
        };
        Ok(entry.send(&self.egress, &self.clock, request).await)
    }

    fn tokens_seen(&self) -> Vec<String> {
        let received = self.receiver.received();
        received.iter().map(|r| r.header("authorization").unwrap_or("").to_owned()).collect()
    }
}

#[tokio::test]
async fn headers_and_fixed_credentials_are_sent_and_never_shown() {
    let world = World::new().await;
    for (auth, expected) in [
        (Auth::Basic { username: hidden("ada"), password: hidden("pw") }, "Basic YWRhOnB3"),
        (Auth::Bearer { token: hidden("mF_9") }, "Bearer mF_9"),
    ] {
        let headers = vec![("X-Api-Key".to_owned(), hidden("hush"))];
        let access = Access { headers, auth: Some(auth), client_certificate: None };
        let entry = Entry::new(&access, &world.egress, "a".into()).unwrap();
        world.deliver(&entry).await.unwrap().result.unwrap();
        let received = world.receiver.received().pop().unwrap();
        assert_eq!(received.header("authorization"), Some(expected));
        assert_eq!(received.header("x-api-key"), Some("hush"));
        assert!(entry.headers().values().all(HeaderValue::is_sensitive));
        assert!(!format!("{entry:?}").contains("hush") && !format!("{entry:?}").contains("mF_9"));
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_and_again_shortly_before_it_expires() {
    let world = World::new().await;
    let entry = world.entry();
    let gate = Gate::new();
    let body = json!({"access_token": "slow", "token_type": "bearer", "expires_in": "3600"});
    world.endpoint.answer_next(Answer::status(200).body(body.to_string()).after(&gate));
    let deliveries = (0..10).map(|_| world.deliver(&entry));
    let all = futures_util::future::join_all(deliveries);
    let open = async {
        world.endpoint.wait_for(1, Duration::from_secs(5)).await;
        gate.open();
    };
    let (all, ()) = tokio::join!(all, open);
    assert!(all.iter().all(|one| one.as_ref().unwrap().status() == Some(200)));
    assert_eq!(world.endpoint.count(), 1);
    assert_eq!(world.tokens_seen(), vec!["Bearer slow"; 10]);

    world.clock.advance_ms(3_569_000);
    world.deliver(&entry).await.unwrap();
    assert_eq!(world.endpoint.count(), 1);
    world.clock.advance_ms(1_000);
    world.deliver(&entry).await.unwrap();
    assert_eq!(
        (world.endpoint.count(), world.tokens_seen().pop().unwrap()),
        (2, "Bearer t1".into())
    );

    let asked = world.endpoint.received().remove(0);
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.header("authorization"), Some("Basic dXM6aHVzaA=="));
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.body, "grant_type=client_credentials&scope=hooks");
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_once() {
    let world = World::new().await;
    let entry = world.entry();
    world.receiver.answer_next(Answer::status(401));
    assert_eq!(world.deliver(&entry).await.unwrap().status(), Some(200));
    assert_eq!(world.tokens_seen(), ["Bearer t1", "Bearer t2"]);
    world.receiver.answer_always(Answer::status(401));
    assert_eq!(world.deliver(&entry).await.unwrap().status(), Some(401));
    assert_eq!(world.tokens_seen(), ["Bearer t1", "Bearer t2", "Bearer t2", "Bearer t3"]);
    assert_eq!(world.endpoint.count(), 3);
}

#[tokio::test]
async fn a_failing_token_endpoint_is_told_of_and_left_alone_for_a_moment() {
    let world = World::new().await;
    let huge = json!({"access_token": "t", "token_type": "bearer", "x": "y".repeat(100_000)});
    let granted = |kind: &str, token: &str| {
        let body = json!({"access_token": token, "token_type": kind});
        Answer::status(200).body(body.to_string())
    };
    for (answer, expected) in [
        (Answer::status(401).body(r#"{"error":"invalid_client"}"#), "answered 401, invalid_client"),
        (Answer::status(400).body(r#"{"error":"<script>hush"}"#), "endpoint answered 400"),
        (Answer::status(302).header("location", "http://10.0.0.5/"), "302; redirects"),
        (Answer::status(200).body("hello"), "not a token response"),
        (Answer::status(200).body(r#"{"token_type":"bearer"}"#), "not a token response"),
        (Answer::status(200).body(huge.to_string()), "more than 65536 bytes"),
        (granted("mac", "t"), "another type"),
        (granted("bearer", "a\r\nx: y"), "characters that HTTP forbids"),
        (granted("bearer", ""), "characters that HTTP forbids"),
        (Answer::close(), "connection_closed"),
    ] {
        let entry = world.entry();
        world.endpoint.answer_next(answer);
        let asked = world.endpoint.count() + 1;
        for _ in 0..3 {
            let why = world.deliver(&entry).await.unwrap_err();
            assert!(why.contains(expected) && !why.contains("hush"), "{expected}: {why}");
        }
        assert_eq!(world.endpoint.count(), asked, "{expected}");
        world.clock.advance_ms(TOKEN_FAILURE_MS);
        world.deliver(&entry).await.unwrap();
    }
    assert_eq!(world.receiver.count(), 10);
}

#[tokio::test]
async fn a_token_endpoint_at_a_forbidden_place_is_not_asked() {
    let mut world = World::new().await;
    let table = Arc::new(Table::default());
    table.set("id.example.org", &["10.0.0.5".parse().unwrap()]);
    world.egress = Egress::new(EgressPolicy::dev(), Resolver::Table(table), Tls::public());
    for (url, expected) in [
        ("https://id.example.org/token", "egress_refused"),
        ("https://169.254.169.254/token", "link-local"),
        ("ftp://id.example.org/", "http"),
    ] {
        let why = world.deliver(&world.entry_at(url)).await.unwrap_err();
        assert!(why.contains(expected), "{url}: {why}");
    }
    assert_eq!(world.receiver.count(), 0);
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_its_connections_are_its_own() {
    let authority = Authority::new();
    let receiver = TestReceiver::start_tls(authority.demanding_certificate("127.0.0.1")).await;
    let tls = Tls::with_extra(authority.pem().as_bytes()).unwrap();
    let egress = Egress::new(EgressPolicy::dev(), Resolver::System, tls);
    let entry = |(certificate, key): (String, String), name: &str| {
        let identity =
            ClientCertificate { certificate: hidden(&certificate), private_key: hidden(&key) };
        let access = Access { client_certificate: Some(identity), ..Access::default() };
        Entry::new(&access, &egress, name.into()).unwrap()
    };
    let send = async |entry: &Entry| {
        let url = egress.policy().vet_url(&receiver.url("/")).unwrap();
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let budget = Budget::delivery();
        let request = Request { method: Method::POST, url: &url, headers, body, budget };
        entry.send(&egress, &Clock::manual(Timestamp(0)), request).await
    };
    let (ours, theirs) = (entry(authority.client("us"), "1"), entry(authority.client("them"), "2"));
    for (entry, connections) in [(&ours, 1), (&ours, 1), (&theirs, 2), (&ours, 2)] {
        assert_eq!(send(entry).await.status(), Some(200));
        assert_eq!(receiver.connections(), connections);
    }
    let none = Entry::new(&Access::default(), &egress, "3".into()).unwrap();
    let stranger = entry(Authority::new().client("x"), "4");
    for entry in [none, stranger] {
        let failure = send(&entry).await.result.unwrap_err();
        assert_eq!(failure.class, FailureClass::Tls, "{failure}");
    }
    assert_eq!(receiver.count(), 4);
}
