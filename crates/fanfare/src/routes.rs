//! The routes under hyper, and what every answer carries.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, TRANSFER_ENCODING,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version};

use crate::auth::Role;
use crate::dialect::Dialect;
use crate::error::{Refusal, Style, into_body, with_body};
use crate::form::Form;
use crate::interest::QUERY;
use crate::presence::api;
use crate::server::{Config, Server};
use crate::site::METADATA_PREFIX;
use crate::subscribe::StreamRoute;
use crate::{admin, assets, batch, body, broadcast, cors, dashboard, health, metadata, publish};

/// Makes the router. Routes of roles that are not configured do not exist (D0-U3).
pub(crate) fn router(server: &Arc<Server>) -> Router {
    let config = &server.config;
    let dev = config.dev.is_some();
    let publishable = server.verifies(Role::Publisher);
    let subscribable = server.subscribable();

    let mut router = Router::new()
        .route(&config.hub_path, any(mercure))
        .merge(health::router())
        .route(assets::MODULE_PATH, get(assets::module))
        .route("/metrics", get(metrics));
    if subscribable {
        router = router.route("/events", get(events_stream));
    }
    if publishable || dev {
        router = router
            .route("/broadcast", post(broadcast::post))
            .route("/publish", post(batch::post));
    }
    if config.subscriptions {
        let list = || get(api::list).fallback(async || StatusCode::METHOD_NOT_ALLOWED);
        let root = format!("{}/subscriptions", config.hub_path);
        router = router
            .route(&root, list())
            .route(&format!("{root}/{{*rest}}"), list());
    }
    if server.verifies_access_tokens() {
        let path = format!("{METADATA_PREFIX}{}", config.hub_path);
        router = router.route(&path, get(metadata::get));
    }
    if admin::is_open(config) {
        router = router.merge(dashboard::router());
    }
    router
        .merge(admin::router(config))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(server), every))
        .with_state(Arc::clone(server))
}

/// What is wrong with a request whatever its route.
pub(crate) fn fault(config: &Config, parts: &Parts) -> Option<Refusal> {
    let bytes_max = config.target_bytes_max;
    let target = parts.uri.path_and_query();
    if target.is_some_and(|target| target.as_str().len() > bytes_max) {
        return Some(Refusal::TargetTooLong { bytes_max });
    }
    // RFC 9112 §6.1. A proxy in front may not know the coding either, and take its bytes for those
    // of the next request (S23); and what it unpacks to may have any size (S14).
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = codings
        .next()
        .is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !chunked || codings.next().is_some() {
        return Some(Refusal::TransferEncoding);
    }
    // With none or two, a proxy in front and we could disagree about the site (RFC 9112 §3.2).
    let hosts = parts.headers.get_all(HOST).iter().count();
    let wanted = match parts.version {
        Version::HTTP_11 => hosts == 1,
        _ => hosts <= 1,
    };
    (!wanted).then_some(Refusal::Host)
}

impl Server {
    /// Adds what every answer carries: limits on what a page may do with it, and CORS.
    ///
    /// `origin` is the request's field of that name.
    pub(crate) fn dress(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        for (name, value) in [
            (X_FRAME_OPTIONS, "DENY"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_XSS_PROTECTION, "1; mode=block"),
            // A URL may hold a token (S7).
            (REFERRER_POLICY, "no-referrer"),
        ] {
            answer.insert(name, HeaderValue::from_static(value));
        }
        // Some files bring a policy of their own.
        answer
            .entry(CONTENT_SECURITY_POLICY)
            .or_insert(HeaderValue::from_static("default-src 'self'"));
        cors::allow_origin(&self.config.cors_origins, origin, answer);
    }

    /// The same for an answer that does not come from the router.
    pub(crate) fn dressed(&self, parts: &Parts, mut answer: Response<Bytes>) -> Response<Bytes> {
        self.dress(parts.headers.get(ORIGIN), answer.headers_mut());
        answer
    }
}

/// Around every route: preflights, faults of the request, and what every answer carries.
async fn every(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let origin = parts.headers.get(ORIGIN).cloned();
    let preflight = cors::preflight(&server.config.cors_origins, &parts.method, &parts.headers);
    let mut answer = if let Some(preflight) = preflight {
        preflight.map(|()| Body::empty())
    } else if let Some(refusal) = fault(&server.config, &parts) {
        into_body(server.refused(server.style_at(parts.uri.path()), &parts, &refusal))
    } else {
        next.run(Request::from_parts(parts, body)).await
    };
    server.dress(origin.as_ref(), answer.headers_mut());
    answer
}

/// Answers on the hub's URL. Methods of roles that are not configured do not exist (D0-U3), and
/// those that do not get 405 without a body, as the protocol's clients know it (D0-U2).
async fn mercure(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let queryable = server.subscribable() && server.config.dialects.speak(Dialect::D1);
    let publishable = server.verifies(Role::Publisher);
    match *request.method() {
        Method::GET | Method::HEAD if server.subscribable() => {
            stream(&server, StreamRoute::Mercure, request).await
        }
        Method::POST if publishable => publish::post(State(server), request).await,
        ref method if method.as_str() == QUERY && queryable => query(&server, request).await,
        _ => {
            let methods = [
                ("GET, HEAD", server.subscribable()),
                (QUERY, queryable),
                ("POST", publishable),
            ];
            let there = methods.iter().filter(|(_, there)| *there);
            let there: Vec<&str> = there.map(|(methods, _)| *methods).collect();
            let allow = HeaderValue::from_str(&there.join(", "));
            let allow = allow.unwrap_or(HeaderValue::from_static(""));
            (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, allow)]).into_response()
        }
    }
}

async fn events_stream(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    stream(&server, StreamRoute::Events, request).await
}

async fn stream(server: &Server, route: StreamRoute, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let form = Form::from_query(parts.uri.query().unwrap_or_default());
    server.stream(route, &parts, &form).await
}

/// Subscribes by a form in the body (D1-S1).
async fn query(server: &Server, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match query_form(server, &parts, body).await {
        Ok(form) => server.stream(StreamRoute::Mercure, &parts, &form).await,
        Err(refusal) => {
            let style = Style::Mercure(Dialect::D1);
            into_body(server.refused(style, &parts, &refusal))
        }
    }
}

/// The query component and the body united (D1-S1).
async fn query_form(server: &Server, parts: &Parts, body: Body) -> Result<Form, Refusal> {
    if !publish::is_form(&parts.headers)? {
        return Err(Refusal::QueryMediaType);
    }
    let body = body::read(&server.config, &parts.headers, body).await?;
    let mut form = Form::from_query(parts.uri.query().unwrap_or_default());
    form.extend(Form::from_body(&body)?);
    Ok(form)
}

async fn metrics(State(server): State<Arc<Server>>) -> Response<Body> {
    let text = server.metrics.text();
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    into_body(with_body(StatusCode::OK, content_type, text))
}

async fn not_found(State(server): State<Arc<Server>>, uri: Uri) -> Response<Body> {
    let path = uri.path();
    let refusal = Refusal::NotFound {
        detail: near_routes(&server.config.hub_path, path),
    };
    server.metrics.refused(refusal.reason());
    into_body(refusal.response(server.style_at(path), None))
}

/// axum adds `Allow`.
async fn method_not_allowed(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let refusal = Refusal::Method {
        method: request.method().to_string(),
    };
    server.metrics.refused(refusal.reason());
    into_body(refusal.response(Style::Problem, None))
}

impl Server {
    fn style_at(&self, path: &str) -> Style {
        if path.starts_with(&self.config.hub_path) {
            Style::Mercure(self.usual_dialect())
        } else {
            Style::Problem
        }
    }
}

fn near_routes(hub_path: &str, path: &str) -> String {
    let path: String = path.chars().take(64).collect();
    let routes = [&[hub_path], &ROUTES[..]].concat();
    let mut near = routes
        .iter()
        .filter(|route| strsim::jaro_winkler(route, &path) > 0.85);
    match near.next() {
        Some(route) => format!("there is no route {path:?}; did you mean {route}?"),
        None => format!(
            "there is no route {path:?}; there are {}",
            routes.join(", ")
        ),
    }
}

/// Those that have the same path in every hub.
const ROUTES: [&str; 7] = [
    "/events",
    "/broadcast",
    "/publish",
    "/healthz",
    "/readyz",
    "/metrics",
    assets::MODULE_PATH,
];
