//! Events for one user, on all of that user's devices, or for everybody.
//!
//! `cargo run -p notifications`, then open <http://127.0.0.1:3200/>. With `--redis URL` any number of
//! such servers send as one, behind any proxy, and `redis-cli PUBLISH` reaches the pages too.

#![expect(clippy::print_stdout, reason = "what it says to whoever started it")]

mod notice;
mod relay;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use clap::Parser;
use fanfare_broker::{MemoryBroker, Selector, Selectors};
use fanfare_hub::{Config, Hub, Subscription};
use fanfare_wire::{Event, EventId, EventType, Retry};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::notice::{EVERYBODY, Notice, topic_of};
use crate::relay::Relay;

/// Events for one user, on all of that user's devices, or for everybody.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; 0 is any port that is free
    #[arg(long, env = "PORT", default_value_t = 3200)]
    port: u16,
    /// The Redis server that joins several of these, such as `redis://127.0.0.1:6379`
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Seconds of silence after which a comment keeps a connection alive
    #[arg(long, default_value_t = 15)]
    heartbeat_s: u64,
}

#[derive(Clone)]
struct App {
    hub: Hub,
    /// `None`: this server is the only one.
    relay: Option<Relay>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut config = Config::default();
    config.heartbeat = Duration::from_secs(args.heartbeat_s);
    let hub = Hub::start(Arc::new(MemoryBroker::default()), config).await?;
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let again = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
    println!("notifications is on http://{}/", listener.local_addr()?);

    // Ended when `main` is.
    let mut tasks = JoinSet::new();
    let relay = args.redis.as_deref().map(Relay::open).transpose()?;
    if let Some(relay) = relay.clone() {
        let hub = hub.clone();
        tasks.spawn(async move { relay.deliver_to(&hub).await });
    }
    let app = App { hub, relay };
    let hub = app.hub.clone();
    let routes = Router::new()
        .route("/", get(Html(include_str!("../page.html"))))
        .route("/events", get(events))
        .route("/send", post(send))
        .route("/broadcast", post(broadcast))
        .with_state(app);
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Who {
    #[serde(default)]
    user_id: String,
}

/// `GET /events?userId=alice`. Here everybody is who they say: an application looks at its login.
async fn events(
    State(app): State<App>,
    Query(who): Query<Who>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refused> {
    let user = match who.user_id.as_str() {
        "" => "anonymous",
        user => user,
    };
    // `exact`, for the name is a stranger's text: `parse` would make `{x}` match other users.
    let own = Selector::exact(&topic_of(user)).map_err(refused(StatusCode::BAD_REQUEST))?;
    let everybody = Selector::exact(EVERYBODY).expect("a short text");
    let mut subscription = Subscription::new(Selectors::new(vec![everybody, own.clone()]));
    // What is private is for those who hold a grant, whatever they ask for.
    subscription.grant = Selectors::new(vec![own]);
    let last = headers.get("Last-Event-ID");
    let last = last.and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    subscription.last_event_id = last.and_then(|id| EventId::parse(id).ok());
    let admitted = app.hub.subscribe(subscription).await;
    let admitted = admitted.map_err(refused(StatusCode::SERVICE_UNAVAILABLE))?;

    let device = Device::new(user);
    let stream = admitted.into_stream(greeting(user).into());
    let stream = stream.inspect(move |_| {
        // Lives as long as the stream does.
        let _ = &device;
    });
    Ok((HEAD, Body::from_stream(stream)))
}

fn greeting(user: &str) -> Vec<u8> {
    let mut welcome = Event::new(format!("Welcome, {user}"));
    welcome.event_type = EventType::parse("Welcome").ok();
    // How long a browser waits before it comes back; not all of them at once.
    welcome.retry = Some(Retry::from_millis(rand::random_range(2000..=6000)));
    let mut bytes = b": connection established\n\n".to_vec();
    welcome.encode(&mut bytes);
    bytes
}

/// `POST /send` with `{"userId": "alice", "data": …}`: to all devices of a user.
async fn send(State(app): State<App>, body: String) -> Result<impl IntoResponse, Refused> {
    let notice = serde_json::from_str(&body).map_err(refused(StatusCode::BAD_REQUEST))?;
    tell(&app, &notice).await
}

/// `POST /broadcast` with any JSON: to everybody, as an event of type `update`.
async fn broadcast(State(app): State<App>, body: String) -> Result<impl IntoResponse, Refused> {
    let notice = Notice {
        user_id: None,
        event: Some("update".to_owned()),
        data: serde_json::from_str(&body).map_err(refused(StatusCode::BAD_REQUEST))?,
    };
    tell(&app, &notice).await
}

async fn tell(app: &App, notice: &Notice) -> Result<impl IntoResponse + use<>, Refused> {
    let publication = notice.publication();
    let publication = publication.map_err(refused(StatusCode::BAD_REQUEST))?;
    let clients = app.hub.count_matching(&publication);
    let unsent = refused(StatusCode::SERVICE_UNAVAILABLE);
    if let Some(relay) = &app.relay {
        // It comes back from Redis, to this server as to the others: there is one way to a page.
        relay.send(notice).await.map_err(unsent)?;
    } else {
        for outcome in app.hub.publish(vec![publication]).await {
            outcome.map_err(|error| refused(StatusCode::SERVICE_UNAVAILABLE)(error))?;
        }
    }
    let answer = format!(r#"{{"sent":true,"clients":{clients}}}"#);
    Ok(([("Content-Type", "application/json")], answer))
}

type Refused = (StatusCode, String);

fn refused<E: std::fmt::Display>(status: StatusCode) -> impl FnOnce(E) -> Refused {
    move |error| (status, format!("{error:#}\n"))
}

/// Somebody's open page, as long as its stream exists.
struct Device(String);

impl Device {
    fn new(user: &str) -> Self {
        println!("{user:?} is here");
        Self(user.to_owned())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        println!("{:?} left", self.0);
    }
}

/// `no-transform` keeps middleboxes from compressing, the last line nginx from holding events back.
const HEAD: [(&str, &str); 4] = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache, no-store, no-transform"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
];
