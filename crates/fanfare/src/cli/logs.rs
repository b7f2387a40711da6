//! The log: lines on stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{Environment, LogFormat};

/// Sends the log to stderr; in colour on a terminal, unless `NO_COLOR` asks for none.
pub(super) fn start(level: &str, format: LogFormat, environment: &Environment) {
    let colour = io::stderr().is_terminal() && !environment.has("NO_COLOR");
    // The client of NATS calls each broken connection an error; the broker says what came of it.
    let filter = EnvFilter::new(format!("async_nats=off,{level}"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Told on stderr too, it would panic when nobody reads that any more.
        .log_internal_errors(false)
        .with_writer(io::stderr)
        .with_ansi(colour);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
