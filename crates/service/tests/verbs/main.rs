//! The verbs on a real store, with a clock that stands still and ids from a seed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod accounts;
mod apps;
mod authenticate;
mod codes;
mod connect;
mod connections;
mod deliveries;
mod desk;
mod event_types;
mod events;
mod hooks;
mod inboxes;
mod isolation;
mod ledger;
mod operators;
mod people;
mod policies;
mod portal;
mod publish;
mod pushes;
mod records;
mod retention;
mod roles;
mod secrets;
mod serving;
mod setup;
mod stats;
mod stream;
mod tokens;
mod users;
