//! Fifty quotes a second for a page of many widgets, over one connection.
//!
//! `cargo run -p dashboard-feed`, then open <http://127.0.0.1:3400/>.
//!
//! Each share has a topic, and a reader asks for all of them with one pattern. The event's type is
//! the share's symbol, so each widget of a page listens to its own on the one `EventSource`.

#![expect(clippy::print_stdout, reason = "what it says to whoever started it")]

mod market;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use clap::Parser;
use fanfare_broker::{MemoryBroker, Publication, Selector, Selectors, Topic, memory};
use fanfare_hub::{Config, Hub, Subscription};
use fanfare_wire::{Event, EventId, EventType};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::market::Market;

/// Fifty quotes a second for a page of many widgets, over one connection.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; 0 is any port that is free
    #[arg(long, env = "PORT", default_value_t = 3400)]
    port: u16,
    /// Milliseconds between two quotes
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    every_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // A minute of fifty a second: what a chart shows as soon as its page is open.
    let mut history = memory::Config::default();
    history.history_count_max = 3000;
    let broker = Arc::new(MemoryBroker::new(history));
    let hub = Hub::start(broker, Config::default()).await?;

    // Ended when `main` is.
    let mut tasks = JoinSet::new();
    tasks.spawn(quote(hub.clone(), Duration::from_millis(args.every_ms)));

    let routes = Router::new()
        .route("/", get(Html(include_str!("../page.html"))))
        .route("/feed", get(feed))
        .with_state(hub.clone());
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let again = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
    println!("dashboard-feed is on http://{}/", listener.local_addr()?);
    let stopped = async move {
        ctrl_c.recv().await;
        hub.drain(Duration::from_secs(1)).await;
    };
    let serve = axum::serve(listener, routes).with_graceful_shutdown(stopped);
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

/// Publishes a quote each time for as long as the hub takes them, also those that a busy machine
/// came too late for.
async fn quote(hub: Hub, every: Duration) {
    let mut market = Market::new(rand::rng());
    let mut timer = interval(every);
    let began = timer.tick().await;
    loop {
        let due = timer.tick().await;
        let at = u64::try_from((due - began).as_millis()).unwrap_or(u64::MAX);
        let quote = market.next_quote(at);
        let topic = Topic::parse(&format!("quotes/{}", quote.symbol)).expect("a short text");
        let mut event = Event::new(quote.json);
        event.event_type = EventType::parse(quote.symbol).ok();
        let outcomes = hub.publish(vec![Publication::new(topic, event)]).await;
        if let Some(error) = outcomes.into_iter().find_map(Result::err) {
            println!("no quote was published: {error}");
            return;
        }
    }
}

/// `GET /feed`: all quotes, from the last minute on, or after the last that was read.
async fn feed(State(hub): State<Hub>, headers: HeaderMap) -> Result<impl IntoResponse, StatusCode> {
    let all = Selector::parse("quotes/{symbol}").expect("a short text");
    let mut subscription = Subscription::new(Selectors::new(vec![all]));
    let last = headers.get("Last-Event-ID").and_then(|id| id.to_str().ok());
    subscription.last_event_id = EventId::parse(last.unwrap_or("earliest")).ok();
    let admitted = hub.subscribe(subscription).await;
    let admitted = admitted.or(Err(StatusCode::SERVICE_UNAVAILABLE))?;
    let retry = rand::random_range(2000..=6000);
    let first = format!("retry: {retry}\n: connection established\n\n");
    Ok((HEAD, Body::from_stream(admitted.into_stream(first.into()))))
}

/// `no-transform` keeps middleboxes from compressing, the last line nginx from holding events back.
const HEAD: [(&str, &str); 4] = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-store, no-transform"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
];
