//! Thousands of random edits, some of them in the midst of a pass, while three pushes in ten get lost and the
//! others come late, twice or out of turn, and cursors, tokens and answers fail now and then: what the
//! journal says adds up to what is there.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tidings_core::clock::Clock;
use tidings_simulators::server::Fault;

use crate::POLL_MS;
use crate::google::GooglePeer;
use crate::graph::GraphPeer;
use crate::peer::{Edit, Peer, There, Truth};
use crate::watcher::{Watcher, arrived, beginning};

const CALENDARS: [&str; 2] = ["work", "home"];
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const TITLES: [&str; 4] = ["Lunch", "Dinner", "Tea", "Walk"];
/// Days of the weekly series, after its first.
const DAYS: [u8; 4] = [9, 16, 23, 30];

const CASES: u32 = 120;
const EDITS: usize = 120;

/// One throw of the dice. Smaller numbers make simpler edits.
#[derive(Clone, Copy, Debug)]
struct Throw {
    what: usize,
    name: usize,
    calendar: usize,
    title: usize,
    day: usize,
    /// Whether whatever is due is done before it goes on.
    look: bool,
}

/// An event or series that is there.
struct Kept {
    calendar: &'static str,
    /// The days on which something can be different; none of a single event.
    days: Vec<u8>,
}

fn throw() -> impl Strategy<Value = Throw> {
    let look = prop::bool::weighted(0.15);
    (0..7usize, 0..NAMES.len(), 0..2usize, 0..TITLES.len(), 0..DAYS.len(), look).prop_map(
        |(what, name, calendar, title, day, look)| Throw { what, name, calendar, title, day, look },
    )
}

/// What the throw means as things are: what is not there yet is made first.
fn edit(throw: Throw, kept: &mut BTreeMap<&'static str, Kept>) -> Edit {
    let name = NAMES[throw.name];
    let Some(there) = kept.get_mut(name) else {
        let calendar = CALENDARS[throw.calendar];
        let is_series = throw.what >= 4;
        let days = if is_series { DAYS.to_vec() } else { Vec::new() };
        kept.insert(name, Kept { calendar, days });
        return match is_series {
            true => Edit::CreateSeries(calendar, name),
            false => Edit::Create(calendar, name),
        };
    };
    let (calendar, title, day) = (there.calendar, TITLES[throw.title], DAYS[throw.day]);
    match throw.what {
        0 | 1 => Edit::Retitle(calendar, name, title),
        2 => {
            kept.remove(name);
            Edit::Delete(calendar, name)
        }
        3 if there.days.is_empty() => Edit::Move(calendar, name, day),
        5 if there.days.contains(&day) => {
            there.days.retain(|kept| *kept != day);
            Edit::CancelDay(calendar, name, day)
        }
        _ if there.days.contains(&day) => Edit::RetitleDay(calendar, name, day, title),
        _ => Edit::Retitle(calendar, name, title),
    }
}

async fn live<P: Peer>(throws: Vec<Throw>, passes: &Cell<usize>) -> Result<(), String> {
    let clock = Clock::manual(beginning());
    let mut peer = P::start(&clock).await;
    let mut watcher = Watcher::connect(&peer, &clock).await;
    watcher.settle(&peer).await;
    watcher.told().await;
    if let Some(simulated) = peer.simulated() {
        simulated.pushes.conditions(|way| {
            (way.drop, way.duplicate) = (0.3, 0.2);
            // Late by different times: they overtake each other.
            way.delay_ms = (1, 10);
        });
    }
    let (mut kept, mut folded) = (BTreeMap::new(), BTreeMap::new());
    for throw in throws {
        clock.advance_ms(1_000);
        let edit = edit(throw, &mut kept);
        if !throw.look {
            peer.edit(edit).await;
            continue;
        }
        if throw.calendar == 0 {
            arrived(&peer).await;
        }
        trouble(&watcher, &peer, throw).await;
        // The edit falls somewhere into the pass.
        let editing = async {
            for _ in 0..throw.name * 10 {
                tokio::task::yield_now().await;
            }
            peer.edit(edit).await;
        };
        let (due, ()) = tokio::join!(watcher.pass(), editing);
        passes.set(passes.get() + due);
        fold(&mut folded, watcher.told().await)?;
    }
    arrived(&peer).await;
    if let Some(simulated) = peer.simulated() {
        simulated.faults.clear();
    }
    clock.advance_ms(POLL_MS);
    watcher.settle(&peer).await;
    fold(&mut folded, watcher.told().await)?;
    watcher.is_well().await;
    compare(&peer.truth(), &folded)
}

/// Now and then something goes wrong with the pass that follows.
async fn trouble(watcher: &Watcher, peer: &impl Peer, throw: Throw) {
    let Some(simulated) = peer.simulated() else { return };
    let listing = |fault| simulated.faults.next("GET", simulated.listing, fault);
    match (throw.day, throw.title) {
        (0, 0) => peer.forget_cursors(watcher).await,
        (0, 1) => simulated.oauth.expire_access(),
        (0, 2) => listing(Fault::Instead(simulated.throttled)),
        (0, 3) => listing(Fault::Cut),
        _ => {}
    }
}

/// Adds what was told to what was known: nothing is made twice, and what is changed or deleted was there.
fn fold(
    folded: &mut BTreeMap<String, String>,
    told: Vec<(String, String, String)>,
) -> Result<(), String> {
    for (kind, about, title) in told {
        let was = match kind.as_str() {
            "event.deleted" => folded.remove(&about),
            _ => folded.insert(about.clone(), title),
        };
        if was.is_some() == (kind == "event.created") {
            return Err(format!("{kind} of {about} is invented"));
        }
    }
    Ok(())
}

fn compare(truth: &Truth, folded: &BTreeMap<String, String>) -> Result<(), String> {
    let title = |id: &String| folded.get(id).cloned().unwrap_or_default();
    let expected: BTreeMap<String, String> = truth
        .events
        .iter()
        .map(|(id, there)| (id.clone(), there.title.clone().unwrap_or_else(|| title(id))))
        .collect();
    match expected == *folded {
        true => Ok(()),
        false => Err(format!("there is {expected:#?}, but told was {folded:#?}")),
    }
}

/// Shrinks whatever fails to the few edits that make it fail.
fn nothing_is_missed<P: Peer>() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let (edits, passes) = (Cell::new(0), Cell::new(0));
    let outcome =
        TestRunner::new(config).run(&prop::collection::vec(throw(), 1..=EDITS), |throws| {
            edits.set(edits.get() + throws.len());
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(live::<P>(throws, &passes)).map_err(TestCaseError::fail)
        });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(edits.get() >= 5_000, "only {} edits", edits.get());
    assert!(passes.get() >= 300, "only {} passes among the edits", passes.get());
}

/// The judge finds what it is there to find.
#[test]
fn a_missing_and_an_invented_change_are_found() {
    let line =
        |kind: &str, title: &str| (format!("event.{kind}"), "one".to_owned(), title.to_owned());
    let there = There { calendar: "work".into(), title: Some("Tea".into()), rest: String::new() };
    let truth = Truth { events: BTreeMap::from([("one".into(), there)]), ..Truth::default() };
    for (told, folds, agrees) in [
        (vec![line("created", "Tea")], true, true),
        (vec![line("created", "Walk"), line("updated", "Tea")], true, true),
        (vec![line("created", "Walk")], true, false),
        (vec![], true, false),
        (vec![line("created", "Tea"), line("deleted", "Tea")], true, false),
        (vec![line("created", "Tea"), line("created", "Tea")], false, true),
        (vec![line("updated", "Tea")], false, true),
        (vec![line("deleted", "Tea")], false, false),
    ] {
        let mut folded = BTreeMap::new();
        let outcome = fold(&mut folded, told.clone());
        let found = (outcome.is_ok(), compare(&truth, &folded).is_ok());
        assert_eq!(found, (folds, agrees), "{told:?}");
    }
}

#[test]
fn google_misses_nothing_though_pushes_get_lost() {
    nothing_is_missed::<GooglePeer>();
}

#[test]
fn microsoft_misses_nothing_though_pushes_get_lost() {
    nothing_is_missed::<GraphPeer>();
}
