//! What clients of 1.0 can learn of the hub before they have a token (RFC 9728, D1-D1 to D1-D8).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::auth::detail;
use crate::dialect::Dialect;
use crate::error::{Style, into_body, json_line, with_body};
use crate::interest::{EXACT, URL_PATTERN};
use crate::server::Server;
use crate::site::Site;

/// Answers `GET` of the metadata.
pub(crate) async fn get(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let style = Style::Mercure(Dialect::D1);
    let site = match Site::of(&server.config, &parts) {
        Ok(site) => site,
        Err(refusal) => return into_body(server.refused(style, &parts, &refusal)),
    };
    let config = &server.config;
    let servers = config.issuers.iter().filter(|it| it.authorization_server);
    let servers: Vec<&str> = servers.map(|issuer| issuer.id.as_str()).collect();
    let metadata = Metadata {
        resource: &site.resource,
        authorization_servers: servers,
        authorization_details_types_supported: [detail::TYPE],
        bearer_methods_supported: ["header"],
        mercure_cookie: &config.access_cookie_name,
        mercure_matcher_types_supported: [EXACT, URL_PATTERN],
        mercure_subscriptions: config.subscriptions,
    };
    let json = json_line(&metadata);
    into_body(with_body(StatusCode::OK, "application/json", json))
}

#[derive(Serialize)]
struct Metadata<'a> {
    resource: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<&'a str>,
    authorization_details_types_supported: [&'a str; 1],
    bearer_methods_supported: [&'a str; 1],
    mercure_cookie: &'a str,
    mercure_matcher_types_supported: [&'a str; 2],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mercure_subscriptions: bool,
}
