//! The table of docs/configuration.md, and what the binary says of itself.

use std::process::Command;

use crate::vendor::{root, run};

#[test]
fn the_configuration_page_has_every_default() {
    let page = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
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
        let row = page.lines().find(|line| line.starts_with(&format!("| `{key}`")));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no row for {key}"));
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
