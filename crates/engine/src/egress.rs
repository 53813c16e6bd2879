//! The guarded way out: the one HTTP client through which Tidings talks to anybody else.
//!
//! An address is dialled only after [`EgressPolicy::vet_addresses`] accepted everything that the
//! name resolved to, and it is that very address: no second look-up, no redirect, no proxy from the
//! environment, no `Alt-Svc`. Nothing here returns `Err`: what happened is data, see [`Attempted`].

mod connect;
mod message;
mod outcome;
mod pool;
mod resolve;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tidings_core::egress::{EgressPolicy, Host, VettedUrl};
use tidings_core::limits::{
    CONNECT_DEADLINE_MS, DELIVERY_DEADLINE_MS, DNS_BUDGET_MS, PROVIDER_DEADLINE_MS,
    PROVIDER_RESPONSE_BYTES_MAX, RECEIVER_IDLE_MS, RESPONSE_READ_BYTES_MAX,
    RESPONSE_STORE_BYTES_MAX,
};
use tokio::time::{Instant, timeout_at};

use self::connect::Connection;
pub use self::outcome::{Attempted, BodyEnd, Failure, Response, Timings};
use self::outcome::{Phase, Trace};
use self::pool::Pool;
use self::resolve::Lookups;
pub use self::resolve::{Resolver, Table};
pub use self::tls::{Tls, TlsError};

/// What one request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Everything, response body included.
    pub total: Duration,
    /// Looking up the name.
    pub dns: Duration,
    /// Connecting, TLS handshake included.
    pub connect: Duration,
    /// Bytes of the response body that are read before the connection is dropped.
    pub read_bytes: usize,
    /// Bytes of the response body that are handed back.
    pub store_bytes: usize,
}

impl Budget {
    /// For one delivery attempt.
    pub fn delivery() -> Self {
        Self {
            total: Duration::from_millis(DELIVERY_DEADLINE_MS),
            dns: Duration::from_millis(DNS_BUDGET_MS),
            connect: Duration::from_millis(CONNECT_DEADLINE_MS),
            read_bytes: RESPONSE_READ_BYTES_MAX,
            store_bytes: RESPONSE_STORE_BYTES_MAX,
        }
    }

    /// For one request to a provider. A body that is not [`BodyEnd::Complete`] is of no use there.
    pub fn provider() -> Self {
        Self {
            total: Duration::from_millis(PROVIDER_DEADLINE_MS),
            read_bytes: PROVIDER_RESPONSE_BYTES_MAX,
            store_bytes: PROVIDER_RESPONSE_BYTES_MAX,
            ..Self::delivery()
        }
    }
}

/// One request. `Host`, `Content-Length` and everything about the connection are set by
/// [`Egress::send`], whatever `headers` says.
pub struct Request<'a> {
    /// Any method, CalDAV's included.
    pub method: Method,
    /// Where to, as vetted by [`Egress::policy`].
    pub url: &'a VettedUrl,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Bytes,
    /// What it may cost.
    pub budget: Budget,
}

/// Without headers and body, which hold secrets and payloads.
impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}, {} bytes", self.method, self.url, self.body.len())
    }
}

/// The HTTP client. Shared by all lanes and provider accounts in an `Arc`.
#[derive(Debug)]
pub struct Egress {
    policy: EgressPolicy,
    lookups: Lookups,
    tls: Tls,
    pool: Arc<Pool>,
}

impl Egress {
    /// A client under `policy`. Must be called within a tokio runtime, where a task that closes
    /// idle connections lives as long as the client.
    pub fn new(policy: EgressPolicy, resolver: Resolver, tls: Tls) -> Self {
        let pool = Arc::new(Pool::default());
        tokio::spawn(pool::sweep(Arc::downgrade(&pool)));
        Self { policy, lookups: Lookups::new(resolver), tls, pool }
    }

    /// The policy that URLs have to be vetted with.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Connections that wait for their next request.
    pub fn idle_connections(&self) -> usize {
        self.pool.len()
    }

    /// Sends the request once. It is put on a second connection only when the first was a reused
    /// one that turned out to be closed before anything of the request was sent.
    pub async fn send(&self, request: Request<'_>) -> Attempted {
        let started = Instant::now();
        let Request { url, budget, .. } = request;
        let deadline = started + budget.total;
        let mut trace = Trace::default();
        let answered = timeout_at(deadline, self.exchange(request, &mut trace))
            .await
            .unwrap_or_else(|_| Err(trace.out_of_time(budget.total)));
        let result = match answered {
            Err(failure) => Err(failure),
            Ok(exchange) => {
                let (response, connection) = exchange.finish(budget, deadline).await;
                if let Some(connection) = connection {
                    self.pool.put(url.origin(), connection);
                }
                Ok(response)
            }
        };
        trace.timings.total_us = Some(micros(started));
        Attempted { address: trace.address, timings: trace.timings, result }
    }

    async fn exchange(
        &self,
        request: Request<'_>,
        trace: &mut Trace,
    ) -> Result<message::Exchange, Failure> {
        let Request { url, budget, .. } = request;
        let mut message = message::assemble(request)?;
        if let Some(connection) = self.reusable(url, budget, trace).await? {
            match connection.exchange(message, trace).await {
                Ok(exchange) => return Ok(exchange),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => message = unsent,
                    None => return Err(Failure::of_exchange(error.error())),
                },
            }
        }
        let connection = self.connect(url, budget, trace).await?;
        let exchanged = connection.exchange(message, trace).await;
        exchanged.map_err(|error| Failure::of_exchange(error.error()))
    }

    /// An idle connection whose address was vetted lately, or is still an answer for the name.
    async fn reusable(
        &self,
        url: &VettedUrl,
        budget: Budget,
        trace: &mut Trace,
    ) -> Result<Option<Connection>, Failure> {
        let Some(mut connection) = self.pool.take(url.origin()) else {
            return Ok(None);
        };
        if connection.vetted_at.elapsed() >= Duration::from_millis(RECEIVER_IDLE_MS) {
            let addresses = self.addresses(url, budget, trace).await?;
            if !addresses.contains(&connection.address.ip()) {
                return Ok(None);
            }
            connection.vetted_at = Instant::now();
        }
        trace.address = Some(connection.address);
        Ok(Some(connection))
    }

    async fn connect(
        &self,
        url: &VettedUrl,
        budget: Budget,
        trace: &mut Trace,
    ) -> Result<Connection, Failure> {
        let addresses = self.addresses(url, budget, trace).await?;
        connect::connect(url, &addresses, budget.connect, &self.tls, trace).await
    }

    /// What the host resolves to, vetted.
    async fn addresses(
        &self,
        url: &VettedUrl,
        budget: Budget,
        trace: &mut Trace,
    ) -> Result<Vec<std::net::IpAddr>, Failure> {
        let vetted = match url.host() {
            Host::Address(ip) => self.policy.vet_addresses(&[*ip]),
            Host::Name(name) => {
                trace.phase = Phase::Resolving;
                let started = Instant::now();
                let answers = self.lookups.look_up(name, budget.dns).await;
                trace.timings.dns_us = Some(micros(started));
                self.policy.vet_addresses(&answers?)
            }
        };
        vetted.map_err(|refusal| Failure::of_addresses(&refusal))
    }
}

/// Microseconds since `started`, at least 1 so that a phase that happened is never 0.
fn micros(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
