//! What goes wrong with requests, on order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

use super::call::{Answer, Call};
use super::lock;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is not carried out; this is the answer.
    Instead(Answer),
    /// It is not carried out; the connection breaks.
    Cut,
    /// It is carried out, but its answer is lost: the connection breaks.
    Lost,
    /// It is carried out after this time.
    Late(Duration),
    /// It waits at the gate, then it is carried out.
    HeldBefore(Gate),
    /// It is carried out, then its answer waits at the gate.
    HeldAfter(Gate),
}

/// The faults that are ordered; clones share them.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    rng: StdRng,
    orders: Vec<Order>,
}

#[derive(Debug)]
struct Order {
    method: Option<String>,
    part: String,
    skip: u32,
    times: Option<u32>,
    rate: f64,
    fault: Fault,
}

impl Faults {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { rng: StdRng::seed_from_u64(seed), orders: Vec::new() })))
    }

    /// The next request with this method (any if empty) whose path and query contain `part`.
    pub fn next(&self, method: &str, part: &str, fault: Fault) {
        self.order(method, part, 0, Some(1), 1.0, fault);
    }

    /// The next `times` such requests.
    pub fn times(&self, times: u32, method: &str, part: &str, fault: Fault) {
        self.order(method, part, 0, Some(times), 1.0, fault);
    }

    /// One such request, after `skip` others have passed.
    pub fn after(&self, skip: u32, method: &str, part: &str, fault: Fault) {
        self.order(method, part, skip, Some(1), 1.0, fault);
    }

    /// Such requests from now on, each with this chance between 0 and 1.
    pub fn always(&self, rate: f64, method: &str, part: &str, fault: Fault) {
        self.order(method, part, 0, None, rate, fault);
    }

    /// No faults any more.
    pub fn clear(&self) {
        lock(&self.0).orders.clear();
    }

    fn order(
        &self,
        method: &str,
        part: &str,
        skip: u32,
        times: Option<u32>,
        rate: f64,
        fault: Fault,
    ) {
        let method = (!method.is_empty()).then(|| method.to_owned());
        lock(&self.0).orders.push(Order { method, part: part.into(), skip, times, rate, fault });
    }

    /// What happens to this request: the first order that fits and whose chance falls.
    pub(super) fn draw(&self, call: &Call) -> Option<Fault> {
        let State { rng, orders } = &mut *lock(&self.0);
        let target = call.target();
        let mut fault = None;
        for order in orders.iter_mut() {
            let method = order.method.as_deref().is_none_or(|method| method == call.method);
            if !method || !target.contains(&order.part) {
                continue;
            }
            if order.skip > 0 {
                order.skip -= 1;
                continue;
            }
            if !rng.random_bool(order.rate) {
                continue;
            }
            order.times = order.times.map(|times| times.saturating_sub(1));
            fault = Some(order.fault.clone());
            break;
        }
        orders.retain(|order| order.times != Some(0));
        fault
    }
}

/// Where requests wait until a test lets them through; clones share it.
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
    waiting: Arc<watch::Sender<usize>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: Arc::new(watch::Sender::new(false)), waiting: Arc::default() }
    }
}

impl Gate {
    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until somebody waits at the gate, or has been there.
    pub async fn reached(&self) {
        let mut waiting = self.waiting.subscribe();
        waiting.wait_for(|count| *count > 0).await.expect("the gate is held by us");
    }

    pub(super) async fn pass(&self) {
        self.waiting.send_modify(|count| *count += 1);
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.expect("the gate is held by us");
    }
}
