//! Tells everybody the server's time, each second; whoever comes back gets what it missed.
//!
//! `cargo run -p server-time`, then `curl -N http://127.0.0.1:3111/events`.
//!
//! One task publishes, and the hub does the rest: it gives each event an id, sends it to all who
//! listen, keeps the last hour, and goes on after the id that a reader brings back.

#![expect(clippy::print_stdout, reason = "what it says to whoever started it")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use clap::Parser;
use fanfare_broker::{MemoryBroker, Publication, Selector, Selectors, Topic, memory};
use fanfare_hub::{Config, Hub, Subscription};
use fanfare_wire::{Event, EventId, Retry};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::interval;

/// Tells everybody the server's time, each second.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; 0 is any port that is free
    #[arg(long, env = "PORT", default_value_t = 3111)]
    port: u16,
    /// Milliseconds between two events
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    every_ms: u64,
    /// Seconds of silence after which a comment keeps the connection alive
    #[arg(long, default_value_t = 15)]
    keep_alive_s: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut history = memory::Config::default();
    history.history_count_max = 3600;
    let mut config = Config::default();
    config.heartbeat = Duration::from_secs(args.keep_alive_s);
    let hub = Hub::start(Arc::new(MemoryBroker::new(history)), config).await?;

    // Ended when `main` is.
    let mut tasks = JoinSet::new();
    tasks.spawn(tell_time(hub.clone(), Duration::from_millis(args.every_ms)));

    let app = Router::new()
        .route("/", get(WELCOME))
        .route("/events", get(events))
        .with_state(hub.clone());
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let again = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
    println!("server-time is on http://{}/", listener.local_addr()?);
    let stopped = async move {
        ctrl_c.recv().await;
        hub.drain(Duration::from_secs(1)).await;
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

const WELCOME: &str = "Welcome! The time is at /events: curl -N it, or open an EventSource.\n";

/// Publishes the time for as long as the hub takes it.
async fn tell_time(hub: Hub, every: Duration) {
    let topic = Topic::parse(TOPIC).expect("a short text");
    let mut timer = interval(every);
    loop {
        timer.tick().await;
        let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %:z");
        let mut event = Event::new(format!("Server time: {now}"));
        event.retry = Some(Retry::from_millis(2000));
        let publication = Publication::new(topic.clone(), event);
        for outcome in hub.publish(vec![publication]).await {
            if let Err(error) = outcome {
                println!("no time was told: {error}");
                return;
            }
        }
    }
}

async fn events(
    State(hub): State<Hub>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    let topics = vec![Selector::exact(TOPIC).expect("a short text")];
    let mut subscription = Subscription::new(Selectors::new(topics));
    // An EventSource that comes back says which event was its last.
    let last = headers.get("Last-Event-ID");
    let last = last.and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    subscription.last_event_id = last.and_then(|id| EventId::parse(id).ok());
    let admitted = hub.subscribe(subscription).await;
    let admitted = admitted.or(Err(StatusCode::SERVICE_UNAVAILABLE))?;
    // Proxies, and `onopen`, wait for the first bytes.
    let stream = admitted.into_stream(": keep-alive\n\n".into());
    Ok((HEAD, Body::from_stream(stream)))
}

const TOPIC: &str = "time";

/// `no-transform` keeps middleboxes from compressing, the last line nginx from holding events back.
const HEAD: [(&str, &str); 4] = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-store, no-transform"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
];
