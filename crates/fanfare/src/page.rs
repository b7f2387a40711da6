//! The development page at `/`: live events, and a form that publishes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, Response, StatusCode};

use crate::error::{into_body, with_body};
use crate::server::Server;

/// Answers `GET /` in development mode.
///
/// The page is one file; its own script and style are allowed by a nonce, and nothing else is.
pub(crate) async fn page(State(server): State<Arc<Server>>) -> Response<Body> {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let token = server
        .config
        .dev
        .as_ref()
        .map(|dev| escape(&dev.publisher_token));
    let html = PAGE
        .replace("{{nonce}}", &nonce)
        .replace("{{publisher-token}}", &token.unwrap_or_default());
    let mut response = with_body(StatusCode::OK, "text/html; charset=utf-8", html);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    into_body(response)
}

const PAGE: &str = include_str!("page.html");

/// Makes `text` safe inside a double-quoted attribute.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}
