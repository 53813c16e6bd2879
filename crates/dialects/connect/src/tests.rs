//! The contract of `README.md`, example by example, over a real service on a store in a temporary
//! directory.

mod accounts;
mod automatic;
mod events;
mod oauth;
mod refusals;
mod subscriptions;
mod tokens;
mod world;
