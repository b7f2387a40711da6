//! Two servers, joined through a real Redis, behind a real nginx that binds nobody to a server.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use fanfare_testkit::program::Program;
use fanfare_testkit::raw_http::{DEADLINE, RawPeer, ask};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, interval};

const PROGRAM: &str = env!("CARGO_BIN_EXE_notifications");
const NGINX: &str = include_str!("../nginx.conf");

/// A server of somebody else, in a folder of its own; killed when dropped.
struct Outsider {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Outsider {
    /// Starts `program`, and waits until it listens at `address`.
    async fn start(
        program: &str,
        arguments: &[&str],
        address: SocketAddr,
        folder: TempDir,
    ) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut outsider = Self {
            child,
            address,
            _folder: folder,
        };
        let began = Instant::now();
        let mut tries = interval(std::time::Duration::from_millis(10));
        while TcpStream::connect(address).await.is_err() {
            tries.tick().await;
            assert!(
                outsider.child.try_wait().unwrap().is_none(),
                "{program} ended"
            );
            assert!(began.elapsed() < DEADLINE, "{program} does not listen");
        }
        outsider
    }

    async fn redis(address: SocketAddr) -> Self {
        let port = address.port().to_string();
        let arguments = ["--port", &port, "--bind", "127.0.0.1", "--save", ""];
        let folder = tempfile::tempdir().unwrap();
        Self::start("redis-server", &arguments, address, folder).await
    }

    /// The example's own configuration, in front of `servers`.
    async fn nginx(servers: [SocketAddr; 2]) -> Self {
        let address = free();
        let mut text = NGINX.to_owned();
        for (documented, used) in [
            ("127.0.0.1:3200", address),
            ("127.0.0.1:3201", servers[0]),
            ("127.0.0.1:3202", servers[1]),
        ] {
            assert!(text.contains(documented), "no {documented} in {NGINX}");
            text = text.replace(documented, &used.to_string());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, text).unwrap();
        let prefix = folder.path().to_str().unwrap().to_owned();
        let arguments = ["-p", &prefix, "-c", path.to_str().unwrap()];
        Self::start("nginx", &arguments, address, folder).await
    }

    fn stop(&mut self) {
        // In order, for nginx has a worker to take along.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An address that nobody listens at; the port is free again when this returns.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Says `payload` as anybody could, and returns how many servers heard it.
fn redis_cli(redis: SocketAddr, payload: &str) -> String {
    let port = redis.port().to_string();
    let said = Command::new("redis-cli")
        .args(["-p", &port, "PUBLISH", "sse-channel", payload])
        .output()
        .unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

async fn post(address: SocketAddr, path: &str, json: &str) -> (u16, String) {
    let length = json.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{json}"
    );
    let answer = ask(address, request).await;
    (answer.status, answer.body)
}

/// A page of `user`, on whichever server it was given.
async fn page(address: SocketAddr, user: &str) -> RawPeer {
    let mut page = RawPeer::connect(address).await;
    let request = format!("GET /events?userId={user} HTTP/1.1\r\nHost: x\r\n\r\n");
    page.send(request).await;
    let head = page.read_head().await;
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    page.read_until(&format!("data: Welcome, {user}\n\n")).await;
    page
}

/// The type and data of the next event.
async fn next(page: &mut RawPeer) -> String {
    let event = page.read_until("\n\n").await;
    let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
    let event_type = field("event: ").unwrap_or("message");
    format!("{event_type} {}", field("data: ").unwrap())
}

/// Two servers that have found each other.
fn servers(redis: SocketAddr) -> [Program; 2] {
    let url = format!("redis://{redis}");
    [(); 2].map(|()| Program::start(PROGRAM, &["--redis", &url]))
}

#[tokio::test]
async fn whoever_is_meant_hears_it_on_every_server() {
    let redis = Outsider::redis(free()).await;
    let mut servers = servers(redis.address);
    for server in &mut servers {
        server.line_with("joined");
    }
    let addresses = [servers[0].address(), servers[1].address()];
    let nginx = Outsider::nginx(addresses).await;

    // In turn: of each user one page on each server.
    let mut meant = vec![
        page(nginx.address, "user123").await,
        page(nginx.address, "user123").await,
    ];
    let mut others = vec![
        page(nginx.address, "bob").await,
        page(nginx.address, "bob").await,
    ];
    for server in &mut servers {
        server.line_with("\"user123\" is here");
        server.line_with("\"bob\" is here");
    }

    let heard = redis_cli(
        redis.address,
        r#"{"userId":"user123","data":"from redis-cli"}"#,
    );
    assert_eq!(heard, "2");
    let sent = post(
        nginx.address,
        "/send",
        r#"{"userId":"user123","data":"over HTTP"}"#,
    )
    .await;
    assert_eq!(sent, (200, r#"{"sent":true,"clients":1}"#.to_owned()));
    let sent = post(nginx.address, "/broadcast", r#"{"n":1}"#).await;
    assert_eq!(sent, (200, r#"{"sent":true,"clients":2}"#.to_owned()));
    redis_cli(redis.address, r#"{"data":{"to":"all"}}"#);

    for page in &mut meant {
        assert_eq!(next(page).await, "message from redis-cli");
        assert_eq!(next(page).await, "message over HTTP");
    }
    // And nothing of the above.
    for page in meant.iter_mut().chain(&mut others) {
        assert_eq!(next(page).await, r#"update {"n":1}"#);
        assert_eq!(next(page).await, r#"message {"to":"all"}"#);
    }
}

#[tokio::test]
async fn what_is_no_notice_is_logged_and_ignored() {
    let redis = Outsider::redis(free()).await;
    let mut server = Program::start(PROGRAM, &["--redis", &format!("redis://{}", redis.address)]);
    server.line_with("joined");
    let mut alice = page(server.address(), "alice").await;
    for payload in [
        "{\"userId\":",
        "hello",
        "{\"userId\":\"alice\"}",
        "{\"userId\":7,\"data\":1}",
        "{\"userId\":\"a\\nb\",\"data\":1}",
        "{\"event\":\"a\\nb\",\"data\":1}",
    ] {
        redis_cli(redis.address, payload);
        server.line_with("ignored what came from Redis");
    }
    redis_cli(redis.address, r#"{"userId":"alice","data":"still here"}"#);
    assert_eq!(next(&mut alice).await, "message still here");
}

#[tokio::test]
async fn a_server_that_loses_redis_says_so_and_comes_back() {
    let mut redis = Outsider::redis(free()).await;
    let address = redis.address;
    let mut server = Program::start(PROGRAM, &["--redis", &format!("redis://{address}")]);
    server.line_with("joined");
    let mut alice = page(server.address(), "alice").await;
    redis.stop();
    server.line_with("Redis has closed the connection");
    server.line_with("no Redis");
    let (status, _) = post(server.address(), "/broadcast", "1").await;
    assert_eq!(status, 503);

    let _redis = Outsider::redis(address).await;
    server.line_with("joined");
    let sent = post(server.address(), "/broadcast", "2").await;
    assert_eq!(sent, (200, r#"{"sent":true,"clients":1}"#.to_owned()));
    assert_eq!(next(&mut alice).await, "update 2");
}

#[tokio::test]
async fn a_server_may_start_before_redis() {
    let address = free();
    let mut server = Program::start(PROGRAM, &["--redis", &format!("redis://{address}")]);
    server.line_with("no Redis");
    let mut alice = page(server.address(), "alice").await;
    let _redis = Outsider::redis(address).await;
    server.line_with("joined");
    redis_cli(address, r#"{"userId":"alice","data":"at last"}"#);
    assert_eq!(next(&mut alice).await, "message at last");
}
