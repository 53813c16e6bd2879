//! Connections that wait for their next request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tidings_core::limits::{IDLE_CONNECTIONS_MAX, RECEIVER_IDLE_CONNECTIONS_MAX, RECEIVER_IDLE_MS};
use tokio::time::Instant;

use super::connect::Connection;

const IDLE: Duration = Duration::from_millis(RECEIVER_IDLE_MS);
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Idle connections by origin, the latest used last.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Idle>);

#[derive(Debug, Default)]
struct Idle {
    by_origin: HashMap<String, Vec<Waiting>>,
    total: usize,
}

#[derive(Debug)]
struct Waiting {
    connection: Connection,
    since: Instant,
}

impl Waiting {
    fn is_usable(&self) -> bool {
        self.connection.is_ready() && self.since.elapsed() < IDLE
    }
}

impl Pool {
    /// The latest used connection to `origin` that is still open.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        let mut idle = self.lock();
        let idle = &mut *idle;
        let waiting = idle.by_origin.get_mut(origin)?;
        while let Some(latest) = waiting.pop() {
            idle.total -= 1;
            if latest.is_usable() {
                return Some(latest.connection);
            }
        }
        None
    }

    /// Keeps the connection, or closes it when enough of them wait already.
    pub(super) fn put(&self, origin: &str, connection: Connection) {
        let mut idle = self.lock();
        let idle = &mut *idle;
        if idle.total >= IDLE_CONNECTIONS_MAX {
            return;
        }
        if !idle.by_origin.contains_key(origin) {
            idle.by_origin.insert(origin.to_owned(), Vec::new());
        }
        let Some(waiting) = idle.by_origin.get_mut(origin) else { return };
        if waiting.len() < RECEIVER_IDLE_CONNECTIONS_MAX {
            waiting.push(Waiting { connection, since: Instant::now() });
            idle.total += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().total
    }

    fn close_unusable(&self) {
        let mut idle = self.lock();
        let idle = &mut *idle;
        idle.by_origin.retain(|_, waiting| {
            let before = waiting.len();
            waiting.retain(Waiting::is_usable);
            idle.total -= before - waiting.len();
            !waiting.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that waited too long, until the pool is gone.
pub(super) async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.close_unusable();
    }
}
