//! Log lines follow `docs/logs.md`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidings_testkit::receiver::TestReceiver;
use tidings_testkit::server::TestServer;

use crate::installation::{BINARY, Installation, PATIENCE, repository};

/// Of every line.
const KEYS: [&str; 4] = ["timestamp", "level", "message", "target"];

/// The fields of the table in `docs/logs.md`.
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string(repository("docs/logs.md")).unwrap();
    let (_, section) = text.split_once("\n## Fields\n").unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = cells.map(|line| line.split(" |").next().unwrap());
    cells.flat_map(|cell| cell.split("`, `")).map(|name| name.trim_matches('`').into()).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "tests" | "simulators" | "testkit") {
            sources(&path, found);
        } else if name.ends_with(".rs") && path.components().any(|part| part.as_os_str() == "src") {
            found.push(path);
        }
    }
}

/// The fields that a source text logs: what stands before the message.
fn fields(text: &str) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        for call in text.split(&format!("tracing::{level}!(")).skip(1) {
            let before = call.split('"').next().unwrap();
            let names = before.split(',').map(|field| field.split('=').next().unwrap());
            let names = names.map(|name| name.trim().trim_start_matches(['%', '?']).to_owned());
            fields.extend(names.filter(|name| !name.is_empty()));
        }
    }
    fields
}

#[test]
fn every_field_is_documented() {
    let mut paths = Vec::new();
    sources(&repository("crates"), &mut paths);
    assert!(paths.len() > 100, "where are the sources?");
    let logged: BTreeSet<_> =
        paths.iter().flat_map(|path| fields(&fs::read_to_string(path).unwrap())).collect();
    let documented = documented();
    assert_eq!(logged, documented);
    assert!(KEYS.iter().all(|key| !logged.contains(*key)), "a field hides a key of the line");
    let planted = "tracing::warn!(%error, hook.id = %id,\n    count = 3, \"x, y = {}\", z)";
    let expected = ["count", "error", "hook.id"].map(str::to_owned);
    assert_eq!(fields(planted), BTreeSet::from(expected));
}

/// A server that logs everything of ours into a file.
async fn logged(directory: &Path) -> (TestServer, PathBuf) {
    let (script, log) = (directory.join("logged"), directory.join("tidings.log"));
    let text = format!("#!/bin/sh\nexec '{BINARY}' \"$@\" 2>>'{}'\n", log.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let settings = [("TIDINGS_LOG__FORMAT", "json"), ("TIDINGS_LOG__LEVEL", "trace")];
    (TestServer::start(&script, directory, &settings).await, log)
}

fn check(line: &str, documented: &BTreeSet<String>) {
    let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let object = line.as_object().unwrap();
    for key in KEYS {
        assert!(object[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {line}");
    }
    let level = object["level"].as_str().unwrap();
    assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line}");
    let at = object["timestamp"].as_str().unwrap();
    assert!(at.len() == 27 && at.ends_with('Z') && at.as_bytes()[10] == b'T', "{at}");
    if object["target"].as_str().unwrap().starts_with("tidings") {
        let keys = object.keys().filter(|key| !KEYS.contains(&key.as_str()));
        let unknown: Vec<_> = keys.filter(|key| !documented.contains(*key)).collect();
        assert!(unknown.is_empty(), "{unknown:?} of {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_follow_the_rules_and_hold_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (server, log) = logged(directory.path()).await;
    let mut tidings = Installation { server, directory };
    let receiver = TestReceiver::start().await;
    let hook = json!({"url": receiver.url("/in/deep"), "triggers": ["*"],
        "access": {"headers": {"x-entry": "entry-word-7"}}});
    let hook = tidings.call("POST", "/hooks", &hook).await;
    let broken = json!({"url": "http://127.0.0.1:9/broken-path", "triggers": ["*"]});
    tidings.call("POST", "/hooks", &broken).await;
    let account = json!({"provider": "caldav", "server_url": "http://127.0.0.1:9/dav",
        "username": "ada-the-user", "password": "pass-word-7"});
    tidings.call("POST", "/accounts", &account).await;
    let change = json!({"type": "order.placed", "data": {"title": "content-word-7"}});
    tidings.call("POST", "/changes", &change).await;
    receiver.wait_for(1, PATIENCE).await;
    assert!(tidings.server.sigterm().await.success());

    let text = fs::read_to_string(&log).unwrap();
    let documented = documented();
    text.lines().for_each(|line| check(line, &documented));
    for message in ["serving", "stopping", "stopped"] {
        let wanted = format!("\"message\":\"{message}\"");
        assert_eq!(text.matches(&wanted).count(), 1, "{message}");
    }
    let secret = hook["secret"].as_str().unwrap();
    for hidden in [
        secret,
        tidings.server.key.as_str(),
        "content-word-7",
        "entry-word-7",
        "pass-word-7",
        "broken-path",
    ] {
        let line = text.lines().find(|line| line.contains(hidden));
        assert!(line.is_none(), "{line:?}");
    }
}
