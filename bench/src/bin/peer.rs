//! The peer: the server that people write by hand, an axum `Sse` over a broadcast channel.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{KeepAlive, Sse};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

#[expect(clippy::disallowed_types, reason = "the peer that people would write")]
use axum::response::sse::Event;

/// Everybody's events; a subscriber that is this many behind loses the oldest.
const CAPACITY: usize = 1024;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the peer that people would write"
    )]
    let (events, _) = broadcast::channel::<(String, String)>(CAPACITY);
    let router = Router::new()
        .route("/events", get(subscribe))
        .route("/broadcast", post(publish))
        .with_state(events);
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(65_535).context("cannot listen")?;
    println(&format!(
        "peer is ready on http://{}",
        listener.local_addr()?
    ));
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    axum::serve(listener, router).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the line that the runner waits for")]
fn println(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_types, reason = "the peer that people would write")]
async fn subscribe(
    State(events): State<broadcast::Sender<(String, String)>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let hello =
        futures_util::stream::iter([Ok(Event::default().comment("connection established"))]);
    let events = BroadcastStream::new(events.subscribe()).filter_map(async |event| {
        // A lagging subscriber loses events here, and nobody says so: the load will count it.
        let (id, data) = event.ok()?;
        Some(Ok(Event::default().id(id).data(data)))
    });
    Sse::new(hello.chain(events)).keep_alive(KeepAlive::default())
}

async fn publish(
    State(events): State<broadcast::Sender<(String, String)>>,
    body: Bytes,
) -> Result<String, StatusCode> {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let id = SENT.fetch_add(1, Ordering::Relaxed).to_string();
    let body: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let data = body.get("data").and_then(Value::as_str);
    let data = data.ok_or(StatusCode::BAD_REQUEST)?;
    // An error means that nobody listens.
    let clients = events.send((id.clone(), data.to_owned())).unwrap_or(0);
    Ok(json!({ "sent": true, "clients": clients, "id": id }).to_string())
}
