//! Limits of the command line as a client of a server.

/// Most bytes of a server's answer, besides streams.
pub const CLIENT_RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of one event of a stream: a change has at most as much data as a request, and an event of a
/// calendar more.
pub const CLIENT_EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Budget for a connection to a server, TLS included, ms.
pub const CLIENT_CONNECT_MS: u64 = 10_000;
/// Budget for an answer of a server, its body included, ms; of a stream, for its beginning.
pub const CLIENT_DEADLINE_MS: u64 = 60_000;
/// A stream is taken for dead when nothing was heard of it for this long, s: three of its heartbeats.
pub const CLIENT_SILENCE_S: u64 = 45;
/// First wait before a client comes back to a server that did not answer, ms; it doubles.
pub const CLIENT_BACKOFF_MS: u64 = 250;
/// Longest wait before a client comes back, ms.
pub const CLIENT_BACKOFF_MAX_MS: u64 = 10_000;
/// Budget for a local receiver's answer, ms.
pub const FORWARD_DEADLINE_MS: u64 = 30_000;
/// First wait before a change is forwarded once more, ms; it doubles.
pub const FORWARD_BACKOFF_MS: u64 = 500;
/// Longest wait before a change is forwarded once more, ms.
pub const FORWARD_BACKOFF_MAX_MS: u64 = 30_000;
/// Most bytes that are read of a local receiver's answer.
pub const FORWARD_ANSWER_BYTES_MAX: usize = 65_536;
/// How often a running replay and the list of deliveries are looked at, ms.
pub const CLIENT_LOOK_MS: u64 = 500;
