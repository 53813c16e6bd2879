//! The monotonic clock of the machine: one for all processes, so that a body may carry its time.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds since an arbitrary moment, mostly the machine's start.
pub(crate) fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    seconds * 1_000_000 + nanos / 1_000
}
