//! `tidings demo --exit`: the whole way, run as a user runs it.

use std::process::Command;

/// Runs the demo with these arguments; returns what it says beside the three lines.
fn three_verified_webhooks(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(["demo", "--exit"])
        .args(arguments)
        .output()
        .expect("the binary can be run");
    let lines = String::from_utf8(output.stdout).expect("the lines are text");
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{lines}\n{talk}", output.status);
    let lines: Vec<Vec<&str>> = lines.lines().map(|line| line.split(' ').collect()).collect();
    let [created, updated, deleted] = &lines[..] else { panic!("three lines: {lines:?}") };
    for (line, kind) in
        [(created, "event.created"), (updated, "event.updated"), (deleted, "event.deleted")]
    {
        let [shown, id, verified] = &line[..] else { panic!("three words: {line:?}") };
        assert_eq!((*shown, *verified), (kind, "verified"));
        assert!(id.starts_with("dlv_"), "{id}");
    }
    assert_ne!(created[1], updated[1]);
    assert_ne!(updated[1], deleted[1]);
    talk
}

#[test]
fn created_updated_and_deleted_arrive_with_good_signatures() {
    three_verified_webhooks(&[]);
}

#[test]
fn what_changes_at_google_arrives_by_push() {
    let talk = three_verified_webhooks(&["--provider", "google"]);
    let taken = talk.lines().filter(|line| {
        let url = "/providers/google/notifications: 204";
        line.starts_with("google pushed exists, message ") && line.ends_with(url)
    });
    assert!(taken.count() >= 3, "{talk}");
}
