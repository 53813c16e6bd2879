//! The books: what was accepted against what arrived.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::sign::{self, Secret};
use tidings_testkit::receiver::Received;

/// A hook and how its deliveries are recognised.
#[derive(Debug)]
pub(crate) struct HookBook {
    /// The path that it delivers to.
    pub(crate) path: String,
    /// What it signs with.
    pub(crate) secret: Secret,
}

/// What the server answered 2xx to: change id -> the number that was published in it.
pub(crate) type Accepted = HashMap<String, u64>;

/// The figures.
#[derive(Debug, Default, PartialEq, Eq)]
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
    /// Deliveries of a change that the hook had received before.
    pub(crate) duplicates: usize,
}

impl Tally {
    /// Compares the books. Every hook takes every change.
    pub(crate) fn of(accepted: &Accepted, hooks: &[HookBook], arrived: &[Received]) -> Self {
        let mut tally =
            Self { accepted: accepted.len(), arrived: arrived.len(), ..Self::default() };
        let by_path: HashMap<_, _> = hooks.iter().map(|hook| (hook.path.as_str(), hook)).collect();
        let mut seen: HashMap<(&str, String), &str> = HashMap::new();
        let mut webhook_ids = HashSet::new();
        for request in arrived {
            let Some(delivery) = Delivery::read(request, &by_path) else {
                tally.corrupt += 1;
                continue;
            };
            match accepted.get(&delivery.change) {
                None => tally.phantom += 1,
                Some(number) if *number != delivery.number => tally.corrupt += 1,
                Some(_) => {}
            }
            match seen.insert((&request.path, delivery.change), delivery.webhook_id) {
                Some(first) if first == delivery.webhook_id => tally.duplicates += 1,
                None if webhook_ids.insert(delivery.webhook_id) => {}
                _ => tally.corrupt += 1,
            }
        }
        for hook in hooks {
            let received = |id: &&String| seen.contains_key(&(hook.path.as_str(), (*id).clone()));
            tally.lost += accepted.keys().filter(|id| !received(id)).count();
        }
        tally
    }

    /// The verdict; `Err` says what was broken.
    pub(crate) fn judge(&self, duplicates_max: usize) -> Result<(), String> {
        let mut broken = Vec::new();
        for (name, count) in
            [("lost", self.lost), ("phantom", self.phantom), ("corrupt", self.corrupt)]
        {
            if count > 0 {
                broken.push(format!("{count} {name}"));
            }
        }
        if self.duplicates > duplicates_max {
            let excess = format!("{} duplicates, at most {duplicates_max}", self.duplicates);
            broken.push(excess);
        }
        if self.accepted == 0 {
            broken.push("nothing was accepted, so nothing was proved".to_owned());
        }
        if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
    }

    pub(crate) fn print(&self, duplicates_max: usize) {
        let Self { accepted, arrived, lost, phantom, corrupt, duplicates } = self;
        println!("accepted    {accepted}");
        println!("arrived     {arrived}");
        println!("lost        {lost}");
        println!("phantom     {phantom}");
        println!("corrupt     {corrupt}");
        println!("duplicates  {duplicates} (in flight at the kills: at most {duplicates_max})");
    }
}

/// What a genuine request says.
struct Delivery<'a> {
    webhook_id: &'a str,
    change: String,
    number: u64,
}

impl<'a> Delivery<'a> {
    fn read(request: &'a Received, hooks: &HashMap<&str, &HookBook>) -> Option<Self> {
        let hook = hooks.get(request.path.as_str())?;
        let webhook_id = request.header("webhook-id")?;
        let timestamp = request.header("webhook-timestamp")?;
        // The books are compared later than five minutes after: what is judged is the signature.
        let then = Timestamp(timestamp.parse::<i64>().ok()?.checked_mul(1000)?);
        let signature = request.header("webhook-signature")?;
        if !sign::verify(&hook.secret, webhook_id, timestamp, signature, &request.body, then) {
            return None;
        }
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        let change = body["id"].as_str()?.to_owned();
        let number = body["data"]["n"].as_u64()?;
        (body["data"] == crate::publish::data(number)).then_some(Self {
            webhook_id,
            change,
            number,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidings_core::id::Ids;

    use super::*;

    fn delivery(hook: &HookBook, change: &str, number: u64) -> Received {
        let webhook_id = format!("dlv_{}_{change}", hook.path);
        let body = json!({"id": change, "data": crate::publish::data(number)}).to_string();
        let signature = hook.secret.sign(&webhook_id, 1_700_000_000, body.as_bytes());
        let headers = [
            ("webhook-id", webhook_id.as_str()),
            ("webhook-timestamp", "1700000000"),
            ("webhook-signature", &signature),
        ];
        Received {
            number: 1,
            connection: 1,
            method: "POST".into(),
            path: hook.path.clone(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).to_vec(),
            body: body.into(),
        }
    }

    #[test]
    fn each_planted_fault_is_found() {
        let ids = Ids::seeded(1);
        let hooks =
            ["/a", "/b"].map(|path| HookBook { path: path.into(), secret: Secret::generate(&ids) });
        let [a, b] = &hooks;
        let accepted = Accepted::from([("chg_1".into(), 1), ("chg_2".into(), 2)]);
        let good: Vec<_> = [a, b]
            .iter()
            .flat_map(|hook| [delivery(hook, "chg_1", 1), delivery(hook, "chg_2", 2)])
            .collect();
        let judge = |arrived: &[Received]| Tally::of(&accepted, &hooks, arrived);
        assert_eq!(judge(&good), Tally { accepted: 2, arrived: 4, ..Tally::default() });

        assert_eq!(judge(&good[1..]).lost, 1);
        let with = |extra: Received| judge(&[good.clone(), vec![extra]].concat());
        assert_eq!(with(delivery(a, "chg_9", 9)).phantom, 1);
        assert_eq!(with(delivery(a, "chg_1", 1)).duplicates, 1);
        let mut forged = delivery(a, "chg_1", 1);
        forged.body = "{}".into();
        assert_eq!(with(forged).corrupt, 1);
        assert_eq!(with(delivery(a, "chg_1", 2)).corrupt, 1);
        let mut astray = delivery(a, "chg_1", 1);
        astray.path = "/b".into();
        assert_eq!(with(astray).corrupt, 1);
    }

    #[test]
    fn a_broken_promise_is_a_failure() {
        let good = Tally { accepted: 2, arrived: 5, duplicates: 1, ..Tally::default() };
        assert_eq!(good.judge(1), Ok(()));
        assert!(good.judge(0).is_err());
        for bad in [
            Tally { lost: 1, accepted: 1, ..Tally::default() },
            Tally { phantom: 1, accepted: 1, ..Tally::default() },
            Tally { corrupt: 1, accepted: 1, ..Tally::default() },
            Tally::default(),
        ] {
            assert!(bad.judge(9).is_err(), "{bad:?}");
        }
    }
}
