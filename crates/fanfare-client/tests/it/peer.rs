//! A server that says what a test tells it to, byte by byte, and keeps what it was asked.

use std::net::SocketAddr;
use std::time::Duration;

use fanfare_client::item::{End, Event};
use fanfare_client::network::Proxy;
use fanfare_client::{Client, Config, EventSource, Item, Network};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// However slow the machine is, what takes longer than this does not happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The head of a stream whose end is the connection's.
pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";

/// A listening server.
pub(crate) struct Peer {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

/// One request, and the connection that waits for its answer.
pub(crate) struct Exchange {
    /// Request line and fields.
    pub(crate) head: String,
    pub(crate) body: String,
    socket: TcpStream,
}

impl Peer {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/stream", self.address)
    }

    /// The settings of a source of this peer that loses no time.
    pub(crate) fn config(&self) -> Config {
        config(&self.url())
    }

    pub(crate) fn source(&self) -> EventSource {
        source_of(self.config())
    }

    /// The next request, on whichever connection it comes.
    pub(crate) async fn accept(&self) -> Exchange {
        let accepted = timeout(DEADLINE, self.listener.accept()).await;
        let (socket, _) = accepted.expect("a connection in time").unwrap();
        socket.set_nodelay(true).unwrap();
        Exchange::read(socket).await
    }

    /// Answers the next request with `answer`, and closes.
    pub(crate) async fn answer(&self, answer: impl AsRef<[u8]>) -> Exchange {
        let mut exchange = self.accept().await;
        exchange.send(answer).await;
        exchange.close().await;
        exchange
    }

    /// Sends `body` as a stream to the next request, and closes.
    pub(crate) async fn stream(&self, body: impl AsRef<[u8]>) -> Exchange {
        self.answer([STREAM.as_bytes(), body.as_ref()].concat())
            .await
    }
}

/// Connections that no proxy of the environment comes between.
pub(crate) fn client() -> Client {
    let mut network = Network::default();
    network.proxy = Proxy::None;
    Client::new(&network).unwrap()
}

pub(crate) fn source_of(config: Config) -> EventSource {
    client().event_source(config).unwrap()
}

pub(crate) fn config(url: &str) -> Config {
    let mut config = Config::get(url.parse().unwrap());
    config.retry = Duration::ZERO;
    config
}

impl Exchange {
    async fn read(mut socket: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let end = loop {
            let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            let read = timeout(DEADLINE, socket.read_buf(&mut bytes)).await;
            assert!(read.unwrap().unwrap() > 0, "the request ended early");
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut exchange = Self {
            head,
            body: String::new(),
            socket,
        };
        let length = exchange.field("content-length").unwrap_or("0");
        let missing = length.parse::<usize>().unwrap() - (bytes.len() - end);
        let mut body = bytes.split_off(end);
        let mut rest = vec![0; missing];
        let read = timeout(DEADLINE, exchange.socket.read_exact(&mut rest)).await;
        read.unwrap().unwrap();
        body.extend(rest);
        exchange.body = String::from_utf8(body).unwrap();
        exchange
    }

    /// The first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub(crate) fn last_event_id(&self) -> Option<&str> {
        self.field("last-event-id")
    }

    /// Method and target.
    pub(crate) fn line(&self) -> &str {
        let line = self.head.lines().next().unwrap();
        line.trim_end_matches(" HTTP/1.1")
    }

    /// Sends `bytes`; a client that is gone is no failure here.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = timeout(DEADLINE, self.socket.write_all(bytes.as_ref())).await;
        let _ = sent.expect("the client reads");
    }

    /// Begins a stream that stays open.
    pub(crate) async fn open(&mut self) {
        self.send(STREAM).await;
    }

    /// The clean end of the connection.
    pub(crate) async fn close(&mut self) {
        let _ = self.socket.shutdown().await;
    }

    /// The end that a crashed server's kernel sends.
    pub(crate) fn reset(self) {
        self.socket.set_zero_linger().unwrap();
    }

    /// Waits until the client has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let read = async {
            let mut rest = [0; 1024];
            while let Ok(1..) = self.socket.read(&mut rest).await {}
        };
        timeout(DEADLINE, read).await.expect("the client closes");
    }

    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }
}

/// The next item.
pub(crate) async fn next(source: &mut EventSource) -> Item {
    let item = timeout(DEADLINE, source.next()).await;
    item.expect("an item in time").expect("not the end")
}

/// The next item that is an event; openings and losses are passed over.
pub(crate) async fn event(source: &mut EventSource) -> Event {
    loop {
        match next(source).await {
            Item::Event(event) => return event,
            Item::Open(_) | Item::Lost { .. } => {}
            other => panic!("{other:?} instead of an event"),
        }
    }
}

/// The next item must be a stream's opening.
pub(crate) async fn opened(source: &mut EventSource) {
    let item = next(source).await;
    assert!(matches!(item, Item::Open(_)), "{item:?}");
}

/// The next item must be the loss of a connection: its cause and the wait.
pub(crate) async fn lost(source: &mut EventSource) -> (fanfare_client::error::Cause, Duration) {
    match next(source).await {
        Item::Lost { cause, retry_in } => (cause, retry_in),
        other => panic!("{other:?} instead of a loss"),
    }
}

/// The next item must be the end, and nothing comes after it.
pub(crate) async fn ended(source: &mut EventSource) -> End {
    let end = match next(source).await {
        Item::End(end) => end,
        other => panic!("{other:?} instead of the end"),
    };
    assert!(source.next().await.is_none());
    end
}

/// The source makes its next request while `answer` is being given.
pub(crate) async fn during<T>(
    source: &mut EventSource,
    answer: impl Future<Output = T>,
) -> (Item, T) {
    tokio::join!(next(source), answer)
}
