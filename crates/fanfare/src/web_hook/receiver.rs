//! Where notices are posted to.

use std::error::Error;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::Url;
use uuid::Uuid;

use super::notice::Notice;
use super::outcome::Outcome;
use super::signature::SigningKey;
use super::timestamp::{now, since_epoch};
use crate::auth::Secret;

/// The other end, as configured.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    client: Client,
    url: Url,
    key: Option<SigningKey>,
    /// Makes the numbers of this process's changes unique among all hubs and their restarts.
    run: Uuid,
}

/// The head of an answer, or why there is none.
pub(super) type Answer = Result<Response, reqwest::Error>;

/// Why a web hook cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWebHook {
    /// Only HTTP can be spoken.
    #[error("the web hook's URL must begin with `https://` or `http://`")]
    Scheme,
    /// The key is not written as Standard Webhooks says.
    #[error("after `whsec_` the web hook's key must be base64 with padding, and not empty")]
    Key,
    /// No client could be made; mostly the system has no certificates to check a receiver by.
    #[error("no HTTPS without the system's certificates")]
    Client(#[source] reqwest::Error),
}

impl Receiver {
    /// Reads the system's certificates; an answer may take as long as `patience`.
    pub(super) fn open(
        url: Url,
        key: Option<&Secret>,
        patience: Duration,
    ) -> Result<Self, InvalidWebHook> {
        let mut client = Client::builder()
            .user_agent(concat!("fanfare/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(patience)
            // The environment is configuration's to read; what it does not show must not matter.
            .no_proxy();
        client = match url.scheme() {
            "https" => client.https_only(true),
            // In a container without certificates, plain HTTP still works.
            "http" => client.tls_certs_only([]),
            _ => return Err(InvalidWebHook::Scheme),
        };
        let key = key.map(SigningKey::new).transpose();
        Ok(Self {
            client: client.build().map_err(InvalidWebHook::Client)?,
            url,
            key: key.map_err(|_| InvalidWebHook::Key)?,
            run: Uuid::new_v4(),
        })
    }

    /// Makes one attempt. Dropping the future breaks the request off, seen or not.
    pub(super) async fn post(&self, notice: &Notice) -> Answer {
        // The same for every attempt, so a receiver that sees two knows them for one.
        let id = format!("{}-{}", self.run.simple(), notice.change);
        let timestamp = since_epoch(now()).as_secs();
        let body = notice.body();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp);
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", key.sign(&id, timestamp, &body));
        }
        request
            .body(body)
            .send()
            .await
            .map_err(reqwest::Error::without_url)
    }

    /// Says in the log why a notice was not taken. The URL may hold a password, its host does not.
    pub(super) fn complain(&self, answer: &Answer, outcome: &Outcome) {
        let host = self.url.host_str().unwrap_or_default();
        let again = matches!(outcome, Outcome::Failed(_));
        match answer {
            Ok(response) => {
                let status = response.status().as_u16();
                tracing::warn!(
                    host,
                    status,
                    again,
                    "the web hook's receiver takes no notice"
                );
            }
            Err(error) => {
                let error: &(dyn Error + 'static) = error;
                tracing::warn!(
                    host,
                    error,
                    again,
                    "the web hook's receiver does not answer"
                );
            }
        }
    }
}
