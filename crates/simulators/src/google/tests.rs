use std::time::Duration;

use serde_json::json;
use tidings_core::clock::Clock;
use tidings_testkit::receiver::TestReceiver;

use super::*;
use crate::server::{Answer, Call, Site};

const SCOPES: &[&str] = &["https://www.googleapis.com/auth/calendar"];
const EVENTS: &str = "/calendar/v3/calendars/primary/events";

/// A Google whose time stands still, somebody's token, and a receiver of pushes.
struct Stage {
    google: Google,
    clock: Clock,
    bearer: String,
    receiver: TestReceiver,
}

impl Stage {
    async fn set() -> Self {
        let clock = Clock::manual(Timestamp(1_790_000_000_000));
        let setup = Setup { clock: clock.clone(), ..Setup::default() };
        let google = Google::start(&setup).await.unwrap();
        let receiver = TestReceiver::start().await;
        google.pushes().route("https://receiver.test", &receiver.url(""));
        let bearer = google.oauth().tokens_for(PERSON, SCOPES).0;
        Self { google, clock, bearer, receiver }
    }

    async fn ask(&self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        self.ask_as(&self.bearer, method, target, body).await
    }

    async fn ask_as(&self, bearer: &str, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let bearer = format!("Bearer {bearer}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let call = Call::made(method, target, &[("authorization", &bearer)], &body);
        let Answer { status, body, .. } = self.google.site.answer(&call).await;
        (status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&self, target: &str) -> (u16, Value) {
        self.ask("GET", target, &Value::Null).await
    }

    async fn watch(&self, target: &str, id: &str) -> (u16, Value) {
        let body = json!({
            "id": id, "type": "web_hook", "address": "https://receiver.test/", "token": "t",
            "params": { "ttl": "3600" },
        });
        self.ask("POST", &format!("{target}/watch"), &body).await
    }

    fn event(&self, summary: &str) -> String {
        let made = self.google.create_event(PERSON, &event(summary));
        made["id"].as_str().unwrap().to_owned()
    }
}

fn event(summary: &str) -> Value {
    json!({
        "summary": summary,
        "start": { "dateTime": "2026-03-12T09:00:00Z" },
        "end": { "dateTime": "2026-03-12T10:00:00Z" },
    })
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_sync_message_is_there_before_the_answer_to_watch() {
    let stage = Stage::set().await;
    assert_eq!(stage.watch(EVENTS, "one").await.0, 200);
    assert_eq!(stage.receiver.count(), 1);
    stage.google.switches(|switches| switches.sync_message = SyncMessage::Never);
    assert_eq!(stage.watch(EVENTS, "two").await.0, 200);
    assert_eq!(
        stage.watch(EVENTS, "two").await.1["error"]["errors"][0]["reason"],
        "channelIdNotUnique"
    );
    stage.google.pushes().settled().await;
    assert_eq!(stage.receiver.count(), 1);
}

#[tokio::test]
async fn message_numbers_grow_but_not_by_one() {
    let stage = Stage::set().await;
    stage.watch(EVENTS, "one").await;
    for n in 0..5 {
        stage.event(&n.to_string());
        stage.receiver.wait_for(n + 2, Duration::from_secs(10)).await;
    }
    let received = stage.receiver.received();
    let number = |push: &tidings_testkit::receiver::Received| -> u64 {
        push.header("x-goog-message-number").unwrap().parse().unwrap()
    };
    let numbers: Vec<u64> = received.iter().map(number).collect();
    assert!(numbers.is_sorted() && numbers[0] == 1, "{numbers:?}");
    assert!(numbers.windows(2).any(|pair| pair[1] > pair[0] + 1), "{numbers:?}");
}

#[tokio::test]
async fn pushes_that_are_not_remembered_are_sent() {
    let stage = Stage::set().await;
    stage.watch(EVENTS, "one").await;
    let before = stage.google.pushes().sent().len();
    stage.google.pushes().remember_none();
    stage.event("x");
    stage.receiver.wait_for(2, Duration::from_secs(10)).await;
    assert_eq!(stage.google.pushes().sent().len(), before);
}

#[tokio::test]
async fn expired_and_stopped_channels_are_silent() {
    let stage = Stage::set().await;
    stage.watch(EVENTS, "one").await;
    let opened = stage.watch(EVENTS, "two").await.1;
    let stop = json!({ "id": "two", "resourceId": opened["resourceId"] });
    assert_eq!(stage.ask("POST", "/calendar/v3/channels/stop", &stop).await.0, 204);
    assert_eq!(stage.google.live_channels().len(), 1);
    stage.clock.advance_ms(3_600_000);
    assert!(stage.google.live_channels().is_empty());
    stage.event("x");
    stage.google.pushes().settled().await;
    assert_eq!(stage.receiver.count(), 2, "the two sync messages");
}

#[tokio::test]
async fn sync_tokens_are_of_one_person_and_calendar_and_can_be_made_to_expire() {
    let stage = Stage::set().await;
    let google = &stage.google;
    google.add_person("bob@example.com");
    google.share(PERSON, "bob@example.com", Role::Reader);
    let bob = google.oauth().tokens_for("bob@example.com", SCOPES).0;
    let events = format!("/calendar/v3/calendars/{PERSON}/events");
    let token = stage.get(&events).await.1["nextSyncToken"].as_str().unwrap().to_owned();
    let with_token = format!("{events}?syncToken={token}");
    assert_eq!(stage.get(&with_token).await.0, 200);
    let of_bob = stage.ask_as(&bob, "GET", &with_token, &Value::Null).await;
    assert_eq!(of_bob.0, 410);
    let (status, refused) = stage.ask_as(&bob, "POST", &events, &event("x")).await;
    assert_eq!(
        (status, &refused["error"]["errors"][0]["reason"]),
        (403, &"requiredAccessLevel".into())
    );
    google.expire_sync_tokens(PERSON);
    assert_eq!(stage.get(&with_token).await.0, 410);
    google.unshare(PERSON, "bob@example.com");
    assert_eq!(stage.ask_as(&bob, "GET", &events, &Value::Null).await.0, 404);
}

#[tokio::test]
async fn what_changes_while_pages_are_read_is_in_the_next_delta() {
    let stage = Stage::set().await;
    let mut made: Vec<String> = (0..4).map(|n| stage.event(&n.to_string())).collect();
    made.sort();
    let first = stage.get(&format!("{EVENTS}?maxResults=2")).await.1;
    assert_eq!(ids(&first), [made[0].as_str(), &made[1]]);
    // One that was shown already, and one that comes before all that is still to come.
    stage.google.edit_event(PERSON, &made[0], &json!({ "summary": "changed" }));
    stage.google.create_event(PERSON, &{
        let mut event = event("early");
        event["id"] = "00000".into();
        event
    });
    let page = first["nextPageToken"].as_str().unwrap();
    let second = stage.get(&format!("{EVENTS}?maxResults=2&pageToken={page}")).await.1;
    assert_eq!(ids(&second), [made[2].as_str(), &made[3]]);
    let token = second["nextSyncToken"].as_str().unwrap();
    let delta = stage.get(&format!("{EVENTS}?syncToken={token}")).await.1;
    assert_eq!(ids(&delta), ["00000", made[0].as_str()]);
}

#[tokio::test]
async fn an_id_may_be_on_two_pages_the_later_one_being_older() {
    let stage = Stage::set().await;
    let mut made: Vec<String> = (0..2).map(|n| stage.event(&n.to_string())).collect();
    made.sort();
    stage.google.edit_event(PERSON, &made[0], &json!({ "summary": "new" }));
    stage.google.switches(|switches| switches.stale_duplicates = true);
    let first = stage.get(&format!("{EVENTS}?maxResults=1")).await.1;
    let page = first["nextPageToken"].as_str().unwrap();
    let second = stage.get(&format!("{EVENTS}?maxResults=1&pageToken={page}")).await.1;
    let (new, old) = (&first["items"][0], &second["items"][1]);
    assert_eq!((new["id"].as_str(), old["id"].as_str()), (Some(&*made[0]), Some(&*made[0])));
    assert!(old["updated"].as_str() < new["updated"].as_str(), "{old} {new}");
}

#[tokio::test]
async fn the_quota_is_of_a_person_and_a_minute() {
    let stage = Stage::set().await;
    stage.google.switches(|switches| switches.requests_per_minute = Some(2));
    assert_eq!((stage.get(EVENTS).await.0, stage.get(EVENTS).await.0), (200, 200));
    let (status, refused) = stage.get(EVENTS).await;
    assert_eq!((status, &refused["error"]["errors"][0]["domain"]), (403, &"usageLimits".into()));
    stage.clock.advance_ms(60_000);
    assert_eq!(stage.get(EVENTS).await.0, 200);
}

#[tokio::test]
async fn a_scope_that_was_not_granted_is_missed() {
    let stage = Stage::set().await;
    let scope = "https://www.googleapis.com/auth/calendar.events";
    let bearer = stage.google.oauth().tokens_for(PERSON, &[scope]).0;
    let list = "/calendar/v3/users/me/calendarList";
    for (target, status) in [(EVENTS, 200), (list, 403)] {
        assert_eq!(stage.ask_as(&bearer, "GET", target, &Value::Null).await.0, status, "{target}");
    }
    assert_eq!(stage.ask_as("nobody", "GET", list, &Value::Null).await.0, 401);
}

#[tokio::test]
async fn unwatchable_calendars_say_so_and_lists_are_pushed_to_their_owner() {
    let stage = Stage::set().await;
    let google = &stage.google;
    google.add_person("bob@example.com");
    google.make_unwatchable(PERSON);
    let (status, refused) = stage.watch(EVENTS, "one").await;
    assert_eq!(status, 400);
    assert_eq!(refused["error"]["errors"][0]["reason"], "pushNotSupportedForRequestedResource");
    stage.watch("/calendar/v3/users/me/calendarList", "two").await;
    google.create_calendar("bob@example.com", "Bob's");
    let mine = google.create_calendar(PERSON, "Mine");
    google.rename_calendar(&mine, "Renamed");
    google.pushes().settled().await;
    assert_eq!(stage.receiver.count(), 2, "the sync message and one for my calendar");
    assert_eq!(google.calendars_of(PERSON)[&mine], "Renamed");
    google.delete_calendar(&mine);
    assert!(!google.truth().contains_key(&mine));
}

#[tokio::test]
async fn pushes_get_lost_doubled_and_overtaken_as_often_as_ordered() {
    let stage = Stage::set().await;
    stage.watch(EVENTS, "one").await;
    let pushes = stage.google.pushes();
    pushes.conditions(|way| (way.drop, way.delay_ms) = (0.3, (0, 5)));
    for _ in 0..300 {
        stage.google.push(PERSON);
    }
    pushes.settled().await;
    let dropped = pushes.sent().iter().filter(|push| push.dropped).count();
    assert!((60..120).contains(&dropped), "{dropped}");
    assert_eq!(stage.receiver.count(), 301 - dropped);
    pushes.conditions(|way| (way.drop, way.duplicate) = (0.0, 1.0));
    let before = stage.receiver.count();
    stage.google.push(PERSON);
    pushes.settled().await;
    assert_eq!(stage.receiver.count(), before + 2);
    pushes.conditions(|way| (way.duplicate, way.reorder, way.delay_ms) = (0.0, 1.0, (0, 0)));
    stage.google.push(PERSON);
    pushes.conditions(|way| way.reorder = 0.0);
    stage.google.push(PERSON);
    pushes.settled().await;
    let received = stage.receiver.received();
    let last: Vec<u64> = received[before + 2..]
        .iter()
        .map(|push| push.header("x-goog-message-number").unwrap().parse().unwrap())
        .collect();
    assert!(last.len() == 2 && last[0] > last[1], "{last:?}");
}

#[tokio::test]
async fn pushes_that_the_receiver_cannot_take_now_come_again_and_others_do_not() {
    let stage = Stage::set().await;
    let pushes = stage.google.pushes();
    pushes.conditions(|way| way.retries = vec![Duration::from_millis(1)]);
    stage.watch(EVENTS, "one").await;
    for (status, tries) in [(503, 2), (404, 1), (204, 1)] {
        let before = stage.receiver.count();
        stage.receiver.answer_next(tidings_testkit::receiver::Answer::status(status));
        stage.google.push(PERSON);
        pushes.settled().await;
        assert_eq!(stage.receiver.count() - before, tries, "{status}");
    }
}
