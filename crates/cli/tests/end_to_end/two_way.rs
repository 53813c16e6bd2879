//! Two calendars at two providers, kept the same by two receivers of our webhooks that write through our
//! API, while other people edit both: they end up the same, and then there is silence.

mod book;
mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_simulators::google::{CLIENT_ID, CLIENT_SECRET, Google, PERSON};
use tidings_simulators::graph::{ADA, CLIENT, Graph};
use tidings_simulators::server::{Log, Setup};
use tidings_testkit::receiver::{Answer, TestReceiver};
use tokio::sync::mpsc;

use self::book::{Book, POLL, said};
use self::people::People;
use crate::google::sent_on;
use crate::tidings::{PATIENCE, Tidings};

/// The two sides, as places in arrays.
const GOOGLE: usize = 0;
const MICROSOFT: usize = 1;

const EDITS: usize = 1_000;
/// At most so many edits at once.
const BURST: usize = 8;
/// People go on while so few webhooks wait for the receivers.
const WAITING: usize = 6;
/// So often both calendars are read through until nothing more can come.
const CYCLES: usize = 3;
/// Until the calendars are the same and silent, from the last edit on.
const CALM: Duration = Duration::from_secs(120);

/// Two providers, Tidings between them, and a receiver for each calendar.
struct World {
    google: Google,
    graph: Graph,
    tidings: Tidings,
    /// Ids of the calendars at Tidings.
    calendars: [String; 2],
    receivers: [TestReceiver; 2],
    hints: [mpsc::UnboundedReceiver<String>; 2],
}

impl World {
    async fn start() -> Self {
        let google = Google::start(&Setup::default()).await.unwrap();
        google.switches(|switches| {
            switches.https_only = false;
            switches.stale_duplicates = true;
        });
        let graph = Graph::start(&Setup::default()).await.unwrap();
        graph.switches(|switches| {
            switches.noisy_saves = 1;
            switches.bumps_after_write = 2;
            switches.created_for_update = true;
        });
        for pushes in [google.pushes(), graph.pushes()] {
            pushes.conditions(|way| {
                (way.drop, way.duplicate, way.delay_ms) = (0.1, 0.2, (0, 30));
            });
        }
        let tidings = Tidings::start_with(&[
            ("TIDINGS_GOOGLE__CLIENT_ID", CLIENT_ID),
            ("TIDINGS_GOOGLE__CLIENT_SECRET", CLIENT_SECRET),
            ("TIDINGS_GOOGLE__API_URL", google.api_url().as_str()),
            ("TIDINGS_GOOGLE__AUTHORIZE_URL", google.authorize_url().as_str()),
            ("TIDINGS_GOOGLE__TOKEN_URL", google.token_url().as_str()),
            ("TIDINGS_MICROSOFT__CLIENT_ID", CLIENT.0),
            ("TIDINGS_MICROSOFT__CLIENT_SECRET", CLIENT.1),
            ("TIDINGS_MICROSOFT__API_URL", graph.api().as_str()),
            ("TIDINGS_MICROSOFT__AUTHORIZE_URL", graph.authorize_url("common").as_str()),
            ("TIDINGS_MICROSOFT__TOKEN_URL", graph.token_url("common").as_str()),
        ])
        .await;
        let calendars = [
            connect(&tidings, "google", PERSON).await,
            connect(&tidings, "microsoft", &graph.default_calendar(ADA)).await,
        ];
        let (here, google_hints) = receiver(&tidings, &calendars[GOOGLE]).await;
        let (there, microsoft_hints) = receiver(&tidings, &calendars[MICROSOFT]).await;
        let (receivers, hints) = ([here, there], [google_hints, microsoft_hints]);
        Self { google, graph, tidings, calendars, receivers, hints }
    }

    fn logs(&self) -> [&Log; 2] {
        [self.google.log(), self.graph.log()]
    }

    fn forget_requests(&self) {
        self.logs().into_iter().for_each(Log::clear);
    }
}

/// Connects an account by consent and waits until its calendar is watched; returns the calendar's id.
async fn connect(tidings: &Tidings, provider: &str, external_id: &str) -> String {
    let connection = json!({ "provider": provider, "return_to": tidings.url("/done") });
    let begun = tidings.call("POST", "/connections", connection).await;
    let callback = sent_on(begun["authorize_url"].as_str().unwrap()).await;
    let back = sent_on(callback.as_str()).await;
    let account = back.query_pairs().find(|(name, _)| name == "account");
    let account = account.unwrap_or_else(|| panic!("{back}")).1.into_owned();
    let begun = Instant::now();
    loop {
        let calendars = tidings.get(&format!("/accounts/{account}/calendars")).await;
        let mut items = calendars["data"].as_array().unwrap().iter();
        let found = items.find(|one| one["external_id"] == external_id);
        if let Some(found) = found.filter(|one| one["watch"]["how"] == "pushed") {
            return found["id"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "{calendars}");
        tokio::time::sleep(POLL).await;
    }
}

/// A receiver of everything about a calendar but echoes, and the ids of the events that it hears of.
async fn receiver(
    tidings: &Tidings,
    calendar: &str,
) -> (TestReceiver, mpsc::UnboundedReceiver<String>) {
    let receiver = TestReceiver::start().await;
    let (sender, hints) = mpsc::unbounded_channel();
    receiver.answer_with(move |received| {
        let webhook: Value = serde_json::from_slice(&received.body).unwrap();
        let id = webhook["data"]["event"]["id"].as_str().unwrap().to_owned();
        let open = sender.send(id).is_ok();
        Answer::status(if open { 200 } else { 410 })
    });
    let hook = json!({
        "url": receiver.url("/"), "triggers": ["event.*"], "calendar": calendar, "echoes": false,
    });
    tidings.call("POST", "/hooks", hook).await;
    (receiver, hints)
}

/// What a receiver does all day.
async fn listen(
    side: usize,
    mut hints: mpsc::UnboundedReceiver<String>,
    book: &Book<'_>,
    done: &AtomicUsize,
) {
    while let Some(id) = hints.recv().await {
        book.hear(side, &id).await;
        done.fetch_add(1, Ordering::SeqCst);
    }
}

/// People edit both calendars, sometimes many things at once, sometimes while they are being read.
async fn edit(world: &World, people: &mut People<'_>, waiting: impl Fn() -> usize) {
    let mut left = EDITS;
    while left > 0 {
        world.forget_requests();
        let burst = (1 + people.dice(BURST)).min(left);
        let sides: Vec<usize> = (0..burst).map(|_| people.edit()).collect();
        left -= burst;
        let begun = Instant::now();
        while waiting() > WAITING || looks(world)[sides[0]] == 0 {
            assert!(begun.elapsed() < PATIENCE, "{left} edits left, {} webhooks wait", waiting());
            tokio::time::sleep(POLL).await;
        }
    }
}

/// How often each calendar was looked into since the logs were cleared.
fn looks(world: &World) -> [usize; 2] {
    let calls = |log: &Log, part: &str| log.matching("GET", part).len();
    [calls(world.google.log(), "/events?"), calls(world.graph.log(), "calendarView/delta")]
}

/// How often anybody wrote since the logs were cleared.
fn writes(world: &World) -> usize {
    let all = world.logs().map(Log::all);
    let writes = all.iter().flatten().filter(|recorded| {
        recorded.call.method != "GET"
            && recorded.call.path.contains("/events")
            && !recorded.call.path.ends_with("/watch")
    });
    writes.count()
}

/// Waits until both calendars have been read through some times; answers the webhooks and writes since.
async fn cycle(world: &World) -> (usize, usize) {
    let heard = || world.receivers.iter().map(TestReceiver::count).sum::<usize>();
    let before = heard();
    world.forget_requests();
    let begun = Instant::now();
    while looks(world).into_iter().any(|looks| looks < CYCLES) {
        assert!(begun.elapsed() < PATIENCE, "the calendars are not read: {:?}", looks(world));
        tokio::time::sleep(POLL).await;
    }
    (heard() - before, writes(world))
}

/// Every event of a calendar as Tidings tells it, by id.
async fn mirrored(world: &World, side: usize) -> BTreeMap<String, Value> {
    let mut events = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let calendar = &world.calendars[side];
        let page = format!("/calendars/{calendar}/events?limit=200{cursor}");
        let page = world.tidings.get(&page).await;
        for one in page["data"].as_array().unwrap() {
            events.insert(one["id"].as_str().unwrap().to_owned(), one["event"].clone());
        }
        let Some(next) = page["next_cursor"].as_str() else { return events };
        cursor = format!("&cursor={next}");
    }
}

/// No webhook was an echo: of each event so many at most as people edited it.
fn nothing_echoed(world: &World, people: &People<'_>) -> usize {
    let mut told = 0;
    for (side, receiver) in world.receivers.iter().enumerate() {
        let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for received in receiver.received() {
            let webhook: Value = serde_json::from_slice(&received.body).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            of.entry(text(&webhook["data"]["event"]["id"]))
                .or_default()
                .insert(text(&webhook["id"]));
        }
        for (id, changes) in of {
            let edits = people.edits[side].get(&id).copied().unwrap_or(0);
            assert!(changes.len() <= edits, "{id}: {edits} edits, {} webhooks", changes.len());
            told += changes.len();
        }
    }
    told
}

#[tokio::test]
async fn two_calendars_synced_both_ways_are_the_same_and_fall_silent() {
    let mut world = World::start().await;
    let (_, closed) = mpsc::unbounded_channel();
    let (_, shut) = mpsc::unbounded_channel();
    let [here, there] = std::mem::replace(&mut world.hints, [closed, shut]);
    let world = &world;
    let book = Book::new(&world.tidings, &world.calendars);
    let done = AtomicUsize::new(0);
    let heard = || world.receivers.iter().map(TestReceiver::count).sum::<usize>();
    let waiting = || heard() - done.load(Ordering::SeqCst);
    let mut people = People::new(&world.google, &world.graph);
    let story = async {
        edit(world, &mut people, waiting).await;
        let begun = Instant::now();
        while cycle(world).await != (0, 0) || waiting() > 0 {
            assert!(begun.elapsed() < CALM, "there is no silence");
        }
        assert_eq!(cycle(world).await, (0, 0), "webhooks and writes in a whole further cycle");
    };
    // The receivers go on for ever: the story ends.
    tokio::select! {
        () = listen(GOOGLE, here, &book, &done) => panic!("a receiver ended"),
        () = listen(MICROSOFT, there, &book, &done) => panic!("a receiver ended"),
        () = story => {}
    }
    let truth = people.truth();
    assert!(!truth[GOOGLE].is_empty());
    for side in [GOOGLE, MICROSOFT] {
        let mirrored = mirrored(world, side).await;
        let ids: Vec<&String> = mirrored.keys().collect();
        assert_eq!(ids, truth[side].keys().collect::<Vec<_>>(), "side {side}");
    }
    let told = nothing_echoed(world, &people);
    let (written, decided) = book.counts();
    println!("{told} webhooks, {written} writes, {decided} conflicts decided");
    let sorted = |side: usize| {
        let mut all: Vec<&String> = truth[side].values().collect();
        all.sort();
        all
    };
    assert_eq!(sorted(GOOGLE), sorted(MICROSOFT));
    let contents = async |side: usize| {
        let events = mirrored(world, side).await;
        let mut all: Vec<String> = events.values().map(|one| format!("{:?}", said(one))).collect();
        all.sort();
        all
    };
    assert_eq!(contents(GOOGLE).await, contents(MICROSOFT).await);
    assert!(told > EDITS / 3 && written <= told, "{told} webhooks, {written} writes");
    assert!(decided > 0, "nobody edited the same event on both sides");
}
