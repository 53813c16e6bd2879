//! Faults that the fault battery (`chaos/`) plants in builds with debug assertions, to see whether
//! promises hold and whether it would notice when they did not. In a release build nothing of this is there.
//!
//! `CHAOS_FAIL_POINT=name:n` aborts the process when it passes the named point for the `n`th time.
//! `CHAOS_PLANTED=name,name` turns on bugs.

/// Every fail point, in the order in which data flows.
pub const POINTS: &[&str] = &[
    "listener.accepted",
    "publish.asked",
    "journal.counted",
    "journal.appended",
    "publish.remembered",
    "writer.taken",
    "writer.begun",
    "writer.job",
    "writer.commit",
    "writer.durable",
    "writer.announced",
    "writer.answered",
    "writer.checkpoint",
    "writer.checkpointed",
    "publish.durable",
    "engine.loading",
    "engine.loaded",
    "engine.heard",
    "engine.lane_page",
    "engine.app_page",
    "engine.parked_page",
    "deliver.begun",
    "deliver.signed",
    "deliver.answered",
    "engine.outcome",
    "engine.settling",
    "settle.attempts",
    "settle.parked",
    "settle.cursors",
    "settle.matched",
    "settle.counts",
    "engine.settle_durable",
    "engine.settled",
];

/// Every bug that can be planted.
pub const BUGS: &[&str] = &[
    // The publisher hears of success before the commit.
    "ack-before-commit",
    // The store does not sync what it commits.
    "no-sync",
    // A parked delivery is not written.
    "forget-parked",
    // A change that hooks asked for is passed over, now and then.
    "skip-change",
    // Every delivery is sent twice.
    "send-twice",
    // The body is altered after it was signed, now and then.
    "wrong-signature",
    // Whatever a receiver answers is read to its end and kept.
    "read-everything",
];

/// The process dies here when the battery asks for it. Costs nothing in a release build.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    asked::point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Whether this bug is planted. Always `false` in a release build.
#[inline]
pub fn planted(name: &'static str) -> bool {
    #[cfg(debug_assertions)]
    return asked::planted(name);
    #[cfg(not(debug_assertions))]
    {
        let _ = name;
        false
    }
}

#[cfg(debug_assertions)]
mod asked {
    use std::io::Write;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static POINT: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let asked = std::env::var("CHAOS_FAIL_POINT").ok()?;
        let (name, nth) = asked.rsplit_once(':')?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);
    static PLANTED: LazyLock<Vec<String>> = LazyLock::new(|| {
        let asked = std::env::var("CHAOS_PLANTED").unwrap_or_default();
        asked.split(',').map(str::to_owned).collect()
    });

    pub(super) fn point(name: &'static str) {
        debug_assert!(super::POINTS.contains(&name), "{name} is not in the list of fail points");
        let Some((asked, nth)) = &*POINT else { return };
        if asked == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
            // Where standard error is closed there is nobody to tell.
            drop(writeln!(std::io::stderr(), "fail point {name}"));
            std::process::abort();
        }
    }

    pub(super) fn planted(name: &'static str) -> bool {
        debug_assert!(super::BUGS.contains(&name), "{name} is not in the list of bugs");
        PLANTED.iter().any(|planted| planted == name)
    }
}
