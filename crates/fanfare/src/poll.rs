//! `poll=1`: a stream in pieces that end, for proxies that hold back an answer until it is whole
//! (SRV-26). A plain `EventSource` with this parameter is a long-poll client.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fanfare_wire::HEARTBEAT;
use futures_util::{Stream, StreamExt};
use http::request::Parts;
use tokio::time::timeout;

/// Whether the request wants its stream in pieces. It is asked before a connection's lane is known,
/// so the pair counts only as it is written here.
pub(crate) fn is_asked(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    query.split('&').any(|pair| pair == "poll=1")
}

/// When a client of pieces asks for the next one, in ms.
pub(crate) const RETRY: u64 = 1000;

/// How long a piece waits for its event: shorter than proxies commonly wait for an answer.
pub(crate) const WAIT: Duration = Duration::from_secs(25);

/// The piece of `events` that ends with the first write that has an event in it, or what is there
/// after `wait`: then the first `first_len` bytes alone.
pub(crate) async fn piece(
    events: impl Stream<Item = Result<Bytes, Infallible>>,
    first_len: usize,
    wait: Duration,
) -> Bytes {
    let mut events = pin!(events);
    let mut body = BytesMut::new();
    let event = async {
        while let Some(Ok(bytes)) = events.next().await {
            if bytes != HEARTBEAT {
                body.extend_from_slice(&bytes);
            }
            // A write may be cut inside an event; what cuts it brings the rest.
            if body.len() > first_len && body.ends_with(BLOCK_END) {
                return;
            }
        }
    };
    // At the deadline half an event may be there: its reader comes back for it.
    _ = timeout(wait, event).await;
    let whole = body.windows(2).rposition(|two| two == BLOCK_END);
    body.truncate(whole.map_or(0, |at| at + BLOCK_END.len()));
    body.freeze()
}

const BLOCK_END: &[u8] = b"\n\n";

#[cfg(test)]
mod tests;
