//! Where a request carries its token.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE, ORIGIN, REFERER};
use http::request::Parts;
use http::{HeaderMap, Method};
use url::Url;

use crate::origins::Origins;

/// Finds the token of a request: `Authorization` header, else `authorization` in the query, else
/// the cookie `cookie_name`. `Ok(None)`: it carries none.
///
/// A place of higher rank hides the lower ones even if its token is bad (D0-A1 to D0-A3). A POST
/// by cookie must come from one of `publish_origins`.
///
/// # Errors
///
/// [`CredentialError`] says for the log what is wrong; the answer to all of them is the same 401.
pub fn token_of<'a>(
    parts: &'a Parts,
    cookie_name: &str,
    publish_origins: &Origins,
) -> Result<Option<Cow<'a, str>>, CredentialError> {
    if let Some(token) = header_token(&parts.headers)? {
        return Ok(Some(token.into()));
    }
    if let Some(token) = query_token(parts.uri.query().unwrap_or_default())? {
        return Ok(Some(token));
    }
    let Some(token) = cookie_token(&parts.headers, cookie_name) else {
        return Ok(None);
    };
    // A browser sends cookies along with a form that a stranger's page submits, so a POST by
    // cookie counts only from pages that are trusted to publish (D0-A3, S8).
    if parts.method == Method::POST {
        let origin = origin_of(&parts.headers).ok_or(CredentialError::OriginMissing)?;
        if !publish_origins.matches(&origin) {
            return Err(CredentialError::OriginRefused);
        }
    }
    Ok(Some(token))
}

/// Why a request's token was not even looked at. None of them shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// There is more than one `Authorization` field.
    #[error("the request has more than one `Authorization` field")]
    HeaderRepeated,
    /// The field is not `Bearer `, one space, and a token long enough to be one (D0-A1).
    #[error("the `Authorization` field is not `Bearer ` and a token")]
    HeaderMalformed,
    /// There is more than one `authorization` in the query.
    #[error("the query has more than one `authorization`")]
    QueryRepeated,
    /// The value is too short for a token (D0-A2).
    #[error("the query's `authorization` is too short for a token")]
    QueryMalformed,
    /// A POST by cookie says neither `Origin` nor `Referer`.
    #[error("a POST authorized by cookie needs an `Origin` or a `Referer`")]
    OriginMissing,
    /// A POST by cookie comes from an origin that is not in `publish_origins`.
    #[error("a POST authorized by cookie came from an origin that is not in `publish-origins`")]
    OriginRefused,
}

/// The shortest JWS that can exist, in bytes (D0-A2); `Bearer ` makes it 48 (D0-A1).
const TOKEN_BYTES_MIN: usize = 41;

fn header_token(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Two fields may mean two things to two readers: a proxy checks one, we would take the other.
    if values.next().is_some() {
        return Err(CredentialError::HeaderRepeated);
    }
    let text = value.to_str().ok();
    text.and_then(|text| text.strip_prefix("Bearer "))
        .filter(|token| token.len() >= TOKEN_BYTES_MIN)
        .map(Some)
        .ok_or(CredentialError::HeaderMalformed)
}

fn query_token(query: &str) -> Result<Option<Cow<'_, str>>, CredentialError> {
    let mut values = form_urlencoded::parse(query.as_bytes())
        .filter_map(|(name, value)| (name == "authorization").then_some(value));
    let Some(token) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(CredentialError::QueryRepeated);
    }
    if token.len() < TOKEN_BYTES_MIN {
        return Err(CredentialError::QueryMalformed);
    }
    Ok(Some(token))
}

/// The first cookie of that name (RFC 6265 §5.4); HTTP/2 may spread cookies over several fields.
fn cookie_token<'a>(headers: &'a HeaderMap, cookie_name: &str) -> Option<Cow<'a, str>> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|&byte| byte == b';'))
        .find_map(|cookie| {
            let value = cookie
                .trim_ascii_start()
                .strip_prefix(cookie_name.as_bytes())?;
            let value = value.strip_prefix(b"=")?.trim_ascii();
            let unquoted = value
                .strip_prefix(b"\"")
                .and_then(|v| v.strip_suffix(b"\""));
            Some(String::from_utf8_lossy(unquoted.unwrap_or(value)))
        })
}

/// The origin that a request says it comes from: `Origin`, else that of `Referer` (D0-A3).
fn origin_of(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let origin = headers.get(ORIGIN).and_then(|value| value.to_str().ok());
    if let Some(origin) = origin.filter(|origin| !origin.is_empty()) {
        return Some(origin.into());
    }
    let referer = Url::parse(headers.get(REFERER)?.to_str().ok()?).ok()?;
    let (scheme, host) = (referer.scheme(), referer.host_str()?);
    Some(match referer.port() {
        Some(port) => format!("{scheme}://{host}:{port}").into(),
        None => format!("{scheme}://{host}").into(),
    })
}

#[cfg(test)]
mod tests;
