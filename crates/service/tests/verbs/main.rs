//! The verbs on a real store, with a clock that stands still and ids from a seed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod apps;
mod authenticate;
mod connect;
mod deliveries;
mod hooks;
mod inboxes;
mod isolation;
mod publish;
mod setup;
mod stream;
