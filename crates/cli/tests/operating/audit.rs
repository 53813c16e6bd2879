//! `tidings audit verify` reads the log beside a running server, and says in its exit status what it found.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tidings_testkit::postgres::PostgresDatabase;

use crate::installation::{Installation, printed, tidings_with};

/// Runs the check; its exit status, its document, and what it said.
fn verify(place: &Path, variables: &[(&str, &str)]) -> (Option<i32>, Value, String) {
    let place = place.to_str().unwrap();
    let arguments = ["audit", "verify", "--output", "json", "--data-dir", place];
    let output = tidings_with(Path::new(place), &arguments, variables);
    let document = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), document, printed(&output))
}

/// A log that is whole, then one of whose lines was altered.
async fn story(installation: &Installation, variables: &[(&str, &str)], alter: impl FnOnce(&str)) {
    let hook = json!({"url": "https://hooks.example.com/hook", "triggers": ["*"]});
    installation.call("POST", "/hooks", &hook).await;
    let place = installation.data_dir();
    let (code, document, said) = verify(&place, variables);
    assert_eq!((code, &document["broken"]), (Some(0), &Value::Null), "{said}");
    // The server's first key, the first app and the hook.
    assert_eq!(document["lines"], 3, "{said}");
    alter("UPDATE audit SET actor = 'somebody else' WHERE action = 'hook.create'");
    let (code, document, said) = verify(&place, variables);
    assert_eq!((code, document["broken"]["app"].is_string()), (Some(1), true), "{said}");
    assert!(said.contains("is broken at line"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_line_of_the_embedded_store_is_found_beside_its_server() {
    let installation = Installation::start(&[]).await;
    let place = installation.data_dir();
    story(&installation, &[], |sql| {
        let python = "import sqlite3, sys\n\
            db = sqlite3.connect(sys.argv[1], timeout=10)\n\
            db.execute(sys.argv[2])\n\
            db.commit()\n";
        let file = place.join("tidings.sqlite");
        let done = Command::new("python3").args(["-c", python]).arg(file).arg(sql).status();
        assert!(done.unwrap().success());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_line_of_a_postgresql_store_is_found_beside_its_server() {
    let database = PostgresDatabase::create();
    let variables = [("TIDINGS_DATABASE_URL", database.url.as_str())];
    let installation = Installation::start(&variables).await;
    story(&installation, &variables, |sql| drop(database.query(sql))).await;
}

#[test]
fn a_place_without_a_store_is_told_apart_from_a_whole_log() {
    let place = tempfile::tempdir().unwrap();
    let (code, _, said) = verify(place.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("there is no store"), "{said}");
}
