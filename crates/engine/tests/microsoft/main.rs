//! Microsoft Graph, simulated: passes and errands.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "../support/graph_world.rs"]
mod graph_world;
mod syncing;
mod writing;
