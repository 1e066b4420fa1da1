//! The log: lines for people or JSON for programs, on standard error.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Human,
    /// A JSON object per line.
    Json,
}

/// Begins to log what `filter` lets through (`info`, `takst_gateway=debug`, ...). Does nothing when a log was begun already.
///
/// # Errors
/// When the filter cannot be read.
pub fn begin(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter =
        EnvFilter::try_new(filter).map_err(|error| format!("the filter of the log, `{filter}`: {error}"))?;
    // A log in a file has no colour.
    let colour =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr);
    // Of two beginnings the first one stays.
    let _ = match format {
        LogFormat::Human => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
