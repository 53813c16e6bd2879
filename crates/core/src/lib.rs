//! The pure domain of Tidings: identities, changes, hooks, retry schedules, signing, egress policy
//! and limits. No I/O, no async, no clock and no randomness of its own: those are handed in.

pub mod access;
pub mod catalogue;
pub mod change;
pub mod clock;
pub mod delivery;
pub mod egress;
pub mod fault;
pub mod filter;
pub mod format;
pub mod hook;
pub mod id;
pub mod json;
pub mod key;
pub mod limits;
pub mod meter;
pub mod retention;
pub mod retry;
pub mod seal;
pub mod settings;
pub mod sign;
pub mod tally;
