//! Reads that are repeated until the store answers: while it is away, nothing is known to be gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A failed settle or read is tried again after this time.
pub(crate) const STORE_RETRY: Duration = Duration::from_secs(1);

/// Waits for the store, and says so once a second however many wait. Clones share that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    said: Arc<Mutex<Option<Instant>>>,
}

impl Patience {
    /// Asks the store until it answers.
    pub(crate) async fn read<T, F>(&self, mut read: impl FnMut() -> F) -> T
    where
        F: Future<Output = tidings_store::Result<T>>,
    {
        loop {
            match read().await {
                Ok(found) => return found,
                Err(error) => {
                    if self.is_news(Instant::now()) {
                        tracing::error!(error = %error, "the store could not be read; trying again");
                    }
                    tokio::time::sleep(STORE_RETRY).await;
                }
            }
        }
    }

    /// Whether nobody said so within the last second.
    fn is_news(&self, now: Instant) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let news = said.is_none_or(|at| now.duration_since(at) >= STORE_RETRY);
        if news {
            *said = Some(now);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_that_wait_say_so_once_a_second() {
        let (patience, begun) = (Patience::default(), Instant::now());
        for (ms, news) in
            [(0, true), (0, false), (999, false), (1_000, true), (1_500, false), (2_000, true)]
        {
            let now = begun + Duration::from_millis(ms);
            assert_eq!(patience.clone().is_news(now), news, "after {ms} ms");
        }
    }
}
