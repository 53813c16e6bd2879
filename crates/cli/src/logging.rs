//! Log lines go to standard error; standard output is for answers. `docs/logs.md` has the rules.

use std::io::{self, IsTerminal};

use tidings_engine::trace;
use tracing_subscriber::filter::{Directive, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use crate::config::{Log, LogFormat};
use crate::error::{Error, Result};
use crate::telemetry::Traces;

/// Starts logging for the whole process, and the collection of traces, if anybody collects them.
///
/// # Errors
/// The level cannot be understood, or logging was started before.
pub(crate) fn start(log: &Log, traces: Option<Traces>) -> Result<()> {
    let filter = EnvFilter::try_new(&log.level).map_err(Error::failed("log.level"))?;
    // Spans are for traces; in log lines they would be fields that no rule knows.
    let none = format!("{}=off", trace::TARGET)
        .parse::<Directive>()
        .map_err(Error::failed("log.level"))?;
    let filter = filter.add_directive(none);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Human => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            lines.with_current_span(false).with_span_list(false).boxed()
        }
    };
    let only = Targets::new().with_target(trace::TARGET, LevelFilter::INFO);
    let traces = traces.map(|traces| traces.with_filter(only));
    let started = registry().with(lines.with_filter(filter)).with(traces).try_init();
    started.map_err(Error::failed("cannot start logging"))
}
