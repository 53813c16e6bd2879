//! Laying one source of configuration over another.

use toml::{Table, Value};

/// A secret is given either itself or by file: the higher source decides which.
const ALTERNATIVES: [[&str; 2]; 5] = [
    ["master_key", "master_key_file"],
    ["bootstrap_key", "bootstrap_key_file"],
    ["database_url", "database_url_file"],
    ["client_secret", "client_secret_file"],
    ["webhook_secret", "webhook_secret_file"],
];

/// Sets `key`, which may have one dot.
pub(super) fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, key)) => {
            let section = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut()
                .expect("sections are only ever tables");
            section.insert(key.to_owned(), value);
        }
    }
}

/// `over` on top of `under`, both of known keys.
pub(super) fn lay(mut under: Table, over: Table) -> Table {
    for pair in ALTERNATIVES {
        if pair.iter().any(|key| over.contains_key(*key)) {
            pair.iter().for_each(|key| drop(under.remove(*key)));
        }
    }
    for (key, value) in over {
        match (under.remove(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => {
                under.insert(key, Value::Table(lay(below, above)));
            }
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
    under
}
