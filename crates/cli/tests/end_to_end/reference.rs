//! The pages that are made from the program: docs/command-line.md from its help, docs/api.md from its OpenAPI
//! document. `RENEW_DOCS=1 cargo test -p tidings --test end_to_end reference` writes them anew.

mod api;
mod command_line;

use crate::vendor::root;

const RENEW: &str = "RENEW_DOCS";

/// The page must be this text, or becomes it when renewing is asked for.
fn is_current(page: &str, text: &str) {
    let path = root().join(page);
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(
        there == text,
        "{page} is not what the program says (first difference: {differs:?}). Renew it: \
         {RENEW}=1 cargo test -p tidings --test end_to_end reference"
    );
}
