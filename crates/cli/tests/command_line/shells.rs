//! Completions, which the shells themselves judge.

use std::process::Command;

use crate::place::{BINARY, Place};

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[tokio::test]
async fn completions_are_scripts_of_their_shells() {
    let place = Place::start().await;
    assert!(is_there("bash"), "bash is everywhere");
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = place.ok(&["completions", shell]).await;
        assert!(script.contains("listen") && script.contains("forward-to"), "{shell}");
        let file = place.home.path().join(shell);
        std::fs::write(&file, script).unwrap();
        // Shells that this machine lacks cannot judge.
        if is_there(shell) {
            let judged = Command::new(shell).arg(check).arg(&file).output().unwrap();
            assert!(judged.status.success() && judged.stderr.is_empty(), "{shell}: {judged:?}");
        }
    }
    let unknown = Command::new(BINARY).args(["completions", "cmd"]).status().unwrap();
    assert_eq!(unknown.code(), Some(2));
}
