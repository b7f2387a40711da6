//! Requests and answers over plain HTTP/1.1, with every byte under control.

use std::time::Duration;

use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::objection::{Checked, Objection, failed, holds};

/// How long a case waits for what must come; past it the hub has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A request; `Host` and `Content-Length` are added when it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// Path and query, as they are sent.
    pub(crate) target: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            fields: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Carries `token` in the `Authorization` field.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.field("Authorization", format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, name: &str, value: &str) -> Self {
        self.field("Cookie", format!("{name}={value}"))
    }

    pub(crate) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let body = form.extend_pairs(pairs).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.field("Content-Type", media_type)
    }

    /// A field that takes the place of the one that would be added.
    fn has(&self, name: &str) -> bool {
        self.fields
            .iter()
            .any(|(field, _)| field.eq_ignore_ascii_case(name))
    }

    pub(crate) fn bytes(&self, authority: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.has("Host") {
            head.push_str(&format!("Host: {authority}\r\n"));
        }
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || matches!(self.method, "POST" | "QUERY" | "PUT") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Status and fields of an answer, and its body unless it is a stream.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The first field of that name, without regard to case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a field that may be missing; then it is empty.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.field(name).unwrap_or_default()
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether one of the comma-separated members of the fields `name` is `member`.
    pub(crate) fn lists(&self, name: &str, member: &str) -> bool {
        let members = self.all(name).flat_map(|value| value.split(','));
        members
            .map(str::trim)
            .any(|it| it.eq_ignore_ascii_case(member))
    }

    pub(crate) fn must_be(&self, status: u16) -> Checked {
        self.must_be_one_of(&[status])
    }

    pub(crate) fn must_be_one_of(&self, statuses: &[u16]) -> Checked {
        let wanted: Vec<_> = statuses.iter().map(ToString::to_string).collect();
        holds(
            statuses.contains(&self.status),
            format!("status {}", wanted.join(" or ")),
            self,
        )
    }

    pub(crate) fn must_have(&self, name: &str, value: &str) -> Checked {
        holds(
            self.field(name) == Some(value),
            format!("{name}: {value}"),
            match self.field(name) {
                Some(other) => format!("{name}: {other}"),
                None => format!("no {name} with status {}", self.status),
            },
        )
    }

    pub(crate) fn must_lack(&self, name: &str) -> Checked {
        match self.field(name) {
            None => Ok(()),
            Some(value) => Err(failed(format!("no {name}"), format!("{name}: {value}"))),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = self.body.chars().take(80).collect();
        match body.is_empty() {
            true => write!(f, "status {}", self.status),
            false => write!(f, "status {}, {body:?}", self.status),
        }
    }
}

/// One connection, with the bytes that have come and were not yet taken.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    waiting: Vec<u8>,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunks,
    Close,
}

/// What comes next of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// The body is whole.
    End,
    /// The connection ended before the body did.
    Cut,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self, Objection> {
        let connect = timeout(PATIENCE, TcpStream::connect(address)).await;
        match connect {
            Ok(Ok(socket)) => Ok(Self {
                socket,
                waiting: Vec::new(),
            }),
            Ok(Err(error)) => Err(failed("a connection", error)),
            Err(_) => Err(failed("a connection", "none in time")),
        }
    }

    /// Sends `bytes`, but stops when an answer begins to come or the hub hangs up.
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> Checked {
        while !bytes.is_empty() {
            let both = Interest::READABLE | Interest::WRITABLE;
            let ready = timeout(PATIENCE, self.socket.ready(both)).await;
            let Ok(Ok(ready)) = ready else {
                return Err(failed("a request taken", "the hub took no more of it"));
            };
            if ready.is_readable() {
                match self.socket.try_read_buf(&mut self.waiting) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    _ => return Ok(()),
                }
            }
            if ready.is_writable() {
                match self.socket.try_write(bytes) {
                    Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    // What it has answered before may still be read.
                    Err(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Takes a head; what follows it is a stream to be read piece by piece.
    pub(crate) async fn stream(mut self, method: &str) -> Result<(Answer, Body), Objection> {
        let (answer, framing) = self.head(method).await?;
        let body = Body {
            connection: self,
            framing,
        };
        Ok((answer, body))
    }

    async fn head(&mut self, method: &str) -> Result<(Answer, Framing), Objection> {
        loop {
            if let Some((answer, length)) = parsed(&self.waiting)? {
                self.waiting.drain(..length);
                if answer.status < 200 {
                    continue;
                }
                let framing = framing(method, &answer);
                return Ok((answer, framing));
            }
            match self.more(PATIENCE).await {
                Some(0) => return Err(failed("an answer", "the hub hung up without one")),
                Some(_) => {}
                None => return Err(failed("an answer", format!("none within {PATIENCE:?}"))),
            }
        }
    }

    /// Reads what comes next: 0 bytes at the end, `None` when nothing came for so long.
    async fn more(&mut self, patience: Duration) -> Option<usize> {
        let read = timeout(patience, self.socket.read_buf(&mut self.waiting)).await;
        // A connection that was reset is over as well.
        Some(read.ok()?.unwrap_or(0))
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.waiting.split_off(count.min(self.waiting.len()));
        std::mem::replace(&mut self.waiting, rest)
    }
}

/// The head at the beginning of `bytes` with its length, once it is whole.
fn parsed(bytes: &[u8]) -> Result<Option<(Answer, usize)>, Objection> {
    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut room);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let fields = response.headers.iter();
            let answer = Answer {
                status: response.code.unwrap_or_default(),
                fields: fields
                    .map(|field| (field.name.to_owned(), text(field.value)))
                    .collect(),
                body: String::new(),
            };
            Ok(Some((answer, length)))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(failed("an HTTP answer", error)),
    }
}

/// RFC 9112 §6.3.
fn framing(method: &str, answer: &Answer) -> Framing {
    if method == "HEAD" || matches!(answer.status, 204 | 304) {
        return Framing::Length(0);
    }
    if answer.lists("Transfer-Encoding", "chunked") {
        return Framing::Chunks;
    }
    match answer.value("Content-Length").parse() {
        Ok(length) => Framing::Length(length),
        Err(_) => Framing::Close,
    }
}

/// The body of an answer as it comes.
#[derive(Debug)]
pub(crate) struct Body {
    connection: Connection,
    framing: Framing,
}

impl Body {
    /// Reads to the end, for an answer that has one.
    pub(crate) async fn whole(mut self, mut answer: Answer) -> Result<Answer, Objection> {
        let mut bytes = Vec::new();
        loop {
            match self.piece(PATIENCE).await? {
                Some(Piece::Bytes(piece)) => bytes.extend(piece),
                Some(Piece::End) => break,
                Some(Piece::Cut) => return Err(failed("a whole answer", "one that was cut")),
                None => return Err(failed("the end of the answer", format!("none; {answer}"))),
            }
        }
        answer.body = String::from_utf8_lossy(&bytes).into_owned();
        Ok(answer)
    }

    /// What comes next; `None` when nothing came for so long.
    pub(crate) async fn piece(&mut self, patience: Duration) -> Result<Option<Piece>, Objection> {
        loop {
            if let Some(piece) = self.whole_piece()? {
                return Ok(Some(piece));
            }
            match self.connection.more(patience).await {
                None => return Ok(None),
                Some(0) => {
                    return Ok(Some(match self.framing {
                        Framing::Close => Piece::End,
                        Framing::Length(_) | Framing::Chunks => Piece::Cut,
                    }));
                }
                Some(_) => {}
            }
        }
    }

    /// A piece, if what has come makes one.
    fn whole_piece(&mut self) -> Result<Option<Piece>, Objection> {
        let waiting = self.connection.waiting.len();
        match &mut self.framing {
            Framing::Length(0) => Ok(Some(Piece::End)),
            Framing::Length(_) | Framing::Close if waiting == 0 => Ok(None),
            Framing::Close => Ok(Some(Piece::Bytes(self.connection.take(waiting)))),
            Framing::Length(left) => {
                let count = waiting.min(*left);
                *left -= count;
                Ok(Some(Piece::Bytes(self.connection.take(count))))
            }
            Framing::Chunks => self.chunk(),
        }
    }

    fn chunk(&mut self) -> Result<Option<Piece>, Objection> {
        let waiting = &self.connection.waiting;
        match httparse::parse_chunk_size(waiting) {
            Ok(httparse::Status::Complete((start, size))) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                let end = start.saturating_add(size);
                if waiting.len() < end.saturating_add(2) {
                    return Ok(None);
                }
                self.connection.take(start);
                let content = self.connection.take(size);
                self.connection.take(2);
                Ok(Some(match size {
                    0 => Piece::End,
                    _ => Piece::Bytes(content),
                }))
            }
            Ok(httparse::Status::Partial) => Ok(None),
            Err(error) => Err(failed("chunks", error)),
        }
    }
}
