//! `tidings doctor` finds what is wrong and says how to put it right.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use tidings_testkit::receiver::TestReceiver;

use crate::installation::{Installation, printed, tidings_with};

/// The report, by check.
fn report(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, Value) {
    let arguments = [&["doctor", "--output", "json"], arguments].concat();
    let output = tidings_with(directory, &arguments, variables);
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code().unwrap(), report.unwrap_or_else(|_| panic!("{}", printed(&output))))
}

/// The level of a check and what is said of it.
fn finding<'r>(report: &'r Value, check: &str) -> (&'r str, String) {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    let found = found.unwrap_or_else(|| panic!("{check} was not looked at: {report}"));
    (found["level"].as_str().unwrap(), format!("{} -> {}", found["found"], found["fix"]))
}

#[test]
fn a_new_installation_is_sound_and_every_fault_says_how_to_mend_it() {
    let place = tempfile::tempdir().unwrap();
    let free = [("TIDINGS_LISTEN", "127.0.0.1:0")];
    let (code, sound) = report(place.path(), &["--offline"], &free);
    assert_eq!((code, &sound["failures"]), (0, &Value::from(0)), "{sound}");
    assert!(!place.path().join("tidings-data").exists(), "looking makes nothing");

    fs::create_dir(place.path().join("tidings-data")).unwrap();
    fs::write(place.path().join("tidings-data/tidings.sqlite"), "this is no database").unwrap();
    let (code, broken) = report(place.path(), &["--offline"], &free);
    assert_eq!(code, 1);
    assert_eq!(finding(&broken, "store").0, "failure", "{broken}");
    assert_eq!(finding(&broken, "master key").0, "failure", "{broken}");

    for (variables, check, level, word) in [
        (vec![("TIDINGS_LISTEN", "nowhere")], "configuration", "failure", "listen"),
        (vec![("TIDINGS_DISK_RESERVE", "9000000000000000000")], "disk", "failure", "retention"),
        (vec![("TIDINGS_DATABASE_URL", "postgres://x:y@127.0.0.1:1/z")], "store", "failure", "up"),
        (vec![("TIDINGS_LISTEN", "192.0.2.1:80")], "listen", "failure", "another address"),
    ] {
        let (code, found) = report(place.path(), &["--offline"], &variables);
        let (is, said) = finding(&found, check);
        assert!(code == 1 && is == level && said.contains(word), "{variables:?}: {said}");
        assert!(!found.to_string().contains("x:y"), "no password is shown");
    }
    let every = sound["findings"].as_array().unwrap().iter();
    let every = every.chain(broken["findings"].as_array().unwrap());
    for finding in every {
        let needs = finding["level"] != "good";
        assert_eq!(needs, finding["fix"].is_string(), "{finding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_server_all_is_well_and_a_key_for_all_to_read_is_noticed() {
    let installation = Installation::start(&[]).await;
    let (data_dir, url) = (installation.data_dir(), installation.server.base_url.clone());
    let variables = [
        ("TIDINGS_LISTEN", installation.address()),
        ("TIDINGS_DATA_DIR", data_dir.to_str().unwrap()),
        ("TIDINGS_PUBLIC_URL", &url),
        ("TIDINGS_EGRESS__ALLOW", "127.0.0.0/8"),
        ("TIDINGS_EGRESS__ALLOW_HTTP", "true"),
    ];
    let ports = url.rsplit(':').next().unwrap().to_owned();
    let variables = [&variables[..], &[("TIDINGS_EGRESS__PORTS", ports.as_str())]].concat();
    let (code, well) = report(&data_dir, &[], &variables);
    assert_eq!((code, &well["failures"]), (0, &Value::from(0)), "{well}");
    assert!(finding(&well, "listen").1.contains("a tidings server answers"), "{well}");
    assert_eq!(finding(&well, "public_url").0, "good", "{well}");
    assert!(
        finding(&well, "clock").1.contains("not compared"),
        "our own clock is no witness: {well}"
    );
    assert_eq!(finding(&well, "store").0, "good", "{well}");

    let key = data_dir.join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, found) = report(&data_dir, &["--offline"], &variables);
    let (level, said) = finding(&found, "master key");
    assert!(code == 0 && level == "warning" && said.contains("chmod 600"), "{said}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_asked_and_a_clock_that_is_off_is_told() {
    let place = tempfile::tempdir().unwrap();
    let provider = TestReceiver::start().await;
    let (there, nowhere) = (provider.url("/token"), "http://127.0.0.1:9/token".to_owned());
    for (token_url, level) in [(there, "good"), (nowhere, "failure")] {
        let variables = [
            ("TIDINGS_LISTEN", "127.0.0.1:0"),
            ("TIDINGS_GOOGLE__CLIENT_ID", "tidings"),
            ("TIDINGS_GOOGLE__CLIENT_SECRET", "never shown"),
            ("TIDINGS_GOOGLE__TOKEN_URL", token_url.as_str()),
            ("TIDINGS_EGRESS__ALLOW", "127.0.0.0/8"),
            ("TIDINGS_EGRESS__ALLOW_HTTP", "true"),
            ("TIDINGS_EGRESS__PORTS", token_url.split([':', '/']).nth(4).unwrap()),
        ];
        let (code, found) = report(place.path(), &[], &variables);
        assert_eq!(finding(&found, "google").0, level, "{found}");
        // Without public_url Google can send nobody back.
        assert_eq!((code, finding(&found, "public_url").0), (1, "failure"), "{found}");
        assert!(!found.to_string().contains("never shown"));
    }
}
