//! Sync, match, deliver, settle.
mod access;
mod breaker;
mod coalesce;
mod consent;
mod deliver;
mod dispatch;
pub mod egress;
pub mod errand;
mod fair;
mod hook;
mod lane;
mod matching;
pub mod meters;
pub mod mirror;
mod order;
mod outcome;
mod pace;
mod parked;
mod patience;
mod render;
pub mod run;
mod settle;
#[cfg(test)]
mod simulation;
mod stats;
pub mod subscriptions;
pub mod sync;
mod target;
#[cfg(test)]
mod testing;
pub mod trace;
mod transform;
