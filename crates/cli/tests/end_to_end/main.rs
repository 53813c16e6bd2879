//! The binary from outside: real calendar servers, other people's libraries, `kill -9`.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod cloudevents;
mod configuration;
mod connect_sdk;
mod connect_story;
mod console;
mod durability;
mod fences;
mod google;
mod microsoft;
mod newcomer;
mod pryv;
mod pyas;
mod receiving;
mod records;
mod reference;
mod retention;
mod snippets;
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
