//! The vendor's clients of Sync against us, with a receiver and a connector of their own.

use std::process::Command;

use crate::tidings::Tidings;
use crate::vendor::{python, root, run};

/// Runs a client's program with the server's address and key.
fn told_by(tidings: &Tidings, program: &mut Command) -> String {
    run(
        program
            .env("SYNC_BASE_URL", tidings.url(""))
            .env("SYNC_API_KEY", &tidings.server.key)
            .current_dir(root().join("tests/vendor")),
        "",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_python_client_goes_through_its_whole_story() {
    let tidings = Tidings::start().await;
    let says = told_by(&tidings, Command::new(python()).arg("sync_py.py"));
    assert_eq!(says.matches(": ok").count(), 6, "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_node_client_goes_through_its_whole_story() {
    let tidings = Tidings::start().await;
    let says = told_by(&tidings, Command::new("node").arg("sync_js.cjs"));
    assert_eq!(says.matches(": ok").count(), 4, "{says}");
}
