//! The receivers of docs/receiving, run against the real binary and judged by `docs/receiving/check`.

use std::path::Path;
use std::process::Command;

use crate::fences::{Page, pages};
use crate::vendor::{python, root, run};

#[test]
fn receivers_of_the_pages_take_what_is_genuine_once_and_refuse_the_rest() {
    let binary = Path::new(env!("CARGO_BIN_EXE_tidings"));
    let examples = binary.parent().unwrap().join("examples");
    assert!(
        examples.join("receiver_by_hand").exists(),
        "a run of all tests builds the examples; alone: cargo build -p tidings --examples"
    );
    let says = run(
        Command::new(python())
            .arg(root().join("docs/receiving/check"))
            .args(["python", "node", "rust"])
            .env("TIDINGS_BIN", binary)
            .env("RECEIVERS", examples),
        "",
    );
    let told: Vec<_> = says.lines().collect();
    assert_eq!(
        told,
        [
            "python, hand: right",
            "python, library: right",
            "node, hand: right",
            "node, library: right",
            "rust, hand: right",
            "rust, library: right"
        ]
    );
}

#[test]
fn the_rust_page_is_the_code_of_the_examples() {
    let page = Page::read("docs/receiving/rust.md");
    let example = |name: &str| Page::read(&format!("crates/cli/examples/receiver/{name}.rs")).text;
    let mut files = 0;
    for fence in page.fences() {
        let text = match (fence.attribute("file"), fence.attribute("variant")) {
            (Some("verify.rs"), Some("library")) => example("with_library"),
            (Some("verify.rs"), Some("hand")) => example("by_hand"),
            (Some("main.rs"), None) => format!("mod verify;\n\n{}", example("server")),
            _ => continue,
        };
        assert_eq!(fence.text, text, "{}: copy the one into the other", fence.place);
        files += 1;
    }
    assert_eq!(files, 3);
}

#[test]
fn files_of_receivers_are_on_the_pages_that_are_run() {
    let with_files = |page: &Page| page.fences().iter().any(|f| f.attribute("file").is_some());
    let found: Vec<_> = pages().into_iter().filter(with_files).map(|page| page.path).collect();
    let names = ["csharp", "go", "java", "node", "php", "python", "ruby", "rust"];
    assert_eq!(found, names.map(|name| format!("docs/receiving/{name}.md")));
}
