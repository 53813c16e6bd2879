//! A backup taken under load holds everything that was accepted before it, and becomes a server again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tidings_testkit::postgres::PostgresDatabase;
use tidings_testkit::receiver::TestReceiver;
use tidings_testkit::server::TestServer;

use crate::installation::{BINARY, Installation, PATIENCE, printed, tidings, tidings_with, until};

fn back_up(installation: &Installation, file: &Path) -> Value {
    let data_dir = installation.data_dir();
    let arguments = ["backup", file.to_str().unwrap(), "--output", "json", "--data-dir"];
    let arguments = [&arguments[..], &[data_dir.to_str().unwrap()]].concat();
    let output = tidings(&data_dir, &arguments);
    assert!(output.status.success(), "{}", printed(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// All numbers of orders in a server's journal, in order of `seq`.
async fn numbers(installation: &Installation) -> Vec<u64> {
    let (mut numbers, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/changes?limit=1000{after}");
        let page = installation.call("GET", &path, &Value::Null).await;
        let data = page["data"].as_array().unwrap();
        numbers.extend(data.iter().filter_map(|change| change["data"]["number"].as_u64()));
        let Some(next) = page["next_cursor"].as_str().filter(|_| !data.is_empty()) else {
            return numbers;
        };
        after = format!("&after={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_has_all_that_was_accepted_before_it_and_holds_nobody_up() {
    let installation = Arc::new(Installation::start(&[]).await);
    let receiver = TestReceiver::start().await;
    let hook = json!({"url": receiver.url("/"), "triggers": ["order.*"]});
    let hook = installation.call("POST", "/hooks", &hook).await;
    let (stop, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let installation = Arc::clone(&installation);
            let (stop, accepted) = (Arc::clone(&stop), Arc::clone(&accepted));
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let number = publisher * 1_000_000 + mine.len();
                    let seq = installation.publish(number).await.expect("it is accepted");
                    mine.push((seq, number as u64));
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
                mine
            })
        })
        .collect();
    let load = |more: usize| {
        let (accepted, from) = (Arc::clone(&accepted), accepted.load(Ordering::Relaxed));
        until("load", async move || (accepted.load(Ordering::Relaxed) >= from + more).then_some(()))
    };
    load(40).await;
    let backups = tempfile::tempdir().unwrap();
    let file = backups.path().join("monday.tidings");
    let before = accepted.load(Ordering::Relaxed);
    let (copying, place) = (Arc::clone(&installation), file.clone());
    let made = tokio::task::spawn_blocking(move || back_up(&copying, &place)).await.unwrap();
    // Publishing goes on during and after it.
    load(20).await;
    stop.store(true, Ordering::Relaxed);
    let mut published = Vec::new();
    for publisher in publishers {
        published.extend(publisher.await.unwrap());
    }
    published.sort_unstable();
    let copied = usize::try_from(made["changes"].as_u64().unwrap()).unwrap();
    assert!(copied >= before && copied < published.len(), "{before} {copied}: {made}");

    let restored = restored(&installation, &file).await;
    let expected: Vec<_> = published[..copied].iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers(&restored).await, expected, "a prefix of what was accepted, in order");
    // Its secrets open, and it delivers.
    let had = receiver.count();
    restored.publish(7).await.unwrap();
    let id = hook["hook"]["id"].as_str().unwrap();
    receiver.wait_for(had + 1, PATIENCE).await;
    let shown = restored.call("GET", &format!("/hooks/{id}"), &Value::Null).await;
    assert_eq!(shown["status"], "active", "{shown}");
}

/// Restores into a new directory, and starts a server there.
async fn restored(from: &Installation, file: &Path) -> Installation {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(from.data_dir().join("master.key"), directory.path().join("master.key")).unwrap();
    let arguments = ["restore", file.to_str().unwrap(), "--data-dir", "."];
    let output = tidings(directory.path(), &arguments);
    assert!(output.status.success(), "{}", printed(&output));
    let key = [("TIDINGS_BOOTSTRAP_KEY", from.server.key.as_str())];
    let mut server = TestServer::start(Path::new(BINARY), directory.path(), &key).await;
    server.key.clone_from(&from.server.key);
    Installation { server, directory }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_is_refused_and_nothing_is_touched() {
    let installation = Installation::start(&[]).await;
    installation.publish(1).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("one.tidings");
    let made = back_up(&installation, &file);
    assert_eq!((&made["format"], &made["changes"]), (&json!("tidings-backup@1"), &json!(1)));
    assert_eq!(made["master_key"], "not included");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = tidings(&installation.data_dir(), &["backup", file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2), "an existing file is not written over");

    let other = place.path().join("two.tidings.partial");
    fs::write(&other, "another backup, under way").unwrap();
    let two = place.path().join("two.tidings");
    let meanwhile = tidings(&installation.data_dir(), &["backup", two.to_str().unwrap()]);
    assert_eq!(meanwhile.status.code(), Some(1), "{}", printed(&meanwhile));
    assert_eq!(fs::read_to_string(&other).unwrap(), "another backup, under way");

    let restore = |into: &str| {
        let output = tidings(place.path(), &["restore", "one.tidings", "--data-dir", into]);
        (output.status.code(), printed(&output))
    };
    fs::create_dir(place.path().join("full")).unwrap();
    fs::write(place.path().join("full/notes.txt"), "mine").unwrap();
    let (code, said) = restore("full");
    assert!(code == Some(2) && said.contains("notes.txt"), "{said}");

    let manifest = place.path().join("one.tidings.json");
    let (text, bytes) = (fs::read_to_string(&manifest).unwrap(), fs::read(&file).unwrap());
    let mut damaged = bytes.clone();
    damaged[4_000] ^= 1;
    fs::write(&file, &damaged).unwrap();
    let (code, said) = restore("new");
    assert!(code == Some(1) && said.contains("damaged"), "{said}");
    fs::write(&file, &bytes).unwrap();

    fs::remove_file(&manifest).unwrap();
    assert_eq!(restore("new").0, Some(1), "a backup without its manifest");
    fs::write(&manifest, text.replace("tidings-backup@1", "tidings-backup@9")).unwrap();
    let (code, said) = restore("new");
    assert!(code == Some(1) && said.contains("tidings-backup@9"), "{said}");
    fs::write(&manifest, text).unwrap();
    assert!(!place.path().join("new").exists(), "nothing is left behind");

    let (code, said) = restore("new");
    assert!(code == Some(0) && said.contains("master key"), "{said}");
    let there: Vec<_> = fs::read_dir(place.path().join("new"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, ["tidings.sqlite"]);
}

/// A backup whose schema this binary does not know is one of a newer one.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_newer_tidings_is_refused() {
    let installation = Installation::start(&[]).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("new.tidings");
    back_up(&installation, &file);
    let python = "import hashlib, json, sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        db.execute(\"INSERT INTO migration VALUES (99, '0099_future', x'00')\")\n\
        db.commit(); db.close()\n\
        data = open(sys.argv[1], 'rb').read()\n\
        m = json.load(open(sys.argv[1] + '.json'))\n\
        m['bytes'], m['sha256'] = len(data), hashlib.sha256(data).hexdigest()\n\
        m['schema'].append('0099_future')\n\
        json.dump(m, open(sys.argv[1] + '.json', 'w'))\n";
    let mut tampering = std::process::Command::new("python3");
    assert!(tampering.args(["-c", python]).arg(&file).status().unwrap().success());
    let output = tidings(place.path(), &["restore", "new.tidings", "--data-dir", "new"]);
    let said = printed(&output);
    assert!(output.status.code() == Some(1) && said.contains("0099_future"), "{said}");
    assert!(!place.path().join("new/tidings.sqlite").exists());
}

#[test]
fn a_postgresql_store_is_backed_up_by_its_own_tools() {
    let database = PostgresDatabase::create();
    let place = tempfile::tempdir().unwrap();
    let url = [("TIDINGS_DATABASE_URL", database.url.as_str())];
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let output = tidings_with(place.path(), &[command, "file"], &url);
        let said = printed(&output);
        assert!(output.status.code() == Some(2) && said.contains(tool), "{said}");
    }
}
