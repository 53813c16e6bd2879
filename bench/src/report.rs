//! The results in a document: between two marks of their store, so that the text around them stays.

use std::path::Path;

/// Puts `results` into `file` in place of the last ones of this store; at the end when there are none.
///
/// # Errors
/// The file cannot be read or written.
pub(crate) fn write(file: &Path, store: &str, results: &str) -> Result<(), String> {
    let named = |error: std::io::Error| format!("--markdown {}: {error}", file.display());
    let document = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(named)?,
    };
    std::fs::write(file, placed(&document, store, results)).map_err(named)
}

fn placed(document: &str, store: &str, results: &str) -> String {
    let (begin, end) = (format!("<!-- results: {store} -->\n"), "<!-- end of results -->\n");
    let old = document.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(end)?;
        Some((before, after))
    });
    let (before, after) = old.unwrap_or((document, ""));
    let gap = if old.is_some() || before.is_empty() { "" } else { "\n" };
    format!("{before}{gap}{begin}{results}\n{end}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_replace_those_of_their_store_only() {
        let first = placed("# Text\n", "A", "one");
        let expect = "# Text\n\n<!-- results: A -->\none\n<!-- end of results -->\n";
        assert_eq!(first, expect);
        let both = placed(&first, "B", "two");
        assert_eq!(placed(&both, "A", "three"), both.replace("one", "three"));
        assert_eq!(
            placed(&(both.clone() + "tail\n"), "B", "x"),
            both.replace("two", "x") + "tail\n"
        );
    }
}
