//! One connection: its first request head is read here, then it goes to a shard or to hyper.

use std::convert::Infallible;
use std::future::{self, Future};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::{BoxError, Router};
use bytes::{Bytes, BytesMut};
use fanfare_broker::Frame;
use futures_util::FutureExt as _;
use http::header::ORIGIN;
use http::request::Parts;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::accept::Peer;
use crate::error::{Refusal, Style};
use crate::form::Form;
use crate::head::{BadHead, Opening, is_bodyless, write_last, write_stream_head};
use crate::server::Server;
use crate::subscribe::{Accepted, StreamRoute};
use crate::tls::Tls;
use crate::tls::handshake::{self, Outcome};
use crate::{poll, routes};
use owed::{Input, Owed, Question};

mod owed;

/// Whether a new connection is within [`crate::server::Config::connections_max`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Room {
    Free,
    Full,
}

/// Serves `socket` until it belongs to a shard or is closed.
pub(crate) async fn serve(
    server: Arc<Server>,
    router: Router,
    socket: TcpStream,
    peer: Peer,
    room: Room,
) {
    match server.config.tls.clone() {
        None => serve_plain(server, router, socket, peer, room).await,
        // What TLS needs is allocated for those that speak it.
        Some(tls) => Box::pin(serve_tls(&server, &tls, router, socket, peer, room)).await,
    }
}

/// Serves a connection over TLS. It goes to hyper, whatever it asks for: a shard has no keys.
async fn serve_tls(
    server: &Server,
    tls: &Tls,
    router: Router,
    socket: TcpStream,
    peer: Peer,
    room: Room,
) {
    let outcome = tokio::select! {
        outcome = handshake::shake(server, tls, socket) => outcome,
        () = server.finish.cancelled() => return,
    };
    let mut socket = match outcome {
        Outcome::Http2(socket) if room == Room::Full => return refuse_http2(server, socket).await,
        Outcome::Http2(socket) => return serve_http2(server, router, socket, peer).await,
        Outcome::Http1(socket) => socket,
        Outcome::Plain(mut socket) => {
            let answer = BadHead::NoTls.response();
            // It may be gone already; then there is nobody to tell.
            _ = say_last(&mut socket, &answer).await;
            return;
        }
        Outcome::Failed => return,
    };
    let Some((opening, bytes)) = opening_in_time(server, &mut socket).await else {
        return;
    };
    match opening {
        _ if room == Room::Full => refuse(server, socket, &opening).await,
        // Some speak it without saying so in the handshake.
        Opening::Http2 => {
            let socket = Input::new(bytes, socket, Owed::default());
            serve_http2(server, router, socket, peer).await;
        }
        Opening::Http1 { .. } => {
            let owed = Owed::default();
            let socket = Input::new(bytes, socket, owed.clone());
            serve_http1(server, router, socket, peer, First::unknown(), owed).await;
        }
    }
}

/// Serves a connection without TLS.
async fn serve_plain(
    server: Arc<Server>,
    router: Router,
    mut socket: TcpStream,
    peer: Peer,
    room: Room,
) {
    let Some((opening, bytes)) = opening_in_time(&server, &mut socket).await else {
        return;
    };
    match opening {
        _ if room == Room::Full => refuse(&server, socket, &opening).await,
        // What hyper needs is allocated for those that go there; a subscriber's task stays small.
        Opening::Http2 => {
            let socket = Input::new(bytes, socket, Owed::default());
            Box::pin(serve_http2(&server, router, socket, peer)).await;
        }
        Opening::Http1 {
            mut parts,
            head_bytes,
        } => {
            parts.extensions.insert(peer);
            let judged = match stream_route(&server, &parts, bytes.len() == head_bytes) {
                Some(route) => match judge(&server, route, &parts).await {
                    Ok(accepted) => return hand_over(&server, socket, &parts, accepted),
                    Err(refused) => Some(server.dressed(&parts, refused).map(Body::from)),
                },
                None => None,
            };
            drop(parts);
            let first = First(Mutex::new(judged));
            let owed = Owed::default();
            let socket = Input::new(bytes, socket, owed.clone());
            Box::pin(serve_http1(&server, router, socket, peer, first, owed)).await;
        }
    }
}

/// Reads until the first request is known. `None`: too slow, gone, or answered with an error, so
/// there is nothing more to say.
async fn opening_in_time(
    server: &Server,
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Option<(Opening, Bytes)> {
    let opening = tokio::select! {
        opening = timeout(server.config.head_timeout, read_opening(server, socket)) => opening,
        () = server.finish.cancelled() => return None,
    };
    opening.ok()?.ok()?
}

/// Reads until the first request is known. `None`: the peer left, or was told that it is wrong.
async fn read_opening(
    server: &Server,
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> io::Result<Option<(Opening, Bytes)>> {
    let bytes_max = server.config.head_bytes_max;
    let mut bytes = BytesMut::with_capacity(READ_BYTES);
    loop {
        bytes.reserve(READ_BYTES / 2);
        let known = bytes.len();
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        // A head ends with a line end, so nothing is gained by looking again before the next one.
        let news = bytes.get(known..).unwrap_or_default();
        if known > 0 && !news.contains(&b'\n') && bytes.len() < bytes_max {
            continue;
        }
        match Opening::parse(&bytes, bytes_max) {
            Ok(Some(opening)) => return Ok(Some((opening, bytes.freeze()))),
            Ok(None) => {}
            Err(bad) => {
                server.metrics.refused("bad_head");
                tracing::debug!(%bad, "no request");
                say_last(socket, &bad.response()).await?;
                return Ok(None);
            }
        }
    }
}

const READ_BYTES: usize = 2048;

/// The stream route that a request asks for, if the fast lane can take it.
///
/// What else has arrived would be lost with the socket, so then hyper keeps it.
fn stream_route(server: &Server, parts: &Parts, nothing_more: bool) -> Option<StreamRoute> {
    let fits = nothing_more
        && parts.method == Method::GET
        && is_bodyless(parts)
        && !poll::is_asked(parts)
        && routes::fault(&server.config, parts).is_none();
    StreamRoute::of(server, parts.uri.path()).filter(|_| fits)
}

async fn judge(
    server: &Server,
    route: StreamRoute,
    parts: &Parts,
) -> Result<Accepted, Response<Bytes>> {
    let form = Form::from_query(parts.uri.query().unwrap_or_default());
    server.admit(route, parts, &form).await
}

/// The fast lane: the socket goes to a shard, head and first bytes with it for one write (SRV-04).
fn hand_over(server: &Server, socket: TcpStream, parts: &Parts, accepted: Accepted) {
    let form = match parts.version {
        Version::HTTP_11 => fanfare_broker::Form::Chunked,
        _ => fanfare_broker::Form::Plain,
    };
    let mut head = accepted.head;
    server.dress(parts.headers.get(ORIGIN), head.headers_mut());
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is read once per request"
    )]
    let mut bytes = write_stream_head(&head, form, SystemTime::now());
    bytes.extend_from_slice(Frame::wrap(&accepted.first).bytes(form));
    match socket.into_std() {
        Ok(socket) => {
            accepted.admission.into_socket(socket, bytes.into(), form);
            server.seen_in(accepted.guest);
        }
        Err(error) => tracing::debug!(%error, "a subscriber was gone before its stream began"),
    }
}

/// Tells a connection beyond the limit when to come back.
async fn refuse(
    server: &Server,
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    opening: &Opening,
) {
    // Without the handshake of HTTP/2 there is no way to say it there.
    if let Opening::Http1 { parts, .. } = opening {
        let refused = server.refused(Style::Problem, parts, &Refusal::TooManyConnections);
        let _ = say_last(&mut socket, &server.dressed(parts, refused)).await;
    }
}

/// Answers the requests of a connection beyond the limit, over HTTP/2, until its first answer went.
async fn refuse_http2(server: &Server, socket: impl AsyncRead + AsyncWrite + Unpin + Send) {
    let answered = Notify::new();
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let (parts, _) = request.into_parts();
        let refused = server.refused(Style::Problem, &parts, &Refusal::TooManyConnections);
        let answer = server.dressed(&parts, refused).map(Body::from);
        answered.notify_one();
        future::ready(Ok::<_, Infallible>(answer))
    });
    let builder = http2_builder(server);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let farewell = async {
        tokio::select! {
            ended = connection.as_mut() => return note(ended),
            () = answered.notified() => connection.as_mut().graceful_shutdown(),
        }
        note(connection.await);
    };
    // Who asks nothing, or does not take the answer, is not waited for.
    _ = timeout(server.config.head_timeout, farewell).await;
}

/// Writes the last answer and waits shortly for the peer to take it.
///
/// Closing with unread bytes in the kernel resets the connection, which can overtake the answer.
async fn say_last(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    answer: &Response<Bytes>,
) -> io::Result<()> {
    let farewell = async {
        socket.write_all(&write_last(answer)).await?;
        socket.shutdown().await?;
        let mut rest = [0; 1024];
        let mut unread = 0;
        while unread < UNREAD_MAX {
            match socket.read(&mut rest).await? {
                0 => break,
                read => unread += read,
            }
        }
        Ok(())
    };
    timeout(FAREWELL_TIMEOUT, farewell).await.unwrap_or(Ok(()))
}

const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);
const UNREAD_MAX: usize = 64 << 10;

/// The answer to a connection's first request, if it was judged before hyper saw it.
struct First(Mutex<Option<Response<Body>>>);

impl First {
    fn unknown() -> Self {
        Self(Mutex::new(None))
    }

    fn take(&self) -> Option<Response<Body>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn serve_http1(
    server: &Server,
    router: Router,
    socket: impl AsyncRead + AsyncWrite + Unpin + Send,
    peer: Peer,
    first: First,
    owed: Owed,
) {
    let tasks = Tasks::new(server);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let owed = owed.clone();
        owed.begin();
        let answer = match first.take() {
            Some(response) => future::ready(Ok(response)).left_future(),
            None => {
                let request = request.map(|body| Question::new(body, owed.clone()));
                answer(&tasks, &router, request, peer).right_future()
            }
        };
        answer.inspect(move |_| owed.settle())
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(server.config.head_timeout)
        .max_buf_size(server.config.head_bytes_max.max(HYPER_BUFFER_BYTES_MIN));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = server.finish.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    until_cut(server, connection).await;
}

/// hyper panics below this.
const HYPER_BUFFER_BYTES_MIN: usize = 8192;

async fn serve_http2(
    server: &Server,
    router: Router,
    socket: impl AsyncRead + AsyncWrite + Unpin + Send,
    peer: Peer,
) {
    let tasks = Tasks::new(server);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        answer(&tasks, &router, request, peer)
    });
    let builder = http2_builder(server);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = server.finish.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    until_cut(server, connection).await;
}

/// HTTP/2 within its limits (N10), with TLS and without.
///
/// The window of a connection is sixteen of a stream's, so that an upload which waits for its
/// request to be judged does not stop its siblings.
fn http2_builder(server: &Server) -> http2::Builder<Tasks> {
    let mut builder = http2::Builder::new(Tasks::new(server));
    let head_bytes_max = u32::try_from(server.config.head_bytes_max).unwrap_or(u32::MAX);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(server.config.connection_streams_max)
        .max_send_buf_size(32 << 10)
        .max_header_list_size(head_bytes_max)
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(1 << 20)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// Answers a request.
///
/// A publisher's in a task of its own, begun at once: who hangs up as soon as all is sent has its
/// connection, and with it whatever runs on it, ended before hyper has looked at the request
/// (D0-P10).
fn answer<B>(
    tasks: &Tasks,
    router: &Router,
    mut request: Request<B>,
    peer: Peer,
) -> impl Future<Output = Result<Response<Body>, TaskEnded>> + use<B>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    request.extensions_mut().insert(peer);
    let publishes = request.method() == Method::POST;
    let answer = router.clone().oneshot(request);
    let answer = answer.map(|answer| answer.unwrap_or_else(|never| match never {}));
    if publishes {
        let answer = tasks.spawn(answer);
        return async { answer.await.ok().flatten().ok_or(TaskEnded) }.left_future();
    }
    answer.map(Ok).right_future()
}

/// A publisher's task was cut, or panicked; the connection ends without an answer, which says
/// "unknown".
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a publisher's task was cut")]
struct TaskEnded;

async fn until_cut(server: &Server, connection: impl Future<Output = hyper::Result<()>>) {
    tokio::select! {
        ended = connection => note(ended),
        () = server.cut.cancelled() => {}
    }
}

/// What ends a connection is the peer's doing; nobody here can act on it.
fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Runs tasks of a connection's requests among those that the drain waits for.
#[derive(Clone)]
struct Tasks {
    tasks: tokio_util::task::TaskTracker,
    cut: tokio_util::sync::CancellationToken,
}

impl Tasks {
    fn new(server: &Server) -> Self {
        Self {
            tasks: server.connections.clone(),
            cut: server.cut.clone(),
        }
    }

    /// Runs `task` to its end; `None`: it was cut.
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                output = task => Some(output),
                () = cut.cancelled() => None,
            }
        })
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.spawn(stream);
    }
}
