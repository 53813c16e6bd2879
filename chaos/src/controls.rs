//! Negative controls: a battery that has never failed proves nothing. Each plants a bug in the server and
//! must see a drill break.

use std::time::Instant;

use crate::drill::Drill;
use crate::report::Tier;

/// Which drill must notice which bug, and the tier from which on that is tried.
const NOTICED_BY: &[(&str, Drill, Tier)] = &[
    ("ack-before-commit", Drill::Power, Tier::Short),
    ("no-sync", Drill::Power, Tier::Long),
    ("forget-parked", Drill::Kill, Tier::Short),
    ("skip-change", Drill::Kill, Tier::Long),
    ("send-twice", Drill::Kill, Tier::Long),
    ("wrong-signature", Drill::Kill, Tier::Long),
    ("read-everything", Drill::Behaviours, Tier::Long),
];

/// Runs those of the tier; answers whether each was noticed.
pub(crate) async fn run(tier: Tier, seed: u64) -> bool {
    let mut all = true;
    for &(bug, drill, _) in NOTICED_BY.iter().filter(|(.., from)| *from <= tier) {
        let begun = Instant::now();
        let outcome = drill.run(Tier::Brief, seed, bug).await;
        let (noticed, how) = match outcome {
            Ok(report) => (!report.broken.is_empty(), report.broken.join("; ")),
            Err(why) => (false, why),
        };
        all &= noticed;
        let verdict = if noticed { "noticed" } else { "NOT NOTICED" };
        println!("{bug}: {verdict} by {drill:?} in {:.0} s: {how}", begun.elapsed().as_secs_f64());
    }
    all
}

#[cfg(test)]
mod tests {
    use tidings_core::fault::BUGS;

    use super::*;

    #[test]
    fn every_bug_that_can_be_planted_has_a_drill_that_must_notice_it() {
        let known: Vec<_> = NOTICED_BY.iter().map(|(bug, ..)| *bug).collect();
        assert_eq!(known, BUGS);
    }
}
