//! A draft: what a publisher sent, before it is checked and becomes a publication.

use fanfare_broker::{Cursor, IdempotencyKey, InvalidTopic, Publication, Selectors, Topic};
use fanfare_wire::{Event, EventId, EventType, Retry};

use crate::authority::Publisher;
use crate::expires::{self, InvalidExpires, Now};
use crate::namespace::is_reserved;
use crate::protocol_string::{self, Forbidden};
use crate::server::Config;

/// What a publisher sent, in its own words.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Draft {
    /// The first is canonical.
    pub(crate) topics: Vec<String>,
    pub(crate) data: String,
    /// Empty counts as absent, here and in `event_type` and `retry`.
    pub(crate) id: Option<String>,
    pub(crate) event_type: Option<String>,
    /// Milliseconds, in decimal.
    pub(crate) retry: Option<String>,
    /// Seconds, or a date. Empty counts as absent.
    pub(crate) expires: Option<String>,
    pub(crate) private: bool,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
}

/// What a draft is checked against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) topics_max: usize,
    /// Topics inside it are the hub's own (D1-P9).
    pub(crate) hub_path: &'a str,
    /// Topics that the publisher's token covers; `None`: every topic.
    pub(crate) granted: Option<&'a Selectors>,
    /// The types `error` and `open` fire a page's own `onerror` and `onopen`; only the Mercure
    /// route takes them, as other hubs do (ENC-12).
    pub(crate) lifecycle_types: bool,
}

impl<'a> Rules<'a> {
    /// The rules for what `publisher` sends to the plain endpoints.
    pub(crate) fn of(config: &'a Config, publisher: &'a Publisher) -> Self {
        Self {
            topics_max: config.topics_max,
            hub_path: &config.hub_path,
            granted: publisher.granted.as_ref(),
            lifecycle_types: false,
        }
    }
}

impl Draft {
    /// Makes it a publication if every rule holds at `now`; they are checked in the order of D0-P11.
    pub(crate) fn check(self, rules: &Rules<'_>, now: Now) -> Result<Publication, DraftError> {
        if self.topics.is_empty() {
            return Err(DraftError::NoTopic);
        }
        if self.topics.len() > rules.topics_max {
            return Err(DraftError::TooManyTopics {
                count_max: rules.topics_max,
            });
        }
        let retry = self.retry.as_deref().map_or(Ok(None), parse_retry)?;
        if let Some(granted) = rules.granted {
            let uncovered = |topic: &&String| !covers(granted, topic);
            if let Some(topic) = self.topics.iter().find(uncovered) {
                let topic = topic.clone();
                return Err(DraftError::NotGranted { topic });
            }
        }
        let reserved = |topic: &&String| is_reserved(rules.hub_path, topic);
        if let Some(topic) = self.topics.iter().find(reserved) {
            let topic = topic.clone();
            return Err(DraftError::Reserved { topic });
        }
        let mut topics = self.topics.iter().map(|topic| parse_topic(topic));
        let canonical = topics.next().ok_or(DraftError::NoTopic)??;
        let event = Event {
            event_type: self
                .event_type
                .as_deref()
                .map_or(Ok(None), |text| parse_type(text, rules.lifecycle_types))?,
            retry,
            id: self.id.as_deref().map_or(Ok(None), parse_id)?,
            data: self.data.into(),
        };
        let publication = Publication::new(canonical, event);
        let also = |all: Publication, topic| Ok::<_, DraftError>(all.also(topic?));
        let mut publication = topics.try_fold(publication, also)?;
        if self.private {
            publication = publication.private();
        }
        publication.idempotency_key = self.idempotency_key;
        let expires = self.expires.filter(|text| !text.is_empty());
        publication.expires = expires.map(|text| expires::parse(&text, now)).transpose()?;
        Ok(publication)
    }
}

/// Why a draft cannot be published. Topics are shown cut, for they are a stranger's text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum DraftError {
    #[error("`topic` is missing")]
    NoTopic,
    #[error("a publication has at most {count_max} topics")]
    TooManyTopics { count_max: usize },
    #[error("`retry` must be a number of milliseconds, in decimal digits")]
    Retry,
    #[error(transparent)]
    Expires(#[from] InvalidExpires),
    #[error("the token does not allow publishing to {:?}", cut(topic))]
    NotGranted { topic: String },
    #[error("topic {:?} is inside the hub's own namespace", cut(topic))]
    Reserved { topic: String },
    #[error("topic `*` would name every topic; publish to one that exists")]
    TopicAny,
    #[error("invalid topic: {0}")]
    Topic(#[from] InvalidTopic),
    #[error("invalid `{field}`: {forbidden}")]
    Forbidden {
        field: &'static str,
        forbidden: Forbidden,
    },
    #[error("invalid `{field}`: it has {bytes} bytes, more than {bytes_max}")]
    TooLong {
        field: &'static str,
        bytes: usize,
        bytes_max: usize,
    },
    #[error("invalid `id`: it begins or ends with a space")]
    IdSpace,
    #[error("invalid `id`: `earliest`, `#…` and `urn:ff:…` are the hub's own; choose another")]
    IdReserved,
    #[error("invalid type {event_type:?}: it is reserved; choose another")]
    TypeReserved { event_type: String },
}

/// The longest topic of a publisher, in bytes (S11).
const TOPIC_BYTES_MAX: usize = 2048;
/// The longest id of a publisher, in bytes (SRV-14).
const ID_BYTES_MAX: usize = 512;
/// The longest type, in bytes (S11).
const TYPE_BYTES_MAX: usize = 256;

/// Digits only, within 64 bits (D0-P6, D1-P5); 0 and empty send no hint.
fn parse_retry(text: &str) -> Result<Option<Retry>, DraftError> {
    if text.is_empty() {
        return Ok(None);
    }
    // `u64::from_str` would take a leading `+`.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DraftError::Retry);
    }
    let millis: u64 = text.parse().map_err(|_| DraftError::Retry)?;
    Ok((millis > 0).then(|| Retry::from_millis(millis)))
}

/// A text that is no topic is covered by `*` alone, and refused for what it is afterwards.
fn covers(granted: &Selectors, topic: &str) -> bool {
    match Topic::parse(topic) {
        Ok(topic) => granted.matches(&topic),
        Err(_) => granted.iter().any(|selector| selector.as_str() == "*"),
    }
}

fn parse_topic(text: &str) -> Result<Topic, DraftError> {
    if text == "*" {
        return Err(DraftError::TopicAny);
    }
    check_characters("topic", text)?;
    check_length("topic", text, TOPIC_BYTES_MAX)?;
    Ok(Topic::parse(text)?)
}

fn parse_id(text: &str) -> Result<Option<EventId>, DraftError> {
    if text.is_empty() {
        return Ok(None);
    }
    check_length("id", text, ID_BYTES_MAX)?;
    check_characters("id", text)?;
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(DraftError::IdSpace);
    }
    if text == "earliest" || text.starts_with('#') || text.starts_with(Cursor::PREFIX) {
        return Err(DraftError::IdReserved);
    }
    Ok(EventId::parse(text).ok())
}

fn parse_type(text: &str, lifecycle_types: bool) -> Result<Option<EventType>, DraftError> {
    check_length("type", text, TYPE_BYTES_MAX)?;
    check_characters("type", text)?;
    let reserved = match text {
        "mercure" => true,
        "error" | "open" => !lifecycle_types,
        _ => text.starts_with("fanfare-"),
    };
    if reserved {
        let event_type = text.to_owned();
        return Err(DraftError::TypeReserved { event_type });
    }
    Ok(EventType::parse(text).ok())
}

fn check_characters(field: &'static str, text: &str) -> Result<(), DraftError> {
    protocol_string::check(text).map_err(|forbidden| DraftError::Forbidden { field, forbidden })
}

fn check_length(field: &'static str, text: &str, bytes_max: usize) -> Result<(), DraftError> {
    let bytes = text.len();
    if bytes > bytes_max {
        return Err(DraftError::TooLong {
            field,
            bytes,
            bytes_max,
        });
    }
    Ok(())
}

fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests;
