//! The service's routes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fanfare_client::{Client, Network};
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, StatusCode};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::report;
use crate::request::{Command, NewStream};

/// The sources that run for the harness.
#[derive(Clone)]
pub(crate) struct Service(Arc<Inner>);

struct Inner {
    /// For callbacks, which go straight to the harness whatever proxies there are.
    callbacks: reqwest::Client,
    streams: Mutex<Streams>,
    stop: Notify,
}

#[derive(Default)]
struct Streams {
    last_number: u64,
    running: BTreeMap<u64, Running>,
}

/// A source at work; dropping it ends the work.
struct Running {
    restart: mpsc::Sender<()>,
    _task: JoinSet<()>,
}

/// What the client can do, in the words of the harness.
const CAPABILITIES: [&str; 9] = [
    "bom",
    "comments",
    "headers",
    "last-event-id",
    "post",
    "read-timeout",
    "report",
    "restart",
    "server-directed-shutdown-request",
];

impl Service {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let callbacks = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self(Arc::new(Inner {
            callbacks,
            streams: Mutex::default(),
            stop: Notify::new(),
        })))
    }

    /// Waits until the harness has stopped the service.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let inner = Arc::clone(&self.0);
        async move { inner.stop.notified().await }
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/", get(describe).post(create).delete(stop))
            .route("/streams/{number}", post(command).delete(close))
            .with_state(self)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        // A panic under the lock leaves the map as it was.
        self.0
            .streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the source that `new` asks for; its number.
    fn start(&self, new: NewStream) -> anyhow::Result<u64> {
        let client = Client::new(&Network::default())?;
        let source = client.event_source(new.config()?)?;
        let (restart, restarts) = mpsc::channel(16);
        let client = self.0.callbacks.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let reported = report::all(source, new.callback_url, client, restarts).await;
            if let Err(error) = reported {
                // The harness is gone, or has had enough of this stream.
                complain(&format!("{}: {error:#}", new.tag));
            }
        });
        let mut streams = self.streams();
        streams.last_number += 1;
        let number = streams.last_number;
        let running = Running {
            restart,
            _task: task,
        };
        streams.running.insert(number, running);
        Ok(number)
    }
}

async fn describe() -> Response {
    let json = serde_json::json!({ "name": "fanfare-client", "capabilities": CAPABILITIES });
    ([(CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

async fn create(State(service): State<Service>, headers: HeaderMap, body: Bytes) -> Response {
    let new: NewStream = match serde_json::from_slice(&body) {
        Ok(new) => new,
        Err(error) => return bad_request(&format!("the body describes no stream: {error}")),
    };
    let number = match service.start(new) {
        Ok(number) => number,
        Err(error) => return bad_request(&format!("{error:#}")),
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("localhost");
    let location = format!("http://{host}/streams/{number}");
    (StatusCode::CREATED, [(LOCATION, location)]).into_response()
}

async fn command(State(service): State<Service>, Path(number): Path<u64>, body: Bytes) -> Response {
    let restart = match service.streams().running.get(&number) {
        Some(running) => running.restart.clone(),
        None => return StatusCode::NOT_FOUND.into_response(),
    };
    match serde_json::from_slice(&body) {
        Ok(Command::Restart) => {
            // A source that has ended stays so.
            let _ = restart.send(()).await;
            StatusCode::ACCEPTED.into_response()
        }
        Ok(Command::Listen) => StatusCode::ACCEPTED.into_response(),
        Err(error) => bad_request(&format!("no such command: {error}")),
    }
}

async fn close(State(service): State<Service>, Path(number): Path<u64>) -> StatusCode {
    match service.streams().running.remove(&number) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

async fn stop(State(service): State<Service>) -> StatusCode {
    service.streams().running.clear();
    service.0.stop.notify_one();
    StatusCode::NO_CONTENT
}

fn bad_request(detail: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{detail}\n")).into_response()
}

#[expect(clippy::print_stderr, reason = "this program's log")]
fn complain(text: &str) {
    eprintln!("{text}");
}
