//! Where an answer sends the client, and what it may take along (RC-18, RC-19).

use http::{HeaderValue, Method, StatusCode};
use url::Url;

/// A request as far as redirects change it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Route {
    pub(crate) url: Url,
    pub(crate) method: Method,
    /// Whether the body goes along.
    pub(crate) body: bool,
    /// Whether headers that are secret do. Once dropped they stay dropped, so that no chain
    /// leads back to where they would be sent by somebody else's choice.
    pub(crate) secrets: bool,
}

/// What the user allows beyond the rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leave {
    /// From https to http.
    pub(crate) insecure: bool,
    /// The body to another origin.
    pub(crate) body_across_origins: bool,
}

impl Route {
    /// The request that follows an answer of `status` with this `Location`.
    ///
    /// # Errors
    ///
    /// [`InvalidRedirect`] when there is no place to go, or none that may be gone to.
    pub(crate) fn follow(
        &self,
        status: StatusCode,
        location: Option<&HeaderValue>,
        leave: Leave,
    ) -> Result<Self, InvalidRedirect> {
        let location = location.map(HeaderValue::as_bytes).unwrap_or_default();
        if location.is_empty() {
            return Err(InvalidRedirect::NoLocation);
        }
        let location = std::str::from_utf8(location).map_err(|_| InvalidRedirect::Malformed)?;
        let url = self.url.join(location);
        let mut url = url.map_err(|_| InvalidRedirect::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(InvalidRedirect::Malformed);
        }
        // It would put somebody else's credentials into our request.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidRedirect::UserInfo);
        }
        if self.url.scheme() == "https" && url.scheme() == "http" && !leave.insecure {
            return Err(InvalidRedirect::Insecure);
        }
        url.set_fragment(None);
        let same_origin = self.url.origin() == url.origin();
        let becomes_get = match status.as_u16() {
            303 => true,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        Ok(Self {
            url,
            method: match becomes_get {
                true => Method::GET,
                false => self.method.clone(),
            },
            body: self.body && !becomes_get && (same_origin || leave.body_across_origins),
            secrets: self.secrets && same_origin,
        })
    }
}

/// Whether a reconnect may begin where an answer of `status` pointed to (RC-19).
pub(crate) fn is_permanent(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 308)
}

/// Why a redirect is not followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedirect {
    /// There is no `Location`, or an empty one.
    #[error("no `Location` says where to")]
    NoLocation,
    /// `Location` is not the URL of an HTTP server.
    #[error("`Location` is no http or https URL")]
    Malformed,
    /// `Location` has a user or a password.
    #[error("`Location` brings a user or password of its own")]
    UserInfo,
    /// From https to http, which [`Config::insecure_redirect`](crate::Config) does not allow.
    #[error("`Location` leads from https to http")]
    Insecure,
    /// The chain went past [`Config::redirects_max`](crate::Config).
    #[error("more than {redirects_max} redirects in a row")]
    TooMany {
        /// The limit.
        redirects_max: u32,
    },
}

#[cfg(test)]
mod tests;
