//! What was promised against what arrived.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::books::{Accepted, Arrival, HookBook};

/// The figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Changes that the server accepted.
    pub(crate) accepted: usize,
    /// Deliveries that arrived.
    pub(crate) arrived: usize,
    /// Accepted changes that a hook never received.
    pub(crate) lost: usize,
    /// Deliveries of changes that nobody was told are accepted.
    pub(crate) phantom: usize,
    /// Deliveries with a wrong signature or content, or whose `webhook-id` is not that of the change.
    pub(crate) corrupt: usize,
    /// Deliveries of a change that the hook had received before, by their place among the arrivals.
    pub(crate) repeated: Vec<usize>,
}

impl Tally {
    /// Compares the books. Every hook takes every change of its tenant.
    pub(crate) fn of(accepted: &Accepted, hooks: &[HookBook], arrived: &[Arrival]) -> Self {
        let promised = accepted.iter().map(HashMap::len).sum();
        let mut tally = Self { accepted: promised, arrived: arrived.len(), ..Self::default() };
        let mut seen: HashMap<(usize, &str), &str> = HashMap::new();
        let mut webhook_ids: HashSet<&str> = HashSet::new();
        for (place, arrival) in arrived.iter().enumerate() {
            let Some(said) = &arrival.said else {
                tally.corrupt += 1;
                continue;
            };
            match accepted[hooks[arrival.hook].tenant].get(&said.change) {
                None => tally.phantom += 1,
                Some(number) if *number != said.number => tally.corrupt += 1,
                Some(_) => {}
            }
            let webhook_id = said.webhook_id.as_str();
            match seen.insert((arrival.hook, &said.change), webhook_id) {
                Some(first) if first == webhook_id => tally.repeated.push(place),
                None if webhook_ids.insert(webhook_id) => {}
                _ => tally.corrupt += 1,
            }
        }
        for (number, hook) in hooks.iter().enumerate() {
            let promised = accepted[hook.tenant].keys();
            tally.lost += promised.filter(|id| !seen.contains_key(&(number, id.as_str()))).count();
        }
        tally
    }

    /// Deliveries beyond the first.
    pub(crate) fn duplicates(&self) -> usize {
        self.repeated.len()
    }

    /// What was broken, in words; nothing when every promise was kept.
    pub(crate) fn broken(&self, duplicates_max: usize) -> Vec<String> {
        let mut broken = Vec::new();
        for (name, count) in
            [("lost", self.lost), ("phantom", self.phantom), ("corrupt", self.corrupt)]
        {
            if count > 0 {
                broken.push(format!("{count} {name}"));
            }
        }
        if self.duplicates() > duplicates_max {
            broken.push(format!("{} duplicates, at most {duplicates_max}", self.duplicates()));
        }
        if self.accepted == 0 {
            broken.push("nothing was accepted, so nothing was proved".to_owned());
        }
        broken
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, arrived, lost, phantom, corrupt, .. } = self;
        write!(f, "accepted {accepted}, arrived {arrived}, lost {lost}, phantom {phantom}, ")?;
        write!(f, "corrupt {corrupt}, duplicates {}", self.duplicates())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tidings_core::id::Ids;
    use tidings_core::sign::Secret;

    use super::*;
    use crate::books::Said;

    fn arrival(hook: usize, change: &str, number: u64) -> Arrival {
        let webhook_id = format!("dlv_{hook}_{change}");
        Arrival {
            hook,
            at: Instant::now(),
            said: Some(Said { webhook_id, change: change.into(), number }),
        }
    }

    #[test]
    fn each_planted_fault_is_found() {
        let ids = Ids::seeded(1);
        let hooks = [(0, "/a"), (0, "/b"), (1, "/c")].map(|(tenant, path)| {
            let secret = Secret::generate(&ids);
            HookBook { tenant, path: path.into(), secret }
        });
        let of = |changes: &[(&str, u64)]| {
            changes.iter().map(|(id, number)| ((*id).to_owned(), *number)).collect()
        };
        let accepted: Accepted = vec![of(&[("chg_1", 1), ("chg_2", 2)]), of(&[("chg_3", 3)])];
        let good: Vec<_> = [(0, "chg_1", 1), (0, "chg_2", 2), (1, "chg_1", 1), (1, "chg_2", 2)]
            .into_iter()
            .chain([(2, "chg_3", 3)])
            .map(|(hook, change, number)| arrival(hook, change, number))
            .collect();
        let judge = |arrived: &[Arrival]| Tally::of(&accepted, &hooks, arrived);
        assert_eq!(judge(&good), Tally { accepted: 3, arrived: 5, ..Tally::default() });

        assert_eq!(judge(&good[1..]).lost, 1);
        let with = |extra: Arrival| judge(&[good.clone(), vec![extra]].concat());
        assert_eq!(with(arrival(0, "chg_9", 9)).phantom, 1);
        assert_eq!(with(arrival(2, "chg_1", 1)).phantom, 1, "another tenant's");
        assert_eq!(with(arrival(0, "chg_1", 1)).repeated, [5]);
        assert_eq!(with(Arrival { hook: 0, at: Instant::now(), said: None }).corrupt, 1);
        assert_eq!(with(arrival(0, "chg_1", 2)).corrupt, 1);
        let mut renamed = arrival(0, "chg_1", 1);
        renamed.said.as_mut().unwrap().webhook_id = "dlv_other".into();
        assert_eq!(with(renamed).corrupt, 1, "a retry keeps its id");
    }

    #[test]
    fn a_broken_promise_is_a_failure() {
        let good = Tally { accepted: 2, arrived: 5, repeated: vec![4], ..Tally::default() };
        assert_eq!(good.broken(1), Vec::<String>::new());
        assert!(!good.broken(0).is_empty());
        for bad in [
            Tally { lost: 1, accepted: 1, ..Tally::default() },
            Tally { phantom: 1, accepted: 1, ..Tally::default() },
            Tally { corrupt: 1, accepted: 1, ..Tally::default() },
            Tally::default(),
        ] {
            assert!(!bad.broken(9).is_empty(), "{bad:?}");
        }
    }
}
