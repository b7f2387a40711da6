//! A slow stream of tokens, such as a language model writes, that survives whatever readers do.
//!
//! `cargo run -p llm-tokens`, then open <http://127.0.0.1:3300/>.
//!
//! An answer is written by a task of its own and published to a topic of its own, whoever reads. A
//! page that is reloaded, or opened late by somebody else, reads that topic from its beginning; one
//! that lost its connection goes on after its last token.

#![expect(clippy::print_stdout, reason = "what it says to whoever started it")]

mod model;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use clap::Parser;
use fanfare_broker::{MemoryBroker, Publication, PublishError, Selector, Selectors, Topic};
use fanfare_hub::{Config, Hub, Subscription};
use fanfare_wire::{Event, EventId, EventType};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A slow stream of tokens that survives whatever readers do.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; 0 is any port that is free
    #[arg(long, env = "PORT", default_value_t = 3300)]
    port: u16,
    /// Milliseconds between two tokens
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    every_ms: u64,
}

#[derive(Clone)]
struct App {
    hub: Hub,
    every: Duration,
    /// The answers that are being written.
    writers: TaskTracker,
    /// Ends them, on Ctrl-C.
    stop: CancellationToken,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let broker = Arc::new(MemoryBroker::default());
    let app = App {
        hub: Hub::start(broker, Config::default()).await?,
        every: Duration::from_millis(args.every_ms),
        writers: TaskTracker::new(),
        stop: CancellationToken::new(),
    };
    let stopping = app.clone();
    let routes = Router::new()
        .route("/", get(Html(include_str!("../page.html"))))
        .route("/answers", post(ask))
        .route("/answers/{id}", get(answer))
        .with_state(app);
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let again = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
    println!("llm-tokens is on http://{}/", listener.local_addr()?);
    let stopped = async move {
        ctrl_c.recv().await;
        stopping.stop.cancel();
        stopping.writers.close();
        stopping.writers.wait().await;
        stopping.hub.drain(Duration::from_secs(1)).await;
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

/// `POST /answers` with a question: begins an answer, and returns its id.
async fn ask(State(app): State<App>, question: String) -> String {
    // Whoever knows it may read the answer, so it cannot be guessed.
    let id = format!("{:032x}", rand::random::<u128>());
    let topic = Topic::parse(&topic_of(&id)).expect("a short text");
    println!("answer {id} begins");
    app.writers.spawn(write(app.clone(), topic, question));
    id
}

/// Publishes the answer token by token, whether somebody reads or not.
async fn write(app: App, topic: Topic, question: String) {
    let mut timer = interval(app.every);
    for token in model::tokens(&question) {
        tokio::select! {
            _ = timer.tick() => {}
            () = app.stop.cancelled() => return,
        }
        if let Err(error) = publish(&app.hub, &topic, Event::new(token)).await {
            println!("{topic} is cut short: {error}");
            return;
        }
    }
    let mut end = Event::new("");
    end.event_type = EventType::parse("done").ok();
    match publish(&app.hub, &topic, end).await {
        Ok(()) => println!("{topic} is complete"),
        Err(error) => println!("{topic} has no end: {error}"),
    }
}

async fn publish(hub: &Hub, topic: &Topic, event: Event) -> Result<(), PublishError> {
    let publication = Publication::new(topic.clone(), event);
    let outcomes = hub.publish(vec![publication]).await;
    outcomes
        .into_iter()
        .try_for_each(|outcome| outcome.map(drop))
}

/// `GET /answers/ID`: the answer from its beginning, or after the last token that was read.
async fn answer(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    let topic = Selector::exact(&topic_of(&id)).or(Err(StatusCode::NOT_FOUND))?;
    let mut subscription = Subscription::new(Selectors::new(vec![topic]));
    let last = headers.get("Last-Event-ID").and_then(|id| id.to_str().ok());
    subscription.last_event_id = EventId::parse(last.unwrap_or("earliest")).ok();
    let admitted = app.hub.subscribe(subscription).await;
    let admitted = admitted.or(Err(StatusCode::SERVICE_UNAVAILABLE))?;
    // A short wait, for somebody is reading.
    let stream = admitted.into_stream("retry: 1000\n: connection established\n\n".into());
    Ok((HEAD, Body::from_stream(stream)))
}

fn topic_of(id: &str) -> String {
    format!("answer/{id}")
}

/// `no-transform` keeps middleboxes from compressing, the last line nginx from holding events back.
const HEAD: [(&str, &str); 4] = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-store, no-transform"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
];
