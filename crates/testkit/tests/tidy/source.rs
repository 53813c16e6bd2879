//! The shape of the source.

use std::collections::BTreeSet;

use crate::{File, files, none, read, rust};

const LINES_MAX: usize = 500;
const MODULE_NAMES_BANNED: &[&str] = &[
    "mod.rs",
    "utils.rs",
    "util.rs",
    "common.rs",
    "helpers.rs",
    "helper.rs",
    "misc.rs",
    "manager.rs",
];
const SQL: &[&str] = &["SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "ON CONFLICT"];

/// A complaint for each file that `bad` says something about.
fn complaints(files: &[File], bad: impl Fn(&File) -> Option<String>) -> Vec<String> {
    let complaint = |file| bad(file).map(|what| format!("{}: {what}", file.path));
    files.iter().filter_map(complaint).collect()
}

fn too_long(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    (lines > LINES_MAX).then(|| format!("{lines} lines, at most {LINES_MAX}"))
}

#[test]
fn files_are_short() {
    none(&complaints(&rust(), too_long));
    let planted = File::planted("crates/x/src/a.rs", &"\n".repeat(LINES_MAX + 1));
    assert!(too_long(&planted).is_some());
}

fn badly_named(file: &File) -> Option<String> {
    MODULE_NAMES_BANNED.contains(&file.name()).then(|| "a name that says nothing".to_owned())
}

#[test]
fn module_names_say_something() {
    none(&complaints(&rust(), badly_named));
    assert!(badly_named(&File::planted("crates/x/src/utils.rs", "")).is_some());
}

fn unfinished(file: &File) -> Option<String> {
    // Written apart so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut words = file.text.split(|c: char| !c.is_ascii_alphanumeric());
    words.find(|word| marks.contains(word)).map(|word| format!("says {word}"))
}

#[test]
fn nothing_is_left_for_later_in_the_source() {
    none(&complaints(&rust(), unfinished));
    let planted = File::planted("crates/x/src/a.rs", concat!("// TO", "DO: later"));
    assert!(unfinished(&planted).is_some());
    assert!(unfinished(&File::planted("a.rs", "BEGIN:VTODO")).is_none());
}

fn speaks_sql(file: &File) -> Option<String> {
    if file.path.starts_with("crates/store/") || file.is_test() {
        return None;
    }
    let found = SQL.iter().find(|sql| file.product().contains(**sql));
    found.map(|sql| format!("SQL ({sql}) belongs in crates/store"))
}

#[test]
fn sql_is_in_the_store_only() {
    none(&complaints(&rust(), speaks_sql));
    let planted = "conn.execute(\"INSERT INTO app VALUES (1)\")";
    assert!(speaks_sql(&File::planted("crates/service/src/a.rs", planted)).is_some());
    assert!(speaks_sql(&File::planted("crates/store/src/a.rs", planted)).is_none());
}

/// Bounds that describe a form, a vendor as simulated, a test's or a thread's own matter, and are no
/// limit of Tidings: a judge of our limits must not share them.
/// Each must still be there: what is gone from the source goes from here.
const FORM_BOUNDS: &[&str] = &[
    "crates/cli/src/listener/connection.rs BUFFER_BYTES_MAX",
    "crates/cli/src/listener/connection.rs LINGER_BYTES_MAX",
    "crates/dialects/native/src/request_id.rs CLIENT_ID_BYTES_MAX",
    "crates/providers/src/icalendar/time.rs ONSETS_MAX",
    "crates/simulators/src/zoom/occurrence.rs TIMES_MAX",
    "crates/store/src/read.rs READERS_MAX",
    "crates/store/src/writer.rs COMMIT_TIME_MAX",
];

/// Constants named as limits outside the core, as "path NAME".
fn limits_elsewhere(files: &[File]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files {
        // The demo's patience binds nobody but itself.
        let apart = ["crates/core/", "crates/cli/src/demo", "chaos/"];
        if file.is_test() || apart.iter().any(|path| file.path.starts_with(path)) {
            continue;
        }
        for line in file.product().lines().map(str::trim_start) {
            let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            let Some(rest) = line.trim_start_matches("pub ").strip_prefix("const ") else {
                continue;
            };
            let name = rest.split(':').next().unwrap_or_default();
            let is_limit = |word| ["MAX", "MIN", "DEADLINE", "BUDGET", "TIMEOUT"].contains(&word);
            if name.split('_').any(is_limit) {
                found.insert(format!("{} {name}", file.path));
            }
        }
    }
    found
}

#[test]
fn limits_are_in_the_core_only() {
    let found = limits_elsewhere(&rust());
    let known: BTreeSet<_> = FORM_BOUNDS.iter().map(|known| (*known).to_owned()).collect();
    let new = found.difference(&known).map(|new| format!("{new}: to core/src/limits.rs"));
    let gone = known.difference(&found).map(|gone| format!("{gone}: gone, remove it here"));
    none(&new.chain(gone).collect::<Vec<_>>());
    let planted = File::planted("crates/x/src/a.rs", "pub(crate) const ROWS_MAX: usize = 1;");
    assert_eq!(limits_elsewhere(&[planted]).len(), 1);
}

fn unlisted(migrations: &[File], list: &str) -> Vec<String> {
    complaints(migrations, |file| {
        let stem = file.name().trim_end_matches(".sql");
        let listed = list.contains(&format!("\"{stem}\"")) && list.contains(file.name());
        (!listed).then(|| "not in migrate.rs".to_owned())
    })
}

#[test]
fn every_migration_is_listed() {
    let list = read("crates/store/src/migrate.rs");
    none(&unlisted(&files(&["crates/store/migrations"], &[".sql"]), &list));
    let planted = File::planted("crates/store/migrations/sqlite/9999_planted.sql", "");
    assert_eq!(unlisted(&[planted], &list).len(), 1);
}
