//! `tidings demo --exit`: the whole way, run as a user runs it.

use std::process::Command;

#[test]
fn created_updated_and_deleted_arrive_with_good_signatures() {
    let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(["demo", "--exit"])
        .output()
        .expect("the binary can be run");
    let lines = String::from_utf8(output.stdout).expect("the lines are text");
    let talk = String::from_utf8_lossy(&output.stderr);
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
}
