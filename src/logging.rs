//! Where log lines go and how they look.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::cli::LogFormat;

/// Sends log lines of at least `level` to standard error. A level that cannot be understood logs
/// everything from `info` on, and says so.
pub(crate) fn start(format: LogFormat, level: &str) {
    let (filter, refused) = match EnvFilter::try_new(level) {
        Ok(filter) => (filter, None),
        Err(cause) => (EnvFilter::new("info"), Some(cause)),
    };
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_target(false)
        // It would tell of a line that could not be written by `eprintln!`, and panic: a capture
        // must not end because its log's disk is full.
        .log_internal_errors(false);
    match format {
        LogFormat::Human => builder.with_ansi(stderr().is_terminal()).compact().init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    if let Some(cause) = refused {
        tracing::warn!(level, %cause, "the log level cannot be understood; logging from info on");
    }
}
