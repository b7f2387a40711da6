//! `transports`: the same thousand subscribers over HTTP/1.1 and HTTP/2, with TLS and without.
//!
//! One load for all of them, for what differs must be the server's: hyper's client, a task for each
//! stream. It is slower than the crowd of the other workloads, and the server does not care.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use fanfare_wire::{Decoder, EventId, Item};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{millis, nanos_each};
use crate::figures::Figures;
use crate::server::Server;

/// A way that a subscriber comes.
#[derive(Clone, Copy, Debug)]
struct Transport {
    name: &'static str,
    is_http2: bool,
    is_tls: bool,
    /// Streams of one connection.
    shared_by: u32,
}

const TRANSPORTS: [Transport; 6] = [
    Transport::new("http1", false, false, 1),
    Transport::new("http1_tls", false, true, 1),
    Transport::new("h2", true, false, 1),
    Transport::new("h2_tls", true, true, 1),
    // As behind a proxy, or in one browser with many tabs.
    Transport::new("h2_of_100", true, false, 100),
    Transport::new("h2_tls_of_100", true, true, 100),
];

/// A debug build shows that it works; its figures are nobody's.
const SUBSCRIBERS: u32 = if cfg!(debug_assertions) { 200 } else { 1_000 };
/// What a server takes for its first connections is no figure of the others.
const FIRST: u32 = SUBSCRIBERS / 5;
const EVENTS_A_TURN: u32 = if cfg!(debug_assertions) { 5 } else { 50 };
const TURNS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// All servers stand at once and take turns, so that what slows the machine slows each of them.
pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut contestants = Vec::new();
        for transport in TRANSPORTS {
            let contestant = Contestant::start(transport, run, figures).await;
            let mut contestant = contestant.with_context(|| transport.name)?;
            contestant.turn().await?;
            contestants.push(contestant);
        }
        for turn in 1..=TURNS {
            for contestant in &mut contestants {
                let (cpu, wall) = contestant.turn().await?;
                let mut add = |figure, value| {
                    let name = contestant.transport.name;
                    figures.add(name, (run - 1) * TURNS + turn, figure, value);
                };
                let deliveries = u64::from(EVENTS_A_TURN) * u64::from(SUBSCRIBERS);
                add("cpu_per_delivery_ns", nanos_each(cpu, deliveries));
                add("event_to_all_ms", millis(wall / EVENTS_A_TURN));
            }
        }
        Ok(())
    })
}

/// A server and all its subscribers.
struct Contestant {
    transport: Transport,
    server: Server,
    publisher: http1::SendRequest<Full<Bytes>>,
    /// Connections and readers; one that ends early has failed.
    tasks: JoinSet<anyhow::Result<()>>,
    /// Hyper ends a connection of HTTP/1.1 whose other end is dropped, also under a body.
    connections: Vec<Connection>,
    received: Arc<Received>,
    published: u64,
}

/// What all readers together have received.
#[derive(Debug, Default)]
struct Received {
    events: AtomicU64,
    /// Told at each event that completes a round.
    round: Notify,
}

impl Transport {
    const fn new(name: &'static str, is_http2: bool, is_tls: bool, shared_by: u32) -> Self {
        Self {
            name,
            is_http2,
            is_tls,
            shared_by,
        }
    }
}

impl Contestant {
    async fn start(transport: Transport, run: u32, figures: &mut Figures) -> anyhow::Result<Self> {
        let mut args = vec!["serve", "--dev", "--subscriptions=false"];
        args.extend(["--listen", "127.0.0.1:0"]);
        args.extend(transport.is_tls.then_some("--tls"));
        let server = Server::start_with(crate::server::Program::Fanfare, &args)?;
        let mut tasks = JoinSet::new();
        let publisher = connect(&server, transport, false, &mut tasks).await?;
        let Connection::Http1(publisher) = publisher else {
            bail!("a publisher speaks HTTP/1.1");
        };
        let mut contestant = Self {
            transport,
            server,
            publisher,
            tasks,
            connections: Vec::new(),
            received: Arc::default(),
            published: 0,
        };
        contestant.subscribe(FIRST).await?;
        let (cpu, bytes) = (contestant.server.cpu()?, contestant.server.pss_bytes()?);
        let rest = SUBSCRIBERS - FIRST;
        contestant.subscribe(rest).await?;
        let cpu = contestant.server.cpu()? - cpu;
        let bytes = contestant.server.pss_bytes()? - bytes;
        let mut add = |figure, value| figures.add(transport.name, run, figure, value);
        add("user_bytes_per_subscriber", bytes / f64::from(rest));
        add("cpu_per_subscriber_ns", nanos_each(cpu, rest.into()));
        Ok(contestant)
    }

    /// Opens `count` more streams, and reads the first bytes of each.
    async fn subscribe(&mut self, count: u32) -> anyhow::Result<()> {
        let mut left = count;
        while left > 0 {
            let streams = self.transport.shared_by.min(left);
            left -= streams;
            let connection = connect(&self.server, self.transport, true, &mut self.tasks);
            let mut connection = connection.await?;
            for _ in 0..streams {
                let url = format!("/events?topic={TOPIC}");
                let answer = connection.send(&self.server, Request::get(url), "").await?;
                let mut body = answer.into_body();
                let first = body.frame().await.context("a stream ended at once")??;
                ensure!(first.is_data(), "a stream began with trailers");
                self.tasks.spawn(read_on(body, Arc::clone(&self.received)));
            }
            self.connections.push(connection);
        }
        Ok(())
    }

    /// Publishes one event after the other, each when all have the last; CPU and time over it.
    async fn turn(&mut self) -> anyhow::Result<(Duration, Duration)> {
        let (cpu, began) = (self.server.cpu()?, now());
        for _ in 0..EVENTS_A_TURN {
            let number = self.published;
            let body = format!(r#"{{"topic":"{TOPIC}","data":"{number}.{:x>190}"}}"#, "");
            self.published += 1;
            let round = self.received.round.notified();
            publish(&self.server, &mut self.publisher, body).await?;
            tokio::select! {
                all = timeout(PATIENCE, round) => all.context("not everybody got an event within a minute")?,
                ended = self.tasks.join_next() => {
                    ended.context("there are tasks")???;
                    bail!("a connection ended");
                }
            }
            let events = self.received.events.load(Ordering::Relaxed);
            ensure!(
                events == self.published * u64::from(SUBSCRIBERS),
                "{events} events were received"
            );
        }
        Ok((self.server.cpu()? - cpu, began.elapsed()))
    }
}

const TOPIC: &str = "transports";

/// Reads on and on: each event once, in order.
async fn read_on(mut body: Incoming, received: Arc<Received>) -> anyhow::Result<()> {
    let mut decoder = Decoder::new(&EventId::default());
    let mut expected = 0;
    loop {
        let frame = body.frame().await.context("a stream ended")??;
        let Ok(bytes) = frame.into_data() else {
            bail!("a stream ended with trailers");
        };
        let mut items = decoder.feed(&bytes);
        while let Some(item) = items.next() {
            let Item::Event { data, .. } = item else {
                continue;
            };
            let (number, _) = data.split_once('.').context("a foreign event")?;
            let number: u64 = number.parse()?;
            ensure!(number == expected, "event {number} in place of {expected}");
            expected += 1;
            let events = received.events.fetch_add(1, Ordering::Relaxed) + 1;
            if events.is_multiple_of(SUBSCRIBERS.into()) {
                received.round.notify_one();
            }
        }
    }
}

/// A client's end of a connection.
enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn send(
        &mut self,
        server: &Server,
        request: hyper::http::request::Builder,
        body: &'static str,
    ) -> anyhow::Result<Response<Incoming>> {
        let body = Full::new(Bytes::from_static(body.as_bytes()));
        let answer = match self {
            Self::Http1(client) => {
                let request = request.header("Host", &server.authority).body(body)?;
                client.send_request(request).await?
            }
            Self::Http2(client) => {
                let (mut parts, body) = request.body(body)?.into_parts();
                let path = parts.uri.path_and_query().context("a path")?.as_str();
                parts.uri = format!("http://{}{path}", server.authority).parse()?;
                client
                    .send_request(Request::from_parts(parts, body))
                    .await?
            }
        };
        let status = answer.status();
        ensure!(status == StatusCode::OK, "refused with {status}");
        Ok(answer)
    }
}

/// Connects to `server`; a subscriber speaks what `transport` says, a publisher HTTP/1.1.
async fn connect(
    server: &Server,
    transport: Transport,
    subscribes: bool,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<Connection> {
    let is_http2 = subscribes && transport.is_http2;
    let socket = TcpStream::connect(&server.authority).await?;
    socket.set_nodelay(true)?;
    if !transport.is_tls {
        return greet(socket, is_http2, tasks).await;
    }
    let protocol: &[u8] = if is_http2 { b"h2" } else { b"http/1.1" };
    let connector = TlsConnector::from(Arc::new(trusting(server, protocol)?));
    let socket = connector.connect(ServerName::try_from("localhost")?, socket);
    let socket = socket.await?;
    let agreed = socket.get_ref().1.alpn_protocol();
    ensure!(agreed == Some(protocol), "the server agreed on {agreed:?}");
    greet(socket, is_http2, tasks).await
}

async fn greet(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<Connection> {
    let io = TokioIo::new(socket);
    if is_http2 {
        let (client, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tasks.spawn(async { Ok(connection.await?) });
        return Ok(Connection::Http2(client));
    }
    let (client, connection) = http1::handshake(io).await?;
    tasks.spawn(async { Ok(connection.await?) });
    Ok(Connection::Http1(client))
}

/// What trusts the certificate that `server` has made for itself.
fn trusting(server: &Server, protocol: &[u8]) -> anyhow::Result<ClientConfig> {
    let path = server.folder().join("fanfare-data/localhost-cert.pem");
    let pem = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem)?)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

async fn publish(
    server: &Server,
    client: &mut http1::SendRequest<Full<Bytes>>,
    body: String,
) -> anyhow::Result<()> {
    let request = Request::post("/broadcast")
        .header("Host", &server.authority)
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    client.ready().await?;
    let answer = client.send_request(request).await?;
    let status = answer.status();
    ensure!(
        status == StatusCode::OK,
        "a publish was refused with {status}"
    );
    answer.into_body().collect().await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a stretch's begin is measured")]
fn now() -> Instant {
    Instant::now()
}
