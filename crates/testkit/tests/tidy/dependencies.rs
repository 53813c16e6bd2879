//! Who may depend on whom, and on what.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::{File, files, none, read, root};

const DIALECTS: &[&str] = &["native", "connect", "pryv", "pyas", "sync", "vyte"];

/// What each crate may know besides itself; `None`: everything.
fn allowed(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "core" | "inbound" => &[],
        "store" | "providers" | "transform" => &["core"],
        "engine" => &["core", "store", "providers", "transform"],
        "service" => &["core", "store", "providers", "transform"],
        "console" => &["core", "inbound", "service"],
        "simulators" => &["core"],
        "testkit" => &["core", "simulators"],
        "chaos" => &["core", "testkit"],
        // It reads from the store of an ended server what that had planned.
        "bench" => &["core", "simulators", "store"],
        "cli" => return None,
        dialect if DIALECTS.contains(&dialect) => &["core", "inbound", "service"],
        _ => panic!("crate {name} is new: say in tidy/dependencies.rs whom it may know"),
    })
}

/// Normal dependencies between our crates, as (from, to), without the prefix.
fn edges(metadata: &Value) -> BTreeSet<(String, String)> {
    let mut edges = BTreeSet::new();
    for package in array(&metadata["packages"]) {
        let Some(from) = ours(package) else { continue };
        for dependency in array(&package["dependencies"]) {
            if let (Some(to), true) = (ours(dependency), dependency["kind"].is_null()) {
                edges.insert((from.to_owned(), to.to_owned()));
            }
        }
    }
    edges
}

fn ours(named: &Value) -> Option<&str> {
    match named["name"].as_str()? {
        "tidings" => Some("cli"),
        name => name.strip_prefix("tidings-"),
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn forbidden(edges: &BTreeSet<(String, String)>) -> Vec<String> {
    let bad = |(from, to): &&(String, String)| {
        allowed(from).is_some_and(|allowed| !allowed.contains(&to.as_str()))
    };
    edges.iter().filter(bad).map(|(from, to)| format!("{from} must not depend on {to}")).collect()
}

fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let run = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
            .current_dir(root())
            .output()
            .expect("cargo runs the tests, so it is there");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        serde_json::from_slice(&run.stdout).expect("cargo metadata is JSON")
    })
}

#[test]
fn who_may_depend_on_whom() {
    let edges = edges(metadata());
    assert!(edges.contains(&("store".into(), "core".into())), "{edges:?}");
    none(&forbidden(&edges));
    for planted in [
        ("core", "store"),
        ("service", "engine"),
        ("engine", "service"),
        ("native", "store"),
        ("native", "connect"),
        ("pyas", "engine"),
        ("providers", "store"),
        ("store", "providers"),
    ] {
        let planted = BTreeSet::from([(planted.0.to_owned(), planted.1.to_owned())]);
        assert_eq!(forbidden(&planted).len(), 1, "{planted:?}");
    }
}

#[test]
fn every_dialect_is_known_here() {
    let packages = array(&metadata()["packages"]);
    let dialects: BTreeSet<_> = packages
        .iter()
        .filter(|package| {
            let manifest = package["manifest_path"].as_str().unwrap_or_default();
            manifest.contains("/crates/dialects/")
        })
        .filter_map(ours)
        .collect();
    assert_eq!(dialects, DIALECTS.iter().copied().collect());
}

/// The `allow` list of deny.toml, so that there is one list.
fn licences_allowed(deny: &str) -> BTreeSet<&str> {
    let list = deny.split("allow = [").nth(1).and_then(|rest| rest.split(']').next());
    let list = list.expect("deny.toml has a list of licences");
    list.lines()
        .filter_map(|line| line.trim().trim_end_matches(',').strip_prefix('"')?.strip_suffix('"'))
        .collect()
}

/// Whether an SPDX expression can be satisfied with `allowed`. `/` is the old way to write OR.
fn permits(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = expression.split_whitespace().peekable();
    let permitted = any_of(&mut words, allowed);
    permitted && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> bool {
    let mut permitted = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        permitted |= all_of(words, allowed);
    }
    permitted
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> bool {
    let mut permitted = licence(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        permitted &= licence(words, allowed);
    }
    permitted
}

fn licence(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> bool {
    match words.next() {
        Some("(") => any_of(words, allowed) && words.next() == Some(")"),
        Some(id) if words.next_if_eq(&"WITH").is_some() => {
            let exception = words.next().unwrap_or_default();
            allowed.contains(format!("{id} WITH {exception}").as_str())
        }
        // "or any later version" may be taken at its word: this version.
        Some(id) => allowed.contains(id.strip_suffix('+').unwrap_or(id)),
        None => false,
    }
}

#[test]
fn licences_of_all_dependencies_are_allowed() {
    let deny = read("deny.toml");
    let allowed = licences_allowed(&deny);
    for (expression, good) in [
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("Apache-2.0/MIT", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0 WITH Other-exception", false),
        ("GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(permits(expression, &allowed), good, "{expression}");
    }
    let packages = array(&metadata()["packages"]);
    assert!(packages.len() > 50, "the list is too short to be true");
    let bad = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or_default();
        let name = package["name"].as_str().unwrap_or_default();
        (!permits(licence, &allowed)).then(|| format!("{name}: {licence:?} is not in deny.toml"))
    });
    none(&bad.collect::<Vec<_>>());
}

fn without_lints(manifests: &[File]) -> Vec<String> {
    let bad = manifests.iter().filter(|file| !file.text.contains("[lints]\nworkspace = true\n"));
    bad.map(|file| format!("{}: needs [lints] workspace = true", file.path)).collect()
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    none(&without_lints(&files(&["crates", "chaos"], &["Cargo.toml"])));
    let planted = File::planted("crates/x/Cargo.toml", "[lints]\nworkspace = false\n");
    assert_eq!(without_lints(&[planted]).len(), 1);
}
