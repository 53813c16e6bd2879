//! Calendar providers that cannot be downloaded, as small servers on loopback: they keep state, sign
//! people in, push, and misbehave when they are told to. For tests and the demo; they guard nothing.
//!
//! The vendors' own clients judge them (`tests/`), so that they are not just our opinion.

pub mod google;
pub mod graph;
pub mod oauth;
pub mod pushes;
pub mod recurrence;
pub mod server;
pub mod zoom;
