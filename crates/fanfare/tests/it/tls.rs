//! TLS, and HTTP/2 as browsers get it: by ALPN.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare::server::Config;
use fanfare::tls::{OldestVersion, SelfSigned, Tls};
use fanfare_testkit::raw_http::DEADLINE;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fixture::{
    HUB, RESOURCE, Server, bearer, claims_signed, get, post_form, serve, serve_both, token,
};

/// A certificate in files of its own.
struct Certified {
    folder: TempDir,
    tls: Tls,
    shown: SelfSigned,
}

impl Certified {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shown = made();
        write(&folder, &shown);
        let (certificate, key) = (
            folder.path().join("cert.pem"),
            folder.path().join("key.pem"),
        );
        let tls = Tls::open(certificate, key, OldestVersion::Tls12).unwrap();
        Self { folder, tls, shown }
    }

    /// Puts another certificate into the files, and returns it.
    fn replace(&self) -> SelfSigned {
        let other = made();
        write(&self.folder, &other);
        other
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a certificate ends by the wall clock"
)]
fn made() -> SelfSigned {
    SelfSigned::new(SystemTime::now()).unwrap()
}

fn write(folder: &TempDir, certified: &SelfSigned) {
    fs::write(folder.path().join("key.pem"), &certified.key).unwrap();
    fs::write(folder.path().join("cert.pem"), &certified.certificate).unwrap();
}

async fn serve_tls(certified: &Certified, change: impl FnOnce(&mut Config)) -> Server {
    serve(|config| {
        config.tls = Some(certified.tls.clone());
        change(config);
    })
    .await
}

/// What a client trusts and can speak.
fn client(
    trusted: &SelfSigned,
    protocols: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(trusted.certificate.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

async fn connect(
    server: &Server,
    client: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let connected = TlsConnector::from(client).connect(localhost(), socket);
    timeout(DEADLINE, connected)
        .await
        .expect("an answer in time")
}

/// Connects as a client that speaks HTTP/1.1.
async fn connect_http1(server: &Server, trusted: &SelfSigned) -> TlsStream<TcpStream> {
    let client = client(trusted, &["http/1.1"], &[&TLS13]);
    connect(server, client).await.unwrap()
}

async fn read_until(stream: &mut TlsStream<TcpStream>, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let byte = timeout(DEADLINE, stream.read_u8()).await;
        bytes.push(byte.expect("more in time").unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// The first line of the answer to `request`, on a connection of its own.
async fn ask(server: &Server, trusted: &SelfSigned, request: &str) -> String {
    let mut stream = connect_http1(server, trusted).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "\r\n").await
}

async fn metric(server: &Server, trusted: &SelfSigned, name: &str) -> Option<u64> {
    let mut stream = connect_http1(server, trusted).await;
    stream
        .write_all(get("/metrics", "").as_bytes())
        .await
        .unwrap();
    let text = read_until(&mut stream, "# EOF\n").await;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().parse().ok()
}

type Http2 = SendRequest<Empty<Bytes>>;

async fn connect_http2(server: &Server, trusted: &SelfSigned, tasks: &mut JoinSet<()>) -> Http2 {
    let client = client(trusted, &["h2"], &[&TLS13]);
    let stream = connect(server, client).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let connected = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = connected.unwrap();
    tasks.spawn(async move {
        // A server that is dropped with its test says no farewell.
        _ = connection.await;
    });
    sender
}

async fn open(connection: &mut Http2, target: &str) -> Response<Incoming> {
    let request = Request::get(format!("https://hub.example{target}"));
    let request = request.body(Empty::new()).unwrap();
    let answer = timeout(DEADLINE, connection.send_request(request)).await;
    answer.expect("an answer in time").unwrap()
}

async fn hear(stream: &mut Response<Incoming>, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let frame = timeout(DEADLINE, stream.body_mut().frame()).await;
        let frame = frame.expect("a frame in time").expect("no end").unwrap();
        text.push_str(str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    text
}

/// Publishes without TLS' detour.
async fn publish(server: &Server, trusted: &SelfSigned, form: &str) {
    let request = post_form(HUB, &bearer(&token(&["*"], &[])), form);
    let answer = ask(server, trusted, &request).await;
    assert_eq!(answer, "HTTP/1.1 200 OK\r\n");
}

#[tokio::test]
async fn s26_alpn_agrees_on_http_2_or_http_1_1() {
    let certified = Certified::new();
    let server = serve_tls(&certified, |_| {}).await;
    for (offered, agreed) in [
        (&["h2"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.0", "http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let client = client(&certified.shown, offered, &[&TLS13, &TLS12]);
        let mut stream = connect(&server, client).await.unwrap();
        let found = stream.get_ref().1.alpn_protocol();
        assert_eq!(found, agreed.map(str::as_bytes), "{offered:?}");
        if agreed != Some("h2") {
            let request = get("/healthz", "");
            stream.write_all(request.as_bytes()).await.unwrap();
            let line = read_until(&mut stream, "\r\n").await;
            assert_eq!(line, "HTTP/1.1 200 OK\r\n", "{offered:?}");
        }
    }
    let neither = client(&certified.shown, &["spdy/3"], &[&TLS13]);
    assert!(connect(&server, neither).await.is_err());
}

#[tokio::test]
async fn s26_tls_1_2_is_spoken_unless_only_1_3_is() {
    let certified = Certified::new();
    let server = serve_tls(&certified, |_| {}).await;
    let old = client(&certified.shown, &["h2"], &[&TLS12]);
    assert!(connect(&server, Arc::clone(&old)).await.is_ok());

    let SelfSigned {
        certificate, key, ..
    } = &certified.shown;
    let strict = Tls::from_pem(certificate, key, OldestVersion::Tls13).unwrap();
    let server = serve(|config| config.tls = Some(strict)).await;
    assert!(connect(&server, old).await.is_err());
    let new = client(&certified.shown, &["h2"], &[&TLS13]);
    assert!(connect(&server, new).await.is_ok());
}

#[tokio::test]
async fn srv_20_a_stream_over_tls_has_the_bytes_of_one_without() {
    let certified = Certified::new();
    let (secret, open) = (serve_tls(&certified, |_| {}).await, serve(|_| {}).await);
    let request = get(&format!("{HUB}?topic=t"), "");
    let mut stream = connect_http1(&secret, &certified.shown).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut plain = open.connect().await;
    plain.send(&request).await;
    let fields = |head: &str| {
        let mut lines: Vec<_> = head
            .lines()
            .filter(|line| !line.to_lowercase().starts_with("date:"))
            .map(str::to_lowercase)
            .collect();
        lines.sort();
        lines
    };
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert_eq!(fields(&head), fields(&plain.read_head().await.head));

    secret.wait_for_subscribers(1).await;
    open.wait_for_subscribers(1).await;
    publish(&secret, &certified.shown, "topic=t&id=1&data=x").await;
    open.publish("topic=t&id=1&data=x").await;
    let mut text = String::new();
    while !text.ends_with("data: x\n\n\r\n") {
        text.push_str(&read_until(&mut stream, "\r\n").await);
    }
    assert_eq!(text, "2\r\n:\n\r\nF\r\nid: 1\ndata: x\n\n\r\n");
    drop(stream);
    secret.wait_for_subscribers(0).await;
}

/// S26: a new certificate is for new connections, and the streams of the old ones go on.
#[tokio::test]
async fn s26_a_reload_under_hundreds_of_streams_drops_none() {
    let certified = Certified::new();
    let server = serve_tls(&certified, |_| {}).await;
    let mut tasks = JoinSet::new();
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut connection = connect_http2(&server, &certified.shown, &mut tasks).await;
        for _ in 0..100 {
            streams.push(open(&mut connection, "/events?topic=t").await);
        }
    }
    server.wait_for_subscribers(300).await;

    // At once, when somebody asks.
    let second = certified.replace();
    certified.tls.refresh();
    shown_to_new_ones(&server, &second).await;
    publish(&server, &second, "topic=t&data=first").await;
    // By itself, soon.
    let third = certified.replace();
    shown_to_new_ones(&server, &third).await;
    publish(&server, &third, "topic=t&data=second").await;

    for stream in &mut streams {
        let text = hear(stream, "data: second\n\n").await;
        assert!(text.contains("data: first\n"), "{text}");
    }
    assert_eq!(server.hub.counts().subscribers, 300);
}

/// Waits until who connects and trusts `certificate` alone is served.
async fn shown_to_new_ones(server: &Server, certificate: &SelfSigned) {
    let deadline = Instant::now() + DEADLINE;
    let client = client(certificate, &["http/1.1"], &[&TLS13]);
    while connect(server, Arc::clone(&client)).await.is_err() {
        assert!(
            Instant::now() < deadline,
            "the new certificate is not shown"
        );
    }
}

#[tokio::test]
async fn s26_a_bad_new_file_keeps_the_old_certificate() {
    let certified = Certified::new();
    let server = serve_tls(&certified, |_| {}).await;
    let refused = "fanfare_certificates_read_total{outcome=\"refused\"}";
    let path = certified.folder.path().join("cert.pem");
    let stranger = made();
    for (count, bad) in [
        (1, "no certificate"),
        // It has another key.
        (2, &stranger.certificate),
    ] {
        fs::write(&path, bad).unwrap();
        certified.tls.refresh();
        let deadline = Instant::now() + DEADLINE;
        while metric(&server, &certified.shown, refused).await < Some(count) {
            assert!(Instant::now() < deadline, "{bad} was not looked at");
        }
    }
    fs::remove_file(&path).unwrap();
    certified.tls.refresh();
    assert!(
        ask(&server, &certified.shown, &get("/healthz", ""))
            .await
            .contains("200")
    );
    let good = certified.replace();
    shown_to_new_ones(&server, &good).await;
}

/// S10, S13: peers that begin a handshake and stop cost the others nothing, and are cut.
#[tokio::test]
async fn s10_slow_handshakes_are_cut_and_harm_nobody() {
    let certified = Certified::new();
    let server = serve_tls(&certified, |config| {
        config.handshake_timeout = Duration::from_secs(3);
        config.handshakes_max = 1;
    })
    .await;
    let client = client(&certified.shown, &["h2"], &[&TLS13]);
    let mut hello = Vec::new();
    let mut connection = ClientConnection::new(client, localhost()).unwrap();
    connection.write_tls(&mut hello).unwrap();
    let mut slow = Vec::new();
    for sent in [0, 1, hello.len() / 2, hello.len()] {
        for _ in 0..100 {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            socket.write_all(&hello[..sent]).await.unwrap();
            slow.push(socket);
        }
    }
    let answer = ask(&server, &certified.shown, &get("/healthz", "")).await;
    assert_eq!(answer, "HTTP/1.1 200 OK\r\n");
    for mut socket in slow {
        let mut rest = Vec::new();
        let end = timeout(DEADLINE, socket.read_to_end(&mut rest)).await;
        // It may have been reset, with what was unread.
        _ = end.expect("cut in time");
    }
    let timed_out = "fanfare_handshakes_failed_total{reason=\"timeout\"}";
    assert_eq!(
        metric(&server, &certified.shown, timed_out).await,
        Some(400)
    );
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_so() {
    let certified = Certified::new();
    let server = serve_tls(&certified, |_| {}).await;
    let answer = server.get("/events").await;
    assert_eq!(answer.status, 400, "{}", answer.head);
    assert!(answer.body.contains("https://"), "{}", answer.body);
    let plain = "fanfare_handshakes_failed_total{reason=\"plain\"}";
    assert_eq!(metric(&server, &certified.shown, plain).await, Some(1));
}

/// D1-A4: with TLS of its own the hub knows that its URL begins with `https:`.
#[tokio::test]
async fn d1_a4_the_resource_of_a_hub_with_tls_is_https() {
    let certified = Certified::new();
    let server = serve_both(|config| config.tls = Some(certified.tls.clone())).await;
    let resource = RESOURCE.replace("http:", "https:");
    for (audience, status) in [(RESOURCE, "401"), (&resource, "200")] {
        let token = claims_signed(|claims| claims["aud"] = audience.into(), &["t"], &[]);
        let request = post_form(HUB, &bearer(&token), "topic=t&data=x");
        let answer = ask(&server, &certified.shown, &request).await;
        assert!(answer.contains(status), "{audience}: {answer}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_so_over_tls() {
    let certified = Certified::new();
    let server = serve_tls(&certified, |config| config.connections_max = 1).await;
    let mut stream = connect_http1(&server, &certified.shown).await;
    let request = get("/events", "");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "established\n").await;
    let request = get("/events", "Accept: text/event-stream\r\n");
    assert!(
        ask(&server, &certified.shown, &request)
            .await
            .contains("200")
    );
    assert!(
        ask(&server, &certified.shown, &get("/healthz", ""))
            .await
            .contains("503")
    );

    // Over HTTP/2, which browsers speak, too.
    let mut tasks = JoinSet::new();
    let mut connection = connect_http2(&server, &certified.shown, &mut tasks).await;
    let request = Request::get("https://hub.example/events").header("accept", "text/event-stream");
    let request = request.body(Empty::new()).unwrap();
    let answer = timeout(DEADLINE, connection.send_request(request)).await;
    let answer = answer.expect("an answer in time").unwrap();
    assert_eq!(answer.status(), 200);
    let body = timeout(DEADLINE, answer.into_body().collect()).await;
    let body = body.expect("an end in time").unwrap().to_bytes();
    assert!(body.starts_with(b"retry: "), "{body:?}");
    assert_eq!(server.hub.counts().subscribers, 1);
}
