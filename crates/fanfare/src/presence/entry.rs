//! A visitor as its node writes it down for the others, and back.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_broker::{Entry, EntryChange, Selector};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;
use uuid::Uuid;

use super::roster::{Listed, Payload, Visitor};
use crate::interest::{Language, Wanted};

/// What a visitor subscribes to. Whose token it shows and where it comes from stay on its node.
#[derive(Debug, Deserialize, Serialize)]
struct Written {
    subscriptions: Vec<Line>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Line {
    language: Name,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Template,
    Exact,
    UrlPattern,
}

/// What tells the other nodes that `visitor` is here.
pub(super) fn put(visitor: &Visitor) -> EntryChange {
    let line = |listed: &Listed| Line {
        language: match listed.wanted.language {
            Language::Template => Name::Template,
            Language::Exact => Name::Exact,
            Language::UrlPattern => Name::UrlPattern,
        },
        text: listed.wanted.selector.as_str().to_owned(),
        payload: listed.payload.as_ref().map(|it| (*it.0).to_owned()),
    };
    let written = Written {
        subscriptions: visitor.subscriptions.iter().map(line).collect(),
    };
    let value = serde_json::to_vec(&written).expect("its keys are strings");
    EntryChange::Put {
        key: visitor.subscriber.to_string(),
        value: Bytes::from(value),
    }
}

/// What tells them that `subscriber` is not here.
pub(super) fn remove(subscriber: Uuid) -> EntryChange {
    EntryChange::Remove {
        key: subscriber.to_string(),
    }
}

/// The visitor of another node; `None`: a node of another version wrote what this one cannot read.
pub(super) fn read(entry: &Entry) -> Option<Visitor> {
    let written: Written = serde_json::from_slice(&entry.value).ok()?;
    let lines = written.subscriptions.into_iter().map(Line::read);
    Some(Visitor {
        subscriber: entry.key.parse().ok()?,
        subscriptions: Arc::new(lines.collect::<Option<_>>()?),
        holder: None,
        address: None,
    })
}

impl Line {
    fn read(self) -> Option<Listed> {
        let (selector, language) = match self.language {
            Name::Template => (Selector::parse(&self.text).ok()?, Language::Template),
            Name::Exact => (Selector::exact(&self.text).ok()?, Language::Exact),
            Name::UrlPattern => {
                // It is shown and not matched here, so any base will do.
                let base = Url::parse("https://hub.invalid").ok()?;
                let selector = Selector::url_pattern(&self.text, &base).ok()?;
                (selector, Language::UrlPattern)
            }
        };
        Some(Listed {
            wanted: Wanted { selector, language },
            payload: self.payload.map(|payload| Payload(payload.into())),
        })
    }
}

#[cfg(test)]
mod tests;
