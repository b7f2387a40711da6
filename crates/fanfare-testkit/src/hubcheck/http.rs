//! HTTP/1.1 on a blocking socket: a request out, an answer in, piece by piece.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to a hub.
#[derive(Debug)]
pub(super) struct Connection {
    reader: BufReader<TcpStream>,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
}

/// What is left of an answer's body.
#[derive(Debug)]
pub(super) enum Body {
    Length(u64),
    /// So many bytes are left of the chunk; 0: its size comes next.
    Chunks(u64),
    UntilClose,
    Ended,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(socket),
        })
    }

    /// Ends a read that has waited for so long; never for `None`.
    pub(super) fn read_for(&self, patience: Option<Duration>) -> io::Result<()> {
        self.reader.get_ref().set_read_timeout(patience)
    }

    /// Whether the other side has neither ended nor said anything, so that a request may follow.
    pub(super) fn is_quiet(&self) -> bool {
        let socket = self.reader.get_ref();
        let blocks_not = socket.set_nonblocking(true);
        let peeked = blocks_not.and_then(|()| socket.peek(&mut [0]));
        let is_quiet = peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        socket.set_nonblocking(false).is_ok() && is_quiet
    }

    /// The socket, for somebody who cuts it.
    pub(super) fn socket(&self) -> io::Result<TcpStream> {
        self.reader.get_ref().try_clone()
    }

    pub(super) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(request)
    }

    /// Reads an answer's head.
    pub(super) fn read_head(&mut self) -> io::Result<(Head, Body)> {
        let status_line = self.read_line()?;
        let status = status_line.split(' ').nth(1);
        let status = status.and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| malformed("a status line"))?;
        let mut fields = Vec::new();
        while let line = self.read_line()?
            && !line.is_empty()
        {
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("a field"))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            if fields.len() > FIELDS_MAX {
                return Err(malformed("a head of that size"));
            }
        }
        let head = Head { status, fields };
        let body = head.body()?;
        Ok((head, body))
    }

    /// Reads what comes next of `body`; `None` at its end.
    pub(super) fn read_piece(&mut self, body: &mut Body) -> io::Result<Option<Vec<u8>>> {
        let most = match body {
            Body::Ended | Body::Length(0) => return Ok(None),
            Body::Length(left) => *left,
            Body::UntilClose => u64::MAX,
            Body::Chunks(0) => match self.read_chunk_size()? {
                0 => {
                    while !self.read_line()?.is_empty() {}
                    *body = Body::Ended;
                    return Ok(None);
                }
                size => {
                    *body = Body::Chunks(size);
                    size
                }
            },
            Body::Chunks(left) => *left,
        };
        let waiting = self.reader.fill_buf()?;
        let count = waiting
            .len()
            .min(usize::try_from(most).unwrap_or(usize::MAX));
        let piece = waiting[..count].to_vec();
        self.reader.consume(count);
        match body {
            Body::UntilClose if count == 0 => return Ok(None),
            Body::Length(_) | Body::Chunks(_) if count == 0 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Body::Length(left) => *left -= count as u64,
            Body::Chunks(left) => {
                *left -= count as u64;
                if *left == 0 {
                    self.reader.read_exact(&mut [0; 2])?;
                }
            }
            Body::UntilClose | Body::Ended => {}
        }
        Ok(Some(piece))
    }

    /// Reads a body to its end.
    pub(super) fn read_whole(&mut self, mut body: Body) -> io::Result<String> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.read_piece(&mut body)? {
            bytes.extend(piece);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn read_chunk_size(&mut self) -> io::Result<u64> {
        let line = self.read_line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        u64::from_str_radix(size, 16).map_err(|_| malformed("a chunk's size"))
    }

    /// Reads a line without its end.
    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\n") {
            Some(line) => {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                Ok(String::from_utf8_lossy(line).into_owned())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIELDS_MAX: usize = 100;
const LINE_BYTES_MAX: u64 = 64 << 10;

impl Head {
    /// The value of the first field `name`, which is in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let (_, value) = fields.find(|(field, _)| field == name)?;
        Some(value)
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// RFC 9112 §6.3.
    fn body(&self) -> io::Result<Body> {
        if matches!(self.status, 100..200 | 204 | 304) {
            return Ok(Body::Ended);
        }
        let chunked = self.field("transfer-encoding");
        if chunked.is_some_and(|it| it.eq_ignore_ascii_case("chunked")) {
            return Ok(Body::Chunks(0));
        }
        match self.field("content-length") {
            None => Ok(Body::UntilClose),
            Some(length) => {
                let length = length.parse().map_err(|_| malformed("a length"))?;
                Ok(Body::Length(length))
            }
        }
    }
}

fn malformed(wanted: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not {wanted}"))
}
