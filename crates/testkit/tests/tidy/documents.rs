//! What the documents promise is there.

use std::collections::BTreeSet;
use std::fs;

use crate::{none, read, root, rust};

/// The names of all test functions.
pub(crate) fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in rust() {
        let mut is_test = false;
        for line in file.text.lines().map(str::trim_start) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
                names.extend(rest.split('(').next().map(str::to_owned));
                is_test = false;
            }
        }
    }
    names.extend(conformance_cases(&read("crates/store/tests/conformance.rs")));
    names
}

/// The cases of the store's conformance suite, which its macro turns into tests.
fn conformance_cases(suite: &str) -> Vec<String> {
    let (_, list) = suite.split_once("\nconformance! {").expect("the suite lists its cases");
    let words = list.split_whitespace().filter(|word| !word.ends_with(':'));
    let names = words.map(|word| word.trim_end_matches(';'));
    names
        .filter(|name| name.contains(char::is_alphanumeric) && !name.starts_with('['))
        .map(str::to_owned)
        .collect()
}

/// Every line with `mark` must end with (test: `name`), or several names, each of an existing test.
fn unproved(document: &str, mark: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for line in document.lines().filter(|line| line.contains(mark)) {
        let names: Vec<_> = line
            .rsplit_once("(test: ")
            .map_or("", |(_, names)| names)
            .split('`')
            .skip(1)
            .step_by(2)
            .collect();
        if names.is_empty() {
            complaints.push(format!("names no test: {line}"));
        }
        let missing = names.iter().filter(|name| !tests.contains(**name));
        complaints.extend(missing.map(|name| format!("there is no test {name}: {line}")));
    }
    complaints
}

#[test]
fn every_invariant_names_an_existing_test() {
    let (document, tests) = (read("ARCHITECTURE.md"), tests());
    assert!(document.matches("**Invariant:**").count() >= 9, "where are the invariants?");
    none(&unproved(&document, "**Invariant:**", &tests));
    none(&unproved(&read("docs/guarantees.md"), "**Proved by:**", &tests));
    for planted in [
        "**Invariant:** water is wet",
        "**Invariant:** water is wet (test: `no_such_test`)",
        "**Invariant:** x (test: `every_invariant_names_an_existing_test`, `no_such_test`)",
    ] {
        assert_eq!(unproved(planted, "**Invariant:**", &tests).len(), 1, "{planted}");
    }
    assert_eq!(
        conformance_cases("\nconformance! { [sqlite] {\n journal:\n a_b\n c_d;\n} }"),
        ["a_b", "c_d"]
    );
    let good = "**Invariant:** x (test: `every_invariant_names_an_existing_test`)";
    assert_eq!(unproved(good, "**Invariant:**", &tests), Vec::<String>::new());
}

fn folders(path: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(path)).expect("the folder is there");
    let entries = entries.map(|entry| entry.expect("it can be listed"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| format!("{path}/{}", entry.file_name().to_string_lossy())).collect()
}

/// The crates named in the first column of the code map.
fn mapped(document: &str) -> BTreeSet<String> {
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `crates/"));
    cells.filter_map(|rest| rest.split('`').next()).map(|name| format!("crates/{name}")).collect()
}

#[test]
fn the_code_map_lists_exactly_the_crates() {
    let mut there = folders("crates");
    assert!(there.remove("crates/dialects"));
    there.extend(folders("crates/dialects"));
    assert_eq!(mapped(&read("ARCHITECTURE.md")), there);
    let planted = mapped("| `crates/nowhere` | nothing |");
    assert_eq!(planted, BTreeSet::from(["crates/nowhere".to_owned()]));
}

#[test]
fn each_dialect_has_its_wire_contract() {
    for dialect in folders("crates/dialects") {
        let contract = read(&format!("{dialect}/README.md"));
        assert!(contract.contains("wire contract"), "{dialect}/README.md is not a wire contract");
    }
}

/// Targets of links to files of this repository.
fn links(document: &str) -> impl Iterator<Item = &str> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    targets.filter_map(|target| target.split('#').next())
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = vec![String::from("README.md"), "ARCHITECTURE.md".into()];
    documents.extend(["CONTRIBUTING.md".into(), "CHANGELOG.md".into()]);
    documents.extend(["docs/guarantees.md".into(), "docs/operating.md".into()]);
    documents.extend(["docs/benchmarks.md".into(), "docs/dialects.md".into()]);
    let mut dead = Vec::new();
    for document in documents {
        let folder = root().join(&document);
        let folder = folder.parent().expect("a file is in a folder");
        let text = read(&document);
        let missing = links(&text).filter(|target| !folder.join(target).exists());
        dead.extend(missing.map(|target| format!("{document}: {target} is not there")));
    }
    none(&dead);
    assert_eq!(links("[a](docs/x.md#y) [b](https://c) [d](#e)").collect::<Vec<_>>(), ["docs/x.md"]);
}

#[test]
fn the_readme_opens_with_the_two_commands() {
    let readme = read("README.md");
    let first = readme.split("```").nth(1).expect("it has a block of code");
    let commands: Vec<_> =
        first.lines().skip(1).map(|line| line.split('#').next().unwrap_or("").trim()).collect();
    assert_eq!(commands, ["cargo run --release -- demo", "./test"]);
}

/// What is wrong with the rows of the tables in which each last cell names tests.
fn unproved_rows(document: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let is_frame = |row: &str| row.starts_with("|---") || row.ends_with("| test |");
    let rows = document.lines().filter(|line| line.starts_with('|') && !is_frame(line));
    let mut complaints = Vec::new();
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names: Vec<_> = last.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            complaints.push(format!("names no test: {row}"));
        }
        let missing = names.iter().filter(|name| !tests.contains(**name));
        complaints.extend(missing.map(|name| format!("there is no test {name}: {row}")));
    }
    complaints
}

#[test]
fn every_promise_of_a_dialect_names_an_existing_test() {
    let (document, tests) = (read("docs/dialects.md"), tests());
    for dialect in ["Pyas", "Mobiscroll Connect", "Sync", "Vyte", "Pryv"] {
        let (_, section) =
            document.split_once(&format!("\n## {dialect}\n")).expect("a section each");
        let section = section.split("\n## ").next().unwrap_or_default();
        assert!(section.lines().filter(|line| line.starts_with('|')).count() >= 12, "{dialect}");
    }
    none(&unproved_rows(&document, &tests));
    let frame = "| promise | test |\n|---|---|\n";
    for (row, complaints) in [
        ("| it is so | `every_promise_of_a_dialect_names_an_existing_test` |", 0),
        ("| it is so | |", 1),
        ("| it is so | `no_such_test` |", 1),
    ] {
        assert_eq!(unproved_rows(&format!("{frame}{row}"), &tests).len(), complaints, "{row}");
    }
}
