//! The verbs on a real store, with a clock that stands still and ids from a seed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod accounts;
mod apps;
mod authenticate;
mod connect;
mod deliveries;
mod event_types;
mod hooks;
mod inboxes;
mod isolation;
mod ledger;
mod publish;
mod retention;
mod serving;
mod setup;
mod stream;
