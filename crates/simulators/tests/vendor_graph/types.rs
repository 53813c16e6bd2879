//! JSON as constants of Microsoft's published types, and the compiler that judges them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What OData adds to the types: annotations, and pages. Everything else is Microsoft's.
const PREAMBLE: &str = r#"import type * as graph from "@microsoft/microsoft-graph-types";

type Annotated<T> = T & { "@odata.etag"?: string; "@odata.context"?: string };
type Event = Annotated<Omit<graph.Event, "exceptionOccurrences">> & { exceptionOccurrences?: Event[] };
type Calendar = Annotated<graph.Calendar>;
type User = Annotated<graph.User>;
type Subscription = Annotated<graph.Subscription>;
type Removed = { id: string; "@removed": { reason: "changed" | "deleted" }; type?: graph.EventType };
type Page = { "@odata.context": string; "@odata.nextLink"?: string; "@odata.deltaLink"?: string; value: [] };
type ResourceData = { "@odata.type": string; "@odata.id": string; "@odata.etag": string; id: string };
type Change = Omit<graph.ChangeNotification, "resourceData"> & { resourceData?: ResourceData };
type Refusal = { error: graph.PublicError & { "@event.existingEventId"?: string } };

"#;

/// A list of constants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Constants(Vec<(String, Value)>);

impl Constants {
    pub(crate) fn add(&mut self, kind: &str, value: Value) {
        if !self.0.iter().any(|(known, same)| known == kind && *same == value) {
            self.0.push((kind.to_owned(), value));
        }
    }

    /// A page, and everything on it for itself.
    pub(crate) fn add_page(&mut self, kind: &str, mut page: Value) {
        for value in page["value"].as_array().cloned().unwrap_or_default() {
            let removed = value.get("@removed").is_some();
            self.add(if removed { "Removed" } else { kind }, value);
        }
        page["value"] = Value::Array(Vec::new());
        self.add("Page", page);
    }

    /// How many there are of a type.
    pub(crate) fn of(&self, kind: &str) -> usize {
        self.0.iter().filter(|(known, _)| known == kind).count()
    }

    /// What the compiler complains about: the constants, each by its place and the first complaint.
    pub(crate) fn complaints(&self, name: &str) -> Vec<(usize, String)> {
        let mut source = PREAMBLE.to_owned();
        let first = source.lines().count() + 1;
        for (number, (kind, value)) in self.0.iter().enumerate() {
            writeln!(source, "export const c{number}: {kind} = {value};").unwrap();
        }
        let said = compile(name, &source);
        let mut complaints: Vec<(usize, String)> = Vec::new();
        for line in said.lines().filter(|line| line.contains("error TS")) {
            let at = line.split_once("constants.ts(").and_then(|(_, at)| at.split_once(','));
            let line_number: usize = at.map_or(0, |(at, _)| at.parse().unwrap());
            assert!(line_number >= first, "not about a constant: {line}");
            if complaints.last().is_none_or(|(last, _)| *last != line_number - first) {
                complaints.push((line_number - first, line.to_owned()));
            }
        }
        assert_eq!(said.is_empty(), complaints.is_empty(), "{said}");
        complaints
    }
}

fn vendor() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vendor")
}

/// Runs Microsoft's compiler over Microsoft's types; nothing is emitted.
fn compile(name: &str, source: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("constants.ts"), source).unwrap();
    let modules = vendor().join("node_modules").canonicalize().unwrap_or_else(|error| {
        panic!("tests/vendor/node_modules ({error}): run ./test once, which installs it")
    });
    let types = modules.join("@microsoft/microsoft-graph-types/microsoft-graph.d.ts");
    let options = serde_json::json!({
        "compilerOptions": {
            "strict": true, "noEmit": true, "types": [], "target": "es2022", "module": "es2022",
            "moduleResolution": "bundler",
            "paths": { "@microsoft/microsoft-graph-types": [types] },
        },
        "files": ["constants.ts"],
    });
    std::fs::write(folder.join("tsconfig.json"), options.to_string()).unwrap();
    let run = Command::new("node")
        .arg(modules.join("typescript/bin/tsc"))
        .args(["--pretty", "false", "--project", "."])
        .current_dir(&folder)
        .output()
        .expect("node is there: ./test installs it");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.success(), said.is_empty(), "{said}");
    said
}
