//! Handshakes: what a connection over TLS begins with.

use std::io;
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::{HTTP_2, Tls};
use crate::server::Server;

/// What a handshake came to.
pub(crate) enum Outcome {
    /// The peer speaks HTTP/2, as was agreed by ALPN.
    Http2(Box<TlsStream<TcpStream>>),
    /// It speaks HTTP/1.1.
    Http1(Box<TlsStream<TcpStream>>),
    /// It does not speak TLS.
    Plain(TcpStream),
    /// It left, took too long, or there was nothing that both can.
    Failed,
}

/// Shakes hands with the peer at `socket`.
///
/// Waiting for a peer costs nothing but its connection. What costs, the signature and the
/// exchange of keys, is done by [`crate::server::Config::handshakes_max`] at once and in the order
/// of asking: a crowd that returns leaves the other threads to streams, and a peer that stalls
/// holds up nobody (S10, S13).
pub(crate) async fn shake(server: &Server, tls: &Tls, socket: TcpStream) -> Outcome {
    let outcome = shake_or_fail(server, tls, socket).await;
    outcome.unwrap_or_else(|failure| {
        tracing::debug!(%failure, "no handshake");
        server.metrics.handshake_failed(failure.reason());
        Outcome::Failed
    })
}

async fn shake_or_fail(server: &Server, tls: &Tls, socket: TcpStream) -> Result<Outcome, Failure> {
    let limit = server.config.handshake_timeout;
    let start = within(limit, async {
        let mut first = [0];
        if socket.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
            return Ok(Err(socket));
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        Ok(Ok(start))
    });
    let start = match start.await? {
        Ok(start) => start,
        Err(socket) => {
            server.metrics.handshake_failed("plain");
            return Ok(Outcome::Plain(socket));
        }
    };
    let turn = timeout(limit, server.handshakes.acquire()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(Failure::Busy);
    };
    let finish = start.into_stream(std::sync::Arc::clone(&tls.0.config));
    drop(turn);
    let stream = Box::new(within(limit, finish).await?);
    let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
    server.metrics.handshake_done(http2);
    Ok(match http2 {
        true => Outcome::Http2(stream),
        false => Outcome::Http1(stream),
    })
}

/// The first byte of a record that belongs to a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;

async fn within<T>(
    limit: Duration,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, Failure> {
    let outcome = timeout(limit, step).await.map_err(|_| Failure::Timeout)?;
    Ok(outcome?)
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the peer took too long")]
    Timeout,
    #[error("too many came before it")]
    Busy,
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Failure {
    fn reason(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            // So tokio-rustls wraps what rustls says.
            Self::Io(error) if error.kind() == io::ErrorKind::InvalidData => "protocol",
            Self::Io(_) => "gone",
        }
    }
}
