//! Exit statuses, and what is said with them.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use crate::place::Place;

const NOBODY: &str = "tdk_000000000000000000000000000000000000";

#[tokio::test]
async fn each_kind_of_end_has_its_exit_status() {
    let place = Place::start().await;
    let key = place.json(&["key", "create", "reader", "--scope", "read"]).await;
    let reader = key["token"].as_str().unwrap_or_else(|| panic!("{key}")).to_owned();
    std::fs::write(place.home.path().join("body"), "{}").unwrap();
    let hook = "hook_00000000000000000009";
    let verify = ["verify", "body", "--id", "m", "--timestamp", "1", "--signature", "v1,AAAA"];
    for (status, key, arguments, said) in [
        (0, None, &["app", "list"][..], ""),
        (1, None, &verify, "signature is wrong"),
        (2, None, &["app", "list", "--colour"], "--colour"),
        (2, None, &["hook", "update", hook], "say what to change"),
        (2, None, &["app", "delete", "app_1"], "--yes"),
        (2, None, &["--url", "ftp://x", "app", "list"], "https://"),
        (2, None, &["--profile", "nobody", "app", "list"], "tidings login"),
        (2, Some(""), &["app", "list"], "there is no key"),
        (3, None, &["hook", "show", hook], "hook"),
        (3, None, &["trigger", "no.such.type"], "--list"),
        (4, Some(NOBODY), &["app", "list"], "does not take this key"),
        (4, Some(&reader), &["send", "a.b", "--data", "{}"], "publish"),
        (4, None, &["send", "hook.x", "--data", "{}"], "/type"),
        (4, None, &["hook", "create", "nonsense"], "/url"),
        (5, None, &["--url", "http://127.0.0.1:9", "app", "list"], "cannot be reached"),
        (5, None, &["--url", "http://127.0.0.1:9", "tail"], "cannot be reached"),
    ] {
        let mut command = place.tidings(arguments);
        command.env("TIDINGS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        if let Some(key) = key {
            command.env("TIDINGS_KEY", key);
        }
        let output = command.output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
        for secret in [NOBODY, &reader, &place.server.key] {
            assert!(!told.contains(secret), "{arguments:?}: {told}");
        }
    }
    let help = place.ok(&["--help"]).await;
    assert!(help.contains("Exit status:") && help.contains("5  the server cannot be reached"));
}

#[tokio::test]
async fn a_profile_is_for_its_owner_only_and_makes_flags_needless() {
    let place = Place::start().await;
    let login = ["login", "--url", &place.server.base_url];
    let mut command = place.tidings(&login);
    let mut child = command
        .env_remove("TIDINGS_KEY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let key = format!("{}\n", place.server.key);
    child.stdin.take().unwrap().write_all(key.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    for told in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(told).contains(&place.server.key));
    }
    let file = place.home.path().join(".config/tidings/profiles.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let asked = async |command: &[&str]| {
        let mut command = place.tidings(command);
        command.env_remove("TIDINGS_KEY").env_remove("TIDINGS_URL").status().await.unwrap().code()
    };
    assert_eq!(asked(&["app", "show"]).await, Some(0));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(asked(&["app", "show"]).await, Some(2));
}
