//! The fenced blocks of the documentation, and what their info strings say of them.
//!
//! ```text
//! sh run                  run it, in order with the page's others; it must succeed
//! sh run until            repeat it until the outcome shows
//! json outcome            what the block before it prints: the pieces between … occur in this order
//! python file=receiver.py a file of a receiver, see receiving.rs
//! sh test=some_test       the test of this name runs it
//! sh skip="a reason"      nobody runs it, because …
//! ```
//!
//! The same may stand in a comment on the line before a block that people are to copy as it is.

use std::path::{Path, PathBuf};

use crate::vendor::root;

/// A block of a page.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    /// `docs/quick-start.md:12`.
    pub(crate) place: String,
    pub(crate) language: String,
    attributes: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Fence {
    /// The value of an attribute; empty when it has none.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(name, _)| name.as_str())
    }
}

/// A page of the documentation, from the root of the repository.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        Self { path: path.to_owned(), text }
    }

    pub(crate) fn fences(&self) -> Vec<Fence> {
        fences(&self.path, &self.text)
    }
}

/// README and everything below docs.
pub(crate) fn pages() -> Vec<Page> {
    let mut found = vec![Page::read("README.md")];
    let mut open = vec![PathBuf::from("docs")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path: PathBuf = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                open.push(path);
            } else if path.extension() == Some(Path::new("md").as_os_str()) {
                found.push(Page::read(path.to_str().unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn fences(path: &str, page: &str) -> Vec<Fence> {
    let mut found: Vec<Fence> = Vec::new();
    let mut inside = false;
    let mut before = "";
    for (number, line) in (1..).zip(page.lines()) {
        let info = line.trim_start().strip_prefix("```");
        match (inside, info) {
            (false, Some(info)) => {
                let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
                found.push(Fence {
                    place: format!("{path}:{number}"),
                    language: language.to_owned(),
                    attributes: [attributes(rest), attributes(comment(before))].concat(),
                    text: String::new(),
                });
                inside = true;
            }
            (true, Some("")) => inside = false,
            (true, _) => {
                let text = &mut found.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (false, None) => {}
        }
        before = line;
    }
    assert!(!inside, "{path}: a block that does not end");
    found
}

/// What a line says that is nothing but a comment; else nothing.
fn comment(line: &str) -> &str {
    let inner = line.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
    inner.unwrap_or_default()
}

/// `a b=c d="e f"`.
fn attributes(info: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = info.trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix('=') {
            None => ("", after),
            Some(after) => match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.split_once(' ').unwrap_or((after, "")),
            },
        };
        found.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    found
}

#[test]
fn blocks_and_their_attributes_are_read() {
    let page = "x\n```sh run until\na\n\nb\n```\n<!-- test=t -->\n   ```js file=a.mjs skip=\"no, why = because\"\n```\n";
    let [shell, script] = &fences("p.md", page)[..] else { panic!("two blocks") };
    assert_eq!((shell.attribute("test"), script.attribute("test")), (None, Some("t")));
    assert_eq!((&*shell.place, &*shell.language, &*shell.text), ("p.md:2", "sh", "a\n\nb\n"));
    assert_eq!(shell.names().collect::<Vec<_>>(), ["run", "until"]);
    assert_eq!(script.attribute("file"), Some("a.mjs"));
    assert_eq!(script.attribute("skip"), Some("no, why = because"));
    assert_eq!(script.attribute("run"), None);
}
