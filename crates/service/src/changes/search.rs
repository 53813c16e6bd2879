//! Searching the journal, newest first.

use tidings_core::clock::Timestamp;
use tidings_core::hook::is_pattern;
use tidings_core::id::AccountId;
use tidings_core::limits;
use tidings_store::Sought;

use super::Change;
use crate::cursor::checked_limit;
use crate::validate::Checks;
use crate::{Caller, Result, Scope, Service};

/// Which changes to look for; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct ChangeSearch {
    /// A type or a pattern: `invoice.paid`, `event.*`, `hook.*`.
    pub kind: Option<String>,
    /// The account they are about.
    pub account: Option<AccountId>,
    /// Text in the data as it is written there, whatever the case of its ASCII letters.
    pub text: Option<String>,
    /// Only changes with a smaller `seq`: [`FoundChanges::next_before`] of the page before.
    pub before: Option<u64>,
    /// Most changes to find.
    pub limit: Option<u32>,
}

/// What a search found, and how far it looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundChanges {
    /// The changes, newest first. None does not mean that there is none: see `next_before`.
    pub changes: Vec<Change>,
    /// Changes that were looked at.
    pub looked_at: usize,
    /// `seq` of the oldest of them, and when it was recorded.
    pub down_to: Option<(u64, Timestamp)>,
    /// Where to search on; absent when everything that is kept was looked at.
    pub next_before: Option<u64>,
}

impl Service {
    /// Searches the journal from its newest change back. A search looks at no more than
    /// [`limits::SEARCH_CHANGES_MAX`] changes and [`limits::SEARCH_BYTES_MAX`] of data; its answer says how
    /// far it came and where to go on.
    ///
    /// # Errors
    /// Forbidden; not found (the account); invalid.
    pub async fn search_changes(
        &self,
        caller: &Caller,
        search: ChangeSearch,
    ) -> Result<FoundChanges> {
        caller.may_for_all(Scope::Read)?;
        let app_no = caller.app()?.app_no;
        let limit = checked_limit(search.limit)? as usize;
        let mut checks = Checks::default();
        if search.kind.as_deref().is_some_and(|kind| !is_pattern(kind)) {
            let why = "must be a type or a pattern such as invoice.paid, invoice.* or *";
            checks.refuse("type", "pattern", why);
        }
        if search.text.as_ref().is_some_and(|text| text.len() > limits::SEARCH_TEXT_BYTES_MAX) {
            let why = format!("must be at most {} bytes", limits::SEARCH_TEXT_BYTES_MAX);
            checks.refuse("text", "too_long", why);
        }
        checks.done()?;
        let account_no = match search.account {
            Some(id) => Some(self.find_account(caller, id).await?.account_no),
            None => None,
        };
        let sought = Sought { kind: search.kind, account_no, text: search.text };
        let before = search.before.unwrap_or(u64::MAX);
        let found = self.store.search_changes(app_no, before, sought, limit).await?;
        Ok(FoundChanges {
            changes: self.viewed(found.changes).await?,
            looked_at: found.looked_at,
            down_to: found.down_to,
            next_before: found.down_to.filter(|_| found.more).map(|(seq, _)| seq),
        })
    }
}
