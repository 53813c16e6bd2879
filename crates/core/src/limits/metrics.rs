//! Limits of what operators watch and check.

/// What is counted in the store for `/metrics` and `/readyz` is counted again after this time, ms.
pub const GAUGES_KEPT_MS: u64 = 5_000;
/// How long `tidings doctor` waits for each of those that it asks, ms.
pub const DOCTOR_DEADLINE_MS: u64 = 10_000;
/// A clock that is further off than this is worth a warning, ms.
pub const DOCTOR_CLOCK_WARNING_MS: i64 = 5_000;
/// A clock that is further off than this is wrong, ms: receivers tolerate 5 minutes.
pub const DOCTOR_CLOCK_FAILURE_MS: i64 = 60_000;
/// Spans that wait to be handed to a collector of traces; further ones are dropped.
pub const TRACE_SPANS_WAITING_MAX: usize = 2_048;
/// Spans handed over in one request.
pub const TRACE_BATCH_MAX: usize = 512;
/// A server that stops waits so long for the collector, ms; what is left then is dropped.
pub const TRACE_FINISH_MS: u64 = 5_000;
/// How often spans are handed over before they are dropped.
pub const TRACE_TRIES_MAX: u32 = 3;
