//! The receiver of docs/receiving/rust.md, without a library: a test compares them word for word and runs it.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    reason = "written as for an application of its own"
)]

mod verify {
    include!("receiver/by_hand.rs");
}

include!("receiver/server.rs");
