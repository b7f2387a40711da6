//! Where a subscriber's bytes go: the one thing a shard's core asks of the world.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};

use bytes::Bytes;
use mio::net::TcpStream;

use crate::stream::StreamSink;

/// A subscriber's way out; never blocks.
pub(crate) trait Sink {
    /// Takes bytes from the front of `bytes` and says how many.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when there is no room: a later readiness says when there is.
    /// Anything else means that the subscriber is gone.
    fn write(&mut self, bytes: &Bytes) -> io::Result<usize>;

    /// Throws away what the peer sent, and says whether it is still there.
    fn is_open(&mut self) -> bool;

    /// Ends the stream cleanly after what was written.
    fn end(&mut self);

    /// Where the peer is, if anybody knows.
    fn address(&self) -> Option<SocketAddr> {
        None
    }

    /// Whether it is a socket of the shard's own.
    fn is_socket(&self) -> bool {
        false
    }
}

/// The two ways to the wire.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// HTTP/1.1 without TLS: the shard owns the socket.
    Socket(TcpStream),
    /// HTTP/2, TLS, embedded use: a bounded hand-over.
    Stream(StreamSink),
}

impl Sink for Outlet {
    fn write(&mut self, bytes: &Bytes) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => write(socket, bytes),
            Self::Stream(stream) => stream.write(bytes),
        }
    }

    fn is_open(&mut self) -> bool {
        match self {
            Self::Socket(socket) => is_open(socket),
            Self::Stream(stream) => stream.is_open(),
        }
    }

    fn end(&mut self) {
        match self {
            // An error here means that the peer is already gone.
            Self::Socket(socket) => drop(socket.shutdown(Shutdown::Write)),
            Self::Stream(stream) => stream.end(),
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            // One that is gone has none, and is found to be gone.
            Self::Socket(socket) => socket.peer_addr().ok(),
            Self::Stream(stream) => stream.address(),
        }
    }

    fn is_socket(&self) -> bool {
        matches!(self, Self::Socket(_))
    }
}

/// Writes until all is taken or the socket would block: only after that does an edge-triggered
/// poll promise to say when there is room again.
fn write(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = socket.write(bytes)?;
    while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
        match socket.write(rest) {
            Ok(more) => taken += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// A subscriber has nothing more to say after its request: what it sends is thrown away, and one
/// that sends more than a little, or closes its side, is gone.
fn is_open(socket: &mut TcpStream) -> bool {
    let mut scrap = [0; 1024];
    for _ in 0..SCRAPS_MAX {
        match socket.read(&mut scrap) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    false
}

/// How many kilobytes a subscriber may send at once before it counts as hostile.
const SCRAPS_MAX: usize = 16;
