//! The contract of `README.md`, example by example, over a real service on a store in a temporary
//! directory.

mod bounds;
mod credentials;
mod deliveries;
mod documents;
mod holdings;
mod people;
mod refusals;
mod subscriptions;
mod webhooks;
mod world;
