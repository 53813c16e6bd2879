//! The way of a push to its subscriber: some get lost, some are late, doubled or overtaken.

mod client;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

use crate::server::lock;

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A push that is to be overtaken waits no longer for the next.
const OVERTAKEN: Duration = Duration::from_secs(1);

/// A request to a subscriber. It is a POST.
#[derive(Clone, Debug)]
pub struct Push {
    /// Where it goes: an address of this machine, or one that is routed there.
    pub url: String,
    /// The headers besides host and content length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What a subscriber answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The content type, empty if there is none.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// A push and what became of it.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The push.
    pub push: Push,
    /// Whether it got lost on purpose.
    pub dropped: bool,
    /// The status of each try; `None` when there was no answer.
    pub statuses: Vec<Option<u16>>,
}

/// What happens on the way.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The chance that a push gets lost.
    pub drop: f64,
    /// The chance that it arrives twice.
    pub duplicate: f64,
    /// The chance that the next push, if it comes within a second, overtakes it.
    pub reorder: f64,
    /// Each push is late by a time between these, in milliseconds.
    pub delay_ms: (u64, u64),
    /// The pauses before each further try, when the subscriber's answer asks for one.
    pub retries: Vec<Duration>,
}

impl Default for Conditions {
    fn default() -> Self {
        let retries = vec![Duration::from_millis(200), Duration::from_secs(1)];
        Self { drop: 0.0, duplicate: 0.0, reorder: 0.0, delay_ms: (0, 0), retries }
    }
}

/// Whether an answer (`None`: there was none) makes the provider try again.
pub type RetryOn = fn(Option<u16>) -> bool;

/// The pushes of a simulator; clones share them.
#[derive(Clone, Debug)]
pub struct Pushes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    retry_on: RetryOn,
    under_way: watch::Sender<usize>,
    /// Counts pushes, so that one that is held back sees the next.
    started: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    conditions: Conditions,
    routes: Vec<(String, String)>,
    sent: Vec<Pushed>,
    /// Whether later pushes are remembered in `sent`.
    remember: bool,
}

/// What the dice said about one push.
struct Fate {
    dropped: bool,
    copies: usize,
    overtaken: bool,
    delay: Duration,
}

impl Pushes {
    /// Pushes whose chances are drawn from `seed`.
    pub fn seeded(seed: u64, retry_on: RetryOn) -> Self {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            conditions: Conditions::default(),
            routes: Vec::new(),
            sent: Vec::new(),
            remember: true,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            retry_on,
            under_way: watch::Sender::new(0),
            started: watch::Sender::new(0),
        }))
    }

    /// Changes what happens on the way of later pushes.
    pub fn conditions(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut lock(&self.0.state).conditions);
    }

    /// Pushes to addresses that begin with `public`, such as `https://tidings.test`, go to `private`
    /// instead, such as `http://127.0.0.1:8080`: as through a proxy that ends TLS.
    pub fn route(&self, public: &str, private: &str) {
        lock(&self.0.state).routes.push((public.to_owned(), private.to_owned()));
    }

    /// Every push so far, in the order in which they were sent off.
    pub fn sent(&self) -> Vec<Pushed> {
        lock(&self.0.state).sent.clone()
    }

    /// Remembers no push from now on, so that a long run does not fill the memory.
    pub fn remember_none(&self) {
        lock(&self.0.state).remember = false;
    }

    /// Waits until no push is under way.
    pub async fn settled(&self) {
        let mut under_way = self.0.under_way.subscribe();
        under_way.wait_for(|count| *count == 0).await.expect("the sender is ours");
    }

    /// Sends a push off, under the conditions; returns at once.
    pub fn send(&self, push: Push) {
        let (number, fate) = self.cast(&push);
        self.0.started.send_modify(|count| *count += 1);
        if fate.dropped {
            return;
        }
        for push in std::iter::repeat_n(push, fate.copies) {
            self.0.under_way.send_modify(|count| *count += 1);
            let pushes = self.clone();
            // From here on, not from when the task begins: the next push may be sent before that.
            let next = fate.overtaken.then(|| self.0.started.subscribe());
            let delay = fate.delay;
            // Ends by itself: every wait in it is bounded.
            tokio::spawn(async move {
                hold_back(next, delay).await;
                pushes.try_until_taken(number, &push).await;
                pushes.0.under_way.send_modify(|count| *count -= 1);
            });
        }
    }

    /// Sends one push now, whatever the conditions, and waits for the answer; `None` when there is none.
    pub async fn deliver(&self, push: Push) -> Option<Reply> {
        let number = self.note(push.clone(), false);
        self.once(number, &push).await
    }

    /// Where the push is remembered, if it is.
    fn note(&self, push: Push, dropped: bool) -> Option<usize> {
        let mut state = lock(&self.0.state);
        if !state.remember {
            return None;
        }
        state.sent.push(Pushed { push, dropped, statuses: Vec::new() });
        Some(state.sent.len() - 1)
    }

    fn cast(&self, push: &Push) -> (Option<usize>, Fate) {
        let fate = {
            let State { rng, conditions, .. } = &mut *lock(&self.0.state);
            let (from, to) = conditions.delay_ms;
            Fate {
                dropped: rng.random_bool(conditions.drop),
                copies: if rng.random_bool(conditions.duplicate) { 2 } else { 1 },
                overtaken: rng.random_bool(conditions.reorder),
                delay: Duration::from_millis(rng.random_range(from..=to.max(from))),
            }
        };
        (self.note(push.clone(), fate.dropped), fate)
    }

    async fn try_until_taken(&self, number: Option<usize>, push: &Push) {
        let pauses = lock(&self.0.state).conditions.retries.clone();
        let mut pauses = pauses.into_iter();
        loop {
            let status = self.once(number, push).await.map(|reply| reply.status);
            let again = (self.0.retry_on)(status).then(|| pauses.next()).flatten();
            let Some(pause) = again else { return };
            tokio::time::sleep(pause).await;
        }
    }

    async fn once(&self, number: Option<usize>, push: &Push) -> Option<Reply> {
        let url = self.routed(&push.url);
        let reply = tokio::time::timeout(PATIENCE, client::post(&url, push)).await;
        let reply = reply.ok().and_then(Result::ok);
        let status = reply.as_ref().map(|reply| reply.status);
        if let Some(number) = number {
            lock(&self.0.state).sent[number].statuses.push(status);
        }
        reply
    }

    fn routed(&self, url: &str) -> String {
        let state = lock(&self.0.state);
        let route = state.routes.iter().find_map(|(public, private)| {
            let rest = url.strip_prefix(public.as_str())?;
            Some(format!("{private}{rest}"))
        });
        route.unwrap_or_else(|| url.to_owned())
    }
}

/// Waits for `delay`, and then for the next push or a second, whichever is first.
async fn hold_back(next: Option<watch::Receiver<u64>>, delay: Duration) {
    tokio::time::sleep(delay).await;
    let Some(mut next) = next else { return };
    if tokio::time::timeout(OVERTAKEN, next.changed()).await.is_ok() {
        // Long enough for the other to be first on loopback; order is luck, not a promise.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
