//! Says hello each second to pages of another origin, and counts.
//!
//! `cargo run -p hello-stream`, then `curl -N http://127.0.0.1:4000/stream`.
//!
//! Each reader has a count of its own, and the count is the event's id. So a reader that comes back
//! says itself where to go on, and the server keeps nothing for it.

#![expect(clippy::print_stdout, reason = "what it says to whoever started it")]

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use clap::Parser;
use fanfare_wire::{Event, EventId, Retry};
use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Says hello each second to pages of another origin.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; 0 is any port that is free
    #[arg(long, env = "PORT", default_value_t = 4000)]
    port: u16,
    /// The origin whose pages may read the stream, such as `http://localhost:5173`; `*`: all
    #[arg(long, default_value = "*")]
    allow_origin: HeaderValue,
    /// Milliseconds between two events
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    every_ms: u64,
}

#[derive(Clone)]
struct Hello {
    allow_origin: HeaderValue,
    every: Duration,
    /// Ends all streams, on Ctrl-C.
    stop: CancellationToken,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let hello = Hello {
        allow_origin: args.allow_origin,
        every: Duration::from_millis(args.every_ms),
        stop: CancellationToken::new(),
    };
    let stop = hello.stop.clone();
    let app = Router::new()
        .route("/", get("Hello! The stream is at /stream.\n"))
        .route("/stream", get(stream_hello).options(preflight))
        .with_state(hello);
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let again = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
    println!("hello-stream is on http://{}/", listener.local_addr()?);
    let stopped = async move {
        ctrl_c.recv().await;
        stop.cancel();
    };
    let serve = axum::serve(listener, app).with_graceful_shutdown(stopped);
    tokio::select! {
        served = serve => served?,
        // Whoever does not read would be waited for.
        () = twice(again) => {}
    }
    Ok(())
}

async fn twice(mut signal: Signal) {
    signal.recv().await;
    signal.recv().await;
}

async fn stream_hello(State(hello): State<Hello>, headers: HeaderMap) -> impl IntoResponse {
    let mut timer = interval(hello.every);
    // A reader that could not keep up is not sent a burst of hellos afterwards.
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let counts = stream::unfold(
        (timer, first_count(&headers)),
        async |(mut timer, count)| {
            timer.tick().await;
            Some((hello_number(count), (timer, count.wrapping_add(1))))
        },
    );
    let events = counts.take_until(hello.stop.cancelled_owned());
    let bytes = events.map(|event| Ok::<_, Infallible>(bytes_of(&event)));
    (cors(hello.allow_origin), HEAD, Body::from_stream(bytes))
}

/// The count after the last that the reader has seen; 0 for a new one.
fn first_count(headers: &HeaderMap) -> u64 {
    let last = headers.get("Last-Event-ID");
    let last = last.and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    last.map_or(0, |last| last.wrapping_add(1))
}

fn hello_number(count: u64) -> Event {
    let mut event = Event::new(format!("hello from server sent events ---- [{count}]"));
    event.id = EventId::parse(&count.to_string()).ok();
    if count == 0 {
        // How long a browser waits before it comes back; not all of them at once.
        event.retry = Some(Retry::from_millis(rand::random_range(2000..=6000)));
    }
    event
}

fn bytes_of(event: &Event) -> Bytes {
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    bytes.into()
}

/// A browser asks first when a page's own code, not an EventSource, sets `Content-Type`.
async fn preflight(State(hello): State<Hello>) -> impl IntoResponse {
    (StatusCode::NO_CONTENT, cors(hello.allow_origin))
}

/// Who may read the answer; `Vary`, for a cache must not give it to a page of another origin.
fn cors(allow_origin: HeaderValue) -> [(&'static str, HeaderValue); 4] {
    let text = HeaderValue::from_static;
    [
        ("Access-Control-Allow-Origin", allow_origin),
        ("Access-Control-Allow-Methods", text("GET")),
        ("Access-Control-Allow-Headers", text("Content-Type")),
        ("Vary", text("Origin")),
    ]
}

/// `no-transform` keeps middleboxes from compressing, the last line nginx from holding events back.
const HEAD: [(&str, &str); 4] = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-store, no-transform"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
];
