//! The dashboard at `/`: files that hold no secret, for a page that asks `/admin` for what it shows.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::HeaderMap;

use crate::assets::{Asset, JAVASCRIPT};
use crate::server::Server;

/// A route for each file.
pub(crate) fn router() -> Router<Arc<Server>> {
    FILES.iter().fold(Router::new(), |router, file| {
        let answer = move |request: HeaderMap| async move { file.answer(&request) };
        router.route(file.path, get(answer))
    })
}

/// The page runs and loads its own files, and talks to this hub. Whatever an event holds, it can
/// bring in no script, no style and no other host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const fn file(path: &'static str, content_type: &'static str, text: &'static str) -> Asset {
    Asset::new(path, content_type, text, POLICY)
}

static FILES: [Asset; 16] = [
    file(
        "/",
        "text/html; charset=utf-8",
        include_str!("../../../web/dashboard/index.html"),
    ),
    file(
        "/dashboard/dashboard.css",
        "text/css; charset=utf-8",
        include_str!("../../../web/dashboard/dashboard.css"),
    ),
    file(
        "/dashboard/theme.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/theme.js"),
    ),
    file(
        "/dashboard/dashboard.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/dashboard.js"),
    ),
    file(
        "/dashboard/chart.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/chart.js"),
    ),
    file(
        "/dashboard/detail.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/detail.js"),
    ),
    file(
        "/dashboard/element.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/element.js"),
    ),
    file(
        "/dashboard/events.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/events.js"),
    ),
    file(
        "/dashboard/figures.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/figures.js"),
    ),
    file(
        "/dashboard/format.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/format.js"),
    ),
    file(
        "/dashboard/graphs.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/graphs.js"),
    ),
    file(
        "/dashboard/hub.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/hub.js"),
    ),
    file(
        "/dashboard/publish.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/publish.js"),
    ),
    file(
        "/dashboard/sign_in.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/sign_in.js"),
    ),
    file(
        "/dashboard/subscribers.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/subscribers.js"),
    ),
    file(
        "/dashboard/tokens.js",
        JAVASCRIPT,
        include_str!("../../../web/dashboard/tokens.js"),
    ),
];
