//! What goes wrong with a source.

use std::error::Error;
use std::time::Duration;

use http::StatusCode;

use crate::authorize::AuthorizeError;
pub use crate::redirect::InvalidRedirect;

/// Why a connection was lost, or did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Ended,
    /// The connection broke in mid-stream.
    #[error("the connection broke in mid-stream")]
    Broken(#[source] BoxError),
    /// Nothing came on an open stream.
    #[error("nothing came for {read_timeout:?}")]
    Silent {
        /// How long was waited.
        read_timeout: Duration,
    },
    /// No connection came about, or it broke before the answer.
    #[error("no answer from the server")]
    Unreachable(#[source] BoxError),
    /// The server took the request, and its answer's head did not come.
    #[error("the answer did not begin within {head_timeout:?}")]
    HeadTimeout {
        /// How long was waited.
        head_timeout: Duration,
    },
    /// The server's certificate is not one to trust. Another attempt would find the same.
    #[error("the server's certificate is not trusted")]
    Certificate(#[source] BoxError),
    /// The proxy wants credentials, or others.
    #[error("the proxy asks for credentials (407)")]
    ProxyCredentials,
    /// The server refused.
    #[error("the server answered {status}{}", detail(.body))]
    Status {
        /// Its status.
        status: StatusCode,
        /// The first 256 bytes of its body, as text.
        body: String,
    },
    /// What is there is no event stream.
    #[error("not an event stream but {}{}", or_nothing(.content_type), detail(.body))]
    NotAStream {
        /// The type it has; empty: none.
        content_type: String,
        /// The first 256 bytes of its body, as text.
        body: String,
    },
    /// The stream is compressed, though that was not asked for.
    #[error("the stream is encoded as {content_encoding}, though only identity was asked for")]
    Encoded {
        /// How.
        content_encoding: String,
    },
    /// A redirect is not followed.
    #[error("the server redirects with {status}")]
    Redirect {
        /// Its status.
        status: StatusCode,
        /// Why it is not followed.
        source: InvalidRedirect,
    },
    /// [`Config::authorize`](crate::Config) had no headers.
    #[error("no authorization could be made")]
    Authorize(#[source] AuthorizeError),
    /// The last event id has a control character, so no header can carry it: the next connection
    /// begins without it, and events may be missed.
    #[error("the last event id has a control character and cannot be sent")]
    UnsendableId,
}

/// A cause from below.
pub type BoxError = Box<dyn Error + Send + Sync>;

fn detail(body: &str) -> String {
    match body.trim() {
        "" => String::new(),
        body => format!(": {body}"),
    }
}

fn or_nothing(content_type: &str) -> &str {
    match content_type {
        "" => "nothing that has a type",
        content_type => content_type,
    }
}

/// Why no source or publisher can be made of its settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// The URL is not one of an HTTP server.
    #[error("the URL must begin with `http://` or `https://` and name a host")]
    Url,
    /// The method is `CONNECT`, which asks for a tunnel.
    #[error("a stream cannot be asked for by CONNECT")]
    Method,
    /// A root certificate or a client's is none.
    #[error("a certificate cannot be read")]
    Certificate(#[source] BoxError),
    /// The proxy's URL is none.
    #[error("the proxy's URL cannot be used")]
    Proxy(#[source] BoxError),
    /// The system's TLS cannot be set up.
    #[error("no connections can be made")]
    Tls(#[source] BoxError),
}

/// `error` without the URL that it names, for that may hold a secret.
pub(crate) fn without_url(error: reqwest::Error) -> BoxError {
    error.without_url().into()
}

/// Whether `error` says that the server's certificate is not one to trust.
pub(crate) fn is_certificate(error: &reqwest::Error) -> bool {
    chain(error).any(|error| {
        let tls = error.downcast_ref::<rustls::Error>();
        tls.is_some_and(|tls| matches!(tls, rustls::Error::InvalidCertificate(_)))
    })
}

/// An error that may be looked into.
type Fault<'a> = &'a (dyn Error + 'static);

/// Every error below `error`, itself first.
pub(crate) fn chain(error: Fault<'_>) -> impl Iterator<Item = Fault<'_>> {
    std::iter::successors(Some(error), |&error| below(error))
}

fn below(error: Fault<'_>) -> Option<Fault<'_>> {
    // An I/O error skips the very error that it was made of.
    let inner = error.downcast_ref::<std::io::Error>();
    match inner.and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
