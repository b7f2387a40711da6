//! Asks the servers' monitoring whether they write to disk before they acknowledge (NA8).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::address::Address;
use crate::error::OpenError;

/// Proves it for every server that may hold the stream.
///
/// A client cannot ask: the setting is shown by the server's monitoring alone, from 2.10 on.
///
/// # Errors
///
/// [`OpenError::Unproven`].
pub(crate) async fn prove(address: &Address) -> Result<(), OpenError> {
    let unproven = |why: String| OpenError::Unproven { why };
    if address.monitors.len() < address.replicas {
        return Err(unproven(format!(
            "`monitor=` names {} servers, and the stream is on {}",
            address.monitors.len(),
            address.replicas
        )));
    }
    for monitor in &address.monitors {
        let asked = tokio::time::timeout(PATIENCE, ask(monitor)).await;
        let answer = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(unproven(format!("{monitor}: {error}"))),
            Err(_) => return Err(unproven(format!("{monitor} does not answer"))),
        };
        judge(&answer).map_err(|why| unproven(format!("{monitor} {why}")))?;
    }
    Ok(())
}

async fn ask(monitor: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(monitor).await?;
    // HTTP/1.0: the answer is what comes until the end.
    let request = "GET /varz HTTP/1.0\r\n\r\n";
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.take(BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether the page `/varz` says that each write is synced.
fn judge(page: &str) -> Result<(), &'static str> {
    let dense: String = page.chars().filter(|c| !c.is_whitespace()).collect();
    if dense.contains("\"sync_always\":true") {
        Ok(())
    } else if dense.contains("\"sync_interval\":") {
        Err("does not have `sync_interval: always`")
    } else if dense.contains("\"jetstream\":{") {
        Err("does not say how it syncs; NATS shows it from 2.10 on")
    } else {
        Err("is no monitoring of a NATS server with JetStream")
    }
}

const PATIENCE: Duration = Duration::from_secs(2);
const BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests;
