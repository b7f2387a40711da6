//! `fanfare healthcheck`: the exit code says whether a hub is ready, for container health checks.

use anyhow::{Context, anyhow};
use http::{Request, StatusCode};

use super::exit::Failure;
use super::http::{HubUrl, send, wait};
use super::output;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The hub's URL [default: http://127.0.0.1:3000]
    #[arg(long, value_name = "URL", env = "FANFARE_URL")]
    url: Option<HubUrl>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let url = args.url.clone().unwrap_or_default().route("/readyz");
    let (status, text) = wait(async {
        let answer = send(&url, None, Request::builder(), "").await;
        let answer = answer.with_context(|| format!("{url} is not ready"))?;
        Ok(answer.text().await)
    })?;
    if status != StatusCode::OK {
        return Err(anyhow!("{url} is not ready, {status}: {}", text.trim()).into());
    }
    Ok(output::line("ready")?)
}
