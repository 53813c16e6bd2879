//! The contract of `README.md`, example by example, over a real service on a store in a temporary
//! directory.

mod events;
mod hooks;
mod likeness;
mod pages;
mod refusals;
mod users;
mod world;
