//! A seeded simulator of the delivery engine.
//!
//! It drives [`crate::dispatch::Dispatch`] as `run.rs` does, against a model of the store, simulated
//! receivers and a virtual clock, and breaks whatever can break between any two steps: the process dies,
//! settles are slow, fail or survive a crash, announcements get lost, reads are late, receivers fail,
//! hang, flap and vanish, owners pause, change, replay and delete. After every step an oracle that knows
//! nothing of the engine's state checks what the engine promises; at the end, with trouble over,
//! everything owed must have been delivered.
//!
//! A failing seed prints itself and its trace. `TIDINGS_SIMULATION_SEED=n cargo nextest run -p
//! tidings-engine --no-capture one_seed` runs one seed with its trace.

mod act;
mod against_store;
mod chance;
mod model;
mod oracle;
mod owner;
mod plan;
mod planted;
mod policies;
mod process;
mod receiver;
mod served;
mod trace;
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use oracle::Violation;
use plan::KINDS;
use planted::Planted;
use world::{Summary, World};

/// Lines of a trace that a failure shows.
const SHOWN: usize = 400;

/// Runs a seed; a panic of the engine is a broken promise too.
fn simulate(seed: u64, planted: Planted) -> Result<Summary, Violation> {
    run(&mut World::new(seed, planted, false))
}

fn run(world: &mut World) -> Result<Summary, Violation> {
    let done = catch_unwind(AssertUnwindSafe(|| world.run()));
    done.unwrap_or_else(|panic| {
        let what = panic.downcast::<String>().map_or_else(|_| "?".into(), |text| *text);
        Err(Violation { rule: "the engine does not panic", what })
    })
}

/// Runs a seed again and shows how it came to its end.
fn explain(seed: u64) -> String {
    let mut world = World::new(seed, Planted::Nothing, true);
    let end = run(&mut world);
    let lines = world.trace.lines();
    let shown = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
    format!("{shown}\nseed {seed} ends with {end:?}\nrun it with TIDINGS_SIMULATION_SEED={seed}")
}

fn block(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if simulate(seed, Planted::Nothing).is_err() {
            panic!("{}", explain(seed));
        }
    }
}

macro_rules! blocks {
    ($($name:ident: $seeds:expr;)*) => {$(
        #[test]
        fn $name() {
            block($seeds);
        }
    )*};
}

blocks! {
    seeds_0_to_49: 0..50;
    seeds_50_to_99: 50..100;
    seeds_100_to_149: 100..150;
    seeds_150_to_199: 150..200;
    seeds_200_to_249: 200..250;
    seeds_250_to_299: 250..300;
    seeds_300_to_349: 300..350;
    seeds_350_to_399: 350..400;
    seeds_400_to_449: 400..450;
    seeds_450_to_499: 450..500;
}

/// `TIDINGS_SIMULATION_SEED` names a seed to run with its trace, or a range `first..last` to run.
#[test]
fn one_seed() {
    let Ok(wanted) = std::env::var("TIDINGS_SIMULATION_SEED") else { return block(0..1) };
    match wanted.split_once("..") {
        Some((first, last)) => block(first.parse().unwrap()..last.parse().unwrap()),
        None => println!("{}", explain(wanted.parse().unwrap())),
    }
}

#[test]
fn the_same_seed_runs_the_same_way() {
    for seed in 0..16 {
        let first = simulate(seed, Planted::Nothing).unwrap();
        assert_eq!(first, simulate(seed, Planted::Nothing).unwrap(), "seed {seed}");
        assert_ne!(first.hash, simulate(seed + 1, Planted::Nothing).unwrap().hash);
    }
}

#[test]
fn every_kind_of_trouble_is_met() {
    let mut met = BTreeSet::new();
    let (mut sent, mut repeated, mut steps) = (0, 0, 0);
    for seed in 0..60 {
        let summary = simulate(seed, Planted::Nothing).unwrap();
        met.extend(summary.met);
        (sent, repeated, steps) =
            (sent + summary.sent, repeated + summary.repeated, steps + summary.steps);
    }
    let missing: Vec<_> = KINDS.into_iter().filter(|kind| !met.contains(kind)).collect();
    assert!(missing.is_empty(), "{missing:?} were never met");
    assert!(sent > 4_000 && repeated > 40 && steps > 80_000, "{sent} {repeated} {steps}");
}

/// Every planted bug must be seen within this many seeds.
const PATIENCE: u64 = 60;

fn is_seen(planted: Planted, rules: &[&str]) {
    let found = (0..PATIENCE).find_map(|seed| simulate(seed, planted).err());
    let found = found.unwrap_or_else(|| panic!("{planted:?} was not seen"));
    let Violation { rule, what } = found;
    assert!(rules.contains(&rule), "{planted:?} was seen as {rule}: {what}");
}

const PASSED: &str = "a cursor never passes an unsettled change";
const OWED: &str = "without trouble everything owed is delivered in time";
const REPEATED: &str = "what was delivered is not repeated";

#[test]
fn a_settle_that_loses_what_it_parks_is_seen() {
    is_seen(Planted::LosesParked, &[PASSED]);
}

#[test]
fn a_parked_row_that_stays_is_seen() {
    is_seen(Planted::KeepsParked, &[REPEATED]);
}

#[test]
fn a_parked_row_that_goes_too_early_is_seen() {
    is_seen(Planted::RemovesParked, &["a parked delivery goes only when it is delivered"]);
}

#[test]
fn a_slot_that_comes_free_before_its_settle_is_durable_is_seen() {
    let rules = [
        "a hook keeps to its concurrency",
        "a delivery is in flight once",
        "a key has one delivery in flight",
    ];
    is_seen(Planted::FreesEarly, &rules);
}

#[test]
fn a_cursor_past_an_unsettled_change_is_seen() {
    is_seen(Planted::CursorAhead, &[PASSED]);
}

#[test]
fn a_cursor_that_is_not_written_is_seen() {
    is_seen(Planted::NoCursor, &[PASSED]);
}

#[test]
fn a_cursor_that_forgets_what_is_settled_above_it_is_seen() {
    // What is delivered again may be grouped otherwise.
    is_seen(Planted::ForgetsBitmap, &[REPEATED, "a retry keeps its members"]);
}

#[test]
fn an_app_matched_too_far_is_seen() {
    is_seen(Planted::MatchedAhead, &[PASSED, OWED, "a cursor never goes back"]);
}

#[test]
fn a_lost_outcome_is_seen() {
    is_seen(Planted::LosesOutcomes, &[OWED]);
}

#[test]
fn a_page_taken_for_more_than_it_is_is_seen() {
    is_seen(Planted::ShortPage, &[PASSED]);
}

#[test]
fn a_failure_that_counts_as_delivered_is_seen() {
    is_seen(Planted::Lies, &["delivered means that the receiver took it"]);
}

#[test]
fn announcements_lost_in_silence_are_seen() {
    is_seen(Planted::LosesAnnouncements, &[OWED, "a hook that is gone is not served"]);
}

#[test]
fn a_retry_of_something_else_is_seen() {
    let rules = [
        "a retry keeps its members",
        "a delivery stands for all of its group",
        "nothing is delivered that was not selected",
        "nothing of a key begins before what comes first is settled",
    ];
    is_seen(Planted::OtherMembers, &rules);
}
