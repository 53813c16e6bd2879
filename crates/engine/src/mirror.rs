//! Comparing what a provider's resources hold now with what the mirror held: what to write, and what
//! to tell.

use std::collections::BTreeMap;

use serde::Serialize;
use tidings_core::change::types;
use tidings_providers::diff::diff;
use tidings_providers::event::Event;
use tidings_providers::item;
use tidings_store::{Item, ItemWrite};

/// One difference between a resource and the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The mirror did not hold it.
    Created(Item),
    /// It says something else now.
    Updated(Item),
    /// Only the mirror holds it; this is what it was.
    Deleted(Item),
}

impl Difference {
    /// The type of the change that tells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Created(_) => types::EVENT_CREATED,
            Self::Updated(_) => types::EVENT_UPDATED,
            Self::Deleted(_) => types::EVENT_DELETED,
        }
    }

    /// The item as it is, or was last.
    pub fn item(&self) -> &Item {
        let (Self::Created(item) | Self::Updated(item) | Self::Deleted(item)) = self;
        item
    }

    /// What it means for the mirror.
    pub fn into_write(self) -> ItemWrite {
        match self {
            Self::Created(item) | Self::Updated(item) => ItemWrite::Put(item),
            Self::Deleted(item) => ItemWrite::Remove { key: item.key },
        }
    }
}

/// The differences between a resource's items in the mirror and those it has now: what went first,
/// then what came, then what changed, each by key.
pub fn differences(mirror: &[Item], fetched: Vec<Item>) -> Vec<Difference> {
    let version = |item: &Item| (item.key.clone(), String::from_utf8_lossy(&item.version).into());
    let old: Vec<(String, String)> = mirror.iter().map(version).collect();
    let new: Vec<(String, String)> = fetched.iter().map(version).collect();
    let found = diff(&old, &new);
    let gone = mirror.iter().filter(|item| found.deleted.contains(&item.key)).cloned();
    let mut by_key: BTreeMap<String, Item> =
        fetched.into_iter().map(|item| (item.key.clone(), item)).collect();
    let mut differences: Vec<Difference> = gone.map(Difference::Deleted).collect();
    let created = found.created.iter().filter_map(|key| by_key.remove(key));
    differences.extend(created.map(Difference::Created));
    let updated = found.updated.iter().filter_map(|key| by_key.remove(key));
    differences.extend(updated.map(Difference::Updated));
    differences
}

/// A provider's item as the mirror keeps it; its body is the event with its key as `id`.
pub fn mirrored(item: item::Item) -> Item {
    #[derive(Serialize)]
    struct Identified<'a> {
        id: &'a str,
        #[serde(flatten)]
        event: &'a Event,
    }
    let body = serde_json::to_vec(&Identified { id: &item.key, event: &item.event })
        .expect("an event is texts and lists of texts");
    let (starts_at, ends_at) = item.event.span_ms();
    Item {
        resource: item.resource,
        etag: item.etag,
        version: item.version.into_bytes(),
        series: item.series,
        recurrence_id: item.recurrence_id,
        starts_at,
        ends_at,
        key: item.key,
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, version: &str) -> Item {
        Item {
            key: key.into(),
            resource: key.split('#').next().unwrap().into(),
            etag: "e".into(),
            version: version.into(),
            series: None,
            recurrence_id: None,
            starts_at: None,
            ends_at: None,
            body: b"{}".to_vec(),
        }
    }

    #[test]
    fn an_exception_comes_and_goes_without_its_series() {
        let (series, exception) = (item("/a", "1"), item("/a#x", "1"));
        let both = [series.clone(), exception.clone()];
        assert_eq!(
            differences(std::slice::from_ref(&series), both.to_vec()),
            [Difference::Created(exception.clone())]
        );
        assert_eq!(differences(&both, vec![series]), [Difference::Deleted(exception)]);
        assert_eq!(differences(&both, both.to_vec()), []);
    }

    #[test]
    fn a_version_that_differs_is_an_update() {
        let new = item("/a", "2");
        let found = differences(&[item("/a", "1")], vec![new.clone()]);
        assert_eq!(found, [Difference::Updated(new.clone())]);
        assert_eq!(found[0].kind(), types::EVENT_UPDATED);
        assert!(matches!(found[0].clone().into_write(), ItemWrite::Put(item) if item == new));
    }
}
