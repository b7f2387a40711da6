//! Where a request carries its token.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE, ORIGIN, REFERER};
use http::request::Parts;
use http::{HeaderMap, Method};
use url::Url;

use crate::dialect::{Dialect, Dialects};
use crate::form::Form;
use crate::origins::Origins;

/// A request's token, not verified, and where it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Credential<'a> {
    pub(crate) token: Cow<'a, str>,
    place: Place,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// The `Authorization` header; `strict` when it is as 0.x wants it, `Bearer` and one space.
    Header {
        strict: bool,
    },
    Query,
    Cookie,
}

/// What there is to know of a hub to find a request's token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) dialects: Dialects,
    /// The cookie of 0.x.
    pub(crate) cookie_name: &'a str,
    /// The cookie of 1.0.
    pub(crate) access_cookie_name: &'a str,
}

impl Places<'_> {
    /// Finds the token of a request: `Authorization` header, else `authorization` in the query,
    /// else a cookie. `Ok(None)`: it carries none.
    ///
    /// A place of higher rank hides the lower ones even if its token is bad (D0-A1 to D0-A3,
    /// D1-A5). The query and the cookie of 0.x count unless the request is known to be one of 1.0,
    /// and the other way round; a request of no dialect may use either (DX-7).
    pub(crate) fn find<'a>(
        &self,
        parts: &'a Parts,
        dialect: Option<Dialect>,
    ) -> Result<Option<Credential<'a>>, CredentialError> {
        let may_be = |one: Dialect| self.dialects.speak(one) && dialect.is_none_or(|it| it == one);
        if let Some(found) = header_token(&parts.headers)? {
            return Ok(Some(found));
        }
        let query = parts.uri.query().filter(|_| may_be(Dialect::D0));
        if let Some(token) = query_token(query.unwrap_or_default())? {
            let place = Place::Query;
            return Ok(Some(Credential { token, place }));
        }
        let cookie = |one, name| may_be(one).then(|| cookie_token(&parts.headers, name))?;
        let token = cookie(Dialect::D1, self.access_cookie_name)
            .or_else(|| cookie(Dialect::D0, self.cookie_name));
        let place = Place::Cookie;
        Ok(token.map(|token| Credential { token, place }))
    }
}

impl Credential<'_> {
    /// Checks that the token may be where it is, now that its dialect is known.
    ///
    /// A POST by cookie must come from one of `publish_origins`: a browser sends cookies along
    /// with a form that a stranger's page submits (D0-A3, D1-A6, S8).
    pub(crate) fn check(
        &self,
        parts: &Parts,
        dialect: Dialect,
        publish_origins: &Origins,
    ) -> Result<(), CredentialError> {
        match (self.place, dialect) {
            (Place::Header { strict: false }, Dialect::D0) => Err(CredentialError::HeaderMalformed),
            (Place::Query, Dialect::D1) => Err(CredentialError::AccessTokenInQuery),
            (Place::Cookie, _) if parts.method == Method::POST => {
                let origin = origin_of(&parts.headers).ok_or(CredentialError::OriginMissing)?;
                match publish_origins.matches(&origin) {
                    true => Ok(()),
                    false => Err(CredentialError::OriginRefused),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Why a request's token was not even looked at. None of them shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum CredentialError {
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
    /// A token of 1.0 is in the query, where it must never be (D1-A5).
    #[error("an access token of Mercure 1.0 cannot be in the query; use `Authorization: Bearer`")]
    AccessTokenInQuery,
    /// A POST by cookie says neither `Origin` nor `Referer`.
    #[error("a POST authorized by cookie needs an `Origin` or a `Referer`")]
    OriginMissing,
    /// A POST by cookie comes from an origin that is not in `publish_origins`.
    #[error("a POST authorized by cookie came from an origin that is not in `publish-origins`")]
    OriginRefused,
}

/// The shortest JWS that can exist, in bytes (D0-A2); `Bearer ` makes it 48 (D0-A1).
const TOKEN_BYTES_MIN: usize = 41;

/// The field: a scheme in any case (RFC 9110 §11.1), spaces, and a token.
fn header_token(headers: &HeaderMap) -> Result<Option<Credential<'_>>, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Two fields may mean two things to two readers: a proxy checks one, we would take the other.
    if values.next().is_some() {
        return Err(CredentialError::HeaderRepeated);
    }
    let (scheme, rest) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or(CredentialError::HeaderMalformed)?;
    let token = rest.trim_start_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.len() < TOKEN_BYTES_MIN {
        return Err(CredentialError::HeaderMalformed);
    }
    let strict = scheme == "Bearer" && token.len() == rest.len();
    Ok(Some(Credential {
        token: token.into(),
        place: Place::Header { strict },
    }))
}

/// The query is read as all else in it is: a pair that is dropped there is no token here (D0-S4).
fn query_token(query: &str) -> Result<Option<Cow<'_, str>>, CredentialError> {
    let form = Form::from_query(query);
    let tokens = form.all("authorization");
    match tokens.as_deref() {
        Ok([]) => Ok(None),
        Ok([token]) if token.len() >= TOKEN_BYTES_MIN => Ok(Some((*token).to_owned().into())),
        Ok([_]) | Err(_) => Err(CredentialError::QueryMalformed),
        Ok(_) => Err(CredentialError::QueryRepeated),
    }
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
