//! One collection and its mirror: what a driver found is compared with the mirror and written down.

use std::collections::{BTreeMap, BTreeSet};

use tidings_core::clock::Timestamp;
use tidings_core::limits::SYNC_APPLY_CHUNK;
use tidings_providers::item;
use tidings_store::{Collection, CollectionWrite, Item, ItemWrite, Store};

use super::Stop;
use super::batch::Batch;
use super::body::Teller;
use super::source::Pulled;
use crate::mirror::{self, Difference};

/// A look into one collection. Until its cursor is written, which is last, the next look repeats what
/// this one did not write.
pub(super) struct Pull<'a> {
    pub(super) store: &'a Store,
    pub(super) teller: &'a Teller<'a>,
    /// As it was before the provider was asked.
    pub(super) collection: &'a Collection,
    /// Whether this is the baseline: the mirror is filled, nothing is told.
    silent: bool,
    batch: Batch<'a>,
    /// When the provider may know more than it shows yet, ms; see [`Pulled`].
    pub(super) again_ms: Option<i64>,
}

impl<'a> Pull<'a> {
    pub(super) fn new(
        store: &'a Store,
        teller: &'a Teller<'a>,
        collection: &'a Collection,
    ) -> Self {
        let silent = !(teller.account.baseline_done && collection.baseline_done);
        let batch = Batch::new(store, teller.account, teller.now);
        Self { store, teller, collection, silent, batch, again_ms: None }
    }

    /// Writes how what was found differs from the mirror, then the cursor. What went is told before
    /// what came.
    pub(super) async fn apply(&mut self, pulled: Pulled) -> Result<(), Stop> {
        let Pulled { whole, items, mut gone, kept, token, window, trouble, again_ms } = pulled;
        self.again_ms = again_ms;
        let no = self.collection.collection_no;
        let mut items: BTreeMap<String, item::Item> =
            items.into_iter().map(|item| (item.key.clone(), item)).collect();
        if whole {
            let mirrored = self.store.item_versions(no).await?;
            let kept: BTreeSet<String> = kept.into_iter().collect();
            let lost = mirrored
                .iter()
                .filter(|known| !items.contains_key(&known.key) && !kept.contains(&known.key));
            gone = lost.map(|known| known.key.clone()).collect();
            for known in mirrored {
                let same = |item: &item::Item| {
                    item.version.as_bytes() == known.version && item.etag == known.etag
                };
                if items.get(&known.key).is_some_and(same) {
                    items.remove(&known.key);
                }
            }
        }
        self.remove(&gone).await?;
        // Versions that our own writes replaced lately: a late listing may still show them.
        for old in self.store.superseded(no, self.teller.now).await? {
            if items.get(&old.item_key).is_some_and(|item| item.etag == old.etag) {
                items.remove(&old.item_key);
            }
        }
        let mut items: Vec<item::Item> = items.into_values().collect();
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(SYNC_APPLY_CHUNK));
            self.put(std::mem::replace(&mut items, rest)).await?;
        }
        self.finish(None, token, window, trouble).await
    }

    /// Removes items by their keys; a series with all that belongs to it.
    async fn remove(&mut self, keys: &[String]) -> Result<(), Stop> {
        let no = self.collection.collection_no;
        let mut removed = BTreeSet::new();
        for keys in keys.chunks(SYNC_APPLY_CHUNK) {
            let mut going = self.store.items_by_key(no, keys.to_vec()).await?;
            going.extend(self.store.items_of(no, keys.to_vec()).await?);
            for item in going {
                if removed.insert(item.key.clone()) {
                    self.write(Difference::Deleted(item)).await?;
                }
            }
        }
        Ok(())
    }

    async fn put(&mut self, items: Vec<item::Item>) -> Result<(), Stop> {
        let no = self.collection.collection_no;
        let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
        let known = self.store.items_by_key(no, keys).await?;
        let items: Vec<Item> = items.into_iter().map(mirror::mirrored).collect();
        let etags: BTreeMap<&str, &str> =
            known.iter().map(|item| (item.key.as_str(), item.etag.as_str())).collect();
        let moved: Vec<Item> = items
            .iter()
            .filter(|item| etags.get(item.key.as_str()).is_some_and(|etag| *etag != item.etag))
            .cloned()
            .collect();
        let differences = mirror::differences(&known, items);
        let told: BTreeSet<String> =
            differences.iter().map(|difference| difference.item().key.clone()).collect();
        for difference in differences {
            self.write(difference).await?;
        }
        // The same content in another version: nothing to tell, but what `If-Match` needs.
        for item in moved.into_iter().filter(|item| !told.contains(&item.key)) {
            self.batch.item(no, ItemWrite::Put(item), None).await?;
        }
        Ok(())
    }

    /// Writes one difference and what it tells.
    pub(super) async fn write(&mut self, difference: Difference) -> Result<(), Stop> {
        let change = (!self.silent)
            .then(|| self.teller.event(difference.kind(), self.collection, difference.item()));
        self.batch.item(self.collection.collection_no, difference.into_write(), change).await
    }

    /// Writes that the content of a resource is the same in another version.
    pub(super) async fn touch(&mut self, resource: &str, etag: &str) -> Result<(), Stop> {
        let touch = ItemWrite::Touch { resource: resource.to_owned(), etag: etag.to_owned() };
        self.batch.item(self.collection.collection_no, touch, None).await
    }

    /// Writes the cursor, and what could not be read.
    pub(super) async fn finish(
        &mut self,
        ctag: Option<String>,
        sync_token: Option<String>,
        window: Option<(Timestamp, Timestamp)>,
        trouble: Option<String>,
    ) -> Result<(), Stop> {
        let collection_no = self.collection.collection_no;
        let synced_gen = self.again_ms.is_none().then_some(self.collection.dirty_gen);
        let synced =
            CollectionWrite::Synced { collection_no, ctag, sync_token, synced_gen, window };
        self.batch.collection(synced, None).await?;
        if let Some(error) = trouble {
            let failed = CollectionWrite::Failed { collection_no, error };
            self.batch.collection(failed, None).await?;
        }
        self.batch.flush().await
    }
}
