//! A write's way into the mirror: rows, changes and the versions that it replaced, in one commit.

use std::collections::BTreeMap;

use tidings_core::change::Origin;
use tidings_providers::errand::Refusal;
use tidings_store::{Item, ItemWrite, MirrorCommit, Superseded};

use super::{Write, Written, not_found, store};
use crate::mirror::{self, Difference};
use crate::sync::body::Teller;

/// Commits what a write of `actor` came to.
pub(super) async fn written(
    write: &Write<'_>,
    written: Written,
    actor: Option<String>,
) -> Result<(), Refusal> {
    let Write { providers, account, collection, .. } = write;
    let now = providers.clock.now();
    let no = collection.collection_no;
    let keys: Vec<String> = written.items.iter().map(|item| item.key.clone()).collect();
    let before = providers.store.items_by_key(no, keys).await.map_err(store)?;
    let mut gone = BTreeMap::new();
    let by_key = providers.store.items_by_key(no, written.gone.clone()).await.map_err(store)?;
    let of_series = providers.store.items_of(no, written.gone).await.map_err(store)?;
    gone.extend(by_key.into_iter().chain(of_series).map(|item| (item.key.clone(), item)));
    let after: Vec<Item> = written.items.into_iter().map(mirror::mirrored).collect();
    for item in &after {
        gone.remove(&item.key);
    }
    let mut commit = MirrorCommit::new(account.app_no, account.account_no);
    for old in before.iter().chain(gone.values()) {
        let kept = after.iter().any(|new| new.key == old.key && new.etag == old.etag);
        if !kept && !old.etag.is_empty() {
            let (item_key, etag) = (old.key.clone(), old.etag.clone());
            commit.superseded.push(Superseded { collection_no: no, item_key, etag });
        }
    }
    // The content may be the same while the version is not.
    let puts = after.iter().map(|item| (no, ItemWrite::Put(item.clone())));
    commit.items.extend(puts);
    let removes = gone.keys().map(|key| (no, ItemWrite::Remove { key: key.clone() }));
    commit.items.extend(removes);
    if account.baseline_done && collection.baseline_done {
        let teller = Teller { account, ids: &providers.ids, now };
        let gone = gone.into_values().map(Difference::Deleted);
        for difference in gone.chain(mirror::differences(&before, after)) {
            let mut change = teller.event(difference.kind(), collection, difference.item());
            change.origin = Origin::Api;
            change.actor.clone_from(&actor);
            commit.changes.push(change);
        }
    }
    if providers.store.commit_mirror(commit, now).await.map_err(store)? {
        Ok(())
    } else {
        Err(not_found("account"))
    }
}
