//! The page itself: each metric with its name and what it means.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tidings_core::clock::Timestamp;
use tidings_core::meter::Distribution;
use tidings_store::Gauges;

use super::process::{self, Process};
use super::{Metrics, age};

/// What is exposed, read in one go.
#[derive(Debug)]
struct Reading {
    /// When the gauges were counted.
    counted_at: Timestamp,
    started_at: Timestamp,
    embedded: bool,
    attempts: Vec<(&'static str, u64)>,
    attempt: Distribution,
    deliveries: Vec<(&'static str, u64)>,
    passes: Vec<(&'static str, u64)>,
    pass: Distribution,
    accepted: Distribution,
    commit: Distribution,
    commits_failed: u64,
    queue: (usize, usize),
    refusals: u64,
    idle_connections: usize,
    gauges: Option<Gauges>,
    disk_free: Option<u64>,
    process: Option<Process>,
}

impl Metrics {
    /// The page as of now.
    pub(super) async fn page(&self) -> Result<String, fmt::Error> {
        let disk = self.directory.as_deref().and_then(crate::retention::free_bytes);
        let (counted_at, gauges) = self.gauges().await.unzip();
        let reading = Reading {
            counted_at: counted_at.unwrap_or_else(|| self.service.now()),
            started_at: self.started_at,
            embedded: self.directory.is_some(),
            attempts: self.engine.attempts().collect(),
            attempt: self.engine.attempt().read(),
            deliveries: self.engine.deliveries().to_vec(),
            passes: self.engine.passes().collect(),
            pass: self.engine.pass().read(),
            accepted: self.service.accepted().read(),
            commit: self.store.commit_meters().durable.read(),
            commits_failed: self.store.commit_meters().failed.get(),
            queue: self.store.writer_queue(),
            refusals: self.egress.refusals(),
            idle_connections: self.egress.idle_connections(),
            gauges,
            disk_free: disk,
            process: process::read(),
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(reading));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry)?;
        Ok(page)
    }
}

impl Collector for Reading {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut sheet = Sheet(encoder);
        self.server(&mut sheet)?;
        self.deliveries(&mut sheet)?;
        self.calendars(&mut sheet)?;
        self.store(&mut sheet)?;
        self.process(&mut sheet)
    }
}

impl Reading {
    fn server(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let store = if self.embedded { "embedded" } else { "postgres" };
        let build = [("version", env!("CARGO_PKG_VERSION")), ("store", store)];
        sheet.gauges(
            "tidings_build_info",
            "Always 1; the labels say what runs.",
            None,
            [(build, 1)],
        )?;
        sheet.histogram("tidings_accept", ACCEPT, &self.accepted)?;
        let about = "Addresses and URLs that the egress policy refused";
        sheet.counter("tidings_egress_refusals", about, self.refusals)?;
        let about = "Connections to receivers and providers that wait for their next request";
        sheet.gauge("tidings_egress_idle_connections", about, self.idle_connections as u64)
    }

    fn deliveries(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let by = |label, counts: &[(&'static str, u64)]| -> Vec<_> {
            counts.iter().map(|(name, count)| ([(label, *name)], *count)).collect()
        };
        let about = "Deliveries by outcome; retried counts each retry that is put off";
        sheet.counters("tidings_deliveries", about, by("outcome", &self.deliveries))?;
        let about = "HTTP attempts at receivers by what they came to";
        sheet.counters("tidings_attempts", about, by("class", &self.attempts))?;
        let about = "Attempts, from looking the name up to the last byte of the answer";
        sheet.histogram("tidings_attempt", about, &self.attempt)?;
        let gauges = self.gauges.as_ref();
        let about = "Age of the oldest change that no hook was compared with yet: our own lag";
        let since = gauges.map(|gauges| age(self.counted_at, gauges.unmatched_since));
        sheet.maybe("tidings_queue_lag", about, Some(&Unit::Seconds), since)?;
        let about = "Age of the oldest change that an active hook was not sent yet, retries aside";
        let since = gauges.map(|gauges| age(self.counted_at, gauges.owed_since));
        sheet.maybe("tidings_owed_oldest", about, Some(&Unit::Seconds), since)?;
        let about = "Active hooks that have not been sent everything, retries aside";
        let behind = gauges.map(|gauges| gauges.hooks_behind as f64);
        sheet.maybe("tidings_hooks_behind", about, None, behind)?;
        let parked = gauges.into_iter().flat_map(|gauges| {
            [("waiting", gauges.waiting), ("exhausted", gauges.exhausted)]
                .map(|(state, count)| ([("state", state)], count))
        });
        let about = "Deliveries that wait for a retry, and those given up and kept";
        sheet.gauges("tidings_parked", about, None, parked)?;
        let hooks = gauges.into_iter().flat_map(|gauges| &gauges.hooks);
        let hooks = hooks.map(|(state, count)| ([("state", state.as_str())], *count));
        sheet.gauges("tidings_hooks", "Hooks by state", None, hooks)
    }

    fn calendars(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let accounts = self.gauges.iter().flat_map(|gauges| &gauges.accounts);
        let accounts = accounts.map(|(provider, state, count)| {
            ([("provider", provider.as_str()), ("state", state.as_str())], *count)
        });
        sheet.gauges("tidings_accounts", "Accounts by provider and state", None, accounts)?;
        let about = "Active accounts whose last pass met trouble";
        let failing = self.gauges.as_ref().map(|gauges| gauges.failing_accounts as f64);
        sheet.maybe("tidings_accounts_failing", about, None, failing)?;
        let passes = self.passes.iter().map(|(name, count)| ([("outcome", *name)], *count));
        sheet.counters("tidings_sync_passes", "Passes over accounts by outcome", passes)?;
        sheet.histogram("tidings_sync_pass", "How long passes over accounts took", &self.pass)
    }

    fn store(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let gauges = self.gauges.as_ref();
        sheet.gauge("tidings_store_up", "1 when the store answers", u64::from(gauges.is_some()))?;
        sheet.maybe("tidings_apps", "Apps", None, gauges.map(|gauges| gauges.apps as f64))?;
        let about = "Commits of the journal, from their first job until they are durable";
        sheet.histogram("tidings_commit", about, &self.commit)?;
        let about = "Commits that failed or whose fate could not be found out";
        sheet.counter("tidings_commits_failed", about, self.commits_failed)?;
        let (waiting, most) = self.queue;
        let about = "Jobs that wait for the writer";
        sheet.gauge("tidings_writer_queue_jobs", about, waiting as u64)?;
        let about = "Jobs that may wait for the writer; one more is refused as busy";
        sheet.gauge("tidings_writer_queue_limit", about, most as u64)?;
        let about = "Size of the database; of the embedded store without its write-ahead log";
        let size = gauges.map(|gauges| gauges.store_bytes as f64);
        sheet.maybe("tidings_store", about, Some(&Unit::Bytes), size)?;
        let about = "Free bytes of the disk of the embedded store";
        let free = self.disk_free.map(|free| free as f64);
        sheet.maybe("tidings_disk_free", about, Some(&Unit::Bytes), free)
    }

    fn process(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let started = self.started_at.0 as f64 / 1_000.0;
        let about = "When the process began to serve, as seconds since 1970";
        sheet.maybe("process_start_time", about, Some(&Unit::Seconds), Some(started))?;
        let Some(process) = self.process else { return Ok(()) };
        let about = "Processor time used";
        sheet.seconds_counter("process_cpu", about, process.cpu_seconds)?;
        let (bytes, about) = (Some(&Unit::Bytes), "Memory in use");
        sheet.maybe(
            "process_resident_memory",
            about,
            bytes,
            Some(process.resident_bytes as f64),
        )?;
        sheet.gauge("process_open_fds", "Open file descriptors", process.open_files)?;
        sheet.gauge("process_threads", "Threads", process.threads)
    }
}

const ACCEPT: &str =
    "Publishes from the call until they are durable; refused ones are not among them";

/// The page while it is written.
struct Sheet<'a>(DescriptorEncoder<'a>);

impl Sheet<'_> {
    fn counter(&mut self, name: &str, about: &str, count: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, about, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&count, None)
    }

    fn seconds_counter(&mut self, name: &str, about: &str, seconds: f64) -> fmt::Result {
        let (unit, kind) = (Some(&Unit::Seconds), MetricType::Counter);
        let mut metric = self.0.encode_descriptor(name, about, unit, kind)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        about: &str,
        counts: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, about, None, MetricType::Counter)?;
        for (labels, count) in counts {
            let mut one = metric.encode_family(&labels)?;
            one.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, about: &str, value: u64) -> fmt::Result {
        self.maybe(name, about, None, Some(value as f64))
    }

    /// A gauge whose value may not be known: then it is only announced.
    fn maybe(
        &mut self,
        name: &str,
        about: &str,
        unit: Option<&Unit>,
        value: Option<f64>,
    ) -> fmt::Result {
        let kind = MetricType::Gauge;
        let mut metric = self.0.encode_descriptor(name, about, unit, kind)?;
        value.map_or(Ok(()), |value| metric.encode_gauge(&value))
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        about: &str,
        unit: Option<&Unit>,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let kind = MetricType::Gauge;
        let mut metric = self.0.encode_descriptor(name, about, unit, kind)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_gauge(&(value as f64))?;
        }
        Ok(())
    }

    /// Seconds.
    fn histogram(&mut self, name: &str, about: &str, durations: &Distribution) -> fmt::Result {
        let (unit, kind) = (Some(&Unit::Seconds), MetricType::Histogram);
        let mut metric = self.0.encode_descriptor(name, about, unit, kind)?;
        let Distribution { buckets, sum, count } = durations;
        metric.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
    }
}
