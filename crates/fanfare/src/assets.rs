//! Files of the hub: the browser module, and those of the dashboard.

use std::sync::{LazyLock, OnceLock};

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::error::{into_body, with_body};

/// A file that is the same for everybody.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) path: &'static str,
    content_type: &'static str,
    text: &'static str,
    /// What a browser may do with it.
    policy: &'static str,
    tag: OnceLock<String>,
}

impl Asset {
    pub(crate) const fn new(
        path: &'static str,
        content_type: &'static str,
        text: &'static str,
        policy: &'static str,
    ) -> Self {
        Self {
            path,
            content_type,
            text,
            policy,
            tag: OnceLock::new(),
        }
    }

    /// Answers a GET for it.
    ///
    /// A browser asks again each time and mostly hears 304: after an update no page should run files
    /// of two versions.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response<Body> {
        let tag = self.tag.get_or_init(|| tag(self.text));
        let mut asked = request.get_all(IF_NONE_MATCH).iter();
        let known = asked.any(|field| field.to_str().is_ok_and(|field| names(field, tag)));
        let mut answer = match known {
            true => with_body(StatusCode::NOT_MODIFIED, self.content_type, ""),
            false => with_body(StatusCode::OK, self.content_type, self.text),
        };
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let policy = HeaderValue::from_static(self.policy);
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        if let Ok(tag) = HeaderValue::from_str(tag) {
            headers.insert(ETAG, tag);
        }
        into_body(answer)
    }
}

/// Answers `GET /fanfare.js`: one URL that pages import and shared workers run.
pub(crate) async fn module(request: HeaderMap) -> Response<Body> {
    MODULE.answer(&request)
}

/// Where the module is. A part of what pages write down: it stays.
pub(crate) const MODULE_PATH: &str = "/fanfare.js";

/// A shared worker is held to the policy of its script: it loads nothing, and connects to whichever
/// hub the page names.
static MODULE: LazyLock<Asset> = LazyLock::new(|| {
    let policy = "default-src 'none'; connect-src *";
    Asset::new(MODULE_PATH, JAVASCRIPT, &SERVED, policy)
});

/// The module as pages get it: a third of its bytes are comments, which only its readers need.
static SERVED: LazyLock<String> = LazyLock::new(|| format!("{ORIGIN}{}", without_comments(SOURCE)));

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

/// Whether `field`, an `If-None-Match`, names `tag` (RFC 9110 §13.1.2: `W/` does not count).
fn names(field: &str, tag: &str) -> bool {
    let mut tags = field.split(',').map(str::trim);
    tags.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag)
}

fn tag(text: &str) -> String {
    let digest = Sha256::digest(text);
    let short = digest.iter().take(12).map(|byte| format!("{byte:02x}"));
    format!("\"{}\"", short.collect::<String>())
}

pub(crate) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

#[cfg(test)]
mod tests;
