//! A real receiver: it keeps what it gets, and answers as it is told to.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// It listens until it is dropped.
pub(super) struct Catcher {
    pub(super) url: String,
    desk: Arc<Desk>,
    seen: mpsc::Receiver<Seen>,
    _server: JoinSet<()>,
}

/// An answer; without any it is 204.
pub(super) enum Say {
    Status(u16),
    Redirect(String),
    /// Never an answer, on a connection that stays open.
    Nothing,
    /// The status, once the sender says so.
    Later(u16, oneshot::Receiver<()>),
}

/// A request that came.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) body: String,
    /// Its place in the order of begins and ends.
    pub(super) began: u64,
    headers: HeaderMap,
    ended: Arc<AtomicU64>,
}

struct Desk {
    says: Mutex<VecDeque<Say>>,
    seen: mpsc::Sender<Seen>,
    clock: AtomicU64,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Catcher {
    pub(super) async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(super) fn on(listener: TcpListener) -> Self {
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, seen) = mpsc::channel(10_000);
        let desk = Arc::new(Desk {
            says: Mutex::default(),
            seen: sender,
            clock: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        });
        let router = Router::new().fallback(catch).with_state(Arc::clone(&desk));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            desk,
            seen,
            _server: server,
        }
    }

    /// What the next request without an answer yet gets.
    pub(super) fn say(&self, say: Say) {
        self.desk.says.lock().unwrap().push_back(say);
    }

    pub(super) fn say_later(&self, status: u16) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        self.say(Say::Later(status, receiver));
        sender
    }

    /// The next request, which comes within a minute.
    pub(super) async fn seen(&mut self) -> Seen {
        let seen = timeout(Duration::from_secs(60), self.seen.recv()).await;
        seen.expect("a request comes").unwrap()
    }

    /// The requests that came and were not looked at.
    pub(super) fn all_seen(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.desk.most_at_once.load(Ordering::SeqCst)
    }
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }
}

async fn catch(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let began = desk.clock.fetch_add(1, Ordering::SeqCst);
    let at_once = desk.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    desk.most_at_once.fetch_max(at_once, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let ended = Arc::new(AtomicU64::new(u64::MAX));
    let say = desk.says.lock().unwrap().pop_front();
    let seen = Seen {
        method: parts.method.to_string(),
        body: String::from_utf8(body.to_vec()).unwrap(),
        began,
        headers: parts.headers,
        ended: Arc::clone(&ended),
    };
    desk.seen.send(seen).await.unwrap();
    let response = answer(say.unwrap_or(Say::Status(204))).await;
    desk.under_way.fetch_sub(1, Ordering::SeqCst);
    ended.store(desk.clock.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
    response
}

async fn answer(say: Say) -> Response {
    match say {
        Say::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Say::Redirect(location) => Response::builder()
            .status(StatusCode::TEMPORARY_REDIRECT)
            .header(LOCATION, location)
            .body(Body::empty())
            .unwrap(),
        Say::Nothing => std::future::pending().await,
        Say::Later(status, ready) => {
            ready.await.unwrap();
            StatusCode::from_u16(status).unwrap().into_response()
        }
    }
}

/// The signature of `text`, by RFC 2104 with another library's hash.
pub(super) fn standard_signature(secret: &str, text: &str) -> String {
    let secret = secret.strip_prefix("whsec_").unwrap();
    let mut key = BASE64_STANDARD.decode(secret).unwrap();
    key.resize(64, 0);
    let padded = |pad: u8| key.iter().map(move |byte| byte ^ pad).collect::<Vec<_>>();
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize();
    format!("v1,{}", BASE64_STANDARD.encode(outer))
}
