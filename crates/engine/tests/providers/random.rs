//! Thousands of random edits, some of them in the midst of a pass, while pushes come late, twice or out of
//! turn, and cursors, tokens and answers fail now and then: what the journal says adds up to what is there.
//! When three pushes in ten get lost, so it does after a poll; when none gets lost, without one.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tidings_core::clock::Clock;
use tidings_simulators::server::{Fault, Gate};

use crate::google::GooglePeer;
use crate::graph::GraphPeer;
use crate::journal::Journal;
use crate::peer::{Edit, Peer};
use crate::watcher::{Watcher, arrived, beginning};
use crate::{POLL_MS, SOON_MS};

/// The last one comes and goes.
const CALENDARS: [&str; 3] = ["work", "home", TRIP];
const TRIP: &str = "trip";
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const TITLES: [&str; 4] = ["Lunch", "Dinner", "Tea", "Walk"];
/// Days of the weekly series, after its first.
const DAYS: [u8; 4] = [9, 16, 23, 30];

const CASES: u32 = 120;
const EDITS: usize = 120;
/// How often a history is tried while it is shrunk.
const CHANCES: usize = 3;
/// No longer than that, in milliseconds.
const SHRINKING_MS: u32 = 60_000;

/// What happens, in order, and whether pushes get lost.
#[derive(Clone, Debug)]
struct History {
    lossy: bool,
    throws: Vec<Throw>,
}

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

/// What there is to edit.
#[derive(Default)]
struct Kept {
    events: BTreeMap<&'static str, KeptEvent>,
    /// Whether the calendar that comes and goes is there.
    trip: bool,
    /// Whether any calendar was renamed.
    renamed: bool,
}

/// An event or series that is there.
struct KeptEvent {
    calendar: &'static str,
    /// The days on which something can be different; none of a single event.
    days: Vec<u8>,
}

fn history() -> impl Strategy<Value = History> {
    let throws = prop::collection::vec(throw(), 1..=EDITS);
    (prop::bool::weighted(0.7), throws).prop_map(|(lossy, throws)| History { lossy, throws })
}

fn throw() -> impl Strategy<Value = Throw> {
    let what = (0..25usize).prop_map(|what| if what < 24 { what % 7 } else { 7 });
    let look = prop::bool::weighted(0.15);
    (what, 0..NAMES.len(), 0..CALENDARS.len(), 0..TITLES.len(), 0..DAYS.len(), look).prop_map(
        |(what, name, calendar, title, day, look)| Throw { what, name, calendar, title, day, look },
    )
}

impl Kept {
    /// What the throw means as things are: what is not there yet is made first.
    fn edit(&mut self, throw: Throw, lossy: bool) -> Edit {
        // Not every provider pushes that.
        if throw.what == 7 && lossy {
            return self.edit_calendars(throw);
        }
        let name = NAMES[throw.name];
        let Some(there) = self.events.get_mut(name) else { return self.create(name, throw) };
        let (calendar, title, day) = (there.calendar, TITLES[throw.title], DAYS[throw.day]);
        match throw.what {
            0 | 1 => Edit::Retitle(calendar, name, title),
            2 => {
                self.events.remove(name);
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

    fn create(&mut self, name: &'static str, throw: Throw) -> Edit {
        let calendar = CALENDARS[throw.calendar];
        let calendar = if calendar == TRIP && !self.trip { CALENDARS[0] } else { calendar };
        let is_series = throw.what >= 4;
        let days = if is_series { DAYS.to_vec() } else { Vec::new() };
        self.events.insert(name, KeptEvent { calendar, days });
        match is_series {
            true => Edit::CreateSeries(calendar, name),
            false => Edit::Create(calendar, name),
        }
    }

    fn edit_calendars(&mut self, throw: Throw) -> Edit {
        match (self.trip, throw.title) {
            (false, _) => {
                self.trip = true;
                Edit::AddCalendar(TRIP)
            }
            (true, 0 | 1) => {
                self.trip = false;
                self.events.retain(|_, event| event.calendar != TRIP);
                Edit::RemoveCalendar(TRIP)
            }
            (true, title) => {
                self.renamed = true;
                Edit::RenameCalendar(CALENDARS[throw.calendar], TITLES[title])
            }
        }
    }
}

async fn live<P: Peer>(history: History, passes: &Cell<usize>) -> Result<(), String> {
    let History { lossy, throws } = history;
    let clock = Clock::manual(beginning());
    let mut peer = P::start(&clock).await;
    let mut watcher = Watcher::connect(&peer, &clock).await;
    watcher.settle(&peer).await;
    // From now on it is polled as rarely as what is pushed.
    clock.advance_ms(POLL_MS);
    watcher.settle(&peer).await;
    watcher.heard().await;
    let next_poll = watcher.account().await.poll_at;
    if let Some(simulated) = peer.simulated() {
        simulated.pushes.conditions(|way| {
            (way.drop, way.duplicate) = (if lossy { 0.3 } else { 0.0 }, 0.2);
            // Late by different times: they overtake each other.
            way.delay_ms = (1, 10);
        });
    }
    let mut kept = Kept::default();
    let mut journal = Journal::from_baseline(&peer.truth());
    let count = throws.len();
    for (place, throw) in throws.into_iter().enumerate() {
        clock.advance_ms(1_000);
        let edit = kept.edit(throw, lossy);
        // Of the last edit nothing comes after that could make up for a push that was overlooked.
        let held = place + 1 == count || throw.look && throw.day >= 2;
        if held {
            passes.set(passes.get() + during_pull(&watcher, &mut peer, edit).await);
        } else if throw.look {
            passes.set(passes.get() + amidst_pass(&watcher, &mut peer, edit, throw, lossy).await);
        } else {
            peer.edit(edit).await;
        }
        journal.fold(watcher.heard().await)?;
    }
    arrived(&peer).await;
    if let Some(simulated) = peer.simulated() {
        simulated.faults.clear();
    }
    for wait in waits::<P>(lossy, kept.renamed) {
        clock.advance_ms(wait);
        watcher.settle(&peer).await;
    }
    journal.fold(watcher.heard().await)?;
    watcher.is_well().await;
    assert!(lossy || watcher.account().await.poll_at == next_poll, "pushes alone must do");
    journal.compare(&peer.truth(), &watcher.held().await)
}

/// The edit falls somewhere into a pass, which may go wrong.
async fn amidst_pass(
    watcher: &Watcher,
    peer: &mut impl Peer,
    edit: Edit,
    throw: Throw,
    lossy: bool,
) -> usize {
    if throw.calendar == 0 {
        arrived(peer).await;
    }
    trouble(watcher, peer, throw, lossy).await;
    let editing = async {
        for _ in 0..throw.name * 10 {
            tokio::task::yield_now().await;
        }
        peer.edit(edit).await;
    };
    tokio::join!(watcher.pass(), editing).0
}

/// The edit and its push come after the provider has looked and before its answer arrives, if anything is
/// to be read.
async fn during_pull(watcher: &Watcher, peer: &mut impl Peer, edit: Edit) -> usize {
    arrived(peer).await;
    let gate = Gate::default();
    if let Some(simulated) = peer.simulated() {
        simulated.faults.next("GET", simulated.listing, Fault::HeldAfter(gate.clone()));
    }
    let mut pass = tokio::spawn(watcher.pass());
    let ended = tokio::select! {
        () = gate.reached() => None,
        due = &mut pass => Some(due),
    };
    peer.edit(edit).await;
    arrived(peer).await;
    gate.open();
    let due = match ended {
        Some(due) => due,
        None => pass.await,
    };
    due.unwrap()
}

/// When everything must have been found. One poll does when pushes were lost, but for names, which may be
/// told once in a while only; else what is tried again does.
fn waits<P: Peer>(lossy: bool, renamed: bool) -> Vec<i64> {
    match (lossy, renamed) {
        (false, _) => vec![SOON_MS; 8],
        (true, false) => vec![POLL_MS],
        (true, true) => vec![P::RENAMES_MS.max(POLL_MS)],
    }
}

/// Now and then something goes wrong with the pass that follows, or it is a poll.
async fn trouble(watcher: &Watcher, peer: &impl Peer, throw: Throw, lossy: bool) {
    let Some(simulated) = peer.simulated() else { return };
    let listing = |fault| simulated.faults.next("GET", simulated.listing, fault);
    match (throw.day, throw.title) {
        (0, 0) => peer.forget_cursors(watcher).await,
        (0, 1) => simulated.oauth.expire_access(),
        (0, 2) => listing(Fault::Instead(simulated.throttled)),
        (0, 3) => listing(Fault::Cut),
        (1, 0) if lossy => watcher.clock.advance_ms(POLL_MS),
        _ => {}
    }
}

/// Shrinks whatever fails to the few edits that make it fail. Since pushes take their time, the same history
/// does not always come out the same: once something failed, each is given several chances.
fn nothing_is_missed<P: Peer>() {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: SHRINKING_MS,
        ..Config::default()
    };
    let (edits, passes, failed) = (Cell::new(0), Cell::new(0), Cell::new(false));
    let outcome = TestRunner::new(config).run(&history(), |history| {
        for _ in 0..if failed.get() { CHANCES } else { 1 } {
            edits.set(edits.get() + history.throws.len());
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let lived = runtime.block_on(live::<P>(history.clone(), &passes));
            failed.set(failed.get() || lived.is_err());
            lived.map_err(TestCaseError::fail)?;
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(edits.get() >= 5_000, "only {} edits", edits.get());
    assert!(passes.get() >= 300, "only {} passes among the edits", passes.get());
}

#[test]
fn google_misses_nothing_though_pushes_get_lost() {
    nothing_is_missed::<GooglePeer>();
}

#[test]
fn microsoft_misses_nothing_though_pushes_get_lost() {
    nothing_is_missed::<GraphPeer>();
}
