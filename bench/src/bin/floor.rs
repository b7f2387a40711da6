//! The floor: what the kernel alone costs. A bare loop of `write(2)` over the subscribers' sockets,
//! with the bytes that Fanfare would send; no topics, no tokens, no limits, no heartbeats.
//!
//! It answers to the same requests as Fanfare, so the same load drives both.

use std::io::{self, Read, Write};
use std::num::NonZeroU32;

use anyhow::Context;
use fanfare_broker::{Cursor, Epoch, Form, Frame};
use fanfare_wire::Event;
use mio::event::Event as Readiness;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

fn main() -> anyhow::Result<()> {
    let mut floor = Floor::open()?;
    println(&format!(
        "floor is ready on http://{}",
        floor.listener.local_addr()?
    ));
    let mut events = Events::with_capacity(1024);
    loop {
        floor.poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => floor.accept()?,
                Token(index) => floor.ready(index, event),
            }
        }
        floor.write_to_all();
    }
}

#[expect(clippy::print_stdout, reason = "the line that the runner waits for")]
fn println(line: &str) {
    println!("{line}");
}

const LISTENER: Token = Token(usize::MAX);

struct Floor {
    poll: Poll,
    listener: TcpListener,
    connections: Slab<Connection>,
    /// Every event's chunk, one behind the other.
    log: Vec<u8>,
    /// Where the event with this offset ends in `log`.
    ends: Vec<usize>,
    /// How much of `log` was offered to every subscriber.
    offered: usize,
}

struct Connection {
    socket: TcpStream,
    /// What has come of a request.
    request: Vec<u8>,
    /// How far in the log a subscriber is; `None` for a publisher.
    position: Option<usize>,
    blocked: bool,
}

/// The connection has ended.
struct Gone;

impl Floor {
    fn open() -> anyhow::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        let any_port = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any_port.into())?;
        socket.listen(65_535)?;
        socket.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            connections: Slab::new(),
            log: Vec::new(),
            ends: vec![0],
            offered: 0,
        })
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            let (mut socket, _) = match self.listener.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                accepted => accepted.context("cannot accept")?,
            };
            socket.set_nodelay(true)?;
            let entry = self.connections.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut socket, Token(entry.key()), interest)?;
            entry.insert(Connection {
                socket,
                request: Vec::new(),
                position: None,
                blocked: false,
            });
        }
    }

    fn ready(&mut self, index: usize, event: &Readiness) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        let outcome = if event.is_readable() {
            connection.read(&mut self.log, &mut self.ends)
        } else {
            Ok(())
        };
        let outcome = outcome.and_then(|()| {
            if event.is_writable() {
                connection.blocked = false;
                connection.write(&self.log)
            } else {
                Ok(())
            }
        });
        if let Err(Gone) = outcome {
            self.connections.remove(index);
        }
    }

    /// The floor itself.
    fn write_to_all(&mut self) {
        if self.offered == self.log.len() {
            return;
        }
        self.offered = self.log.len();
        let log = &self.log;
        self.connections
            .retain(|_, connection| connection.write(log).is_ok());
    }
}

impl Connection {
    fn write(&mut self, log: &[u8]) -> Result<(), Gone> {
        let Some(position) = &mut self.position else {
            return Ok(());
        };
        while !self.blocked
            && let Some(rest) = log.get(*position..)
            && !rest.is_empty()
        {
            match self.socket.write(rest) {
                Ok(written) => *position += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    /// Reads what there is, and answers every request that is whole.
    fn read(&mut self, log: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<(), Gone> {
        let mut scratch = [0; 64 << 10];
        loop {
            match self.socket.read(&mut scratch) {
                Ok(0) => return Err(Gone),
                Ok(count) => self.request.extend(scratch.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(Gone),
            }
        }
        while let Some((head_bytes, length)) = whole_request(&self.request) {
            let request: Vec<u8> = self.request.drain(..head_bytes + length).collect();
            let request = String::from_utf8_lossy(&request);
            if request.starts_with("GET ") {
                self.request = Vec::new();
                self.subscribe(&request, log, ends)?;
            } else {
                self.publish(&request, log, ends)?;
            }
        }
        Ok(())
    }

    /// Answers a subscriber, and goes on behind the id it has, if any.
    fn subscribe(&mut self, request: &str, log: &[u8], ends: &[usize]) -> Result<(), Gone> {
        self.socket.write_all(SUBSCRIBE_ANSWER).map_err(|_| Gone)?;
        let id = header(request, "Last-Event-ID").and_then(Cursor::parse);
        let offset = id.and_then(|cursor| usize::try_from(cursor.offset).ok());
        let position = offset.and_then(|offset| ends.get(offset).copied());
        self.position = Some(position.unwrap_or(log.len()));
        self.write(log)
    }

    fn publish(
        &mut self,
        request: &str,
        log: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> Result<(), Gone> {
        let data = request.split(r#""data":""#).nth(1).unwrap_or_default();
        let data = data.trim_end_matches(r#""}"#);
        let id = Cursor {
            epoch: Epoch::new(EPOCH),
            offset: ends.len() as u64,
        };
        let mut event = Event::new(data);
        event.id = Some(id.id());
        log.extend_from_slice(Frame::new(&event).bytes(Form::Chunked));
        ends.push(log.len());
        let body = format!(r#"{{"sent":true,"clients":0,"id":"{id}"}}"#);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        self.socket.write_all(answer.as_bytes()).map_err(|_| Gone)
    }
}

/// An epoch whose text is as long as those that Fanfare draws.
const EPOCH: NonZeroU32 = NonZeroU32::MAX;

const SUBSCRIBE_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/event-stream\r\n\
    Cache-Control: private, no-cache, no-store, no-transform, must-revalidate, max-age=0\r\n\
    X-Accel-Buffering: no\r\n\
    Transfer-Encoding: chunked\r\n\r\n\
    1a\r\n: connection established\n\n\r\n";

/// The lengths of the head and the body of the request at the front of `bytes`, if it is whole.
fn whole_request(bytes: &[u8]) -> Option<(usize, usize)> {
    let head_bytes = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(bytes.get(..head_bytes)?).ok()?;
    let length = header(head, "Content-Length").and_then(|length| length.parse().ok());
    let length = length.unwrap_or(0);
    (bytes.len() >= head_bytes + length).then_some((head_bytes, length))
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
