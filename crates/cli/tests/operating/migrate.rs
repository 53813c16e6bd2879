//! `tidings migrate` shows what is pending, applies it, and says so in its exit status.

use serde_json::{Value, json};
use tidings_testkit::postgres::PostgresDatabase;

use crate::installation::{Installation, printed, tidings_with};

/// Whether a migration is pending in a store that is new, then made, then older than the binary.
fn story(variables: &[(&str, &str)], forget: impl FnOnce(&std::path::Path)) {
    let place = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--output", "json"]].concat();
        let output = tidings_with(place.path(), &arguments, variables);
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", printed(&output)));
        (output.status.code(), document)
    };
    let check = || run(&["migrate", "--check"]);
    let (code, new) = check();
    let pending = new["pending"].as_array().unwrap().clone();
    assert_eq!((code, new["applied"].as_array().unwrap().len()), (Some(1), 0), "{new}");
    assert!(pending.len() >= 5 && pending[0] == "0001_spine", "{new}");
    assert_eq!(check().1, new, "looking changes nothing");

    let (code, made) = run(&["migrate"]);
    assert_eq!((code, &made["now"], &made["pending"]), (Some(0), &json!(pending), &json!([])));
    let (code, again) = run(&["migrate"]);
    assert_eq!((code, &again["now"], &again["applied"]), (Some(0), &json!([]), &made["applied"]));
    assert_eq!(check().0, Some(0));

    forget(place.path());
    let newer = tidings_with(place.path(), &["migrate", "--check"], variables);
    let said = printed(&newer);
    assert!(newer.status.code() == Some(1) && said.contains("0099_future"), "{said}");
}

#[test]
fn the_embedded_store_is_migrated_and_a_newer_one_refused() {
    story(&[], |place| {
        let python = "import sqlite3\n\
            db = sqlite3.connect('tidings-data/tidings.sqlite')\n\
            db.execute(\"INSERT INTO migration VALUES (99, '0099_future', x'00')\")\n\
            db.commit()\n";
        let mut python = std::process::Command::new("python3")
            .args(["-c", python])
            .current_dir(place)
            .spawn()
            .unwrap();
        assert!(python.wait().unwrap().success());
    });
}

#[test]
fn a_postgresql_store_is_migrated_and_a_newer_one_refused() {
    let database = PostgresDatabase::create();
    story(&[("TIDINGS_DATABASE_URL", &database.url)], |_| {
        let text = "INSERT INTO migration VALUES (99, '0099_future', '\\x00') RETURNING 1";
        assert_eq!(database.query(text), "1");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_server_it_can_be_looked_at() {
    let installation = Installation::start(&[]).await;
    let data_dir = installation.data_dir();
    let arguments = ["migrate", "--check", "--data-dir", data_dir.to_str().unwrap()];
    let output = tidings_with(&data_dir, &arguments, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
}
