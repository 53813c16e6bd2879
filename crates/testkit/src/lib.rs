//! Test servers, receivers and generators. Development only.

pub mod receiver;
pub mod server;
