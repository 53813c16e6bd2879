//! The native API over a real service on a store in a temporary directory.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod bad_inputs;
mod calendars;
mod idempotency;
mod isolation;
mod ledger;
mod openapi;
mod records;
mod request_id;
mod scopes;
mod selecting;
mod stream;
mod users;
mod world;
