//! An event addressed to topics, and the key by which a hub knows it again.

use std::fmt;

use fanfare_wire::{Event, EventId, EventType, Retry};
use http::HeaderValue;
use serde::Serialize;

/// What is published: an event, and for whom.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Publication {
    /// Its topics, the canonical one first. A hub refuses an event without any.
    pub topics: Vec<String>,
    /// Type, id, reconnection time and data. Without an id the hub makes one.
    pub event: Event,
    /// Whether only subscribers get it whose token covers one of the topics. Default false.
    pub private: bool,
    /// Default none: each call of `publish` makes one.
    pub key: Option<Key>,
}

impl Publication {
    /// An event with `data` for `topic`, public, of the default type.
    #[must_use]
    pub fn new(topic: impl Into<String>, data: impl Into<std::sync::Arc<str>>) -> Self {
        Self {
            topics: vec![topic.into()],
            event: Event::new(data),
            private: false,
            key: None,
        }
    }

    pub(super) fn key_or_new(&self) -> Key {
        self.key.clone().unwrap_or_else(Key::random)
    }

    /// As a Mercure hub takes it, of either generation.
    pub(super) fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for topic in &self.topics {
            form.append_pair("topic", topic);
        }
        form.append_pair("data", &self.event.data);
        if self.private {
            form.append_pair("private", "on");
        }
        if let Some(id) = &self.event.id {
            form.append_pair("id", id.as_str());
        }
        if let Some(event_type) = &self.event.event_type {
            form.append_pair("type", event_type.as_str());
        }
        if let Some(retry) = self.event.retry {
            form.append_pair("retry", &retry.as_millis().to_string());
        }
        form.finish()
    }

    /// As `/publish` takes it.
    pub(super) fn envelope<'a>(&'a self, key: &'a Key) -> Envelope<'a> {
        Envelope {
            topic: &self.topics,
            data: &self.event.data,
            private: self.private,
            id: self.event.id.as_ref().map(EventId::as_str),
            event: self.event.event_type.as_ref().map(EventType::as_str),
            retry: self.event.retry.map(Retry::as_millis),
            idempotency_key: &key.0,
        }
    }
}

/// One line of a batch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    topic: &'a [String],
    data: &'a str,
    private: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<u32>,
    idempotency_key: &'a str,
}

/// A key by which a hub knows a publication again: 1 to 255 visible ASCII characters (O2).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Key(String);

impl Key {
    /// Takes `text` as a key; a key that the caller keeps outlives a crash between two attempts.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] when it is empty, too long, or has other characters; quotation marks and
    /// backslashes are other characters too.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        // RFC 9651 §3.3.3: in a quoted string these two would need an escape.
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if text.is_empty() || text.len() > KEY_BYTES_MAX || !text.bytes().all(fits) {
            return Err(InvalidKey);
        }
        Ok(Self(text.to_owned()))
    }

    /// A key that nobody else has made.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&format!("\"{}\"", self.0))
            .expect("visible ASCII can stand in a header")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const KEY_BYTES_MAX: usize = 255;

/// A text that is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a key is 1 to 255 visible ASCII characters, without `\"` and `\\`")]
#[non_exhaustive]
pub struct InvalidKey;

#[cfg(test)]
mod tests;
