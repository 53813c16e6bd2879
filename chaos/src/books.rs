//! The books that the battery keeps on its own: what was promised to publishers, what reached receivers.
//! Both are also files, so that a broken promise can be looked into afterwards.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tidings_core::sign::Secret;
use tokio::sync::oneshot;

/// A hook, and how its deliveries are recognised.
#[derive(Clone, Debug)]
pub(crate) struct HookBook {
    /// Whose changes it takes.
    pub(crate) tenant: usize,
    /// The path that it delivers to.
    pub(crate) path: String,
    /// What it signs with.
    pub(crate) secret: Secret,
}

/// What one tenant's publisher was answered 2xx for: change id -> the number that was published in it.
pub(crate) type Accepted = Vec<HashMap<String, u64>>;

/// A webhook that a receiver answered with a 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Which hook, by its place in the list of books.
    pub(crate) hook: usize,
    /// When it was there.
    pub(crate) at: Instant,
    /// What it says; absent when it is not genuine.
    pub(crate) said: Option<Said>,
}

/// What a genuine webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) webhook_id: String,
    pub(crate) change: String,
    pub(crate) number: u64,
}

/// The publishers' book: a line is on disk before [`PublisherBook::note`] returns.
#[derive(Clone, Debug)]
pub(crate) struct PublisherBook {
    lines: mpsc::Sender<(String, oneshot::Sender<std::io::Result<()>>)>,
    accepted: Arc<Mutex<Accepted>>,
    begun: Arc<Mutex<HashMap<u64, Instant>>>,
}

impl PublisherBook {
    /// An empty book for `tenants`, kept in the file at `path`.
    pub(crate) fn open(path: &Path, tenants: usize) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| error.to_string())?;
        let (lines, waiting) = mpsc::channel();
        std::thread::spawn(move || write_lines(file, &waiting));
        let accepted = Arc::new(Mutex::new(vec![HashMap::new(); tenants]));
        Ok(Self { lines, accepted, begun: Arc::default() })
    }

    /// Notes changes for which a 2xx came: `(change id, number)`.
    pub(crate) async fn note(&self, tenant: usize, made: &[(String, u64)]) -> Result<(), String> {
        let (done, written) = oneshot::channel();
        let text = made.iter().map(|(id, number)| format!("{tenant} {number} {id}\n")).collect();
        self.lines.send((text, done)).map_err(|_| "the publisher's book is closed")?;
        let written = written.await.map_err(|_| "the publisher's book is closed")?;
        written.map_err(|error| format!("the publisher's book: {error}"))?;
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, number) in made {
            if let Some(other) = accepted[tenant].insert(id.clone(), *number) {
                return Err(format!("changes {other} and {number} got the same id"));
            }
        }
        Ok(())
    }

    /// Notes when numbers were first asked to be published.
    pub(crate) fn begin(&self, numbers: std::ops::RangeInclusive<u64>) {
        let now = Instant::now();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.extend(numbers.map(|number| (number, now)));
    }

    /// How long each arrival at a hook was on its way, from asking to publish it.
    pub(crate) fn delays(&self, arrivals: &[Arrival], hook: usize) -> Vec<Duration> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let of_hook = arrivals.iter().filter(|arrival| arrival.hook == hook);
        let delay = |arrival: &Arrival| {
            let number = arrival.said.as_ref()?.number;
            Some(arrival.at.saturating_duration_since(*begun.get(&number)?))
        };
        of_hook.filter_map(delay).collect()
    }

    /// How many changes were promised.
    pub(crate) fn count(&self) -> usize {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.iter().map(HashMap::len).sum()
    }

    /// What was promised.
    pub(crate) fn accepted(&self) -> Accepted {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Many publishers share a sync.
fn write_lines(
    mut file: File,
    waiting: &mpsc::Receiver<(String, oneshot::Sender<std::io::Result<()>>)>,
) {
    while let Ok((mut text, done)) = waiting.recv() {
        let mut told = vec![done];
        while let Ok((more, done)) = waiting.try_recv() {
            text.push_str(&more);
            told.push(done);
        }
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        for done in told {
            let result = match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(error.kind().into()),
            };
            // A publisher that went away does not want to know.
            drop(done.send(result));
        }
    }
}
