//! Zoom, simulated: passes over meetings, and errands.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod syncing;
mod world;
mod writing;
