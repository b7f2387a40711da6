//! Whether the process lives, and whether it can do its work; in our words and in Mercure's.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use fanfare_broker::Health;
use http::{Response, StatusCode};

use crate::error::{into_body, plain, with_body};
use crate::server::Server;

/// `/healthz` and `/readyz`, and the paths that a Mercure user's probes ask (OP-13); there the hub
/// is called `default`, as it is unless it has a name.
pub(crate) fn router() -> Router<Arc<Server>> {
    let mut router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz));
    for prefix in ["/mercure/health", "/mercure/health/default"] {
        router = router
            .route(&format!("{prefix}/live"), get(live))
            .route(&format!("{prefix}/ready"), get(ready));
    }
    router
}

/// The process answers.
async fn healthz() -> Response<Body> {
    into_body(plain(StatusCode::OK, "ok"))
}

/// It also takes publications and subscribers. Says in the first line whether, and then what keeps
/// the events, and what of them may be lost (W10).
async fn readyz(State(server): State<Arc<Server>>) -> Response<Body> {
    let (well, state) = match server.hub.health() {
        _ if server.draining() => (false, "draining".to_owned()),
        Health::Ready => (true, "ready".to_owned()),
        Health::Degraded { why } => (true, format!("degraded: {why}")),
        Health::Failed { why } => (false, format!("failed: {why}")),
        _ => (false, "unknown".to_owned()),
    };
    let status = match well {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let capabilities = server.hub.capabilities();
    let (broker, loss) = (capabilities.name, capabilities.loss_window);
    let loss = loss.as_deref().unwrap_or("nothing that the disk keeps");
    let text = format!("{state}\nbroker: {broker}\nmay be lost: {loss}");
    into_body(plain(status, &text))
}

async fn live() -> Response<Body> {
    into_body(with_body(StatusCode::OK, "application/json", OK))
}

async fn ready(State(server): State<Arc<Server>>) -> Response<Body> {
    let well = matches!(server.hub.health(), Health::Ready | Health::Degraded { .. });
    into_body(match well && !server.draining() {
        true => with_body(StatusCode::OK, "application/json", OK),
        false => with_body(StatusCode::SERVICE_UNAVAILABLE, "application/json", FAILED),
    })
}

const OK: &str = r#"{"status":"ok"}"#;
const FAILED: &str = r#"{"status":"error","error":"transport health check failed"}"#;
