//! The composition root: one server made of store, service, engine, surfaces and listener. What all of
//! them need is made here and handed down.

use std::net::SocketAddr;
use std::sync::Arc;

use tidings_core::clock::Clock;
use tidings_core::format::Formats;
use tidings_core::id::Ids;
use tidings_core::limits::ERRANDS_WAITING_MAX;
use tidings_engine::egress::{Egress, Resolver, Tls};
use tidings_engine::run::EngineParts;
use tidings_providers::settings::Settings;
use tidings_service::{Bootstrap, InboxRequest, Service};
use tidings_store::Store;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use url::Url;

use crate::config::{Config, SecretText};
use crate::error::{Error, Result};
use crate::listener::{self, ListenerLimits};
use crate::metrics::{Metrics, Readers, Watched};
use crate::{engine, master_key, metrics, retention, surface};

/// A server that runs.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its verbs.
    pub(crate) service: Service,
    /// Its way out.
    pub(crate) egress: Arc<Egress>,
    /// What the first start made.
    pub(crate) bootstrap: Bootstrap,
    store: Store,
    stopping: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    engine: JoinHandle<()>,
}

impl Server {
    /// Opens the store, takes up what an earlier run left, and serves. What inboxes receive goes to
    /// `arrivals` too.
    ///
    /// # Errors
    /// The store, a key file or the address cannot be used.
    pub(crate) async fn start(
        config: &Config,
        clock: Clock,
        ids: Ids,
        arrivals: Option<mpsc::Sender<InboxRequest>>,
    ) -> Result<Self> {
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(Error::failed(format!("cannot listen on {}", config.listen)))?;
        let address = listener.local_addr().map_err(Error::failed("cannot listen"))?;
        let store = open_store(config).await?;
        let keyring = master_key::keyring(config, &ids)?;
        let formats = Formats::new(surface::dialects::formats());
        let providers = providers(config, address);
        let (desk, orders) = mpsc::channel(ERRANDS_WAITING_MAX);
        let service = Service::new(
            store.clone(),
            clock.clone(),
            ids.clone(),
            keyring.clone(),
            config.egress.clone(),
            formats.clone(),
        )
        .keeping(config.retention)
        .with_providers(providers.clone(), desk)
        .with_people(config.registration.clone())
        .with_examples(surface::dialects::examples());
        let wanted = config.bootstrap_key.as_ref().map(SecretText::reveal);
        let bootstrap =
            service.bootstrap(wanted).await.map_err(Error::failed("cannot make the first key"))?;
        begin_again(&service).await;
        resume_erasures(service.clone());
        let egress = Arc::new(egress(config, address)?);
        let (stopping, stop) = watch::channel(false);
        tokio::spawn(retention::run(service.retainer(), stop.clone()));
        if config.database_url.is_none() {
            let (directory, reserve) = (config.data_dir.clone(), config.disk_reserve);
            let watching = retention::watch_disk(service.clone(), directory, reserve, stop.clone());
            tokio::spawn(watching);
        }
        let metrics = Metrics::new(&store, &service, &egress, Watched::of(config));
        watch_metrics(config, &metrics, &stop).await?;
        let router = surface::router(&service, &config.platform, &metrics, &stop, arrivals);
        let accepting =
            listener::serve(listener, router, stopped(stop.clone()), ListenerLimits::default());
        let parts = EngineParts {
            store: store.clone(),
            egress: Arc::clone(&egress),
            keyring,
            clock,
            ids,
            formats,
            meters: Arc::clone(&metrics.engine),
        };
        Ok(Self {
            address,
            service,
            egress,
            bootstrap,
            store,
            stopping,
            accepting: tokio::spawn(accepting),
            engine: tokio::spawn(engine::run(parts, providers, config.cadence, orders, stop)),
        })
    }

    /// The address as a URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Completes when a part of the server ended by itself, which is a fault.
    pub(crate) async fn broken(&mut self) -> Error {
        tokio::select! {
            _ = &mut self.accepting => Error::Failed("the listener stopped; see the log".into()),
            _ = &mut self.engine => Error::Failed("the engine stopped; see the log".into()),
        }
    }

    /// Stops: not ready any more, no new connections, requests in progress and deliveries in flight
    /// finish, everything is settled, the store is closed.
    pub(crate) async fn stop(self) {
        self.stopping.send_replace(true);
        tokio::join!(until_done(self.accepting), until_done(self.engine));
        self.store.close().await;
    }
}

/// Serves the metrics at an address of their own, when they are to have one.
async fn watch_metrics(
    config: &Config,
    metrics: &Arc<Metrics>,
    stop: &watch::Receiver<bool>,
) -> Result<()> {
    let Some(address) = config.metrics.listen else { return Ok(()) };
    let failed = Error::failed(format!("metrics.listen: cannot listen on {address}"));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let router = metrics::routes(Arc::clone(metrics), Readers::All);
    let limits = ListenerLimits::default();
    tokio::spawn(listener::serve(listener, router, stopped(stop.clone()), limits));
    Ok(())
}

/// Waits for a task that may have been waited for already.
async fn until_done(task: JoinHandle<()>) {
    if !task.is_finished() && task.await.is_err() {
        tracing::error!("a part of the server failed while it was stopped");
    }
}

pub(crate) async fn open_store(config: &Config) -> Result<Store> {
    if let Some(url) = &config.database_url {
        let url = url.clone();
        let connecting = tokio::task::spawn_blocking(move || Store::connect(url.reveal()));
        return connecting
            .await
            .map_err(Error::failed("cannot use the database"))?
            .map_err(|error| Error::Failed(error.to_string()));
    }
    Store::open(&config.data_dir).map_err(|error| {
        let cause = std::error::Error::source(&error);
        let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
        let directory = config.data_dir.display();
        Error::Failed(format!("cannot open the store in {directory}: {error}{cause}"))
    })
}

/// The client of this installation: its policy, the authorities that it trusts, its proxy and its name.
pub(crate) fn egress(config: &Config, address: SocketAddr) -> Result<Egress> {
    let tls = match config.extra_ca.as_deref() {
        None => Tls::public(),
        Some(pem) => Tls::with_extra(pem)
            .map_err(|error| Error::Usage(format!("egress.extra_ca_file: {error}")))?,
    };
    let public = config.public_url.as_ref().and_then(|url| url.host_str().map(str::to_owned));
    Ok(Egress::new(config.egress.clone(), Resolver::System, tls)
        .through(config.proxy.clone())
        .known_as(public.unwrap_or_else(|| address.ip().to_string())))
}

/// Who we are at the providers. A server that only this machine reaches needs no `public_url` for that:
/// consent can be tried, and providers that are simulated here can push.
fn providers(config: &Config, address: SocketAddr) -> Settings {
    let mut settings = config.providers.clone();
    if settings.public_url.is_none() && address.ip().is_loopback() {
        settings.public_url = Url::parse(&format!("http://{address}/")).ok();
    }
    settings
}

/// What a start writes down. A store that takes no writes now (its disk is full) can still be read, and
/// whoever makes room needs a server to look at.
async fn begin_again(service: &Service) {
    if let Err(error) = service.abandon_refreshes().await {
        tracing::warn!(%error, "bulk jobs of before the start are not given up");
    }
    if let Err(error) = service.announce_start().await {
        tracing::warn!(%error, "not all hooks that ask for it are told of the start");
    }
}

/// Beside the work: a crash may have left much to erase.
fn resume_erasures(service: Service) {
    tokio::spawn(async move {
        if let Err(error) = service.resume_erasures().await {
            tracing::warn!(%error, "erasing deleted content is put off until the next start");
        }
    });
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    drop(stop.wait_for(|stopping| *stopping).await);
}
