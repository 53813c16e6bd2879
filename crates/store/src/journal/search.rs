//! Searching the journal from its new end, as far as a bounded look reaches.

use std::ops::ControlFlow;

use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::limits;

use super::{SELECT, from_row};
use crate::sql::values;
use crate::{Error, Result, Store};

/// Which changes are looked for; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    /// A type, or a pattern as hooks have it: `event.*`.
    pub kind: Option<String>,
    /// Store key of the account they are about.
    pub account_no: Option<i64>,
    /// Text in the data as it is written there; upper and lower case of ASCII letters are the same.
    pub text: Option<String>,
}

/// What a search found, and how far it looked.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The changes, newest first.
    pub changes: Vec<Change>,
    /// Changes that were looked at.
    pub looked_at: usize,
    /// The last of them, with when it was recorded; absent when there was none.
    pub down_to: Option<(u64, Timestamp)>,
    /// Whether there is more below.
    pub more: bool,
}

impl Sought {
    /// Whether every change is one.
    fn is_all(&self) -> bool {
        self.kind.is_none() && self.account_no.is_none() && self.text.is_none()
    }

    fn is(&self, change: &Change) -> bool {
        // Unlike a hook's, the wildcard of a search takes in what concerns our own operation.
        let kind = |wanted: &String| match wanted.strip_suffix('*') {
            Some(prefix) => change.new.kind.starts_with(prefix),
            None => change.new.kind == *wanted,
        };
        let account = |wanted: &i64| change.new.subject.account_no == Some(*wanted);
        self.kind.as_ref().is_none_or(kind)
            && self.account_no.as_ref().is_none_or(account)
            && self.text.as_ref().is_none_or(|text| contains(&change.new.body, text.as_bytes()))
    }
}

/// Whether `text` is a part of `body`, whatever the case of its ASCII letters.
fn contains(body: &[u8], text: &[u8]) -> bool {
    let Some(first) = text.first() else { return true };
    let starts = body.len().checked_sub(text.len()).map_or(0, |last| last + 1);
    (0..starts).any(|at| {
        body[at].eq_ignore_ascii_case(first) && body[at..at + text.len()].eq_ignore_ascii_case(text)
    })
}

impl Store {
    /// Changes with `seq < before` that are sought, newest first: at most `limit` of them, looking at no more
    /// than [`limits::SEARCH_CHANGES_MAX`] changes and [`limits::SEARCH_BYTES_MAX`] of data.
    ///
    /// # Errors
    /// Not found when the app does not exist.
    pub async fn search_changes(
        &self,
        app_no: i64,
        before: u64,
        sought: Sought,
        limit: usize,
    ) -> Result<Found> {
        self.read(move |sql| {
            let text = "SELECT floor_seq FROM app WHERE app_no = ?1";
            let floor: Option<u64> = sql.row(text, values![app_no], |row| row.get(0))?;
            let floor = floor.ok_or(Error::not_found("app"))?;
            let (mut found, mut bytes, mut enough) = (Found::default(), 0, false);
            // A server sends all rows of a statement, whoever breaks off: page by page, and no more than
            // are wanted.
            let page_max = if sought.is_all() { limit.max(1) } else { limits::JOURNAL_PAGE };
            while !enough {
                let looked_at = found.looked_at;
                let page = page_max.min(limits::SEARCH_CHANGES_MAX - looked_at);
                let below = found.down_to.map_or(before, |(seq, _)| seq);
                sql.each(
                    &format!(
                        "{SELECT} WHERE c.app_no = ?1 AND c.seq < ?2 AND c.seq > ?3
                         ORDER BY c.seq DESC LIMIT ?4"
                    ),
                    values![app_no, below, floor, page],
                    |row| {
                        let change = from_row(row)?;
                        bytes += change.new.body.len();
                        found.looked_at += 1;
                        found.down_to = Some((change.seq, change.recorded_at));
                        if sought.is(&change) {
                            found.changes.push(change);
                        }
                        enough = found.changes.len() >= limit || bytes >= limits::SEARCH_BYTES_MAX;
                        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                    },
                )?;
                // The journal's old end, or as far as a search goes.
                enough |= found.looked_at < looked_at + page
                    || found.looked_at >= limits::SEARCH_CHANGES_MAX;
            }
            found.more = found.down_to.is_some_and(|(seq, _)| seq > floor + 1);
            Ok(found)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_whatever_its_case() {
        for (body, text, is_there) in [
            ("{\"invoice\":\"IN_1\"}", "in_1", true),
            ("{\"invoice\":\"IN_1\"}", "in_2", false),
            ("abc", "abcd", false),
            ("abc", "c", true),
            ("abc", "", true),
            ("", "a", false),
            ("Zoë", "zoë", true),
        ] {
            assert_eq!(contains(body.as_bytes(), text.as_bytes()), is_there, "{text} in {body}");
        }
    }
}
