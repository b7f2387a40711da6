//! One subscriber: a socket that asks for a stream, and reads its events.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};

use fanfare_wire::{Decoder, EventId, Item};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::LoadError;
use super::answer::{Body, Head, Malformed};
use super::wire::{Tls, Wire};

/// A subscriber, from its first connection on over all later ones.
#[derive(Debug)]
pub(crate) struct Subscriber {
    connection: Option<Connection>,
    /// Keeps the last event id from one connection to the next.
    decoder: Decoder,
}

#[derive(Debug)]
struct Connection {
    wire: Wire,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Connecting {
        request: Vec<u8>,
    },
    Head {
        bytes: Vec<u8>,
    },
    /// The head said 200; the first bytes of the body have not come.
    Opening(Body),
    Open(Body),
}

/// What became of a subscriber when its socket was ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// What it was before.
    Same,
    /// Its stream has begun.
    Opened,
    /// Its connection is gone, with `open` after its stream had begun.
    Ended { open: bool },
}

impl Subscriber {
    /// Makes a subscriber without a connection.
    pub(crate) fn new() -> Self {
        Self {
            connection: None,
            decoder: Decoder::new(&EventId::default()),
        }
    }

    /// The id it would resume after; empty before the first.
    pub(crate) fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Begins to connect; `request` goes out as soon as the connection stands.
    pub(crate) fn connect(
        &mut self,
        address: SocketAddr,
        source: Option<Ipv4Addr>,
        tls: Option<&Tls>,
        request: Vec<u8>,
    ) -> Result<&mut TcpStream, LoadError> {
        let wire = Wire::new(dial(address, source)?, tls).map_err(LoadError::Connect)?;
        self.decoder.restart();
        let connection = self.connection.insert(Connection {
            wire,
            stage: Stage::Connecting { request },
        });
        Ok(&mut connection.wire.socket)
    }

    /// Cuts the connection; the last event id stays.
    pub(crate) fn cut(&mut self) {
        self.connection = None;
    }

    /// Reads all there is, and hands each event's data to `take`.
    ///
    /// `hung_up` says that the hub has closed its side, so the end is to be read, too.
    pub(crate) fn ready(
        &mut self,
        scratch: &mut [u8],
        hung_up: bool,
        mut take: impl FnMut(&str),
    ) -> Result<Outcome, LoadError> {
        let Some(connection) = &mut self.connection else {
            return Ok(Outcome::Same);
        };
        connection.begin()?;
        let was_open = connection.is_open();
        let alive = loop {
            match connection.wire.read(scratch) {
                Ok(0) => break false,
                Ok(count) => {
                    let bytes = scratch.get(..count).unwrap_or_default();
                    if !connection.feed(bytes, &mut self.decoder, &mut take)? {
                        break false;
                    }
                    // A short read has emptied the socket; epoll tells when more has come.
                    if count < scratch.len() && !hung_up && connection.wire.is_plain() {
                        break true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if was_open => {
                    tracing::debug!(%error, "a subscriber's connection broke");
                    break false;
                }
                Err(error) if error.kind() == io::ErrorKind::NotConnected => break true,
                Err(error) => return Err(LoadError::Connect(error)),
            }
        };
        if alive {
            // A handshake may have come to its end by what was read.
            connection.begin()?;
        }
        let open = connection.is_open();
        if !alive {
            self.connection = None;
            return Ok(Outcome::Ended { open });
        }
        Ok(if open && !was_open {
            Outcome::Opened
        } else {
            Outcome::Same
        })
    }
}

impl Connection {
    /// Sends the request, if the connection has come to stand.
    fn begin(&mut self) -> Result<(), LoadError> {
        let Stage::Connecting { request } = &mut self.stage else {
            return Ok(());
        };
        if let Some(error) = self.wire.socket.take_error().map_err(LoadError::Socket)? {
            return Err(LoadError::Connect(error));
        }
        match self.wire.write(request) {
            Ok(sent) => drop(request.drain(..sent)),
            Err(error) if is_early(&error) => {}
            Err(error) => return Err(LoadError::Connect(error)),
        }
        if request.is_empty() {
            self.stage = Stage::Head { bytes: Vec::new() };
        }
        Ok(())
    }

    fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Takes `bytes` off the wire; false once the body is at its end or broken.
    fn feed(
        &mut self,
        bytes: &[u8],
        decoder: &mut Decoder,
        take: &mut impl FnMut(&str),
    ) -> Result<bool, LoadError> {
        match &mut self.stage {
            Stage::Open(body) => Ok(read_events(body, bytes, decoder, take)),
            Stage::Opening(_) => {
                self.open();
                self.feed(bytes, decoder, take)
            }
            Stage::Connecting { .. } => Err(MALFORMED),
            Stage::Head { bytes: held } => {
                held.extend_from_slice(bytes);
                let Some(head) = Head::parse(held).map_err(|Malformed| MALFORMED)? else {
                    return Ok(true);
                };
                let body = held.split_off(head.bytes);
                if head.status != 200 {
                    return Err(LoadError::Refused {
                        what: "subscribe",
                        status: head.status,
                        said: String::from_utf8_lossy(&body).into_owned(),
                    });
                }
                self.stage = Stage::Opening(head.body);
                if body.is_empty() {
                    return Ok(true);
                }
                self.feed(&body, decoder, take)
            }
        }
    }

    fn open(&mut self) {
        let stage = mem::replace(&mut self.stage, Stage::Open(Body::UntilClose));
        if let Stage::Opening(body) = stage {
            self.stage = Stage::Open(body);
        }
    }
}

const MALFORMED: LoadError = LoadError::Malformed { what: "subscribe" };

fn read_events(
    body: &mut Body,
    bytes: &[u8],
    decoder: &mut Decoder,
    take: &mut impl FnMut(&str),
) -> bool {
    let mut input = bytes;
    loop {
        let data = match body.next(&mut input) {
            Ok(Some(data)) => data,
            Ok(None) => return !body.ended(),
            Err(error) => {
                tracing::debug!(?error, "a subscriber's stream is malformed");
                return false;
            }
        };
        let mut items = decoder.feed(data);
        while let Some(item) = items.next() {
            if let Item::Event { data, .. } = item {
                take(data);
            }
        }
    }
}

/// The connection does not stand yet.
pub(crate) fn is_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted
    )
}

/// Begins a connection from `source`, or from wherever the system likes.
pub(crate) fn dial(address: SocketAddr, source: Option<Ipv4Addr>) -> Result<TcpStream, LoadError> {
    let open = || -> io::Result<Socket> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        Ok(socket)
    };
    let socket = open().map_err(LoadError::Socket)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
        Err(error) if is_early(&error) => {}
        Err(error) => return Err(LoadError::Connect(error)),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// `EINPROGRESS`, which has no name in [`io::ErrorKind`] yet.
const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
