//! Comparing what a provider has with what the mirror holds: the one place where created, updated
//! and deleted are told apart.

use std::collections::BTreeMap;

/// The difference between the mirror and what was fetched; keys in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Keys that the mirror did not hold.
    pub created: Vec<String>,
    /// Keys whose version differs.
    pub updated: Vec<String>,
    /// Keys that only the mirror holds.
    pub deleted: Vec<String>,
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }
}

/// Compares (key, version) pairs. Both sides must cover the same scope: the whole calendar after a
/// full listing, or the items of the touched resources after a delta. A key that occurs twice
/// counts with its last version.
pub fn diff<K: AsRef<str>, V: AsRef<str>>(mirror: &[(K, V)], fetched: &[(K, V)]) -> Diff {
    let old = by_key(mirror);
    let new = by_key(fetched);
    let mut diff = Diff::default();
    for (key, version) in &new {
        match old.get(key) {
            None => diff.created.push((*key).to_owned()),
            Some(mirrored) if mirrored != version => diff.updated.push((*key).to_owned()),
            Some(_) => {}
        }
    }
    diff.deleted = old.keys().filter(|key| !new.contains_key(*key)).map(|&k| k.into()).collect();
    diff
}

fn by_key<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> BTreeMap<&str, &str> {
    pairs.iter().map(|(key, version)| (key.as_ref(), version.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type State = BTreeMap<String, String>;

    fn pairs(state: &State) -> Vec<(&str, &str)> {
        state.iter().map(|(key, version)| (key.as_str(), version.as_str())).collect()
    }

    fn apply(diff: &Diff, mut mirror: State, fetched: &State) -> State {
        for key in &diff.created {
            assert!(mirror.insert(key.clone(), fetched[key].clone()).is_none(), "{key} was there");
        }
        for key in &diff.updated {
            let old = mirror.insert(key.clone(), fetched[key].clone());
            assert_ne!(old.as_ref(), Some(&fetched[key]), "{key} did not change");
        }
        for key in &diff.deleted {
            mirror.remove(key).expect("only what was there is deleted");
        }
        mirror
    }

    proptest! {
        #[test]
        fn applying_a_difference_yields_the_other_side(
            a in prop::collection::btree_map("[a-e]{1,2}", "[0-2]", 0..20),
            b in prop::collection::btree_map("[a-e]{1,2}", "[0-2]", 0..20),
        ) {
            let difference = diff(&pairs(&a), &pairs(&b));
            prop_assert_eq!(apply(&difference, a, &b), b);
        }

        #[test]
        fn nothing_differs_from_itself(
            a in prop::collection::btree_map("[a-e]{1,2}", "[0-2]", 0..20),
        ) {
            prop_assert!(diff(&pairs(&a), &pairs(&a)).is_empty());
        }
    }
}
