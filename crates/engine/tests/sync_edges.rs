//! The sync against a scripted server: the answers that good servers never give.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "support/watched.rs"]
mod watched;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings_engine::sync::Passed;
use tidings_providers::error::ProviderError;
use tidings_store::Committed;
use tidings_testkit::receiver::{Answer, Received, TestReceiver};

use watched::{Watched, recurring, single};

/// A calendar server that answers by kind of request (`home`, `list`, `sync`, `get`) and path.
struct Dav {
    receiver: TestReceiver,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Dav {
    async fn start() -> Self {
        let receiver = TestReceiver::start().await;
        let answers = Arc::new(Mutex::new(HashMap::new()));
        let script = Arc::clone(&answers);
        receiver.answer_with(move |request| {
            let answer = script.lock().unwrap().get(&kind(request)).cloned();
            answer.unwrap_or_else(|| Answer::status(404))
        });
        let dav = Self { receiver, answers };
        dav.set("who /u/", 207, &multistatus(&principal(), ""));
        dav
    }

    fn set(&self, kind: &str, status: u16, body: &str) {
        self.answer(kind, Answer::status(status).body(body.to_owned()));
    }

    fn answer(&self, kind: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(kind.to_owned(), answer);
    }

    /// The calendars there are, by name and tag.
    fn calendars(&self, calendars: &[(&str, &str)]) {
        let listed: String = calendars.iter().map(|(name, tag)| calendar(name, tag)).collect();
        self.set("home /u/", 207, &multistatus(&format!("{}{listed}", plain("/u/")), ""));
    }

    /// The calendar `a` as it is: every request about it agrees. `tag` is its token, too.
    fn is(&self, tag: &str, members: &[(&str, &str)]) {
        self.calendars(&[("a", tag)]);
        let listed: String = members.iter().map(|(name, _)| member(name, tag)).collect();
        let all = format!("{}{listed}", plain("/u/a/"));
        self.set("list /u/a/", 207, &multistatus(&all, ""));
        self.set("sync /u/a/", 207, &multistatus(&listed, tag));
        let objects: String = members.iter().map(|(name, text)| object(name, tag, text)).collect();
        self.set("get /u/a/", 207, &multistatus(&objects, ""));
    }

    async fn watched(&self) -> Watched {
        let mut watched = Watched::new("/u/").await;
        watched.connect(self.receiver.url("/u/"), "secret").await;
        watched
    }

    fn asked(&self, about: &str) -> usize {
        self.receiver.received().iter().filter(|request| kind(request) == about).count()
    }
}

fn kind(request: &Received) -> String {
    let body = String::from_utf8_lossy(&request.body);
    let kind = match (request.method.as_str(), request.path.as_str()) {
        ("PROPFIND", _) if request.header("depth") == Some("0") => "who",
        ("PROPFIND", "/u/") => "home",
        ("PROPFIND", _) => "list",
        _ if body.contains("sync-collection") && body.contains("<D:sync-token>page-2<") => "page",
        _ if body.contains("sync-collection") && !body.contains("<D:sync-token><") => "delta",
        _ if body.contains("sync-collection") => "sync",
        _ => "get",
    };
    format!("{kind} {}", request.path)
}

fn multistatus(responses: &str, token: &str) -> String {
    let token = match token {
        "" => String::new(),
        token => format!("<sync-token>{token}</sync-token>"),
    };
    format!(
        r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{responses}{token}</multistatus>"#
    )
}

fn response(href: &str, props: &str) -> String {
    format!(
        "<response><href>{href}</href><propstat><prop>{props}</prop>\
         <status>HTTP/1.1 200 OK</status></propstat></response>"
    )
}

fn principal() -> String {
    response("/u/", "<C:calendar-home-set><href>/u/</href></C:calendar-home-set>")
}

fn plain(href: &str) -> String {
    response(href, "<resourcetype><collection/></resourcetype>")
}

fn calendar(name: &str, tag: &str) -> String {
    let kind = "<resourcetype><collection/><C:calendar/></resourcetype>";
    let props = format!("{kind}<displayname>{name}</displayname><sync-token>{tag}</sync-token>");
    response(&format!("/u/{name}/"), &props)
}

fn member(name: &str, etag: &str) -> String {
    response(&format!("/u/a/{name}"), &format!("<getetag>\"{etag}\"</getetag>"))
}

fn object(name: &str, etag: &str, text: &str) -> String {
    let data = format!("<C:calendar-data>{text}</C:calendar-data>");
    response(&format!("/u/a/{name}"), &format!("<getetag>\"{etag}\"</getetag>{data}"))
}

fn status(href: &str, status: &str) -> String {
    format!("<response><href>{href}</href><status>HTTP/1.1 {status}</status></response>")
}

/// Connected, with the events `x` and `y` in the calendar `a`.
async fn connected() -> (Dav, Watched) {
    let dav = Dav::start().await;
    dav.is("1", &[("x", &single("x", "X")), ("y", &recurring("y", "Y", Some("Y2")))]);
    let mut watched = dav.watched().await;
    watched.expect(&["account.connected"]).await;
    (dav, watched)
}

#[tokio::test]
async fn an_unchanged_tag_costs_one_request() {
    let (dav, mut watched) = connected().await;
    let before = dav.receiver.count();
    watched.expect(&[]).await;
    assert_eq!(dav.receiver.count() - before, 2, "one for each of two passes");
}

#[tokio::test]
async fn a_multiget_never_deletes() {
    for (what, objects) in [
        ("missing", status("/u/a/x", "404 Not Found")),
        ("hidden", response("/u/a/x", "<getetag>\"2\"</getetag>")),
    ] {
        let (dav, mut watched) = connected().await;
        dav.calendars(&[("a", "2")]);
        dav.set("delta /u/a/", 207, &multistatus(&member("x", "2"), "2"));
        dav.set("get /u/a/", 207, &multistatus(&objects, ""));
        watched.expect(&[]).await;
        assert_eq!(dav.asked("get /u/a/"), 2, "{what}");
        dav.calendars(&[("a", "3")]);
        let gone =
            status("/u/a/x", "404 Not Found") + status("/u/a/never", "404 Not Found").as_str();
        dav.set("delta /u/a/", 207, &multistatus(&gone, "3"));
        watched.expect(&["event.deleted a/x X"]).await;
    }
}

#[tokio::test]
async fn a_broken_object_is_noted_and_stops_nothing() {
    let (dav, mut watched) = connected().await;
    dav.calendars(&[("a", "2")]);
    let changed = member("x", "2") + member("z", "2").as_str();
    dav.set("delta /u/a/", 207, &multistatus(&changed, "2"));
    let objects = object("x", "2", "rubbish") + object("z", "2", &single("z", "Z")).as_str();
    dav.set("get /u/a/", 207, &multistatus(&objects, ""));
    assert_eq!(watched.pass().await, Passed::Synced);
    assert_eq!(watched.told().await, ["event.created a/z Z"]);
    let calendar = watched.mirror().await.remove(0);
    assert_eq!(calendar.sync_token.as_deref(), Some("2"));
    assert_eq!(
        calendar.error.as_deref(),
        Some("/u/a/x is left out: the calendar object is not iCalendar")
    );
}

#[tokio::test]
async fn without_sync_the_listing_decides() {
    let (dav, mut watched) = connected().await;
    dav.is("2", &[("x", &single("x", "X")), ("z", &single("z", "Z"))]);
    dav.set("delta /u/a/", 403, "");
    dav.set("sync /u/a/", 507, "");
    watched
        .expect(&[
            "event.created a/z Z",
            "event.deleted a/y Y",
            "event.deleted a/y#20261209T090000Z Y2",
        ])
        .await;
    assert_eq!(watched.mirror().await[0].sync_token, None);
}

#[tokio::test]
async fn an_initial_sync_that_is_cut_short_is_found_out() {
    let dav = Dav::start().await;
    dav.is("1", &[("x", &single("x", "X")), ("y", &single("y", "Y"))]);
    dav.set("sync /u/a/", 207, &multistatus(&member("x", "1"), "1"));
    let mut watched = dav.watched().await;
    watched.expect(&["account.connected"]).await;
    let calendar = watched.mirror().await.remove(0);
    let mirrored = watched.store.resource_etags(calendar.collection_no).await.unwrap();
    assert_eq!(mirrored.len(), 2, "{mirrored:?}");
}

#[tokio::test]
async fn pages_are_followed_and_later_ones_win() {
    let (dav, mut watched) = connected().await;
    dav.is("2", &[("x", &single("x", "X moved")), ("z", &single("z", "Z"))]);
    let cut = "507 Insufficient Storage";
    let first =
        [member("x", "2"), status("/u/a/z", "404 Not Found"), status("/u/a/", cut)].concat();
    dav.set("delta /u/a/", 207, &multistatus(&first, "page-2"));
    let second = member("z", "2") + status("/u/a/y", "404 Not Found").as_str();
    dav.set("page /u/a/", 207, &multistatus(&second, "2"));
    watched
        .expect(&[
            "event.created a/z Z",
            "event.deleted a/y Y",
            "event.deleted a/y#20261209T090000Z Y2",
            "event.updated a/x X moved",
        ])
        .await;
    assert_eq!(watched.mirror().await[0].sync_token.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_moved_tag_without_new_content_tells_nothing() {
    let (dav, mut watched) = connected().await;
    dav.is("2", &[("x", &single("x", "X")), ("y", &recurring("y", "Y", Some("Y2")))]);
    dav.set("delta /u/a/", 207, &multistatus(&[member("x", "2"), member("y", "2")].concat(), "2"));
    watched.expect(&[]).await;
    let calendar = watched.mirror().await.remove(0);
    let mirrored = watched.store.resource_etags(calendar.collection_no).await.unwrap();
    assert!(mirrored.iter().all(|(_, etag)| etag == "\"2\""), "{mirrored:?}");
}

#[tokio::test]
async fn a_broken_calendar_does_not_stop_the_others() {
    let (dav, mut watched) = connected().await;
    dav.is("2", &[("x", &single("x", "X moved")), ("y", &recurring("y", "Y", Some("Y2")))]);
    dav.calendars(&[("b", "1"), ("a", "2")]);
    dav.set("delta /u/a/", 207, &multistatus(&member("x", "2"), "2"));
    dav.set("get /u/a/", 207, &multistatus(&object("x", "2", &single("x", "X moved")), ""));
    dav.answer("sync /u/b/", Answer::status(503).header("retry-after", "7200"));
    let passed = watched.pass().await;
    assert!(matches!(passed, Passed::Failed(ProviderError::Retry { .. })), "{passed:?}");
    assert_eq!(watched.told().await, ["calendar.created b b", "event.updated a/x X moved"]);
    let broken = watched.mirror().await.into_iter().find(|c| c.external_id == "/u/b").unwrap();
    assert!(broken.error.unwrap().contains("503") && !broken.baseline_done);
    let account = watched.account().await;
    assert!(account.last_error.unwrap().starts_with("calendar b:"));
    assert!(account.next_sync_at >= watched.clock.now().plus_ms(7_000_000), "as the server asks");
    dav.calendars(&[("a", "2")]);
    watched.expect(&["calendar.deleted b b"]).await;
}

#[tokio::test]
async fn many_broken_calendars_do_not_stop_the_others_either() {
    let dav = Dav::start().await;
    dav.is("1", &[("x", &single("x", "X"))]);
    let broken = ["b", "c", "d", "e"];
    for name in broken {
        dav.set(&format!("sync /u/{name}/"), 503, "");
    }
    dav.calendars(&[("b", "1"), ("c", "1"), ("d", "1"), ("a", "1"), ("e", "1")]);
    let mut watched = dav.watched().await;
    assert!(matches!(watched.pass().await, Passed::Failed(_)));
    assert_eq!(watched.told().await, ["account.connected"]);
    assert!(matches!(watched.pass().await, Passed::Failed(_)));
    assert_eq!(watched.told().await, [""; 0]);
    let done = watched.mirror().await.into_iter().filter(|c| c.baseline_done);
    assert_eq!(done.map(|c| c.external_id).collect::<Vec<_>>(), ["/u/a"]);
}

#[tokio::test]
async fn a_calendar_that_is_gone_leaves_nothing_behind() {
    let (dav, mut watched) = connected().await;
    let calendar = watched.mirror().await.remove(0);
    dav.calendars(&[("b", "1")]);
    dav.set("sync /u/b/", 207, &multistatus("", "1"));
    dav.set("list /u/b/", 207, &multistatus(&plain("/u/b/"), ""));
    watched.expect(&["calendar.created b b", "calendar.deleted a a"]).await;
    let left = watched.store.resource_etags(calendar.collection_no).await.unwrap();
    assert_eq!(left, []);
}

/// Its items do not fit into one commit.
#[tokio::test]
async fn a_series_with_many_exceptions_is_one_resource_all_the_same() {
    let series = |title: &str| {
        let exceptions = (0..23).flat_map(|hour| (0..60).step_by(5).map(move |m| (hour, m)));
        let exceptions: String = exceptions
            .map(|(hour, minute)| {
                format!(
                    "BEGIN:VEVENT\r\nUID:s@example.com\r\nRECURRENCE-ID:202612{:02}T{hour:02}{minute:02}00Z\r\n\
                     DTSTART:20261201T090000Z\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n",
                    5
                )
            })
            .collect();
        recurring("s", "S", None).replace("END:VCALENDAR", &(exceptions + "END:VCALENDAR"))
    };
    let dav = Dav::start().await;
    dav.is("1", &[("s", &series("E"))]);
    let mut watched = dav.watched().await;
    watched.expect(&["account.connected"]).await;
    dav.is("2", &[("s", &series("F"))]);
    dav.set("delta /u/a/", 207, &multistatus(&member("s", "2"), "2"));
    assert_eq!(watched.pass().await, Passed::Synced);
    let told = watched.told().await;
    assert_eq!(told.len(), 23 * 12);
    assert!(told.iter().all(|line| line.starts_with("event.updated a/s#") && line.ends_with(" F")));
    let calendar = watched.mirror().await.remove(0);
    let mirrored = watched.store.resource_etags(calendar.collection_no).await.unwrap();
    assert_eq!(mirrored, [("/u/a/s".to_owned(), "\"2\"".to_owned())]);
}

#[tokio::test]
async fn trouble_with_the_server_deletes_nothing_and_says_why() {
    let (dav, mut watched) = connected().await;
    let long = "x".repeat(17 * 1024 * 1024);
    for (status, body, why) in [
        (207, "", "not"),
        (207, "<multistatus xmlns='DAV:'/>", "empty"),
        (207, "<html>", ""),
        (200, "hello", "not a CalDAV address"),
        (500, "", "500"),
        (403, "", "403"),
        (302, "", "redirect"),
        (207, &long, "too large"),
    ] {
        dav.set("home /u/", status, body);
        let passed = watched.pass().await;
        assert!(matches!(passed, Passed::Failed(_)), "{status} {why}: {passed:?}");
        let error = watched.account().await.last_error.unwrap();
        assert!(error.contains(why), "{status} {why}: {error}");
        assert_eq!(watched.told().await, [""; 0]);
    }
    assert_eq!(watched.mirror().await.len(), 1);
    dav.calendars(&[("a", "1")]);
    watched.expect(&[]).await;
}

#[tokio::test]
async fn a_wake_up_during_a_pass_stays_due() {
    let (_dav, watched) = connected().await;
    let account = watched.account().await;
    let now = account.next_sync_at.plus_ms(-1);
    watched.store.wake_account(account.account_no, None, now).await.unwrap();
    watched.syncer().pass(account.clone()).await.unwrap();
    let after = watched.account().await;
    assert!(after.dirty_gen > after.synced_gen);
    assert!(after.next_sync_at <= now, "the wake-up is not forgotten");
    watched.syncer().pass(after).await.unwrap();
    let after = watched.account().await;
    assert_eq!(after.dirty_gen, after.synced_gen);
}

#[tokio::test]
async fn the_loop_connects_watches_and_stops() {
    let dav = Dav::start().await;
    dav.is("1", &[]);
    let mut watched = Watched::new("/u/").await;
    let mut announced = watched.store.committed();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(watched.syncer().run(stopped));
    watched.connect(dav.receiver.url("/u/"), "secret").await;
    next_change(&mut announced, "account.connected").await;
    dav.is("2", &[("x", &single("x", "X"))]);
    dav.set("delta /u/a/", 207, &multistatus(&member("x", "2"), "2"));
    next_change(&mut announced, "event.created").await;
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    assert_eq!(watched.told().await, ["account.connected", "event.created a/x X"]);
}

async fn next_change(announced: &mut tokio::sync::broadcast::Receiver<Committed>, kind: &str) {
    let found = async {
        loop {
            if let Committed::Appended(appended) = announced.recv().await.unwrap() {
                return appended.changes[0].new.kind.clone();
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await.unwrap();
    assert_eq!(found, kind);
}
