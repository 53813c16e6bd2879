//! The receiver of docs/receiving/rust.md, with the library `standardwebhooks`: a test compares them word for word and runs it.
#![expect(
    clippy::print_stdout,
    unreachable_pub,
    reason = "written as for an application of its own"
)]

mod verify {
    include!("receiver/with_library.rs");
}

include!("receiver/server.rs");
