//! What the harness asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use fanfare_client::{Config, EventId};
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;

/// The body of `POST /`. Numbers that are not set arrive as `null`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewStream {
    stream_url: String,
    pub(crate) callback_url: String,
    /// The test's name.
    #[serde(default)]
    pub(crate) tag: String,
    initial_delay_ms: Option<u64>,
    read_timeout_ms: Option<u64>,
    last_event_id: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    method: Option<String>,
    body: Option<String>,
}

impl NewStream {
    /// The settings of the source that is meant.
    ///
    /// # Errors
    ///
    /// A value of the request cannot be used; the text says which.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let url = self.stream_url.parse();
        let mut config = Config::get(url.context("`streamUrl` is no URL")?);
        // Comments are reported too.
        config.comments = true;
        config.read_timeout = self.read_timeout_ms.map(Duration::from_millis);
        if let Some(delay) = self.initial_delay_ms {
            config.retry = Duration::from_millis(delay);
        }
        if let Some(id) = &self.last_event_id {
            config.last_event_id = EventId::parse(id).context("`lastEventId` is no id")?;
        }
        if let Some(method) = &self.method {
            let method = Method::from_bytes(method.as_bytes());
            config.method = method.context("`method` is no method")?;
        }
        for (name, value) in self.headers.iter().flatten() {
            let name: HeaderName = name.parse().context("a name in `headers` is none")?;
            let value: HeaderValue = value.parse().context("a value in `headers` is none")?;
            config.headers.append(name, value);
        }
        config.body = self.body.clone().map(Into::into);
        Ok(config)
    }
}

/// The body of `POST /streams/<n>`.
#[derive(Debug, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub(crate) enum Command {
    Restart,
    /// All types are reported in any case.
    Listen,
}
