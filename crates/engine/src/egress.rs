//! The guarded way out: the one HTTP client through which Tidings talks to anybody else.
//!
//! An address is dialled only after [`EgressPolicy::vet_addresses`] accepted everything that the
//! name resolved to, and it is that very address: no second look-up, no redirect, no proxy but the one
//! that the operator configured, no `Alt-Svc`. Nothing here returns `Err`: what happened is data, see [`Attempted`].

mod connect;
mod message;
mod outcome;
mod pool;
mod proxy;
mod resolve;
mod tls;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tidings_core::egress::{EgressPolicy, FailureClass, Host, UrlRefusal, VettedUrl};
use tidings_core::limits::{
    CONNECT_DEADLINE_MS, DELIVERY_DEADLINE_MS, DNS_BUDGET_MS, PROVIDER_DEADLINE_MS,
    PROVIDER_RESPONSE_BYTES_MAX, RECEIVER_IDLE_MS, RESPONSE_READ_BYTES_MAX,
    RESPONSE_STORE_BYTES_MAX,
};
use tidings_core::meter::Count;
use tokio::time::{Instant, timeout_at};

use self::connect::Connection;
pub use self::outcome::{Attempted, BodyEnd, Failure, Response, Timings};
use self::outcome::{Phase, Trace};
use self::pool::Pool;
use self::proxy::Exit;
pub use self::proxy::{Proxy, ProxyError};
use self::resolve::Lookups;
pub use self::resolve::{Resolver, Table};
pub use self::tls::{Identity, Tls, TlsError};

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
    proxy: Option<Proxy>,
    origin: String,
    refusals: Count,
}

/// Where a request goes, and as whom.
struct Way<'a> {
    url: &'a VettedUrl,
    identity: Option<&'a Identity>,
    /// What idle connections that it can use are kept under.
    pooled: Cow<'a, str>,
    budget: Budget,
}

impl Egress {
    /// A client under `policy`. Must be called within a tokio runtime, where a task that closes
    /// idle connections lives as long as the client.
    pub fn new(policy: EgressPolicy, resolver: Resolver, tls: Tls) -> Self {
        let pool = Arc::new(Pool::default());
        tokio::spawn(pool::sweep(Arc::downgrade(&pool)));
        Self {
            policy,
            lookups: Lookups::new(resolver),
            tls,
            pool,
            proxy: None,
            origin: "localhost".into(),
            refusals: Count::default(),
        }
    }

    /// The same, with every connection through the operator's proxy.
    #[must_use]
    pub fn through(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    /// The same under this name, which receivers are told when they are asked for their consent.
    #[must_use]
    pub fn known_as(mut self, origin: String) -> Self {
        self.origin = origin;
        self
    }

    /// What we are known as: a host name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Who trusts whom.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// The policy that URLs have to be vetted with.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Connections that wait for their next request.
    pub fn idle_connections(&self) -> usize {
        self.pool.len()
    }

    /// How often the policy refused an address, or a URL by [`Egress::refuse`].
    pub fn refusals(&self) -> u64 {
        self.refusals.get()
    }

    /// The attempt at a URL that the policy refuses: nothing is dialled.
    pub fn refuse(&self, refusal: &UrlRefusal) -> Attempted {
        self.refusals.add(1);
        Attempted::refused(refusal)
    }

    /// Sends the request once. It is put on a second connection only when the first was a reused
    /// one that turned out to be closed before anything of the request was sent.
    pub async fn send(&self, request: Request<'_>) -> Attempted {
        self.send_as(request, None).await
    }

    /// As [`Egress::send`], showing a client certificate where the receiver asks for one.
    pub async fn send_as(&self, request: Request<'_>, identity: Option<&Identity>) -> Attempted {
        let started = Instant::now();
        let Request { url, budget, .. } = request;
        let pooled = match identity {
            None => Cow::Borrowed(url.origin()),
            Some(identity) => Cow::Owned(format!("{} {}", url.origin(), identity.name())),
        };
        let way = Way { url, identity, pooled, budget };
        let deadline = started + budget.total;
        let mut trace = Trace::default();
        let answered = timeout_at(deadline, self.exchange(request, &way, &mut trace))
            .await
            .unwrap_or_else(|_| Err(trace.out_of_time(budget.total)));
        let result = match answered {
            Err(failure) => {
                self.refusals.add(u64::from(failure.class == FailureClass::EgressRefused));
                Err(failure)
            }
            Ok(exchange) => {
                let (response, connection) = exchange.finish(budget, deadline).await;
                if let Some(connection) = connection {
                    self.pool.put(&way.pooled, connection);
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
        way: &Way<'_>,
        trace: &mut Trace,
    ) -> Result<message::Exchange, Failure> {
        let mut message = message::assemble(request)?;
        if let Some(connection) = self.reusable(way, trace).await? {
            match connection.exchange(message, trace).await {
                Ok(exchange) => return Ok(exchange),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => message = unsent,
                    None => return Err(Failure::of_exchange(error.error())),
                },
            }
        }
        // Rare and large: apart, so that sending on a kept connection moves little memory.
        let connection = Box::pin(self.connect(way, trace)).await?;
        let exchanged = connection.exchange(message, trace).await;
        exchanged.map_err(|error| Failure::of_exchange(error.error()))
    }

    /// An idle connection whose address was vetted lately, or is still an answer for the name.
    async fn reusable(
        &self,
        way: &Way<'_>,
        trace: &mut Trace,
    ) -> Result<Option<Connection>, Failure> {
        let Some(mut connection) = self.pool.take(&way.pooled) else {
            return Ok(None);
        };
        if connection.vetted_at.elapsed() >= Duration::from_millis(RECEIVER_IDLE_MS) {
            if self.judged_by_proxy(way.url).is_some() {
                return Ok(None);
            }
            let addresses = Box::pin(self.addresses(way, trace)).await?;
            if !addresses.contains(&connection.address.ip()) {
                return Ok(None);
            }
            connection.vetted_at = Instant::now();
        }
        trace.address = Some(connection.address);
        Ok(Some(connection))
    }

    async fn connect(&self, way: &Way<'_>, trace: &mut Trace) -> Result<Connection, Failure> {
        let Some(proxy) = &self.proxy else {
            let addresses = self.addresses(way, trace).await?;
            return connect::connect(way, &addresses, &self.tls, trace).await;
        };
        let addresses;
        let exit = match self.judged_by_proxy(way.url) {
            Some(name) => Exit::Name(name),
            None => {
                addresses = self.addresses(way, trace).await?;
                Exit::Addresses(&addresses)
            }
        };
        let found = match proxy.host() {
            Host::Address(ip) => vec![*ip],
            Host::Name(name) => {
                let found = self.lookups.look_up(name, way.budget.dns).await;
                found.map_err(|failure| Failure::new(FailureClass::Proxy, failure.detail))?
            }
        };
        connect::connect_through(proxy, &found, exit, way, &self.tls, trace).await
    }

    /// The name, when the operator's proxy looks it up and judges it in our place.
    fn judged_by_proxy<'u>(&self, url: &'u VettedUrl) -> Option<&'u str> {
        match (&self.proxy, url.host()) {
            (Some(proxy), Host::Name(name)) if proxy.filters() => Some(name),
            _ => None,
        }
    }

    /// What the host resolves to, vetted.
    async fn addresses(&self, way: &Way<'_>, trace: &mut Trace) -> Result<Vec<IpAddr>, Failure> {
        let vetted = match way.url.host() {
            Host::Address(ip) => self.policy.vet_addresses(&[*ip]),
            Host::Name(name) => {
                trace.phase = Phase::Resolving;
                let started = Instant::now();
                let answers = self.lookups.look_up(name, way.budget.dns).await;
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
