//! The ten-minute path of the README, with its own commands.

use std::process::Command;

use serde_json::Value;

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{root, run};

/// The block of shell commands that follows `heading`.
fn block(readme: &str, heading: &str) -> String {
    let section = readme.split(heading).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    block.unwrap_or_else(|| panic!("no commands under {heading}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_first_webhook_arrives_with_curl_alone() {
    let tidings = Tidings::start().await;
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let commands = block(&readme, "### 3. Receive your first webhook");
    let commands: Vec<_> = commands.split("\n\n").collect();
    let [inbox, hook, change, look] = commands[..] else { panic!("four steps: {commands:?}") };
    let shell = |commands: &str| {
        let commands = commands.replace("http://127.0.0.1:8480", &tidings.server.base_url);
        let says = run(
            Command::new("sh")
                .args(["-ec", &commands])
                .env("KEY", &tidings.server.key)
                .env("API", tidings.url("/api/v1")),
            "",
        );
        serde_json::from_str::<Value>(&says).unwrap_or_else(|_| panic!("{commands}\n{says}"))
    };
    let inbox = shell(inbox);
    let token = inbox["path"].as_str().unwrap().trim_start_matches("/inbox/");
    let hook = shell(&hook.replace("TOKEN", token));
    assert!(hook["secret"].as_str().unwrap().starts_with("whsec_"), "{hook}");
    assert_eq!(shell(change)["seq"], 1);
    let look = look.replace("inb_…", inbox["id"].as_str().unwrap());
    let begun = std::time::Instant::now();
    let arrived = loop {
        let requests = shell(&look);
        if let Some(request) = requests["data"].get(0) {
            break request["body"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "{requests}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let body: Value = serde_json::from_str(&arrived).unwrap();
    assert_eq!((&body["type"], &body["data"]["invoice"]), (&"invoice.paid".into(), &"in_1".into()));
}

#[test]
fn the_readmes_table_has_every_default() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let shown = run(
        Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["config", "show"])
            .current_dir(directory.path()),
        "",
    );
    let defaults: toml::Table = shown.parse().unwrap();
    let mut rows = 0;
    let mut check = |key: &str, value: &toml::Value| {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{key}`")));
        let row = row.unwrap_or_else(|| panic!("README has no row for {key}"));
        let value = value.to_string().replace('"', "");
        assert!(value == "[]" || row.contains(&format!("| `{value}` |")), "{value}: {row}");
        rows += 1;
    };
    for (key, value) in &defaults {
        match value.as_table() {
            None => check(key, value),
            Some(section) => {
                for (inner, value) in section {
                    check(&format!("{key}.{inner}"), value);
                }
            }
        }
    }
    assert!(rows >= 9, "{shown}");
}
