//! Writing down what a pass found, in commits of bounded size.

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::limits::{SYNC_COMMIT_BYTES, SYNC_COMMIT_ROWS};
use tidings_store::{Account, CollectionWrite, ItemWrite, MirrorCommit, Store};

use super::Stop;

/// Rows of the mirror and the changes they amount to, not yet committed. Whoever adds them adds the
/// cursor last, so that no commit claims more than what is written.
pub(super) struct Batch<'a> {
    store: &'a Store,
    now: Timestamp,
    commit: MirrorCommit,
    bytes: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn new(store: &'a Store, account: &Account, now: Timestamp) -> Self {
        let commit = MirrorCommit::new(account.app_no, account.account_no);
        Self { store, now, commit, bytes: 0 }
    }

    /// Adds an item's row together with its change.
    pub(super) async fn item(
        &mut self,
        collection_no: i64,
        write: ItemWrite,
        change: Option<NewChange>,
    ) -> Result<(), Stop> {
        let body = if let ItemWrite::Put(item) = &write { item.body.len() } else { 0 };
        self.bytes += body + change.as_ref().map_or(0, |change| change.body.len());
        self.commit.items.push((collection_no, write));
        self.commit.changes.extend(change);
        self.flush_when_full().await
    }

    /// Adds a collection's row together with its change.
    pub(super) async fn collection(
        &mut self,
        write: CollectionWrite,
        change: Option<NewChange>,
    ) -> Result<(), Stop> {
        self.commit.collections.push(write);
        self.commit.changes.extend(change);
        self.flush_when_full().await
    }

    async fn flush_when_full(&mut self) -> Result<(), Stop> {
        if self.commit.rows() >= SYNC_COMMIT_ROWS || self.bytes >= SYNC_COMMIT_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Commits what was added since the last time.
    pub(super) async fn flush(&mut self) -> Result<(), Stop> {
        let empty = MirrorCommit::new(self.commit.app_no, self.commit.account_no);
        let commit = std::mem::replace(&mut self.commit, empty);
        self.bytes = 0;
        if commit.rows() > 0 && !self.store.commit_mirror(commit, self.now).await? {
            return Err(Stop::AccountGone);
        }
        Ok(())
    }
}
