//! The browser module, as files of the hub: one URL that pages import and shared workers run.

use std::sync::LazyLock;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::error::{into_body, with_body};

/// Where the module is. A part of what pages write down: it stays.
pub(crate) const MODULE_PATH: &str = "/fanfare.js";

/// Answers `GET /fanfare.js`.
///
/// A browser asks again each time and mostly hears 304: after an update no page should run one
/// version, and the worker that it shares another.
pub(crate) async fn module(request: HeaderMap) -> Response<Body> {
    let tag: &str = &TAG;
    let mut asked = request.get_all(IF_NONE_MATCH).iter();
    let known = asked.any(|field| field.to_str().is_ok_and(|field| names(field, tag)));
    let mut answer = match known {
        true => with_body(StatusCode::NOT_MODIFIED, JAVASCRIPT, ""),
        false => with_body(StatusCode::OK, JAVASCRIPT, MODULE.as_str()),
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // A shared worker is held to the policy of its script: it loads nothing, and connects to
    // whichever hub the page names.
    let policy = HeaderValue::from_static("default-src 'none'; connect-src *");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    into_body(answer)
}

/// Whether `field`, an `If-None-Match`, names `tag` (RFC 9110 §13.1.2: `W/` does not count).
fn names(field: &str, tag: &str) -> bool {
    let mut tags = field.split(',').map(str::trim);
    tags.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag)
}

/// The module as pages get it: a third of its bytes are comments, which only its readers need.
static MODULE: LazyLock<String> = LazyLock::new(|| format!("{ORIGIN}{}", without_comments(SOURCE)));

/// The lines of `source` that are not wholly comment or blank, as they are. What a line has after
/// its code stays.
fn without_comments(source: &str) -> String {
    let mut in_comment = false;
    let code = source.split_inclusive('\n').filter(|line| {
        let line = line.trim();
        let begins = line.starts_with("/*");
        let is_code = !in_comment && !begins && !line.starts_with("//") && !line.is_empty();
        in_comment = (in_comment || begins) && !line.ends_with("*/");
        is_code
    });
    code.collect()
}

const SOURCE: &str = include_str!("../../../web/fanfare.js");
const ORIGIN: &str =
    "// Fanfare's browser module without its comments; with them: npm, fanfare-hub\n";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

static TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(MODULE.as_bytes());
    let short = digest.iter().take(12).map(|byte| format!("{byte:02x}"));
    format!("\"{}\"", short.collect::<String>())
});

#[cfg(test)]
mod tests;
