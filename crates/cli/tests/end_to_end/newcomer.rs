//! From a clone to a webhook on one's own server, with the commands of the README.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tidings_testkit::receiver::TestReceiver;

use crate::fences::Page;
use crate::tidings::PATIENCE;

const NAME: &str = "from_a_clone_to_a_webhook_in_under_five_commands";

/// A newcomer's machine. The commands are run as they stand; what they find is put in its place: `git clone`
/// makes a folder with the tested binary at `target/release/tidings`, and `cargo run --release --` is that binary.
struct Newcomer {
    home: TempDir,
    /// What runs in each terminal. Some stay up.
    terminals: Vec<Child>,
    address: String,
}

impl Newcomer {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let binary = env!("CARGO_BIN_EXE_tidings");
        let program = |name: &str, text: &str| {
            let path = home.path().join("bin").join(name);
            std::fs::write(&path, format!("#!/bin/sh\nset -eu\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        };
        std::fs::create_dir(home.path().join("bin")).unwrap();
        program(
            "git",
            &format!(
                "test \"$1\" = clone\nmkdir -p \"$3/target/release\"\nln -s '{binary}' \"$3/target/release/tidings\""
            ),
        );
        program(
            "cargo",
            "test \"$1 $2 $3\" = 'run --release --'\nshift 3\nexec ./target/release/tidings \"$@\"",
        );
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { home, terminals: Vec::new(), address }
    }

    /// Types a block into a terminal of its own; returns where what it shows is written.
    fn types(&mut self, text: &str, folder: &Path) -> PathBuf {
        let path = format!("{}/bin:{}", self.home.path().display(), std::env::var("PATH").unwrap());
        let shown = self.home.path().join(format!("terminal-{}", self.terminals.len()));
        let file = std::fs::File::create(&shown).unwrap();
        let child = Command::new("sh")
            .args(["-ec", text])
            .current_dir(folder)
            .env("PATH", path)
            .env("HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME")
            .env("TIDINGS_LISTEN", &self.address)
            .env("TIDINGS_URL", format!("http://{}", self.address))
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0)
            .spawn()
            .unwrap();
        self.terminals.push(child);
        shown
    }
}

/// Waits until a terminal shows these words.
async fn shows(terminal: &Path, words: &str) {
    let begun = Instant::now();
    loop {
        let shown = std::fs::read_to_string(terminal).unwrap();
        if shown.contains(words) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not {words}: {shown}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        for child in &mut self.terminals {
            // With all that it started: each terminal is a process group.
            let group = format!("-{}", child.id());
            drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
            drop(child.wait());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_clone_to_a_webhook_in_under_five_commands() {
    let own = TestReceiver::start().await;
    let blocks = Page::read("README.md").fences().into_iter();
    let blocks = blocks.filter(|fence| fence.attribute("test") == Some(NAME));
    let blocks: Vec<_> = blocks.map(|fence| fence.text).collect();
    let [serve, listen, trigger] = &blocks[..] else { panic!("three terminals: {blocks:?}") };
    let lines = blocks.iter().flat_map(|text| text.lines());
    assert!(lines.count() < 5, "{blocks:?}");

    let mut newcomer = Newcomer::new();
    let home = newcomer.home.path().to_owned();
    let checkout = home.join("tidings");
    let server = newcomer.types(&serve.replace("<this repository>", "here"), &home);
    shows(&server, "tidings serves http://").await;
    let listen = listen.replace("http://localhost:3000", own.url("").trim_end_matches('/'));
    let listener = newcomer.types(&listen, &checkout);
    shows(&listener, "forwarding to").await;
    newcomer.types(trigger, &checkout);
    let received = own.wait_for(1, PATIENCE).await.remove(0);
    assert_eq!((&*received.method, &*received.path), ("POST", "/hook"));
    assert!(received.header("webhook-signature").unwrap().starts_with("v1,"), "{received:?}");
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body["type"], "event.created");
}

#[test]
fn the_quick_start_begins_as_the_readme_does() {
    let commands = |page: &str| -> Vec<String> {
        let fences = Page::read(page).fences().into_iter();
        let own = fences.filter(|fence| fence.attribute("test") == Some(NAME));
        own.flat_map(|fence| fence.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let readme = commands("README.md");
    assert_eq!(commands("docs/quick-start.md"), readme.get(1..).unwrap());
}
