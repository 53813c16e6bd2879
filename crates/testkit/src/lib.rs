//! Test servers, receivers and generators. Development only.

pub mod caldav;
pub mod postgres;
pub mod receiver;
pub mod server;
