//! `tidings serve` and its neighbours, run as an operator runs them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use http::StatusCode;
use tidings_testkit::server::TestServer;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");

fn tidings(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .current_dir(directory)
        .envs(environment.iter().copied())
        .output()
        .expect("the binary can be run")
}

#[tokio::test]
async fn a_server_starts_unattended_and_ends_well_on_sigterm() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = TestServer::start(Path::new(BINARY), directory.path(), &[]).await;
    assert_eq!(server.status("/healthz").await, Some(StatusCode::OK));
    assert_eq!(server.status("/inbox/nobody").await, Some(StatusCode::NOT_FOUND));
    assert_eq!(server.status("/api/v1/apps").await, Some(StatusCode::UNAUTHORIZED));
    assert_eq!(server.sigterm().await.code(), Some(0));
    assert_eq!(server.status("/healthz").await, None);
    server.restart().await;
    server.kill9().await;
    server.restart().await;
    assert_eq!(server.status("/readyz").await, Some(StatusCode::OK));
}

#[test]
fn a_wrong_configuration_is_status_2_and_says_what() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tidings.toml"), "listen = \"127.0.0.1:0\"\n").unwrap();
    let right = tidings(directory.path(), &["config", "check"], &[]);
    assert_eq!(right.status.code(), Some(0));
    std::fs::write(directory.path().join("tidings.toml"), "lisen = \"127.0.0.1:0\"\n").unwrap();
    for arguments in [&["serve"][..], &["config", "check"], &["config", "show"]] {
        let wrong = tidings(directory.path(), arguments, &[]);
        let told = String::from_utf8_lossy(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(2), "{told}");
        assert!(told.contains("lisen"), "{told}");
    }
}

#[test]
fn a_generated_key_is_one_that_a_start_accepts() {
    let directory = tempfile::tempdir().unwrap();
    let generated = tidings(directory.path(), &["key", "generate"], &[]);
    let key = String::from_utf8(generated.stdout).unwrap();
    let environment = [("TIDINGS_BOOTSTRAP_KEY", key.trim())];
    let shown = tidings(directory.path(), &["config", "check"], &environment);
    assert_eq!(shown.status.code(), Some(0));
    let shown = tidings(directory.path(), &["config", "show"], &environment);
    assert!(!String::from_utf8_lossy(&shown.stdout).contains(key.trim()));
}

#[test]
fn the_owner_key_is_shown_on_the_first_start_only() {
    let directory = tempfile::tempdir().unwrap();
    let told = || {
        let mut server = Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = server.id().to_string();
        // Standard error ends with the process: the first log line says that it serves.
        let mut log = BufReader::new(server.stderr.take().unwrap());
        let mut serving = String::new();
        log.read_line(&mut serving).unwrap();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let output = server.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        assert!(!serving.contains("tdk_") && !rest.contains("tdk_"), "{serving}{rest}");
        assert!(serving.starts_with('{'), "{serving}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (first, second) = (told(), told());
    assert!(first.contains("owner key, shown this once: tdk_"), "{first}");
    assert!(second.contains("tidings serves http://127.0.0.1:"), "{second}");
    assert!(!second.contains("tdk_"), "{second}");
}
