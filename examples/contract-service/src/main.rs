//! `fanfare-client` behind the REST protocol of the public SSE contract tests: whoever has that
//! harness can point it at this service.
//!
//! ```text
//! contract-service --listen 127.0.0.1:8000
//! ```

mod report;
mod request;
mod service;

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context;
use clap::Parser;
use tokio::net::TcpListener;

use crate::service::Service;

/// Runs fanfare-client for a contract-test harness.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; port 0 is any that is free
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", args.listen))?;
    // The harness, or a script, waits for this line.
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    let service = Service::new()?;
    let stopped = service.stopped();
    axum::serve(listener, service.router())
        .with_graceful_shutdown(stopped)
        .await
        .context("cannot serve")
}
