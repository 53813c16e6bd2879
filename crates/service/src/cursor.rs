//! Pages of lists and the opaque cursors that lead from one to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tidings_core::limits;

use crate::{Error, Result};

const CHECK_BYTES: usize = 8;

/// Which page of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageInput {
    /// [`Page::next`] of the page before; absent for the first page.
    pub cursor: Option<String>,
    /// Most items on the page: 1 to [`limits::PAGE_MAX`], [`limits::PAGE_DEFAULT`] when absent.
    pub limit: Option<u32>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Cursor of the next page; absent on the last.
    pub next: Option<String>,
}

/// Which list a cursor belongs to: a name, and a store key that the list is confined to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List(pub(crate) &'static str, pub(crate) i64);

impl List {
    /// The position after which the page begins (`first` for the first page) and how many rows to read:
    /// one more than the page holds, which tells whether there is another.
    pub(crate) fn begin(self, page: &PageInput, first: i64) -> Result<(i64, u32)> {
        let limit = checked_limit(page.limit)?;
        let position = match &page.cursor {
            None => first,
            Some(text) => self.open(text).ok_or_else(foreign)?,
        };
        Ok((position, limit + 1))
    }

    /// Cuts the rows that [`List::begin`] asked for into a page.
    pub(crate) fn page<R, T>(
        self,
        mut rows: Vec<R>,
        limit: u32,
        position: impl Fn(&R) -> i64,
        view: impl FnMut(R) -> T,
    ) -> Page<T> {
        let kept = limit.saturating_sub(1) as usize;
        let more = rows.len() > kept;
        rows.truncate(kept);
        let next = if more { rows.last().map(|row| self.close(position(row))) } else { None };
        Page { items: rows.into_iter().map(view).collect(), next }
    }

    /// Prints a position. Opaque to clients; the check tells forged cursors and those of other lists.
    pub(crate) fn close(self, position: i64) -> String {
        let mut bytes = position.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.check(&position.to_be_bytes()));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(self, text: &str) -> Option<i64> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (position, check) = bytes.split_first_chunk::<8>()?;
        let position = i64::from_be_bytes(*position);
        (check == self.check(&position.to_be_bytes())).then_some(position)
    }

    /// As [`List::begin`] for a list whose positions are texts: `None` for the first page.
    pub(crate) fn begin_after(self, page: &PageInput) -> Result<(Option<String>, u32)> {
        let limit = checked_limit(page.limit)?;
        let opened = page.cursor.as_deref().map(|text| self.open_text(text).ok_or_else(foreign));
        Ok((opened.transpose()?, limit))
    }

    /// Prints a position that is a text.
    pub(crate) fn close_text(self, position: &str) -> String {
        let check = self.check(position.as_bytes());
        URL_SAFE_NO_PAD.encode([&check[..], position.as_bytes()].concat())
    }

    fn open_text(self, text: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (check, position) = bytes.split_first_chunk::<CHECK_BYTES>()?;
        let position = String::from_utf8(position.to_vec()).ok()?;
        (*check == self.check(position.as_bytes())).then_some(position)
    }

    fn check(self, position: &[u8]) -> [u8; CHECK_BYTES] {
        let mut digest = Sha256::new();
        digest.update(b"tidings cursor|");
        digest.update(self.0.as_bytes());
        digest.update(self.1.to_be_bytes());
        digest.update(position);
        let digest = digest.finalize();
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&digest[..CHECK_BYTES]);
        check
    }
}

/// The answer to a cursor of another list.
fn foreign() -> Error {
    let why = "is not a cursor of this list; leave it out to begin at the first page";
    Error::invalid("cursor", "cursor", why)
}

/// The number of items on a page.
pub(crate) fn checked_limit(limit: Option<u32>) -> Result<u32> {
    match limit {
        None => Ok(limits::PAGE_DEFAULT),
        Some(limit) if (1..=limits::PAGE_MAX).contains(&limit) => Ok(limit),
        Some(_) => {
            let why = format!("must be 1 to {}", limits::PAGE_MAX);
            Err(Error::invalid("limit", "range", why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_belong_to_one_list() {
        let list = List("hooks", 7);
        let text = list.close(42);
        let page = |cursor: &str| PageInput { cursor: Some(cursor.into()), limit: Some(10) };
        assert_eq!(list.begin(&page(&text), 0), Ok((42, 11)));
        for (list, forged) in [
            (List("hooks", 8), text.as_str()),
            (List("accounts", 7), &text),
            (List("hooks", 7), "abc"),
            (List("hooks", 7), ""),
            (List("hooks", 7), "é"),
            (List("hooks", 7), &text[1..]),
        ] {
            assert!(list.begin(&page(forged), 0).is_err(), "{list:?} {forged}");
        }
    }

    #[test]
    fn cursors_of_texts_round_trip_and_belong_to_one_list() {
        let list = List("events", 7);
        let page = |cursor: &str| PageInput { cursor: Some(cursor.into()), limit: None };
        for position in ["", "a", "/dav/ada/é.ics#2026"] {
            let text = list.close_text(position);
            let opened = list.begin_after(&page(&text)).unwrap();
            assert_eq!(opened, (Some(position.to_owned()), limits::PAGE_DEFAULT));
            for (list, forged) in
                [(List("events", 8), &text[..]), (List("other", 7), &text), (list, &text[1..])]
            {
                assert!(list.begin_after(&page(forged)).is_err(), "{list:?} {forged}");
            }
        }
        assert_eq!(list.begin_after(&PageInput::default()).unwrap().0, None);
        assert!(list.begin_after(&page("AAAAAAAAAAAAAAAAAAAAAA")).is_err());
    }

    #[test]
    fn limits_are_checked_and_pages_know_whether_more_follows() {
        for (limit, good) in [
            (None, true),
            (Some(1), true),
            (Some(1_000), true),
            (Some(0), false),
            (Some(1_001), false),
        ] {
            assert_eq!(checked_limit(limit).is_ok(), good, "{limit:?}");
        }
        let list = List("hooks", 1);
        let page = list.page(vec![1, 2, 3], 3, |&row| row, |row| row);
        assert_eq!((page.items, page.next), (vec![1, 2], Some(list.close(2))));
        let last = list.page(vec![3], 3, |&row| row, |row| row);
        assert_eq!((last.items, last.next), (vec![3], None));
    }
}
