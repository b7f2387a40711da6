//! CX-18: HTTP/2, where many sources share a connection.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_client::error::Cause;
use fanfare_client::network::{HttpVersion, Proxy};
use fanfare_client::{Client, EventSource, Item, Network};
use futures_util::future::join_all;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::join;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::peer::{DEADLINE, config, event, lost, next, opened};

struct H2Peer(TcpListener);

/// A connection that is served in the background.
struct H2Connection {
    asked: mpsc::Receiver<(Request<RecvStream>, SendResponse<Bytes>)>,
    go_away: Arc<Notify>,
    _task: JoinSet<()>,
}

impl H2Peer {
    async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn source(&self, client: &Client) -> EventSource {
        let url = format!("http://{}/stream", self.0.local_addr().unwrap());
        client.event_source(config(&url)).unwrap()
    }

    async fn accept(&self) -> H2Connection {
        let (socket, _) = timeout(DEADLINE, self.0.accept()).await.unwrap().unwrap();
        let (ask, asked) = mpsc::channel(1_000);
        let go_away = Arc::new(Notify::new());
        let mut task = JoinSet::new();
        task.spawn(serve(socket, ask, Arc::clone(&go_away)));
        H2Connection {
            asked,
            go_away,
            _task: task,
        }
    }
}

async fn serve(
    socket: TcpStream,
    ask: mpsc::Sender<(Request<RecvStream>, SendResponse<Bytes>)>,
    go_away: Arc<Notify>,
) {
    let mut server = h2::server::handshake(socket).await.unwrap();
    loop {
        tokio::select! {
            asked = server.accept() => match asked {
                Some(Ok(asked)) => ask.send(asked).await.unwrap(),
                _ => return,
            },
            () = go_away.notified() => server.graceful_shutdown(),
        }
    }
}

impl H2Connection {
    /// Answers the next request with a stream that begins with `body`.
    async fn stream(&mut self, body: &'static str) -> (Request<RecvStream>, SendStream<Bytes>) {
        let asked = timeout(DEADLINE, self.asked.recv()).await.unwrap();
        let (request, mut respond) = asked.unwrap();
        let head = Response::builder().header("content-type", "text/event-stream");
        let head = head.body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        send(&mut stream, body);
        (request, stream)
    }
}

fn send(stream: &mut SendStream<Bytes>, data: &'static str) {
    let data = Bytes::from_static(data.as_bytes());
    stream.send_data(data, false).unwrap();
}

fn client() -> Client {
    let mut network = Network::default();
    network.http = HttpVersion::Http2PriorKnowledge;
    network.proxy = Proxy::None;
    Client::new(&network).unwrap()
}

#[tokio::test]
async fn cx_18_rc_29_both_ends_of_a_stream_are_ends_of_the_body() {
    let peer = H2Peer::listen().await;
    let client = client();
    let mut source = peer.source(&client);
    let accept = async {
        let mut connection = peer.accept().await;
        let first = connection.stream("id: 1\ndata: a\n\n").await;
        (connection, first)
    };
    let (event_a, (mut connection, (request, mut stream))) = join!(event(&mut source), accept);
    assert_eq!(event_a.data, "a");
    assert_eq!(request.headers()["accept"], "text/event-stream");
    stream.send_data(Bytes::new(), true).unwrap();
    let (cause, _) = lost(&mut source).await;
    assert!(matches!(cause, Cause::Ended), "{cause:?}");

    // The same connection serves the reconnect.
    let reconnect = connection.stream("id: 2\ndata: b\n\n");
    let (event_b, (request, mut stream)) = join!(event(&mut source), reconnect);
    assert_eq!(event_b.data, "b");
    assert_eq!(request.headers()["last-event-id"], "1");
    stream.send_reset(Reason::INTERNAL_ERROR);
    let (cause, _) = lost(&mut source).await;
    assert!(matches!(cause, Cause::Broken(_)), "{cause:?}");

    let reconnect = connection.stream("data: c\n\n");
    let (event_c, (request, _stream)) = join!(event(&mut source), reconnect);
    assert_eq!(event_c.data, "c");
    assert_eq!(request.headers()["last-event-id"], "2");
}

#[tokio::test]
async fn cx_18_rc_28_goaway_lets_streams_go_on_and_sends_the_others_elsewhere() {
    let peer = H2Peer::listen().await;
    let client = client();
    let (mut old, mut new) = (peer.source(&client), peer.source(&client));
    let accept = async {
        let mut connection = peer.accept().await;
        let first = connection.stream("data: a\n\n").await;
        (connection, first)
    };
    let (_, (connection, (_, mut stream))) = join!(event(&mut old), accept);
    connection.go_away.notify_one();
    // The task that sends the GOAWAY runs before the client reads on.
    tokio::task::yield_now().await;
    send(&mut stream, "data: b\n\n");
    assert_eq!(event(&mut old).await.data, "b");

    let elsewhere = async {
        let mut connection = peer.accept().await;
        let first = connection.stream("data: new\n\n").await;
        (connection, first)
    };
    let (event_new, (_new_connection, _)) = join!(event(&mut new), elsewhere);
    assert_eq!(event_new.data, "new");
    // And the stream that was there goes on.
    send(&mut stream, "data: c\n\n");
    assert_eq!(event(&mut old).await.data, "c");
}

#[tokio::test]
async fn cx_18_rc_27_200_sources_share_a_connection_and_a_stalled_one_stops_nobody() {
    const SOURCES: usize = 200;
    let peer = H2Peer::listen().await;
    let client = client();
    let mut sources: Vec<_> = (0..SOURCES).map(|_| peer.source(&client)).collect();
    let accept = async {
        let mut connection = peer.accept().await;
        let mut streams = Vec::new();
        for _ in 0..SOURCES {
            streams.push(connection.stream(":\n").await.1);
        }
        (connection, streams)
    };
    let open = join_all(sources.iter_mut().map(opened));
    let (_, (_connection, mut streams)) = join!(open, accept);
    // More than a stream may have in flight; whoever gets it is not polled.
    let flood = Bytes::from(format!("data: {}\n\n", "x".repeat(1 << 20)));
    for stream in &mut streams[..100] {
        stream.send_data(flood.clone(), false).unwrap();
    }
    for stream in &mut streams[100..] {
        send(stream, "data: a\n\n");
    }
    for source in &mut sources[100..] {
        assert_eq!(event(source).await.data, "a");
    }
    let Item::Event(stalled) = next(&mut sources[0]).await else {
        panic!("the stalled one gets its event too");
    };
    assert_eq!(stalled.data.len(), 1 << 20);
}

#[tokio::test]
async fn rc_03_dropping_a_source_resets_its_stream_only() {
    let peer = H2Peer::listen().await;
    let client = client();
    let (mut one, mut other) = (peer.source(&client), peer.source(&client));
    let accept = async {
        let mut connection = peer.accept().await;
        let (_, first) = connection.stream(":\n").await;
        let (_, second) = connection.stream(":\n").await;
        (connection, first, second)
    };
    let open = async {
        opened(&mut one).await;
        opened(&mut other).await;
    };
    let ((_connection, mut first, mut second), ()) = join!(accept, open);
    drop(one);
    let reset = std::future::poll_fn(|cx| first.poll_reset(cx));
    let reason = timeout(DEADLINE, reset).await.unwrap().unwrap();
    assert_eq!(reason, Reason::CANCEL);
    send(&mut second, "data: a\n\n");
    assert_eq!(event(&mut other).await.data, "a");
}
