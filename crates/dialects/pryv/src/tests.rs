//! The contract of `README.md`, over a service on a store of its own.

mod accesses;
mod events;
mod hostile;
mod platform;
mod scopes;
mod story;
mod streams;
mod webhooks;
mod world;
