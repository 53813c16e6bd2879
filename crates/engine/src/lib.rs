//! Sync, match, deliver, settle.
mod breaker;
mod deliver;
mod dispatch;
pub mod egress;
mod hook;
mod lane;
mod matching;
pub mod mirror;
mod render;
pub mod run;
mod settle;
pub mod sync;
#[cfg(test)]
mod testing;
