//! `POST /admin/token`: makes tokens to try out with, in development only.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::{Request, State};
use http::Response;
use http::request::Parts;
use serde::{Deserialize, Serialize};

use super::Shared;
use crate::auth::{NewToken, Secret, mint};
use crate::body;
use crate::error::Refusal;
use crate::server::{Dev, Server};

pub(super) async fn post(State(server): Shared, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let made = made(&server, &parts, body).await;
    server.shown(&parts, made)
}

/// What the token shall say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    publish: Vec<String>,
    #[serde(default)]
    subscribe: Vec<String>,
    /// How long it lasts; absent: as long as the hub's key.
    seconds: Option<u64>,
    sub: Option<String>,
}

#[derive(Debug, Serialize)]
struct Made {
    token: String,
}

async fn made(server: &Server, parts: &Parts, body: Body) -> Result<Made, Refusal> {
    server.onlooker(parts)?;
    let body = body::read(&server.config, &parts.headers, body).await?;
    let order: Order =
        serde_json::from_slice(&body).map_err(|error| Refusal::TokenOrder(error.to_string()))?;
    let nothing = order.publish.is_empty() && order.subscribe.is_empty();
    if nothing || order.seconds == Some(0) {
        let why = "it allows something, and lasts at least a second";
        return Err(Refusal::TokenOrder(why.to_owned()));
    }
    let key = server.config.dev.as_ref().map(|dev| key_for(dev, &order));
    let key = key.unwrap_or(Err(Refusal::NoSigningKey))?;
    token(key, order)
}

/// The key that signs for both roles that the token plays.
fn key_for<'a>(dev: &'a Dev, order: &Order) -> Result<&'a Secret, Refusal> {
    let [publisher, subscriber] = &dev.keys;
    let key = match (order.publish.is_empty(), order.subscribe.is_empty()) {
        (false, true) => publisher.as_ref(),
        (true, _) => subscriber.as_ref(),
        (false, false) if publisher == subscriber => publisher.as_ref(),
        (false, false) => {
            let why = "this hub has a key for each role, so make a token for each";
            return Err(Refusal::TokenOrder(why.to_owned()));
        }
    };
    key.ok_or(Refusal::NoSigningKey)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read once per request"
)]
fn token(key: &Secret, order: Order) -> Result<Made, Refusal> {
    let now = SystemTime::now();
    let ends = |seconds| now.checked_add(Duration::from_secs(seconds));
    let ends = order.seconds.map(|seconds| {
        let far = || Refusal::TokenOrder("its end is too far".to_owned());
        ends(seconds).ok_or_else(far)
    });
    let token = NewToken {
        publish: order.publish,
        subscribe: order.subscribe,
        expires_at: ends.transpose()?,
        subject: order.sub,
        issued_at: Some(now),
        ..NewToken::default()
    };
    let token = mint(key, token).map_err(|error| Refusal::TokenOrder(error.to_string()))?;
    Ok(Made { token })
}
