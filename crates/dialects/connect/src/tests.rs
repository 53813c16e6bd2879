//! The contract of `README.md`, example by example, over a real service on a store in a temporary
//! directory.

mod refusals;
mod subscriptions;
mod world;
