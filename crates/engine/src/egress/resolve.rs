//! From a name to addresses.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidings_core::egress::FailureClass;
use tidings_core::limits::{DNS_LOOKUPS_MAX, DNS_NAMES_MAX, DNS_REUSE_MS};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::outcome::Failure;

/// Where addresses come from.
#[derive(Clone, Debug)]
pub enum Resolver {
    /// The machine's resolver.
    System,
    /// A fixed table, for tests.
    Table(Arc<Table>),
}

/// Names and their addresses. A name that is not in it does not exist.
#[derive(Debug, Default)]
pub struct Table(Mutex<TableState>);

#[derive(Debug, Default)]
struct TableState {
    addresses: HashMap<String, Vec<IpAddr>>,
    lookups: usize,
}

impl Table {
    /// Sets what `name` resolves to from now on.
    pub fn set(&self, name: &str, addresses: &[IpAddr]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.addresses.insert(name.to_owned(), addresses.to_vec());
    }

    /// How many look-ups there were.
    pub fn lookups(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lookups
    }

    fn look_up(&self, name: &str) -> Option<Vec<IpAddr>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.lookups += 1;
        state.addresses.get(name).cloned()
    }
}

/// Look-ups with a short memory: many requests to one name ask once, and no more than
/// [`DNS_LOOKUPS_MAX`] threads wait for name servers.
#[derive(Debug)]
pub(super) struct Lookups {
    resolver: Resolver,
    threads: Arc<Semaphore>,
    names: Mutex<HashMap<String, Arc<Remembered>>>,
}

/// The latest answer for one name. Locked during the look-up, so that one at a time asks.
type Remembered = tokio::sync::Mutex<Option<(Instant, Vec<IpAddr>)>>;

impl Lookups {
    pub(super) fn new(resolver: Resolver) -> Self {
        let threads = Arc::new(Semaphore::new(DNS_LOOKUPS_MAX));
        Self { resolver, threads, names: Mutex::default() }
    }

    /// The addresses of `name`, unvetted, perhaps none.
    pub(super) async fn look_up(
        &self,
        name: &str,
        budget: Duration,
    ) -> Result<Vec<IpAddr>, Failure> {
        let answer = timeout(budget, self.remembered_or_asked(name)).await;
        answer.unwrap_or_else(|_| {
            let detail = format!("no answer from the name server within {} ms", budget.as_millis());
            Err(Failure::new(FailureClass::Dns, detail))
        })
    }

    async fn remembered_or_asked(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let remembered = self.remembered(name);
        let mut latest = remembered.lock().await;
        if let Some((at, addresses)) = &*latest
            && at.elapsed() < Duration::from_millis(DNS_REUSE_MS)
        {
            return Ok(addresses.clone());
        }
        let addresses = self.ask(name).await?;
        *latest = Some((Instant::now(), addresses.clone()));
        Ok(addresses)
    }

    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.names.lock().unwrap().clear();
    }

    fn remembered(&self, name: &str) -> Arc<Remembered> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remembered) = names.get(name) {
            return Arc::clone(remembered);
        }
        if names.len() >= DNS_NAMES_MAX {
            names.clear();
        }
        Arc::clone(names.entry(name.to_owned()).or_default())
    }

    async fn ask(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        match &self.resolver {
            Resolver::System => self.ask_system(name).await,
            Resolver::Table(table) => {
                let none = || Failure::new(FailureClass::Dns, "no such host name");
                table.look_up(name).ok_or_else(none)
            }
        }
    }

    /// A look-up cannot be interrupted, so its thread keeps the permit even when nobody waits for
    /// the answer any more.
    async fn ask_system(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let failed = |detail: String| Failure::new(FailureClass::Dns, detail);
        let permit = Arc::clone(&self.threads).acquire_owned().await;
        let permit = permit.map_err(|_| failed("shutting down".into()))?;
        let name = name.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let answers = (name.as_str(), 0).to_socket_addrs();
            drop(permit);
            answers.map(|answers| answers.map(|answer| answer.ip()).collect())
        });
        let answers = asked.await.map_err(|_| failed("shutting down".into()))?;
        answers.map_err(|error| failed(error.to_string()))
    }
}
