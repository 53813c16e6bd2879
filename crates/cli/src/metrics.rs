//! `/metrics`: everything that is metered, in the OpenMetrics text format. The names are documented in
//! `docs/operating.md`; a test compares the two.

mod page;
mod process;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use tidings_core::clock::Timestamp;
use tidings_core::limits::GAUGES_KEPT_MS;
use tidings_engine::egress::Egress;
use tidings_engine::meters::Meters;
use tidings_service::{Error, Service};
use tidings_store::{Gauges, Store};
use tokio::sync::Mutex;

use crate::config::Config;

/// Of the OpenMetrics text format, <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is metered.
#[derive(Debug)]
pub(crate) struct Metrics {
    store: Store,
    service: Service,
    egress: Arc<Egress>,
    /// What the engine counts.
    pub(crate) engine: Arc<Meters>,
    /// When the process began to serve.
    started_at: Timestamp,
    /// The directory of the embedded store.
    directory: Option<PathBuf>,
    /// Whether everybody may read them where everything else is served.
    pub(crate) open: bool,
    /// What is counted in the store, and when that was.
    counted: Kept<(Timestamp, Gauges)>,
    /// The lag alone, which costs little: whoever probes a server does not wait for the rest.
    lag: Kept<f64>,
}

/// What the store answered lately: however many ask, it is not asked more often than every few seconds, nor
/// is one that does not answer.
#[derive(Debug)]
struct Kept<T>(Mutex<Option<(Instant, Option<T>)>>);

impl<T: Clone> Kept<T> {
    /// The answer of a few seconds ago at most; `None` when there was none.
    async fn get(&self, ask: impl Future<Output = tidings_store::Result<T>>) -> Option<T> {
        let mut kept = self.0.lock().await;
        let lasts = Duration::from_millis(GAUGES_KEPT_MS);
        if let Some((_, found)) = kept.as_ref().filter(|(at, _)| at.elapsed() < lasts) {
            return found.clone();
        }
        let found = match ask.await {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!(%error, "the gauges could not be counted");
                None
            }
        };
        *kept = Some((Instant::now(), found.clone()));
        found
    }
}

/// What the configuration says about metrics.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// The directory of the embedded store.
    directory: Option<PathBuf>,
    /// Whether everybody may read them where everything else is served.
    open: bool,
}

impl Watched {
    pub(crate) fn of(config: &Config) -> Self {
        let directory = config.database_url.is_none().then(|| config.data_dir.clone());
        Self { directory, open: config.metrics.open }
    }
}

/// Who may read `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Everybody who reaches the address.
    All,
    /// Holders of an owner key.
    Owners,
}

#[derive(Clone)]
struct Desk {
    metrics: Arc<Metrics>,
    readers: Readers,
}

/// The path `/metrics`.
pub(crate) fn routes(metrics: Arc<Metrics>, readers: Readers) -> Router {
    Router::new().route("/metrics", get(answer)).with_state(Desk { metrics, readers })
}

async fn answer(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let may = match desk.readers {
        Readers::All => Ok(true),
        Readers::Owners => desk.metrics.is_owner(&headers).await,
    };
    match may {
        Ok(true) => {}
        Ok(false) => {
            let why = "the metrics of the whole server: authorization: Bearer <an owner key>, or see \
                       metrics.open and metrics.listen in docs/operating.md\n";
            return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], why).into_response();
        }
        // Not 401: the key is good, but the store that knows it is away.
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
    match desk.metrics.page().await {
        Ok(page) => ([(CONTENT_TYPE, MEDIA_TYPE)], page).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Metrics {
    /// All of it, of a process that begins to serve now.
    pub(crate) fn new(
        store: &Store,
        service: &Service,
        egress: &Arc<Egress>,
        Watched { directory, open }: Watched,
    ) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            service: service.clone(),
            egress: Arc::clone(egress),
            engine: Arc::default(),
            started_at: service.now(),
            directory,
            open,
            counted: Kept(Mutex::default()),
            lag: Kept(Mutex::default()),
        })
    }

    /// Age of the oldest change that no hook was compared with yet, seconds; `None` when the store does
    /// not answer.
    pub(crate) async fn lag_seconds(&self) -> Option<f64> {
        let ask = async {
            let since = self.store.unmatched_since().await?;
            Ok(age(self.service.now(), since))
        };
        self.lag.get(ask).await
    }

    async fn is_owner(&self, headers: &HeaderMap) -> Result<bool, Error> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = bearer.and_then(|value| value.strip_prefix("Bearer ")) else {
            return Ok(false);
        };
        match self.service.authenticate(token.trim(), None).await {
            Ok(caller) => Ok(caller.is_owner()),
            Err(Error::Unauthenticated) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How the installation stands, as counted a few seconds ago at most, and when that was: ages are as of
    /// then. `None` when the store does not answer, which its own metric says.
    async fn gauges(&self) -> Option<(Timestamp, Gauges)> {
        let ask = async {
            let gauges = self.store.gauges().await?;
            Ok((self.service.now(), gauges))
        };
        self.counted.get(ask).await
    }
}

/// How long ago that was, seconds; 0 when there is none.
fn age(now: Timestamp, since: Option<Timestamp>) -> f64 {
    since.map_or(0.0, |since| (now.0 - since.0).max(0) as f64 / 1_000.0)
}
