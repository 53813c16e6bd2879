//! The Zoom simulator does what Zoom does, the traps included, and our translators understand it.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "zoom/carrier.rs"]
mod carrier;

use std::sync::{Arc, Mutex};

use serde_json::json;
use tidings_core::clock::{Clock, Timestamp};
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::error::ProviderError;
use tidings_providers::item::Item;
use tidings_providers::oauth::{self, TokenError};
use tidings_providers::provider::Provider;
use tidings_providers::zoom::push::{self, Push};
use tidings_providers::zoom::{meetings, user, write};
use tidings_simulators::server::{Answer, Call, Fault, Server, Setup, Site};
use tidings_simulators::zoom::{Departure, Zoom};

use carrier::{carry, settings};

const HOST: &str = "host@example.com";

/// A simulator at noon on 1 December 2026.
async fn zoom() -> Zoom {
    let clock = Clock::manual(Timestamp::parse("2026-12-01T12:00:00Z").unwrap());
    Zoom::start(&Setup { clock, ..Setup::default() }).await.unwrap()
}

fn single(topic: &str, start: &str) -> serde_json::Value {
    json!({ "topic": topic, "type": 2, "start_time": start, "duration": 30, "timezone": "UTC" })
}

fn daily() -> serde_json::Value {
    json!({ "topic": "Daily", "type": 8, "start_time": "2026-12-02T09:00:00Z", "duration": 30,
            "timezone": "UTC",
            "recurrence": { "type": 1, "repeat_interval": 1, "end_times": 3 } })
}

async fn listed(zoom: &Zoom, token: &str) -> (Vec<String>, usize) {
    let (mut found, mut pages, mut next) = (Vec::new(), 0, None);
    loop {
        let request = meetings::list_request(&settings(zoom), next.as_deref());
        let page = meetings::parse_list(&carry(request, Some(token)).await).unwrap();
        found.extend(page.meetings);
        pages += 1;
        next = page.next;
        if next.is_none() {
            return (found, pages);
        }
    }
}

async fn read(zoom: &Zoom, token: &str, id: &str) -> Result<Vec<Item>, ProviderError> {
    let request = meetings::get_request(&settings(zoom), id);
    meetings::parse_meeting(&carry(request, Some(token)).await)
}

#[tokio::test]
async fn a_meeting_is_written_listed_read_changed_and_deleted() {
    let zoom = zoom().await;
    let (token, _) = zoom.oauth().tokens_for(HOST, &[]);
    let draft = EventDraft::from_json(&json!({
        "title": "Plan", "description": "About",
        "start": "2026-12-02T10:00:00", "end": "2026-12-02T10:45:00", "timeZone": "Europe/Berlin",
        "attendees": [{ "email": "b@example.com" }],
    }));
    let draft = draft.unwrap_or_else(|problems| panic!("{problems:?}"));
    let request = write::create_request(&settings(&zoom), &draft).unwrap();
    let id = write::parse_created(&carry(request, Some(&token)).await).unwrap();
    assert_eq!(listed(&zoom, &token).await.0, [id.as_str()]);
    let item = read(&zoom, &token, &id).await.unwrap().remove(0);
    assert_eq!(item.event.start.as_deref(), Some("2026-12-02T09:00:00.000Z"));
    assert_eq!(item.event.end.as_deref(), Some("2026-12-02T09:45:00.000Z"));
    assert_eq!(item.event.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(item.event.attendees[1].email, "b@example.com");

    let change = EventDraft::from_json(&json!({ "title": "Better" })).unwrap();
    let (key, event) = (&item.key, &item.event);
    let request = write::update_request(&settings(&zoom), key, Scope::All, &change, event).unwrap();
    write::parse_updated(&carry(request, Some(&token)).await).unwrap();
    let renamed = read(&zoom, &token, &id).await.unwrap().remove(0);
    assert_eq!(renamed.event.title, "Better");
    assert_ne!(renamed.version, item.version);

    for _ in 0..2 {
        let request = write::delete_request(&settings(&zoom), key, Scope::All, Notify::None, event);
        write::parse_deleted(&carry(request.unwrap(), Some(&token)).await).unwrap();
    }
    assert!(matches!(read(&zoom, &token, &id).await, Err(ProviderError::Gone { .. })));
    assert!(zoom.truth(HOST).is_empty());
}

#[tokio::test]
async fn occurrences_that_differ_are_exceptions_and_passing_ones_change_nothing() {
    let clock = Clock::manual(Timestamp::parse("2026-12-01T12:00:00Z").unwrap());
    let setup = Setup { clock: clock.clone(), ..Setup::default() };
    let zoom = Zoom::start(&setup).await.unwrap();
    zoom.oauth().rules(|rules| rules.access_ms = 7 * 24 * 3_600_000);
    let (token, _) = zoom.oauth().tokens_for(HOST, &[]);
    let id = zoom.create(HOST, &daily());
    let key = id.to_string();
    let plain = read(&zoom, &token, &key).await.unwrap();
    assert_eq!(plain.len(), 1);
    let moved = Timestamp::parse("2026-12-03T09:00:00Z").unwrap().0.to_string();
    let cancelled = Timestamp::parse("2026-12-04T09:00:00Z").unwrap().0.to_string();
    zoom.edit_occurrence(id, &moved, &json!({ "start_time": "2026-12-03T11:00:00Z" }));
    zoom.delete_occurrence(id, &cancelled);
    let items = read(&zoom, &token, &key).await.unwrap();
    let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
    let exceptions = [format!("{id}#20261203T090000Z"), format!("{id}#20261204T090000Z")];
    assert_eq!(keys, [key.as_str(), &exceptions[0], &exceptions[1]]);
    assert_eq!(items[0].version, plain[0].version);

    clock.advance_ms(24 * 3_600_000);
    zoom.begin(id);
    let later = read(&zoom, &token, &key).await.unwrap();
    assert_eq!(later, items, "the first has passed, an instance has begun");
}

#[tokio::test]
async fn pages_are_followed_and_a_series_comes_once() {
    let zoom = zoom().await;
    let (token, _) = zoom.oauth().tokens_for(HOST, &[]);
    zoom.switches(|switches| switches.page_max = 2);
    for day in 2..5 {
        zoom.create(HOST, &single("One", &format!("2026-12-{day:02}T08:00:00Z")));
    }
    zoom.create(HOST, &daily());
    zoom.create(HOST, &single("Past", "2026-11-30T08:00:00Z"));
    zoom.create(HOST, &single("Far", "2027-07-30T08:00:00Z"));
    let personal = json!({ "type": 4, "start_time": "2026-12-02T08:00:00Z" });
    zoom.create(HOST, &personal);
    let (mut found, pages) = listed(&zoom, &token).await;
    assert_eq!(pages, 4);
    found.sort();
    found.dedup();
    let truth: Vec<String> = zoom.truth(HOST).iter().map(|one| one["id"].to_string()).collect();
    assert_eq!(found, truth);
    assert_eq!(found.len(), 4);
    let stale = meetings::list_request(&settings(&zoom), Some("other~0~9999999999999"));
    let stale = meetings::parse_list(&carry(stale, Some(&token)).await);
    assert!(matches!(stale, Err(ProviderError::Invalid { .. })), "{stale:?}");
}

#[tokio::test]
async fn a_users_writes_of_a_day_end() {
    let zoom = zoom().await;
    let (token, _) = zoom.oauth().tokens_for(HOST, &[]);
    zoom.switches(|switches| switches.daily_writes = 0);
    let draft = EventDraft::from_json(&json!({
        "start": "2026-12-02T10:00:00Z", "end": "2026-12-02T10:45:00Z",
    }));
    let request = write::create_request(&settings(&zoom), &draft.unwrap()).unwrap();
    let mut response = carry(request, Some(&token)).await;
    // The server's clock is not the simulator's.
    response.headers.insert("date", "Tue, 01 Dec 2026 12:00:00 GMT".parse().unwrap());
    let Err(ProviderError::Retry { after_ms, why }) = write::parse_created(&response) else {
        panic!("a limit");
    };
    assert_eq!(after_ms, Some(12 * 3_600_000));
    assert!(why.contains("limit of a day"), "{why}");
}

#[tokio::test]
async fn tokens_scopes_and_users_are_checked() {
    let zoom = zoom().await;
    let request = || user::me_request(&settings(&zoom));
    let (token, _) = zoom.oauth().tokens_for(HOST, &[]);
    let identity = user::parse_me(&carry(request(), Some(&token)).await).unwrap();
    assert_eq!(identity.external_id, "person-host");
    assert_eq!(identity.email.as_deref(), Some(HOST));
    let (poor, _) = zoom.oauth().tokens_for(HOST, &["meeting:read:meeting"]);
    let refused = user::parse_me(&carry(request(), Some(&poor)).await);
    assert!(matches!(refused, Err(ProviderError::Forbidden { .. })), "{refused:?}");
    zoom.depart(HOST, Departure::Deactivated);
    let refused = user::parse_me(&carry(request(), Some(&token)).await);
    assert!(matches!(refused, Err(ProviderError::Reauthorise { .. })), "{refused:?}");
    let too_fast = Answer::json(429, &json!({ "code": 429, "message": "slow" }));
    zoom.faults().next("GET", "users/me", Fault::Instead(too_fast.with("retry-after", "2")));
    let refused = user::parse_me(&carry(request(), Some(&token)).await);
    assert!(matches!(refused, Err(ProviderError::Retry { after_ms: Some(2_000), .. })));
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
    let zoom = zoom().await;
    let app = settings(&zoom).oauth;
    let (_, first) = zoom.oauth().tokens_for(HOST, &[]);
    let tokens = carry(oauth::refresh(&app, &first), None).await;
    let second = oauth::tokens(Provider::Zoom, &tokens).unwrap().refresh_token.unwrap();
    let again = carry(oauth::refresh(&app, &first), None).await;
    let again = oauth::tokens(Provider::Zoom, &again);
    assert!(matches!(again, Err(TokenError::Withdrawn { .. })), "{again:?}");
    let third = carry(oauth::refresh(&app, second.reveal()), None).await;
    assert!(oauth::tokens(Provider::Zoom, &third).is_ok());
}

/// A subscriber that verifies as Tidings does.
struct Subscriber {
    secret: &'static str,
    clock: Clock,
    got: Mutex<Vec<Push>>,
}

impl Site for Subscriber {
    async fn answer(&self, call: &Call) -> Answer {
        match push::read(self.secret, &call.headers, &call.body, self.clock.now()) {
            Err(_) => Answer::empty(401),
            Ok(Push::Validation { plain_token }) => {
                let answer = push::validation(self.secret, &plain_token);
                Answer::json(200, &serde_json::to_value(answer).unwrap())
            }
            Ok(push) => {
                self.got.lock().unwrap().push(push);
                Answer::empty(200)
            }
        }
    }
}

#[tokio::test]
async fn its_pushes_pass_our_verification_and_say_whom_they_are_about() {
    let setup = Setup::default();
    let zoom = Zoom::start(&setup).await.unwrap();
    zoom.oauth().add_person(tidings_simulators::oauth::Person::new("admin@example.com"));
    let subscriber =
        |secret| Arc::new(Subscriber { secret, clock: setup.clock.clone(), got: Mutex::default() });
    let (ours, other) = (subscriber(zoom.webhook_secret()), subscriber("another"));
    let there = Server::start(&setup, Arc::clone(&ours)).await.unwrap();
    let elsewhere = Server::start(&setup, other).await.unwrap();
    assert!(!zoom.subscribe(elsewhere.url().as_str()).await, "it does not know the secret");
    assert!(zoom.subscribe(there.url().as_str()).await);
    let id = zoom.create(HOST, &daily());
    zoom.pushes().settled().await;
    zoom.edit(id, &json!({ "topic": "Every day" }));
    zoom.pushes().settled().await;
    zoom.edit_as(Some("admin@example.com"), id, None, &json!({ "topic": "No day" }));
    zoom.pushes().settled().await;
    zoom.push("meeting.started", &json!({ "account_id": "a", "object": { "host_id": "h" } }));
    zoom.pushes().settled().await;
    zoom.delete(id);
    zoom.pushes().settled().await;
    zoom.deauthorize(HOST);
    zoom.pushes().settled().await;
    let got = ours.got.lock().unwrap().clone();
    let users: Vec<Vec<String>> = got
        .iter()
        .map(|push| match push {
            Push::Event { users, object_id, .. } => {
                assert_eq!(object_id.as_deref(), Some(id.to_string().as_str()));
                users.clone()
            }
            Push::Deauthorized { user_id, .. } => vec![format!("not {user_id}")],
            _ => Vec::new(),
        })
        .collect();
    let names: Vec<&str> = users.iter().map(|users| users.first().map_or("", |u| u)).collect();
    let (host, admin) = ("person-host", "person-admin");
    assert_eq!(names, [host, host, admin, "", host, "not person-host"]);
}

#[tokio::test]
async fn a_push_that_is_not_taken_comes_again() {
    let setup = Setup::default();
    let zoom = Zoom::start(&setup).await.unwrap();
    let (secret, clock) = (zoom.webhook_secret(), setup.clock.clone());
    let ours = Arc::new(Subscriber { secret, clock, got: Mutex::default() });
    let there = Server::start(&setup, Arc::clone(&ours)).await.unwrap();
    assert!(zoom.subscribe(there.url().as_str()).await);
    zoom.pushes().conditions(|way| {
        way.duplicate = 1.0;
        way.retries = vec![std::time::Duration::from_millis(1)];
    });
    there.faults().next("POST", "", Fault::Instead(Answer::empty(500)));
    zoom.create(HOST, &daily());
    zoom.pushes().settled().await;
    let got = ours.got.lock().unwrap();
    assert_eq!(got.len(), 2, "once refused and sent again, and once more");
    assert_eq!(got[0], got[1]);
}
