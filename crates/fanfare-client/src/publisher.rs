//! `Publisher`: events to a hub, each stored at most once however often it is sent.

mod answer;
mod batch;
mod publication;
mod trial;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use crate::authorize::Authorize;
use crate::client::Client;
use crate::config::Config as SourceConfig;
use crate::error::{InvalidConfig, is_certificate, without_url};
use crate::mask::{Masked, masked_headers};
use crate::network::Network;
use crate::request::take_credentials;
use answer::Answer;
pub use publication::{InvalidKey, Key, Publication};
pub use trial::{Fault, PublishError, Receipt};
use trial::{Next, Outcome, Trial};

/// The settings of a [`Publisher`]: make it with [`Config::new`], then assign.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The hub's Mercure URL, such as `https://hub.example/.well-known/mercure`.
    pub url: Url,
    /// Where batches go. Default `/publish` of the same hub.
    pub batch_url: Url,
    /// Headers of every request. [`bearer`](crate::config::bearer) makes `Authorization`.
    pub headers: HeaderMap,
    /// Asked for headers before every attempt, for tokens that expire. Default none.
    pub authorize: Option<Authorize>,
    /// How long a publish is repeated. Default 5 min.
    ///
    /// No attempt begins later. It must end before the hub forgets a key (`dedupe-window`, 10
    /// minutes by default). `ZERO`: one attempt.
    pub window: Duration,
    /// For one attempt, its answer included. Default 10 s.
    pub attempt_timeout: Duration,
    /// Ceiling of the wait between two attempts, unless the hub asks for more. Default 10 s.
    pub retry_max: Duration,
}

impl Config {
    /// Publishes to the hub at `url`.
    #[must_use]
    pub fn new(url: Url) -> Self {
        let mut batch_url = url.clone();
        batch_url.set_path("/publish");
        batch_url.set_query(None);
        Self {
            url,
            batch_url,
            headers: HeaderMap::new(),
            authorize: None,
            window: Duration::from_secs(300),
            attempt_timeout: Duration::from_secs(10),
            retry_max: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = SourceConfig::get(self.url.clone()).secret_headers;
        f.debug_struct("Config")
            .field("url", &Masked(&self.url))
            .field("batch_url", &Masked(&self.batch_url))
            .field("headers", &masked_headers(&self.headers, &secrets))
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Publishes events to a hub; cloning is cheap.
///
/// Every publish has a key, by which the hub knows it again. So what is not stored for now (503,
/// 429, no connection) and what may be stored (504, a broken connection) is sent again, with
/// jitter, until [`Config::window`] closes; and what was stored is not stored twice (O5).
///
/// ```no_run
/// use fanfare_client::config::bearer;
/// use fanfare_client::{Publication, Publisher, publisher};
/// use http::header::AUTHORIZATION;
///
/// # async fn run(token: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = publisher::Config::new("https://hub.example/.well-known/mercure".parse()?);
/// config.headers.insert(AUTHORIZATION, bearer(token)?);
/// let publisher = Publisher::new(config)?;
///
/// let receipt = publisher.publish(&Publication::new("orders/42", "shipped")).await?;
/// println!("stored as {}", receipt.id);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Publisher {
    client: reqwest::Client,
    config: Arc<Config>,
}

impl Publisher {
    /// Makes a publisher with connections of its own, by the default [`Network`].
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when a URL cannot be used.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        Client::new(&Network::default())?.publisher(config)
    }

    pub(crate) fn over(client: reqwest::Client, mut config: Config) -> Result<Self, InvalidConfig> {
        take_credentials(&client, &mut config.batch_url)?;
        if let Some(basic) = take_credentials(&client, &mut config.url)? {
            config.headers.entry(AUTHORIZATION).or_insert(basic);
        }
        let config = Arc::new(config);
        Ok(Self { client, config })
    }

    /// Publishes one event, over as many attempts as it takes.
    ///
    /// Dropping the future leaves it stored or not stored, never half. Give the publication a
    /// [`Key`] to publish it again later, and to learn which.
    ///
    /// # Errors
    ///
    /// [`PublishError`]: each variant says what is known about the event's storage.
    pub async fn publish(&self, publication: &Publication) -> Result<Receipt, PublishError> {
        let mut trial = Trial::new(publication.key_or_new(), &self.config);
        let started = Instant::now();
        loop {
            let outcome = self.send_one(publication, trial.key()).await;
            match trial.judge(outcome, started.elapsed(), rand::random()) {
                Next::Done(result) => return result,
                Next::Again(wait) => sleep_until(Instant::now() + wait).await,
            }
        }
    }

    /// Publishes many events in one request; outcome `i` belongs to publication `i`.
    ///
    /// Events for which that helps are sent again, without the others, as by
    /// [`Publisher::publish`]. One event that the hub refuses keeps all of the batch from being
    /// stored. Dropping the future leaves each stored or not stored, never half.
    pub async fn publish_batch(
        &self,
        publications: &[Publication],
    ) -> Vec<Result<Receipt, PublishError>> {
        batch::publish(self, publications).await
    }

    async fn send_one(&self, publication: &Publication, key: &Key) -> Outcome {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        headers.insert(IDEMPOTENCY_KEY, key.header());
        match self
            .send(&self.config.url, headers, publication.form())
            .await
        {
            Ok(answer) => answer.outcome(),
            Err(outcome) => outcome,
        }
    }

    /// One attempt: the whole answer, or what it means that there is none.
    async fn send(&self, url: &Url, own: HeaderMap, body: String) -> Result<Answer, Outcome> {
        let mut headers = self.config.headers.clone();
        if let Some(authorize) = &self.config.authorize {
            let made = authorize.headers().await;
            let made = made.map_err(|it| Outcome::again(false, Fault::Authorize(it)))?;
            headers.extend(made);
        }
        headers.extend(own);
        let request = self.client.post(url.clone()).headers(headers).body(body);
        let attempt = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.bytes().await?;
            Ok(Answer {
                status,
                headers,
                body,
            })
        };
        match timeout(self.config.attempt_timeout, attempt).await {
            Ok(answer) => answer.map_err(without_answer),
            Err(_) => Err(Outcome::again(true, Fault::Silent)),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Without a connection nothing was sent; with one, who knows.
fn without_answer(error: reqwest::Error) -> Outcome {
    let (was_sent, is_final) = (!error.is_connect(), is_certificate(&error));
    let fault = Fault::Connection(without_url(error));
    match is_final {
        true => Outcome::NotStored(fault),
        false => Outcome::again(was_sent, fault),
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
