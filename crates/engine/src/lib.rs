//! Sync, match, deliver, settle.
pub mod egress;
