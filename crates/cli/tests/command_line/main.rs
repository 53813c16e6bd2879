//! The command line as a client, run as people run it: the real binary against a real server.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod examples;
mod exits;
mod listening;
mod place;
mod proxy;
mod shells;
mod transfer;
mod triggers;
