use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, CollectionId, Ids, SubscriptionId};
use tidings_providers::errand::{Refusal, Reply};
use tidings_providers::zoom::push;
use tidings_service::{AccountStatus, Error, Pushed, ZoomPush};
use tidings_store::{
    AuditEntry, CollectionWrite, MirrorCommit, NewAccount, NewSubscription, Store,
    SubscriptionStatus,
};

use crate::desk::ZOOM_SECRET;
use crate::setup::Setup;

/// An account with one calendar, at peace.
pub(crate) struct Watched {
    pub(crate) account: AccountId,
    pub(crate) account_no: i64,
    pub(crate) calendar: CollectionId,
    pub(crate) collection_no: i64,
}

pub(crate) async fn watched(setup: &Setup, provider: &str, external_id: &str) -> Watched {
    let (store, now) = (&setup.store, setup.clock.now());
    let ids = Ids::from_os();
    let account = AccountId(ids.next(now));
    let new = NewAccount {
        id: account,
        app_no: 1,
        user_no: None,
        provider: provider.into(),
        external_id: Some(external_id.into()),
        name: "ada".into(),
        server_url: None,
        username: None,
        credential: Some(vec![1]),
    };
    let entry = AuditEntry {
        actor: "test".into(),
        action: "account.connect",
        object: account.to_string(),
        denied: false,
        address: None,
        detail: json!({}),
    };
    let account_no = store.connect_oauth_account(new, None, entry, now).await.unwrap().0.account_no;
    let calendar = CollectionId(ids.next(now));
    let mut commit = MirrorCommit::new(1, account_no);
    commit.collections.push(CollectionWrite::Create {
        id: calendar,
        external_id: "primary".into(),
        name: Some("Work".into()),
        details: json!({"color": "#9fe1e7", "time_zone": "Europe/London", "writable": true,
            "primary": true})
        .to_string(),
        announce: None,
    });
    assert!(store.commit_mirror(commit, now).await.unwrap());
    let collection_no = store.collections(account_no).await.unwrap()[0].collection_no;
    Watched { account, account_no, calendar, collection_no }
}

impl Watched {
    /// A subscription for the calendar; active when it `ends`.
    pub(crate) async fn subscribe(
        &self,
        setup: &Setup,
        channel: &str,
        token: &str,
        ends: Option<Timestamp>,
    ) -> i64 {
        let (store, now) = (&setup.store, setup.clock.now());
        let new = NewSubscription {
            id: SubscriptionId(Ids::from_os().next(now)),
            account_no: self.account_no,
            collection_no: Some(self.collection_no),
            external_id: Some(channel.into()),
            token_hash: Sha256::digest(token).into(),
            next_try_at: now,
        };
        let no = store.create_subscription(new, now).await.unwrap();
        if let Some(ends) = ends {
            let resource = Some("resource".to_owned());
            let active = store.activate_subscription(no, channel.into(), resource, ends, ends, now);
            assert!(active.await.unwrap());
        }
        no
    }

    /// How often something was heard of the calendar.
    async fn dirty(&self, store: &Store) -> i64 {
        store.collection(self.collection_no).await.unwrap().unwrap().dirty_gen
    }
}

async fn setup() -> Setup {
    Setup::new().await.with_desk(|_| Ok(Reply::Done)).0
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn google(channel: &str, token: &str, resource: &str, state: &str, number: &str) -> HeaderMap {
    headers(&[
        ("x-goog-channel-id", channel),
        ("x-goog-channel-token", token),
        ("x-goog-resource-id", resource),
        ("x-goog-resource-state", state),
        ("x-goog-message-number", number),
    ])
}

#[tokio::test]
async fn google_pushes_that_are_forged_stale_replayed_or_unknown_change_nothing() {
    let setup = setup().await;
    let of = watched(&setup, "google", "sub-1").await;
    let ends = setup.clock.now().plus_ms(1_000);
    of.subscribe(&setup, "ch", "tok", Some(ends)).await;
    of.subscribe(&setup, "new", "tok2", None).await;
    let ended = of.subscribe(&setup, "ended", "tok", Some(ends)).await;
    setup.store.end_subscription(ended, None, None, setup.clock.now()).await.unwrap();
    let mut expected = of.dirty(&setup.store).await;
    for (what, push, noted) in [
        ("good", google("ch", "tok", "resource", "exists", "2"), true),
        ("replayed", google("ch", "tok", "resource", "exists", "2"), false),
        ("good again", google("ch", "tok", "resource", "not_exists", "9"), true),
        ("sync", google("ch", "tok", "resource", "sync", "1"), false),
        ("wrong token", google("ch", "tok2", "resource", "exists", "3"), false),
        ("no token", google("ch", "", "resource", "exists", "3"), false),
        ("wrong resource", google("ch", "tok", "other", "exists", "3"), false),
        ("unknown channel", google("nobody", "tok", "resource", "exists", "3"), false),
        ("unknown again", google("nobody", "tok", "resource", "exists", "3"), false),
        ("ended", google("ended", "tok", "resource", "exists", "3"), false),
        ("of drive", google("ch", "tok", "resource", "update", "3"), false),
        ("nothing", HeaderMap::new(), false),
        ("registering, resource not known yet", google("new", "tok2", "any", "exists", "2"), true),
        ("registering, wrong token", google("new", "tok", "any", "exists", "3"), false),
    ] {
        let pushed = setup.service.google_push(&push).await.unwrap();
        assert_eq!(pushed == Pushed::Noted, noted, "{what}: {pushed:?}");
        expected += i64::from(noted);
        assert_eq!(of.dirty(&setup.store).await, expected, "{what}");
    }
    setup.clock.advance_ms(1_000);
    let stale = google("ch", "tok", "resource", "exists", "10");
    assert_ne!(setup.service.google_push(&stale).await.unwrap(), Pushed::Noted, "expired");
    crate::accounts::deactivate(&setup, of.account).await;
    let idle = google("new", "tok2", "any", "exists", "11");
    assert_ne!(setup.service.google_push(&idle).await.unwrap(), Pushed::Noted, "inactive");
    assert_eq!(of.dirty(&setup.store).await, expected);
}

#[tokio::test]
async fn a_channel_that_was_unknown_is_known_as_soon_as_it_is_active() {
    let setup = setup().await;
    let of = watched(&setup, "microsoft", "m-1").await;
    let notice = json!({"value": [
        {"subscriptionId": "graph-1", "clientState": "tok", "changeType": "updated"}]});
    let push = async || setup.service.microsoft_push(notice.to_string().as_bytes()).await.unwrap();
    for _ in 0..2 {
        assert_ne!(push().await, [Pushed::Noted]);
    }
    // Graph names the subscription in its answer, when pushes may have come already.
    let no = of.subscribe(&setup, "not-named-yet", "tok", None).await;
    let (now, ends) = (setup.clock.now(), setup.clock.now().plus_ms(60_000));
    setup.store.activate_subscription(no, "graph-1".into(), None, ends, ends, now).await.unwrap();
    for _ in 0..1_000 {
        if push().await == [Pushed::Noted] {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the subscription stays unknown");
}

#[tokio::test]
async fn each_item_of_a_graph_push_is_verified_and_routed_by_itself() {
    let setup = setup().await;
    let ends = Some(setup.clock.now().plus_ms(60_000));
    let mut watch = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let of = watched(&setup, "microsoft", name).await;
        let no = of.subscribe(&setup, &format!("s-{name}"), &format!("t-{name}"), ends).await;
        let before = of.dirty(&setup.store).await;
        watch.push((of, no, before));
    }
    let item = |name: &str, token: &str, lifecycle: Value| {
        json!({"subscriptionId": format!("s-{name}"), "clientState": token,
            "changeType": "updated", "lifecycleEvent": lifecycle})
    };
    let body = json!({"value": [
        item("a", "t-a", Value::Null),
        item("a", "t-a", Value::Null),
        item("b", "t-a", Value::Null),
        item("nobody", "t-a", Value::Null),
        item("c", "t-c", json!("reauthorizationRequired")),
        item("d", "t-d", json!("subscriptionRemoved")),
        item("b", "t-b", json!("missed")),
        {"subscriptionId": "s-a", "changeType": "updated"},
    ]});
    let pushed = setup.service.microsoft_push(body.to_string().as_bytes()).await.unwrap();
    let noted: Vec<_> = pushed.iter().map(|pushed| *pushed == Pushed::Noted).collect();
    assert_eq!(noted, [true, true, false, false, true, true, true, false]);
    for (of, _, before) in &watch {
        assert_eq!(of.dirty(&setup.store).await, before + 1, "once for all its items");
    }
    let subscription = async |place: usize| {
        let no = watch[place].1;
        setup.store.subscription(no).await.unwrap().unwrap()
    };
    assert_eq!(subscription(2).await.renew_at, Some(setup.clock.now()), "renewed at once");
    assert_eq!(subscription(3).await.status, SubscriptionStatus::Ended);
    let unwatched = setup.store.unwatched_collections(setup.clock.now(), 10).await.unwrap();
    let unwatched: Vec<_> = unwatched.iter().map(|calendar| calendar.id).collect();
    assert_eq!(unwatched, [watch[3].0.calendar], "and is made anew");
    for malformed in ["", "[]", "{}", "nonsense", r#"{"value": 1}"#] {
        let refused = setup.service.microsoft_push(malformed.as_bytes()).await;
        assert!(matches!(refused, Err(Error::Malformed(_))), "{malformed}: {refused:?}");
    }
}

fn zoom(body: &Value, secret: &str, at: Timestamp) -> (HeaderMap, Bytes) {
    let body = Bytes::from(body.to_string());
    let seconds = at.0.div_euclid(1_000);
    let signature = push::signature(secret, seconds, &body);
    let seconds = seconds.to_string();
    (headers(&[(push::SIGNATURE, &signature), (push::TIMESTAMP, &seconds)]), body)
}

fn meeting(host: &str, id: u64) -> Value {
    json!({"event": "meeting.updated", "event_ts": 1, "payload": {"account_id": "z", "operator_id": "o",
        "object": {"id": id, "host_id": host}}})
}

#[tokio::test]
async fn zoom_pushes_that_are_forged_stale_replayed_or_unknown_change_nothing() {
    let setup = setup().await;
    let of = watched(&setup, "zoom", "host-1").await;
    let now = setup.clock.now();
    let (good, forged) = (ZOOM_SECRET, "another secret");
    let mut expected = of.dirty(&setup.store).await;
    for (what, body, secret, at, noted) in [
        ("good", meeting("host-1", 1), good, now, Some(true)),
        ("repeated, signed anew", meeting("host-1", 1), good, now.plus_ms(5_000), Some(false)),
        ("another", meeting("host-1", 2), good, now, Some(true)),
        ("forged", meeting("host-1", 3), forged, now, None),
        ("too old", meeting("host-1", 4), good, now.plus_ms(-301_000), None),
        ("from the future", meeting("host-1", 5), good, now.plus_ms(301_000), None),
        ("unknown user", meeting("nobody", 6), good, now, Some(false)),
        (
            "of no meeting",
            json!({"event": "recording.started", "payload": {}}),
            good,
            now,
            Some(false),
        ),
    ] {
        let (headers, body) = zoom(&body, secret, at);
        let pushed = setup.service.zoom_push(&headers, &body).await.unwrap();
        let told = match &pushed {
            ZoomPush::Pushed(pushed) => Some(*pushed == Pushed::Noted),
            ZoomPush::Refused(_) => None,
            ZoomPush::Proof(_) => panic!("{what}"),
        };
        assert_eq!(told, noted, "{what}: {pushed:?}");
        expected += i64::from(noted == Some(true));
        assert_eq!(of.dirty(&setup.store).await, expected, "{what}");
    }
    let (headers, body) = zoom(&meeting("host-1", 7), good, now);
    let spaced = [&body[..], b" "].concat();
    let refused = setup.service.zoom_push(&headers, &spaced).await.unwrap();
    assert!(matches!(refused, ZoomPush::Refused(_)), "the raw bytes are signed");
}

#[tokio::test]
async fn zoom_is_given_its_proof_every_time() {
    let setup = setup().await;
    let question = json!({"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}});
    for _ in 0..2 {
        let (headers, body) = zoom(&question, ZOOM_SECRET, setup.clock.now());
        let answer = setup.service.zoom_push(&headers, &body).await.unwrap();
        let ZoomPush::Proof(proof) = answer else { panic!("{answer:?}") };
        let proof: Value = serde_json::from_slice(&proof).unwrap();
        let expected = push::validation(ZOOM_SECRET, "abc").encrypted_token;
        assert_eq!(proof, json!({"plainToken": "abc", "encryptedToken": expected}));
    }
}

#[tokio::test]
async fn a_permission_taken_back_at_zoom_deletes_the_account_and_asks_nobody() {
    let (setup, asked) = Setup::new().await.with_desk(|_| Err(Refusal::Busy));
    let of = watched(&setup, "zoom", "host-1").await;
    let other = watched(&setup, "zoom", "host-2").await;
    let body = json!({"event": "app_deauthorized", "payload": {"account_id": "z",
        "user_id": "host-1", "client_id": "z", "deauthorization_time": "2026-11-21T08:00:00Z",
        "signature": "x"}});
    let (headers, bytes) = zoom(&body, ZOOM_SECRET, setup.clock.now());
    let pushed = setup.service.zoom_push(&headers, &bytes).await.unwrap();
    assert_eq!(pushed, ZoomPush::Pushed(Pushed::Noted));
    let gone = setup.service.account(&setup.owner, of.account).await;
    assert_eq!(gone.err(), Some(Error::NotFound("account")));
    let kept = setup.service.account(&setup.owner, other.account).await.unwrap();
    assert_eq!(kept.status, AccountStatus::Active);
    let changes = setup.service.changes(&setup.owner, 0, None).await.unwrap().changes;
    assert_eq!(changes.last().unwrap().kind, "account.deleted");
    assert!(asked.list().is_empty(), "the tokens are void already");
}

#[tokio::test]
async fn what_is_not_configured_has_no_pushes_and_what_is_not_noted_is_sent_again() {
    let setup = Setup::new().await;
    let unknown = Err(Error::NotFound("path"));
    assert_eq!(setup.service.google_push(&HeaderMap::new()).await, unknown);
    assert_eq!(setup.service.zoom_push(&HeaderMap::new(), b"").await.err(), unknown.err());
    let setup = self::setup().await;
    let of = watched(&setup, "google", "sub-1").await;
    of.subscribe(&setup, "ch", "tok", Some(setup.clock.now().plus_ms(60_000))).await;
    setup.store.close().await;
    let push = google("ch", "tok", "resource", "exists", "2");
    let lost = setup.service.google_push(&push).await;
    assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
}
