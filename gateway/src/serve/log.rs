//! The log: lines for people or JSON for programs, on standard error.

use super::traces::{self, Traces};
use std::io::IsTerminal as _;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Human,
    /// A JSON object per line.
    Json,
}

/// Begins to log what `filter` lets through (`info`, `takst_gateway=debug`, ...), and hands spans to `traces`. Does nothing when a log was begun already.
///
/// # Errors
/// When the filter cannot be read.
pub fn begin(format: LogFormat, filter: &str, traces: Option<&Traces>) -> Result<(), String> {
    let filter =
        EnvFilter::try_new(filter).map_err(|error| format!("the filter of the log, `{filter}`: {error}"))?;
    // A log in a file has no colour.
    let colour =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_ansi(colour).with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Human => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Spans are for the collector: in the log they would stand before every line.
    // A function alone does not say that it never wants anything below some level: then all that libraries say is made, and thrown away.
    let no_spans =
        filter_fn(|about| about.target() != traces::TARGET).with_max_level_hint(LevelFilter::TRACE);
    let lines = lines.with_filter(filter.and(no_spans));
    let spans = traces.map(|traces| {
        tracing_opentelemetry::layer().with_tracer(traces.tracer()).with_filter(
            filter_fn(|about| about.target() == traces::TARGET).with_max_level_hint(LevelFilter::INFO),
        )
    });
    // Of two beginnings the first one stays.
    let _ = tracing_subscriber::registry().with(spans).with(lines).try_init();
    Ok(())
}
