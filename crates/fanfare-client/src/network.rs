//! How connections are made.

use std::fmt;
use std::time::Duration;

use reqwest::{Certificate, ClientBuilder, Identity, redirect, retry};
use url::Url;

use crate::error::{InvalidConfig, without_url};
use crate::mask::Masked;

/// The settings of connections; [`Client`](crate::Client) makes them, for any number of sources
/// and publishers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Network {
    /// For TCP and TLS together, and a proxy's tunnel. Default 10 s.
    pub connect_timeout: Duration,
    /// The version of HTTP. Default [`HttpVersion::Auto`].
    pub http: HttpVersion,
    /// The way out. Default [`Proxy::Environment`].
    pub proxy: Proxy,
    /// Who is trusted. Default: whom the system trusts.
    pub tls: Tls,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            http: HttpVersion::Auto,
            proxy: Proxy::Environment,
            tls: Tls::default(),
        }
    }
}

/// Which version of HTTP is spoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/2 if the server offers it by ALPN, else HTTP/1.1.
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 at once, without TLS too.
    Http2PriorKnowledge,
}

/// The way out.
#[derive(Clone)]
#[non_exhaustive]
pub enum Proxy {
    /// As `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say, in capitals or not.
    Environment,
    /// By this proxy, whose credentials stand in its URL and go to nobody else.
    Via(Url),
    /// Straight.
    None,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Via(url) => f.debug_tuple("Via").field(&Masked(url)).finish(),
            Self::None => f.write_str("None"),
        }
    }
}

/// Whom TLS trusts, and who we are.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Tls {
    /// Certificates that are trusted as roots, in PEM: one text may hold several.
    pub roots: Vec<String>,
    /// Whether only `roots` are trusted, and the system's are not.
    pub roots_only: bool,
    /// Our own certificate and its key, in PEM, for servers that ask for it.
    pub identity: Option<String>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("roots_only", &self.roots_only)
            .field("identity", &self.identity.as_ref().map(|_| "[redacted]"))
            .finish()
    }
}

impl Network {
    /// Makes the connection pool.
    pub(crate) fn connect(&self) -> Result<reqwest::Client, InvalidConfig> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(self.connect_timeout)
            // Redirects and repeats are ours to judge (RC-18, RC-16).
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE_INTERVAL)
            .tcp_keepalive_retries(KEEPALIVE_RETRIES)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW);
        let builder = match self.http {
            HttpVersion::Auto => builder,
            HttpVersion::Http1 => builder.http1_only(),
            HttpVersion::Http2PriorKnowledge => builder.http2_prior_knowledge(),
        };
        let builder = match &self.proxy {
            Proxy::Environment => builder,
            Proxy::None => builder.no_proxy(),
            Proxy::Via(url) => {
                if !matches!(url.scheme(), "http" | "https") {
                    let scheme = "its scheme must be http or https";
                    return Err(InvalidConfig::Proxy(scheme.into()));
                }
                let proxy = reqwest::Proxy::all(url.clone());
                builder.proxy(proxy.map_err(|it| InvalidConfig::Proxy(without_url(it)))?)
            }
        };
        let builder = self.tls.trust(builder)?;
        builder
            .build()
            .map_err(|it| InvalidConfig::Tls(without_url(it)))
    }
}

impl Tls {
    fn trust(&self, builder: ClientBuilder) -> Result<ClientBuilder, InvalidConfig> {
        let invalid = |error| InvalidConfig::Certificate(without_url(error));
        let mut roots = Vec::new();
        for pem in &self.roots {
            let found = Certificate::from_pem_bundle(pem.as_bytes()).map_err(invalid)?;
            if found.is_empty() {
                return Err(InvalidConfig::Certificate(
                    "no certificate in the text".into(),
                ));
            }
            roots.extend(found);
        }
        let builder = match (self.roots_only, roots.is_empty()) {
            (true, _) => builder.tls_certs_only(roots),
            (false, true) => builder,
            (false, false) => builder.tls_certs_merge(roots),
        };
        match &self.identity {
            None => Ok(builder),
            Some(pem) => {
                let identity = Identity::from_pem(pem.as_bytes()).map_err(invalid)?;
                Ok(builder.identity(identity))
            }
        }
    }
}

const USER_AGENT: &str = concat!("fanfare-client/", env!("CARGO_PKG_VERSION"));

const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// How often an HTTP/2 connection is asked whether it lives, and how long it has to answer.
const PING: Duration = Duration::from_secs(20);

/// What a server may send on a stream before its reader takes some.
const STREAM_WINDOW: u32 = 256 << 10;

/// As much as there is: each stream has its own bound, and a stalled one must not take the
/// connection's share from its siblings (RC-27).
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

#[cfg(test)]
mod tests;
