//! The console as a browser has it: the router over a real service and store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod bad_inputs;
mod changes;
mod door;
mod escaping;
mod event_types;
mod forms;
mod headers;
mod keys;
mod live;
mod overview;
mod roles;
mod totp;
mod webhooks;
mod world;
