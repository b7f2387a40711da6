//! Greets each client, then sends it a random number every five seconds.
//!
//! `cargo run -p random-number`, then open <http://127.0.0.1:3000/>.
//!
//! Every client has numbers of its own, so there is nothing to fan out and no hub: the answer's body
//! is a stream that owns its timer. When the client leaves, the server drops the body, and with it
//! the timer. No task is left behind that somebody would have to remember to stop.

#![expect(clippy::print_stdout, reason = "what it says to whoever started it")]

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use clap::Parser;
use fanfare_wire::{Event, Retry};
use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

/// Greets each client, then sends it a random number every five seconds.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; 0 is any port that is free
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,
    /// Milliseconds between two numbers
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    every_ms: u64,
}

#[derive(Clone)]
struct Numbers {
    every: Duration,
    clients_total: Arc<AtomicU64>,
    /// Ends all streams, on Ctrl-C.
    stop: CancellationToken,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let numbers = Numbers {
        every: Duration::from_millis(args.every_ms),
        clients_total: Arc::default(),
        stop: CancellationToken::new(),
    };
    let stop = numbers.stop.clone();
    let app = Router::new()
        .route("/", get(Html(include_str!("../page.html"))))
        .route("/sse", get(sse))
        .with_state(numbers);
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let again = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
    println!("random-number is on http://{}/", listener.local_addr()?);
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

async fn sse(State(numbers): State<Numbers>) -> impl IntoResponse {
    let client = Client::new(numbers.clients_total.fetch_add(1, Ordering::Relaxed) + 1);
    let mut greeting = Event::new("Hello, client! This is a test message.");
    // How long a browser waits before it comes back; not all of them at once.
    greeting.retry = Some(Retry::from_millis(rand::random_range(2000..=6000)));

    let timer = interval_at(Instant::now() + numbers.every, numbers.every);
    let randoms = stream::unfold((timer, client), async |(mut timer, client)| {
        timer.tick().await;
        let number = rand::random_range(0..100);
        Some((
            Event::new(format!("Random number: {number}")),
            (timer, client),
        ))
    });
    let events = stream::iter([greeting]).chain(randoms);
    let events = events.take_until(numbers.stop.cancelled_owned());
    let bytes = events.map(|event| Ok::<_, Infallible>(bytes_of(&event)));
    (HEAD, Body::from_stream(bytes))
}

/// A client, as long as its stream exists.
struct Client(u64);

impl Client {
    fn new(number: u64) -> Self {
        println!("client {number} is here");
        Self(number)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        println!("client {} left, and its timer is gone", self.0);
    }
}

fn bytes_of(event: &Event) -> Bytes {
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    bytes.into()
}

/// `no-transform` keeps middleboxes from compressing, the last line nginx from holding events back.
const HEAD: [(&str, &str); 4] = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-store, no-transform"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
];
