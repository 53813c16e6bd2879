//! The binary from outside: real calendar servers, other people's libraries, `kill -9`.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod cloudevents;
mod connect_sdk;
mod connect_story;
mod durability;
mod google;
mod microsoft;
mod pryv;
mod pyas;
mod readme;
mod records;
mod retention;
mod standard_webhooks;
mod story;
mod sync;
mod tidings;
mod two_way;
mod vendor;
mod vyte;
mod watched;
mod webhook_keys;
mod zoom;
