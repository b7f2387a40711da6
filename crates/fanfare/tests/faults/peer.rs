//! A plain HTTP/1.1 peer that survives the end of the other side.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use fanfare_wire::{Decoder, EventId, Item};

use crate::program::DEADLINE;

/// A connection on which one request follows the other.
pub(crate) struct Peer {
    reader: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.set_nodelay(true)?;
        let reader = BufReader::new(socket);
        Ok(Self { reader })
    }

    /// Sends a request and takes the whole answer.
    pub(crate) fn ask(&mut self, request: &str) -> io::Result<Answer> {
        self.send(request)?;
        let head = self.read_head()?;
        let mut body = vec![0; length_of(&head)];
        self.reader.read_exact(&mut body)?;
        Ok(Answer {
            status: status_of(&head)?,
            body: String::from_utf8(body).map_err(io::Error::other)?,
        })
    }

    fn send(&mut self, request: &str) -> io::Result<()> {
        self.reader.get_mut().write_all(request.as_bytes())
    }

    fn read_head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head)
    }
}

fn status_of(head: &str) -> io::Result<u16> {
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other(format!("no status in {head:?}")))
}

fn length_of(head: &str) -> usize {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(0, |(_, length)| length.parse().unwrap())
}

/// An event as a subscriber sees it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Seen {
    pub(crate) event_type: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Seen {
    pub(crate) fn is_gap(&self) -> bool {
        self.event_type == "fanfare-gap"
    }
}

/// A subscriber's stream.
pub(crate) struct Stream {
    peer: Peer,
    decoder: Decoder,
    ready: VecDeque<Seen>,
}

impl Stream {
    /// Subscribes to every topic, after the event `last`; gaps come as events.
    pub(crate) fn open(address: SocketAddr, last: &str) -> io::Result<Self> {
        let mut peer = Peer::connect(address)?;
        peer.send(&format!(
            "GET /.well-known/mercure?topic=*&gap=1 HTTP/1.1\r\nHost: h\r\n\
             Accept: text/event-stream\r\nLast-Event-ID: {last}\r\n\r\n"
        ))?;
        let head = peer.read_head()?;
        match status_of(&head)? {
            200 => Ok(Self {
                peer,
                decoder: Decoder::new(&EventId::default()),
                ready: VecDeque::new(),
            }),
            _ => Err(io::Error::other(head)),
        }
    }

    /// The next event; `None` when the stream has ended, however it did.
    pub(crate) fn next(&mut self) -> Option<Seen> {
        while self.ready.is_empty() {
            let chunk = self.read_chunk().ok().filter(|chunk| !chunk.is_empty())?;
            let mut items = self.decoder.feed(&chunk);
            while let Some(item) = items.next() {
                if let Item::Event {
                    event_type,
                    data,
                    last_event_id,
                } = item
                {
                    self.ready.push_back(Seen {
                        event_type: event_type.to_owned(),
                        id: last_event_id.to_owned(),
                        data: data.to_owned(),
                    });
                }
            }
        }
        self.ready.pop_front()
    }

    /// All events up to the one with `data`, which is among them.
    pub(crate) fn up_to(&mut self, data: &str) -> Vec<Seen> {
        let mut events = Vec::new();
        loop {
            let event = self.next();
            let event = event.unwrap_or_else(|| panic!("the end before {data:?}: {events:?}"));
            let found = event.data == data;
            events.push(event);
            if found {
                return events;
            }
        }
    }

    fn read_chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut size = String::new();
        self.peer.reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.peer.reader.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(chunk)
    }
}
