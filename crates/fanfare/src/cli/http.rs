//! Requests of the command line: one connection for each, HTTP/1.1 without TLS.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use super::exit::{Exit, Failure};
use super::output::printable;

/// Where a hub is, and as whom to speak to it.
#[derive(Debug, clap::Args)]
pub(super) struct Peer {
    /// The hub's URL, with its path if that is unusual [default: http://127.0.0.1:3000]
    #[arg(long, value_name = "URL", env = "FANFARE_URL")]
    pub(super) url: Option<HubUrl>,

    /// Token; better given as a variable, for other users of the machine can see a command line
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FANFARE_TOKEN",
        hide_env_values = true
    )]
    pub(super) token: Option<Bearer>,
}

/// An `http` URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct HubUrl(Url);

impl Default for HubUrl {
    /// Where `serve` listens by default.
    fn default() -> Self {
        let url = Url::parse("http://127.0.0.1:3000").expect("it is a URL");
        Self(url)
    }
}

impl HubUrl {
    /// The URL of `path` on this hub; a URL that has a path of its own keeps it.
    pub(super) fn route(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        if url.path() == "/" {
            url.set_path(path);
        }
        Self(url)
    }

    /// Where the hub at this URL describes itself (RFC 9728 §3.1, D1-D1).
    pub(super) fn metadata(&self) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!(
            "/.well-known/oauth-protected-resource{}",
            url.path()
        ));
        Self(url)
    }

    /// The same URL with `pairs` appended to its query.
    pub(super) fn with_query<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        Self(url)
    }

    fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    fn authority(&self) -> String {
        match self.0.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    fn target(&self) -> String {
        match self.0.query() {
            Some(query) => format!("{}?{query}", self.0.path()),
            None => self.0.path().to_owned(),
        }
    }
}

impl FromStr for HubUrl {
    type Err = InvalidHubUrl;

    fn from_str(text: &str) -> Result<Self, InvalidHubUrl> {
        let url = Url::parse(text).map_err(|_| InvalidHubUrl::Malformed)?;
        match url.scheme() {
            "http" => Ok(Self(url)),
            "https" => Err(InvalidHubUrl::Https),
            _ => Err(InvalidHubUrl::Malformed),
        }
    }
}

impl fmt::Display for HubUrl {
    /// Without user and query: both may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.0.path())
    }
}

/// A text that is no URL of a hub.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum InvalidHubUrl {
    #[error("a hub's URL is `http://host:port`")]
    Malformed,
    #[error("the command line cannot speak https yet; give the hub's own http address")]
    Https,
}

/// A token that can travel in a header; its `Debug` does not show it.
#[derive(Clone)]
pub(super) struct Bearer(pub(super) HeaderValue);

impl FromStr for Bearer {
    type Err = http::header::InvalidHeaderValue;

    fn from_str(token: &str) -> Result<Self, Self::Err> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// An answer whose body is still to come. Dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    /// Holds the one task that drives the connection.
    _connection: JoinSet<()>,
}

impl Answer {
    /// The answer's status and the first 64 KiB of its body, as text.
    pub(super) async fn text(self) -> (StatusCode, String) {
        let status = self.response.status();
        let body = Limited::new(self.response.into_body(), TEXT_BYTES_MAX).collect();
        let bytes = match timeout(ANSWER_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            // The status says enough.
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The answer as the error that it is.
    pub(super) async fn refusal(self) -> Failure {
        let (status, text) = self.text().await;
        let text = printable(text.trim());
        let colon = if text.is_empty() { "" } else { ": " };
        Failure::new(
            Exit::Refused,
            anyhow::anyhow!("the hub refused, {status}{colon}{text}"),
        )
    }
}

const TEXT_BYTES_MAX: usize = 64 << 10;

/// Sends `request` to `url` and waits for the head of the answer.
///
/// # Errors
///
/// [`HttpError`] when the hub cannot be reached or does not speak HTTP.
pub(super) async fn send(
    url: &HubUrl,
    token: Option<&Bearer>,
    request: http::request::Builder,
    body: impl Into<Bytes>,
) -> Result<Answer, HttpError> {
    let request = request
        .uri(url.target())
        .header(HOST, url.authority())
        .header(USER_AGENT, concat!("fanfare/", env!("CARGO_PKG_VERSION")));
    let request: Request<Full<Bytes>> = match token {
        Some(Bearer(token)) => request.header(AUTHORIZATION, token),
        None => request,
    }
    .body(Full::new(body.into()))
    .map_err(HttpError::Request)?;

    let connect = TcpStream::connect((
        url.host().trim_matches(['[', ']']),
        url.0.port_or_known_default().unwrap_or(80),
    ));
    let unreachable = |source| HttpError::Unreachable {
        authority: url.authority(),
        source,
    };
    let stream = match timeout(ANSWER_TIMEOUT, connect).await {
        Ok(stream) => stream.map_err(unreachable)?,
        Err(elapsed) => return Err(unreachable(elapsed.into())),
    };
    // Without it, the last part of a large body waits for an acknowledgement.
    stream.set_nodelay(true).map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut task = JoinSet::new();
    task.spawn(async move {
        // Its error reaches the request too, which tells it.
        _ = connection.await;
    });
    let response = match timeout(ANSWER_TIMEOUT, sender.send_request(request)).await {
        Ok(response) => response?,
        Err(_) => return Err(HttpError::Silent),
    };
    Ok(Answer {
        response,
        _connection: task,
    })
}

/// Time for a connection, and for the head of the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("cannot reach a hub at {authority}")]
    Unreachable {
        authority: String,
        source: std::io::Error,
    },
    #[error("the hub took the request and did not answer for {} s", ANSWER_TIMEOUT.as_secs())]
    Silent,
    #[error("the connection failed")]
    Connection(#[from] hyper::Error),
    #[error("the request cannot be made")]
    Request(#[source] http::Error),
}

impl HttpError {
    pub(super) fn failure(self) -> Failure {
        Failure::new(Exit::Unreachable, self)
    }
}

/// Runs a command that waits on the network.
pub(super) fn wait<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}
