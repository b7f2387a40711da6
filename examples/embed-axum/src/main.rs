//! Fanfare's hub inside a plain axum application. `cargo run -p embed-axum`, then
//! `curl -N http://127.0.0.1:8080/` to listen, and `curl -d hello http://127.0.0.1:8080/` to publish.
use std::sync::Arc;

use axum::extract::State;
use axum::{Router, body::Body, http::StatusCode, response::IntoResponse, routing::get};
use fanfare_broker::{MemoryBroker, Publication, Selector, Selectors, Topic};
use fanfare_hub::{Config, Hub, Subscription};
use fanfare_wire::Event;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let hub = Hub::start(Arc::new(MemoryBroker::default()), Config::default()).await?;
    let routes = get(subscribe).post(publish);
    let app = Router::new().route("/", routes).with_state(hub);
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080");
    Ok(axum::serve(tokio::net::TcpListener::bind(address).await?, app).await?)
}

async fn subscribe(State(hub): State<Hub>) -> Result<impl IntoResponse, StatusCode> {
    let news = Selectors::new(vec![Selector::parse("news").expect("a short text")]);
    let admitted = hub.subscribe(Subscription::new(news)).await;
    let admitted = admitted.or(Err(StatusCode::SERVICE_UNAVAILABLE))?;
    let events = Body::from_stream(admitted.into_stream(": welcome\n\n".into()));
    Ok(([("content-type", "text/event-stream")], events))
}

async fn publish(State(hub): State<Hub>, data: String) -> Result<String, StatusCode> {
    let news = Topic::parse("news").expect("a short text");
    let publication = Publication::new(news, Event::new(data));
    let outcome = hub.publish(vec![publication]).await.pop();
    let stored = outcome.and_then(Result::ok);
    let stored = stored.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(stored.id.to_string())
}
