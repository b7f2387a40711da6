//! The service as a child process, and what a harness has around it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::post;
use fanfare_testkit::raw_http::{Answer, DEADLINE, RawPeer, ask};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";

/// A service, a server for callbacks, and one for streams.
pub(crate) struct Harness {
    pub(crate) service: Child,
    pub(crate) address: SocketAddr,
    callbacks: mpsc::Receiver<(String, Value)>,
    callback_url: String,
    streams: TcpListener,
    _tasks: JoinSet<()>,
}

impl Drop for Harness {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With `variables` in the service's environment, and nothing else.
    pub(crate) async fn start_with(variables: &[(&str, String)]) -> Self {
        let mut service = Command::new(env!("CARGO_BIN_EXE_contract-service"))
            .args(["--listen", "127.0.0.1:0"])
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = service.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();

        let (told, callbacks) = mpsc::channel(1_000);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let callback_url = format!("http://{}/callbacks", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/callbacks/{stream}/{counter}", post(callback))
            .layer(DefaultBodyLimit::disable())
            .with_state(told);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address: address.parse().unwrap(),
            service,
            callbacks,
            callback_url,
            streams: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            _tasks: tasks,
        }
    }

    pub(crate) fn stream_url(&self) -> String {
        format!("http://{}/", self.streams.local_addr().unwrap())
    }

    /// Sends a request to the service.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        ask(self.address, request).await
    }

    /// Starts a source of our stream server as `change`d; its path at the service.
    pub(crate) async fn create(&self, change: Value) -> String {
        let mut body = json!({
            "streamUrl": self.stream_url(),
            "callbackUrl": format!("{}/s", self.callback_url),
            "tag": "a case",
            "initialDelayMs": 0,
            "readTimeoutMs": null,
        });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = self.ask("POST", "/", &body.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let location = answer.field("location").unwrap();
        let path = location.strip_prefix("http://service.example");
        path.unwrap().to_owned()
    }

    /// The next request for a stream: its head, and its connection.
    pub(crate) async fn request(&self) -> (String, RawPeer) {
        let (socket, _) = timeout(DEADLINE, self.streams.accept())
            .await
            .unwrap()
            .unwrap();
        socket.set_nodelay(true).unwrap();
        let mut peer = RawPeer::from_socket(socket);
        let head = peer.read_until("\r\n\r\n").await.to_lowercase();
        (head, peer)
    }

    /// The next request for a stream, answered with one that stays open.
    pub(crate) async fn open(&self) -> (String, RawPeer) {
        let (head, mut peer) = self.request().await;
        peer.send(STREAM).await;
        (head, peer)
    }

    /// The next callback, with its counter.
    pub(crate) async fn callback(&mut self) -> (u64, Value) {
        let told = timeout(DEADLINE, self.callbacks.recv()).await;
        let (counter, body) = told.expect("a callback in time").unwrap();
        (counter.parse().unwrap(), body)
    }

    /// The next callback must be that of an error.
    pub(crate) async fn error(&mut self) -> String {
        let (_, body) = self.callback().await;
        assert_eq!(body["kind"], "error", "{body}");
        body["error"].as_str().unwrap().to_owned()
    }

    /// The next callback must be `expected`.
    pub(crate) async fn expect(&mut self, expected: &Value) {
        assert_eq!(self.callback().await.1, *expected);
    }

    /// A source that gets `flushes`, each by itself, must report `expected`, while the connection
    /// stays open.
    pub(crate) async fn check<F: AsRef<[u8]>>(
        &mut self,
        flushes: impl IntoIterator<Item = F>,
        expected: &[Value],
    ) {
        let path = self.create(json!({})).await;
        let (_, mut peer) = self.open().await;
        let mut pace = interval(Duration::from_millis(2));
        let mut said = Vec::new();
        for flush in flushes {
            pace.tick().await;
            peer.send(flush.as_ref()).await;
            said.extend_from_slice(flush.as_ref());
        }
        let start = said.get(..80).unwrap_or(&said);
        let start = String::from_utf8_lossy(start).into_owned();
        for (index, expected) in expected.iter().enumerate() {
            let (counter, body) = self.callback().await;
            assert!(body == *expected, "{start:?}: report {index} differs");
            assert_eq!(counter, index as u64 + 1, "{start:?}");
        }
        // A marker shows that nothing else was reported before it.
        peer.send("event: marker\ndata: x\n\n").await;
        let (_, body) = self.callback().await;
        assert_eq!(body["event"]["type"], "marker", "{start:?}");
        assert_eq!(self.ask("DELETE", &path, "").await.status, 204);
    }
}

async fn callback(
    State(told): State<mpsc::Sender<(String, Value)>>,
    Path((_, counter)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let body = serde_json::from_slice(&body).unwrap();
    told.send((counter, body)).await.unwrap();
    StatusCode::ACCEPTED
}

/// The report of an event of the default type without an id.
pub(crate) fn event(data: &str) -> Value {
    event_of("message", data, "")
}

pub(crate) fn event_of(event_type: &str, data: &str, id: &str) -> Value {
    json!({ "kind": "event", "event": { "type": event_type, "data": data, "id": id } })
}

pub(crate) fn comment(text: &str) -> Value {
    json!({ "kind": "comment", "comment": text })
}
