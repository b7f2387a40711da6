//! The last id that a subscriber has seen, as its request presents it.

use fanfare_wire::EventId;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::dialect::Dialect;
use crate::error::Refusal;
use crate::form::Form;

/// The place that a request wants its stream to go on from (SRV-13, D0-H2, D1-H1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Presented {
    pub(crate) id: Option<EventId>,
    /// It names a place, be it the empty one.
    present: bool,
    dialect: Dialect,
}

impl Presented {
    /// Reads it. The header wins: EventSource repeats its URL, with the old cursor, on every
    /// reconnect. An empty value counts as absent.
    pub(crate) fn of(headers: &HeaderMap, form: &Form, dialect: Dialect) -> Result<Self, Refusal> {
        let mut fields = headers.get_all(LAST_EVENT_ID).iter();
        let header = fields.next().map(HeaderValue::as_bytes);
        if fields.next().is_some() {
            return Err(Refusal::TwoCursors);
        }
        let names: &[&str] = match dialect {
            Dialect::D0 => &["lastEventID", "Last-Event-ID", "lastEventId"],
            Dialect::D1 => &["last_event_id"],
        };
        let in_form = names.iter().filter_map(|name| form.first_bytes(name));
        let presented: Vec<&[u8]> = header.into_iter().chain(in_form).collect();
        let id = presented.iter().find(|id| !id.is_empty());
        Ok(Self {
            present: !presented.is_empty(),
            dialect,
            // What cannot be an id is one that was never seen, so that its sender hears of the gap.
            id: id.map(|id| {
                let text = str::from_utf8(id).unwrap_or(NEVER_SEEN);
                EventId::parse(text).unwrap_or_else(|_| never_seen())
            }),
        })
    }

    /// What the answer says when there is nothing to resume: 1.0 answers an empty cursor too
    /// (D1-H1).
    pub(crate) fn answer(&self) -> Option<EventId> {
        let wanted = self.present && self.dialect == Dialect::D1;
        wanted.then(|| EventId::parse("earliest").ok()).flatten()
    }
}

/// Unknown for certain: it begins as cursors do and is none, and publishers may not use it (C2).
const NEVER_SEEN: &str = "urn:ff:unreadable";

fn never_seen() -> EventId {
    EventId::parse(NEVER_SEEN).expect("it has no line end")
}

/// The field that presents it, and in 0.x the one that answers.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[cfg(test)]
mod tests;
