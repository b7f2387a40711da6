//! What presence looks like: paths, and documents in the shape of each dialect.

use fanfare_broker::{Publication, Topic};
use fanfare_wire::{Event, EventType};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::roster::{Listed, Visitor};
use crate::dialect::Dialect;

/// One subscription of one subscriber, as a document.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Document<'a> {
    /// D0-R7.
    Zero(Zero<'a>),
    /// D1-R3.
    One(One<'a>),
}

#[derive(Debug, Serialize)]
pub(crate) struct Zero<'a> {
    #[serde(rename = "@context", skip_serializing_if = "Option::is_none")]
    pub(crate) context: Option<&'static str>,
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    subscriber: String,
    topic: &'a str,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(rename = "lastEventID", skip_serializing_if = "Option::is_none")]
    pub(crate) last_event_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct One<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    match_type: &'static str,
    #[serde(rename = "match")]
    matched: &'a str,
    subscriber: String,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
}

/// What `@context` is in 0.x.
pub(crate) const CONTEXT: &str = "https://mercure.rocks/";

impl<'a> Document<'a> {
    /// The document of `listed` in the shape of `dialect`, if that can say it (DX-14).
    ///
    /// `root` is the path of all subscriptions.
    pub(crate) fn of(
        root: &str,
        dialect: Dialect,
        visitor: &Visitor,
        listed: &'a Listed,
        active: bool,
    ) -> Option<Self> {
        let subscriber = visitor.subscriber.urn().to_string();
        let text = listed.wanted.selector.as_str();
        let payload = listed.payload.as_ref().map(|payload| &*payload.0);
        Some(match dialect {
            Dialect::D0 => {
                if !listed.wanted.is_of_zero() {
                    return None;
                }
                Self::Zero(Zero {
                    context: Some(CONTEXT),
                    id: format!("{root}/{}/{}", encoded(text), encoded(&subscriber)),
                    kind: "Subscription",
                    subscriber,
                    topic: text,
                    active,
                    payload,
                    last_event_id: None,
                })
            }
            Dialect::D1 => {
                let match_type = listed.wanted.match_type()?;
                let (text_encoded, subscriber_encoded) = (encoded(text), encoded(&subscriber));
                Self::One(One {
                    id: format!("{root}/{match_type}/{text_encoded}/{subscriber_encoded}"),
                    kind: "subscription",
                    match_type,
                    matched: text,
                    subscriber,
                    active,
                    payload,
                })
            }
        })
    }

    /// Its path, which is the topic that it is published under (D0-R1, D1-R1).
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Zero(document) => &document.id,
            Self::One(document) => &document.id,
        }
    }

    /// What it subscribes to: a topic of 0.x, or a matcher and its type.
    pub(crate) fn name(&self) -> (Option<&'static str>, &'a str) {
        match self {
            Self::Zero(document) => (None, document.topic),
            Self::One(document) => (Some(document.match_type), document.matched),
        }
    }

    /// The private publication that tells of it (D0-R1, D0-R6, D1-R2).
    pub(crate) fn publication(&self) -> Option<Publication> {
        let topic = Topic::parse(self.id()).ok()?;
        let json = match self {
            Self::Zero(_) => serde_json::to_string_pretty(self),
            Self::One(_) => serde_json::to_string(self),
        };
        let mut event = Event::new(json.ok()?);
        if let Self::One(_) = self {
            event.event_type = EventType::parse("mercure").ok();
        }
        Some(Publication::new(topic, event).private())
    }
}

/// `text` as a whole, percent-encoded once, as RFC 6570 expands a variable (D0-G4, D1-R1).
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests;
