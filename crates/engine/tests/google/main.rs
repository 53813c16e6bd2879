//! Google, simulated: passes, tokens, subscriptions and errands.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod connecting;
#[path = "../support/google_world.rs"]
mod google_world;
mod subscriptions;
mod syncing;
mod tokens;
mod writing;
