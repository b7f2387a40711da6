//! Requests of the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use reqwest::{Body, Response};
use tokio::time::{Instant, timeout, timeout_at};
use url::{Host, Url};

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

/// An `http` or `https` URL.
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

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// Whether the hub is on this machine, where no proxy leads to.
    pub(super) fn is_here(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    pub(super) fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

impl FromStr for HubUrl {
    type Err = InvalidHubUrl;

    fn from_str(text: &str) -> Result<Self, InvalidHubUrl> {
        let url = Url::parse(text).map_err(|_| InvalidHubUrl)?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            _ => Err(InvalidHubUrl),
        }
    }
}

impl fmt::Display for HubUrl {
    /// Without user and query: both may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path) = (self.0.scheme(), self.0.path());
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}

/// A text that is no URL of a hub.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a hub's URL is `http://host:port` or `https://host`")]
pub(super) struct InvalidHubUrl;

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
    pub(super) response: Response,
}

impl Answer {
    /// The answer's status and the first 64 KiB of its body, as text.
    pub(super) async fn text(mut self) -> (StatusCode, String) {
        let mut body = Vec::new();
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        // What does not come is left out: the status says enough.
        while body.len() < TEXT_BYTES_MAX
            && let Ok(Ok(Some(chunk))) = timeout_at(deadline, self.response.chunk()).await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(TEXT_BYTES_MAX);
        let text = String::from_utf8_lossy(&body).into_owned();
        (self.response.status(), text)
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
    body: impl Into<Body>,
) -> Result<Answer, HttpError> {
    let request = match token {
        Some(Bearer(token)) => request.header(AUTHORIZATION, token),
        None => request,
    };
    let (parts, ()) = request.body(()).map_err(HttpError::Request)?.into_parts();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("fanfare/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(ANSWER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if url.is_here() {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(HttpError::Setup)?;
    let sent = client
        .request(parts.method, url.0.clone())
        .headers(parts.headers)
        .body(body)
        .send();
    match timeout(ANSWER_TIMEOUT, sent).await {
        Ok(Ok(response)) => Ok(Answer { response }),
        Ok(Err(error)) if error.is_connect() => Err(HttpError::Unreachable {
            authority: url.authority(),
            // The URL may hold a secret.
            source: error.without_url(),
        }),
        Ok(Err(error)) => Err(HttpError::Connection(error.without_url())),
        Err(_) => Err(HttpError::Silent),
    }
}

/// Time for a connection, and for the head of the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("cannot reach a hub at {authority}")]
    Unreachable {
        authority: String,
        source: reqwest::Error,
    },
    #[error("the hub took the request and did not answer for {} s", ANSWER_TIMEOUT.as_secs())]
    Silent,
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    #[error("no connection can be made")]
    Setup(#[source] reqwest::Error),
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
