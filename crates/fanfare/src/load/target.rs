//! Where load goes, and how its requests are worded.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use http::HeaderValue;
use url::Url;

use super::wire::Tls;

/// A hub under load: its address, its two routes and what the crowd is authorized by.
///
/// A URL without a path means Fanfare's plain endpoints (`/events`, `/broadcast`), any other URL is
/// a Mercure hub's.
#[derive(Clone)]
pub struct Target {
    pub(crate) address: SocketAddr,
    /// For `https`.
    pub(crate) tls: Option<Tls>,
    authority: String,
    /// The Mercure hub's path; `None` for the plain endpoints.
    mercure: Option<String>,
    authorization: Option<String>,
}

/// Why a URL is no target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// Not a URL.
    #[error("not a URL")]
    Url(#[from] url::ParseError),
    /// Load goes over HTTP/1.1 only, with or without TLS.
    #[error("the scheme must be http or https, not {scheme}")]
    Scheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// TLS with this host is not possible.
    #[error("no TLS with this host")]
    Tls(#[from] rustls::Error),
    /// The host's name has no address.
    #[error("the host has no address")]
    Host(#[source] io::Error),
    /// An authorization that is no text.
    #[error("the authorization must be visible ASCII")]
    Authorization,
}

impl Target {
    /// Looks up `url`'s host; `authorization`, such as `Bearer …`, goes along with every request.
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`] says what about the URL or the authorization is wrong.
    pub fn resolve(url: &str, authorization: Option<&HeaderValue>) -> Result<Self, InvalidTarget> {
        let url = Url::parse(url)?;
        let is_tls = match url.scheme() {
            "http" => false,
            "https" => true,
            scheme => {
                let scheme = scheme.to_owned();
                return Err(InvalidTarget::Scheme { scheme });
            }
        };
        let authorization = authorization.map(HeaderValue::to_str).transpose();
        let authorization = authorization.map_err(|_| InvalidTarget::Authorization)?;
        let authority = url.authority().to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let host = url.host_str().unwrap_or_default();
        // An IPv6 address stands in brackets in a URL, and without them in a look-up.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = (host, port)
            .to_socket_addrs()
            .and_then(|mut addresses| addresses.next().ok_or(io::ErrorKind::NotFound.into()))
            .map_err(InvalidTarget::Host)?;
        Ok(Self {
            address,
            tls: is_tls.then(|| Tls::to(host)).transpose()?,
            authority,
            mercure: Some(url.path().to_owned()).filter(|path| path != "/"),
            authorization: authorization.map(str::to_owned),
        })
    }

    /// A request to subscribe to `topic`, after `last_event_id` if that is not empty.
    pub(crate) fn subscribe(&self, topic: &str, last_event_id: &str) -> Vec<u8> {
        let path = self.mercure.as_deref().unwrap_or("/events");
        let mut request = format!("GET {path}?topic={topic} HTTP/1.1\r\n");
        self.push_headers(&mut request);
        request.push_str("Accept: text/event-stream\r\n");
        if !last_event_id.is_empty() {
            request.push_str(&format!("Last-Event-ID: {last_event_id}\r\n"));
        }
        request.push_str("\r\n");
        request.into_bytes()
    }

    /// A request to publish `text` to `topic`, `private` or for everybody; neither holds a character that needs an escape.
    pub(crate) fn publish(&self, topic: &str, text: &str, private: bool) -> Vec<u8> {
        let (path, content_type, body) = match &self.mercure {
            Some(path) => (
                path.as_str(),
                "application/x-www-form-urlencoded",
                format!(
                    "topic={topic}&data={text}{}",
                    if private { "&private" } else { "" }
                ),
            ),
            None => (
                "/broadcast",
                "application/json",
                format!(
                    r#"{{"topic":"{topic}","data":"{text}"{}}}"#,
                    if private { r#","private":true"# } else { "" }
                ),
            ),
        };
        let mut request = format!("POST {path} HTTP/1.1\r\n");
        self.push_headers(&mut request);
        let length = body.len();
        request.push_str(&format!(
            "Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        request.into_bytes()
    }

    fn push_headers(&self, request: &mut String) {
        request.push_str(&format!("Host: {}\r\n", self.authority));
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Authorization: {authorization}\r\n"));
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("address", &self.address)
            .field("mercure", &self.mercure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
