//! The documentation as a book: every page is in its summary, every link leads to a page and a place on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::documents::tests;
use crate::{File, files, none, read, root};

/// The pages below docs, by their path in it.
fn pages() -> BTreeMap<String, String> {
    let pages = files(&["docs"], &[".md"]).into_iter();
    let own = |file: File| Some((file.path.strip_prefix("docs/")?.to_owned(), file.text));
    pages.filter_map(own).filter(|(path, _)| path != "SUMMARY.md").collect()
}

/// Text outside of fenced blocks.
fn prose(page: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in page.lines() {
        let is_fence = line.trim_start().starts_with("```");
        if !inside && !is_fence {
            kept.push_str(line);
            kept.push('\n');
        }
        inside ^= is_fence;
    }
    kept
}

/// Targets of the links of a page, without those that leave the repository.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// The name by which a heading is linked to, as mdBook and GitHub make it.
fn anchor(heading: &str) -> String {
    let is_kept = |letter: &char| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter);
    let text = heading.trim().chars().filter(is_kept).flat_map(char::to_lowercase);
    text.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// The headings of a page, and of what it includes.
fn anchors(folder: &str, page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in prose(page).lines() {
        if let Some(heading) = line.strip_prefix('#') {
            found.insert(anchor(heading.trim_start_matches('#')));
        }
        let included = line.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
        if let Some(included) = included {
            found.extend(anchors("", &read(&format!("{folder}{included}"))));
        }
    }
    found
}

/// `a/b` and `../c` give `a/../c`, without the dots: `c`.
fn joined(page: &str, target: &str) -> String {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What is wrong with the links of these pages to each other.
fn dead(pages: &BTreeMap<String, String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in pages {
        for link in links(text) {
            let (target, place) = link.split_once('#').unwrap_or((&link, ""));
            let target = if target.is_empty() { path.clone() } else { joined(path, target) };
            match pages.get(&target) {
                Some(page) => {
                    let folder = format!("docs/{target}");
                    let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
                    if !place.is_empty() && !anchors(&format!("{folder}/"), page).contains(place) {
                        complaints.push(format!("docs/{path}: {target} has no heading {place}"));
                    }
                }
                None if !root().join("docs").join(&target).exists() => {
                    complaints.push(format!("docs/{path}: {target} is not there"));
                }
                // A site has the pages of docs only.
                None if target.ends_with(".md") && !path.starts_with("contracts/") => {
                    complaints.push(format!("docs/{path}: {target} is no page of the book"));
                }
                None => {}
            }
        }
    }
    complaints
}

#[test]
fn links_between_pages_of_the_book_lead_to_a_page_and_a_place() {
    none(&dead(&pages()));
    let page = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let planted = BTreeMap::from([
        page("a.md", "# One place\n[x](b/c.md#Two) [y](#one-place) [z](https://x/#y)"),
        page(
            "b/c.md",
            "## Two, too\n[x](../a.md#two) [y](gone.md) [z](#two-too) [r](../../README.md)",
        ),
    ]);
    assert_eq!(dead(&planted).len(), 4, "{:?}", dead(&planted));
}

/// What is wrong with a summary of these pages.
fn unlisted(summary: &str, pages: &BTreeMap<String, String>) -> Vec<String> {
    let listed = links(summary);
    let mut complaints = Vec::new();
    for page in pages.keys() {
        let times = listed.iter().filter(|target| *target == page).count();
        if times != 1 {
            complaints.push(format!("docs/{page} is {times} times in docs/SUMMARY.md"));
        }
    }
    let gone = listed.iter().filter(|target| !pages.contains_key(*target));
    complaints.extend(gone.map(|target| format!("docs/SUMMARY.md: {target} is not there")));
    complaints
}

#[test]
fn the_summary_lists_every_page() {
    none(&unlisted(&read("docs/SUMMARY.md"), &pages()));
    let pages =
        BTreeMap::from([("a.md".to_owned(), String::new()), ("b.md".to_owned(), String::new())]);
    assert_eq!(unlisted("[a](a.md) [a](a.md) [c](c.md)", &pages).len(), 3);
}

#[test]
fn links_of_the_readme_into_the_book_lead_to_a_place() {
    let pages = pages();
    let mut complaints = Vec::new();
    for link in links(&read("README.md")) {
        let Some((target, place)) = link.split_once('#') else { continue };
        let text = read(if target.is_empty() { "README.md" } else { target });
        if !anchors("docs/", &text).contains(place) {
            complaints.push(format!("README.md: {target} has no heading {place}"));
        }
    }
    none(&complaints);
    assert!(pages.len() > 20, "where are the pages?");
}

/// The tests that are said to run blocks: `test=name` in an info string.
fn named(page: &str) -> Vec<&str> {
    let fences = page.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
    let words = fences.flat_map(str::split_whitespace);
    words.filter_map(|word| word.strip_prefix("test=")).collect()
}

#[test]
fn a_block_that_a_test_runs_names_an_existing_test() {
    let tests = tests();
    let mut pages = pages();
    pages.insert("../README.md".into(), read("README.md"));
    let mut complaints = Vec::new();
    for (path, text) in &pages {
        let missing = named(text).into_iter().filter(|name| !tests.contains(*name));
        complaints.extend(missing.map(|name| format!("docs/{path}: there is no test {name}")));
    }
    none(&complaints);
    assert_eq!(named("```sh test=no_such_test\n```\n"), ["no_such_test"]);
}

#[test]
fn every_line_of_the_asvs_list_names_an_existing_test() {
    let (document, tests) = (read("docs/asvs.md"), tests());
    let rows: Vec<_> = document.lines().filter(|line| line.starts_with("| V")).collect();
    assert!(rows.len() >= 20, "where are the lines?");
    let mut complaints = Vec::new();
    for row in rows {
        let names: Vec<_> =
            row.rsplit(" | ").next().unwrap_or_default().split('`').skip(1).step_by(2).collect();
        if names.is_empty() || names.iter().any(|name| !tests.contains(*name)) {
            complaints.push(format!("names no existing test: {row}"));
        }
    }
    none(&complaints);
}
