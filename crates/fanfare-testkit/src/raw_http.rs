//! A raw HTTP/1.1 peer: it sends the bytes it is told to, and shows the bytes it gets.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a peer waits for what must come; past it the test has failed.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// One connection, with the bytes that have come and were not yet taken.
#[derive(Debug)]
pub struct RawPeer {
    socket: TcpStream,
    waiting: Vec<u8>,
}

/// An answer: its head as it came, and its body without chunk framing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "tests only")]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and fields, with the empty line.
    pub head: String,
    /// The body; empty for a stream, whose body is read piece by piece.
    pub body: String,
}

impl RawPeer {
    /// Connects to `address`.
    ///
    /// # Panics
    ///
    /// When nobody accepts.
    pub async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("accepted");
        Self::from_socket(socket)
    }

    /// Speaks over `socket`.
    #[must_use]
    pub fn from_socket(socket: TcpStream) -> Self {
        Self {
            socket,
            waiting: Vec::new(),
        }
    }

    /// The connection itself.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sends `bytes` as they are. A peer that is gone is no failure: the answer will show it.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.socket.write_all(bytes.as_ref()).await;
    }

    /// Ends the peer's half of the connection.
    pub async fn finish(&mut self) {
        let _ = self.socket.shutdown().await;
    }

    /// Takes everything up to and with `end`.
    ///
    /// # Panics
    ///
    /// When the connection ends, or [`DEADLINE`] passes, before it comes.
    pub async fn read_until(&mut self, end: &str) -> String {
        let wanted = end.as_bytes();
        let mut searched = 0;
        loop {
            let news = self.waiting.get(searched..).unwrap_or_default();
            let found = news.windows(wanted.len()).position(|part| part == wanted);
            if let Some(place) = found {
                let rest = self.waiting.split_off(searched + place + wanted.len());
                return text(std::mem::replace(&mut self.waiting, rest));
            }
            searched = (self.waiting.len() + 1).saturating_sub(wanted.len());
            let read = self.read_more().await;
            assert!(
                read > 0,
                "the end came before {end:?}, after {}",
                self.tail()
            );
        }
    }

    /// Takes `count` bytes.
    ///
    /// # Panics
    ///
    /// When the connection ends, or [`DEADLINE`] passes, before they have come.
    pub async fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        while self.waiting.len() < count {
            assert!(self.read_more().await > 0, "the connection ended early");
        }
        let rest = self.waiting.split_off(count);
        std::mem::replace(&mut self.waiting, rest)
    }

    /// Takes all that comes until the other side ends the connection.
    ///
    /// # Panics
    ///
    /// When [`DEADLINE`] passes first.
    pub async fn read_to_end(&mut self) -> String {
        while self.read_more().await > 0 {}
        text(std::mem::take(&mut self.waiting))
    }

    /// Takes a head: everything up to and with the next empty line.
    ///
    /// # Panics
    ///
    /// As [`RawPeer::read_until`], and when it is no head.
    pub async fn read_head(&mut self) -> Answer {
        let head = self.read_until("\r\n\r\n").await;
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("a status line, not {head:?}")),
            head,
            body: String::new(),
        }
    }

    /// Takes a whole answer.
    ///
    /// # Panics
    ///
    /// As [`RawPeer::read_until`].
    pub async fn read_answer(&mut self) -> Answer {
        let mut answer = self.read_head().await;
        answer.body = if let Some(length) = answer.field("content-length") {
            let length = length.parse().expect("a length");
            text(self.read_exactly(length).await)
        } else if answer.field("transfer-encoding").is_some() {
            self.read_chunks().await
        } else if matches!(answer.status, 204 | 304) {
            String::new()
        } else {
            self.read_to_end().await
        };
        answer
    }

    /// Takes one chunk's content; empty: the last chunk.
    ///
    /// # Panics
    ///
    /// As [`RawPeer::read_until`], and when it is no chunk.
    pub async fn read_chunk(&mut self) -> String {
        let size = self.read_until("\r\n").await;
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk's size");
        let content = self.read_exactly(size).await;
        assert_eq!(self.read_exactly(2).await, b"\r\n", "a chunk's end");
        text(content)
    }

    async fn read_chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            match self.read_chunk().await {
                chunk if chunk.is_empty() => return body,
                chunk => body.push_str(&chunk),
            }
        }
    }

    /// Reads what comes next; 0 at the end, also when the other side resets the connection.
    async fn read_more(&mut self) -> usize {
        let read = self.socket.read_buf(&mut self.waiting);
        match timeout(DEADLINE, read).await {
            Ok(read) => read.unwrap_or(0),
            Err(_) => panic!("nothing came within {DEADLINE:?}, after {}", self.tail()),
        }
    }

    /// The end of what waits, for messages.
    fn tail(&self) -> String {
        let start = self.waiting.len().saturating_sub(500);
        format!(
            "{:?}",
            String::from_utf8_lossy(self.waiting.get(start..).unwrap_or_default())
        )
    }
}

impl Answer {
    /// The first field of that name, without regard to case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

/// Sends `request` on a connection of its own and takes the answer.
pub async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut peer = RawPeer::connect(address).await;
    peer.send(request).await;
    peer.read_answer().await
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}
