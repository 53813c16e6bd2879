//! One story, told at every provider: what the journal says is what happened there. Nothing is missing
//! and nothing is invented, whatever goes wrong on the way.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "providers/caldav.rs"]
mod caldav;
#[path = "providers/door.rs"]
mod door;
#[path = "providers/google.rs"]
mod google;
#[path = "providers/graph.rs"]
mod graph;
#[path = "providers/journal.rs"]
mod journal;
#[path = "providers/peer.rs"]
mod peer;
#[path = "providers/random.rs"]
mod random;
#[path = "providers/watcher.rs"]
mod watcher;

use tidings_core::clock::Clock;
use tidings_simulators::server::{Fault, Gate};
use tidings_store::AccountStatus;

use peer::Edit::{
    AddCalendar, CancelDay, Create, CreateSeries, Delete, Move, RemoveCalendar, RenameCalendar,
    Retitle, RetitleDay,
};
use peer::{Edit, Peer, There, Truth};
use watcher::{Watcher, arrived};

/// How word of the edits comes to us.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// By push, where the provider pushes; else by the next poll.
    Pushed,
    /// Every push gets lost: by the next poll.
    Lost,
    /// Every push comes twice.
    Doubled,
    /// Pushes are late and overtake each other.
    Overtaken,
    /// While a pull is under way, which does not show all of them.
    DuringPull,
    /// The access token has expired.
    TokenExpired,
    /// The provider has too many requests.
    Throttled,
    /// The connection breaks.
    CutOff,
    /// The push is ahead of what the provider shows.
    Lagging,
    /// The provider does not know our cursors any more.
    CursorsForgotten,
}

/// Longer than the longest wait between polls.
const POLL_MS: i64 = 17 * 60_000;
/// Longer than what a provider asks for, or is waited for after a failure.
const SOON_MS: i64 = 30_000;

/// The story.
const STORY: &[(&str, Way, &[Edit])] = &[
    ("an event is made", Way::Pushed, &[Create("work", "one")]),
    ("and gets another title", Way::Pushed, &[Retitle("work", "one", "One, later")]),
    ("and another day", Way::Pushed, &[Move("work", "one", 17)]),
    ("nothing happens", Way::Pushed, &[]),
    (
        "two calendars at once",
        Way::Pushed,
        &[Create("work", "two"), Create("home", "three"), Retitle("work", "one", "One")],
    ),
    ("a flash", Way::Pushed, &[Create("work", "flash"), Delete("work", "flash")]),
    (
        "there and back",
        Way::Pushed,
        &[Retitle("work", "two", "Zwei"), Retitle("work", "two", "two")],
    ),
    ("an event is deleted", Way::Pushed, &[Delete("work", "two")]),
    ("a series", Way::Pushed, &[CreateSeries("work", "weekly")]),
    ("one day is different", Way::Pushed, &[RetitleDay("work", "weekly", 9, "Elsewhere")]),
    ("and again", Way::Pushed, &[RetitleDay("work", "weekly", 9, "At home")]),
    ("another day is cancelled", Way::Pushed, &[CancelDay("work", "weekly", 16)]),
    ("the series gets another title", Way::Pushed, &[Retitle("work", "weekly", "Weekly, new")]),
    ("the different day is cancelled", Way::Pushed, &[CancelDay("work", "weekly", 9)]),
    (
        "another series",
        Way::Pushed,
        &[CreateSeries("home", "standup"), RetitleDay("home", "standup", 23, "Party")],
    ),
    ("it ends with its exception", Way::Pushed, &[Delete("home", "standup")]),
    ("a calendar is added", Way::Pushed, &[AddCalendar("trip")]),
    ("it is watched, too", Way::Pushed, &[Create("trip", "train")]),
    ("and renamed", Way::Pushed, &[RenameCalendar("trip", "Journey")]),
    (
        "and removed, while another goes on",
        Way::Pushed,
        &[RemoveCalendar("trip"), Create("home", "after")],
    ),
    (
        "pushes are lost",
        Way::Lost,
        &[Create("work", "four"), Retitle("work", "one", "Lost?"), Delete("home", "three")],
    ),
    ("pushes come twice", Way::Doubled, &[Create("work", "five"), Retitle("work", "four", "4")]),
    (
        "pushes are late",
        Way::Overtaken,
        &[Retitle("work", "five", "5"), Create("home", "six"), Delete("work", "four")],
    ),
    (
        "while a pull is under way",
        Way::DuringPull,
        &[Create("work", "seven"), Create("work", "eight"), Retitle("work", "one", "1")],
    ),
    ("the token has expired", Way::TokenExpired, &[Retitle("work", "eight", "8")]),
    ("the provider is busy", Way::Throttled, &[Move("work", "eight", 9), Create("home", "busy")]),
    ("the line is cut", Way::CutOff, &[Delete("home", "busy"), Retitle("work", "eight", "Acht")]),
    ("the provider lags", Way::Lagging, &[Create("work", "late"), Retitle("work", "eight", "8")]),
    (
        "the cursors are forgotten",
        Way::CursorsForgotten,
        &[
            Create("work", "nine"),
            Retitle("work", "seven", "Seven"),
            Delete("work", "five"),
            CancelDay("work", "weekly", 23),
        ],
    ),
    ("and again, with nothing new", Way::CursorsForgotten, &[]),
    ("life goes on", Way::Pushed, &[Create("home", "ten"), Retitle("work", "nine", "9")]),
];

#[tokio::test]
async fn google_tells_the_story() {
    story::<google::GooglePeer>().await;
}

#[tokio::test]
async fn microsoft_tells_the_story() {
    story::<graph::GraphPeer>().await;
}

#[tokio::test]
async fn radicale_tells_the_story() {
    story::<caldav::Caldav>().await;
}

#[tokio::test]
async fn xandikos_tells_the_story() {
    story::<caldav::Xandikos>().await;
}

async fn story<P: Peer>() {
    let clock = Clock::manual(watcher::beginning());
    let mut peer = P::start(&clock).await;
    for edit in
        [Create("work", "old"), CreateSeries("home", "yoga"), RetitleDay("home", "yoga", 9, "Rest")]
    {
        peer.edit(edit).await;
    }
    let mut watcher = Watcher::connect(&peer, &clock).await;
    watcher.settle(&peer).await;
    let told = watcher.told().await;
    assert_eq!(
        told,
        [("account.connected".into(), String::new(), String::new())],
        "a silent baseline"
    );
    agrees(&watcher, &peer.truth(), "the baseline").await;
    for (name, way, edits) in STORY {
        let before = peer.truth();
        clock.advance_ms(1_000);
        play(&watcher, &mut peer, *way, edits).await;
        let after = peer.truth();
        let told = sorted(watcher.told().await);
        assert_eq!(told, sorted(expected(&before, &after, &told)), "{}: {name}", P::PROVIDER);
        agrees(&watcher, &after, name).await;
    }
    clock.advance_ms(1_000);
    revoked(&mut watcher, &mut peer).await;
}

/// The edits, and however it comes, word of them.
async fn play<P: Peer>(watcher: &Watcher, peer: &mut P, way: Way, edits: &[Edit]) {
    prepare(watcher, peer, way).await;
    let mut edits = edits.iter();
    if way == Way::DuringPull {
        during_pull(watcher, peer, &mut edits).await;
    }
    let mut wait = (peer.simulated().is_none() || way == Way::Lost).then_some(POLL_MS);
    for edit in edits {
        peer.edit(*edit).await;
        wait = match edit {
            RenameCalendar(..) => Some(P::RENAMES_MS),
            AddCalendar(_) | RemoveCalendar(_) if !P::PUSHES_LISTS => Some(POLL_MS),
            _ => wait,
        };
    }
    arrived(peer).await;
    if matches!(way, Way::Throttled | Way::CutOff | Way::Lagging) {
        watcher.settle(peer).await;
        let fails = way != Way::Lagging && peer.simulated().is_some();
        assert_eq!(watcher.account().await.failures > 0, fails, "{way:?}");
        peer.catch_up();
        watcher.clock.advance_ms(SOON_MS);
    }
    watcher.clock.advance_ms(wait.unwrap_or(0));
    let refreshes = |peer: &P| peer.simulated().map_or(0, |one| one.oauth.counts().refreshes);
    let before = refreshes(peer);
    watcher.settle(peer).await;
    assert!(way != Way::TokenExpired || peer.simulated().is_none() || refreshes(peer) > before);
    conditions(peer, 0.0, 0.0, 0.0, 0);
}

/// What goes wrong.
async fn prepare<P: Peer>(watcher: &Watcher, peer: &P, way: Way) {
    match way {
        Way::Pushed | Way::DuringPull => {}
        Way::Lost => conditions(peer, 1.0, 0.0, 0.0, 0),
        Way::Doubled => conditions(peer, 0.0, 1.0, 0.0, 0),
        Way::Overtaken => conditions(peer, 0.0, 0.3, 0.7, 30),
        Way::Lagging => peer.lag(),
        Way::CursorsForgotten => peer.forget_cursors(watcher).await,
        Way::TokenExpired | Way::Throttled | Way::CutOff => {
            let Some(simulated) = peer.simulated() else { return };
            let listing = |fault| simulated.faults.next("GET", simulated.listing, fault);
            match way {
                Way::TokenExpired => simulated.oauth.expire_access(),
                Way::Throttled => listing(Fault::Instead(simulated.throttled)),
                _ => listing(Fault::Cut),
            }
        }
    }
}

/// The first edit is pushed and a pull begins; the others come after the provider has looked and before
/// its answer arrives.
async fn during_pull<P: Peer>(
    watcher: &Watcher,
    peer: &mut P,
    edits: &mut impl Iterator<Item = &Edit>,
) {
    let gate = Gate::default();
    let Some(simulated) = peer.simulated() else { return };
    simulated.faults.next("GET", simulated.listing, Fault::HeldAfter(gate.clone()));
    peer.edit(*edits.next().unwrap()).await;
    arrived(peer).await;
    let pass = tokio::spawn(watcher.pass());
    gate.reached().await;
    for edit in edits {
        peer.edit(*edit).await;
    }
    arrived(peer).await;
    gate.open();
    assert_eq!(pass.await.unwrap(), 1, "the push made the account due");
}

fn conditions(peer: &impl Peer, drop: f64, duplicate: f64, reorder: f64, delay_ms: u64) {
    if let Some(simulated) = peer.simulated() {
        simulated.pushes.conditions(|way| {
            (way.drop, way.duplicate, way.reorder) = (drop, duplicate, reorder);
            way.delay_ms = (0, delay_ms);
        });
    }
}

/// Type, what it is about, title.
type Line = (String, String, String);

/// How what is there now differs from what was there. What is in a calendar that came or went comes and
/// goes without a word of its own. Where the provider gives no title, any that was told will do.
fn expected(before: &Truth, after: &Truth, told: &[Line]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = |kind: &str, about: &str, title: &str| {
        lines.push((kind.to_owned(), about.to_owned(), title.to_owned()));
    };
    for (id, name) in &before.calendars {
        match after.calendars.get(id) {
            None => line("calendar.deleted", id, name),
            Some(now) if now != name => line("calendar.updated", id, now),
            Some(_) => {}
        }
    }
    for (id, name) in &after.calendars {
        if !before.calendars.contains_key(id) {
            line("calendar.created", id, name);
        }
    }
    let stays = |there: &There| {
        let calendar = &there.calendar;
        before.calendars.contains_key(calendar) && after.calendars.contains_key(calendar)
    };
    let any = |kind: &str, about: &str| {
        let told = told.iter().find(|told| told.0 == kind && told.1 == about);
        told.map(|told| told.2.clone()).unwrap_or_default()
    };
    let title =
        |kind: &str, id: &str, there: &There| there.title.clone().unwrap_or_else(|| any(kind, id));
    for (id, was) in before.events.iter().filter(|(_, was)| stays(was)) {
        match after.events.get(id) {
            None => line("event.deleted", id, &title("event.deleted", id, was)),
            Some(is) if is != was => line("event.updated", id, &title("event.updated", id, is)),
            Some(_) => {}
        }
    }
    for (id, is) in after.events.iter().filter(|(_, is)| stays(is)) {
        if !before.events.contains_key(id) {
            line("event.created", id, &title("event.created", id, is));
        }
    }
    lines
}

fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort();
    lines
}

/// The mirror holds what is there, the account is well, and what can be pushed is.
async fn agrees(watcher: &Watcher, truth: &Truth, when: &str) {
    watcher.is_well().await;
    let keys: Vec<String> = truth.events.keys().cloned().collect();
    let mirrored: Vec<String> = watcher.mirrored().await.into_iter().collect();
    assert_eq!(mirrored, keys, "{when}");
}

/// The owner takes the consent back, or changes the password: the account is inactive, once.
async fn revoked<P: Peer>(watcher: &mut Watcher, peer: &mut P) {
    if peer.simulated().is_some() {
        let all = peer.truth().calendars.into_keys().collect();
        assert_eq!(watcher.pushed().await, all, "every calendar is pushed to the end");
    }
    if !peer.withdraw() {
        return;
    }
    if peer.simulated().is_some() {
        peer.edit(Create("work", "unseen")).await;
    }
    for _ in 0..2 {
        watcher.clock.advance_ms(POLL_MS);
        watcher.settle(peer).await;
    }
    let account = watcher.account().await;
    assert_eq!(account.status, AccountStatus::Inactive);
    let told = watcher.told().await;
    assert_eq!(told, [("account.inactive".into(), String::new(), String::new())]);
}
