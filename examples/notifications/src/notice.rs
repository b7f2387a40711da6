//! What is sent, and to whom. It travels through Redis as JSON.

use anyhow::Context;
use fanfare_broker::{Publication, Topic};
use fanfare_wire::{Event, EventType};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The topic of what is for everybody.
pub(crate) const EVERYBODY: &str = "broadcast";

/// The topic of what is for `user` alone.
pub(crate) fn topic_of(user: &str) -> String {
    format!("user/{user}")
}

/// Something to send: `{"userId": "alice", "event": "update", "data": …}`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notice {
    /// Whom it is for; absent: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<String>,
    /// The event's type; absent: what a page gets in `onmessage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    /// Any JSON, kept as it was written.
    pub(crate) data: Box<RawValue>,
}

impl Notice {
    /// What the hub delivers.
    ///
    /// A string without a type goes out as its text, all else as JSON.
    ///
    /// # Errors
    ///
    /// The user's name or the type cannot be one.
    pub(crate) fn publication(&self) -> anyhow::Result<Publication> {
        let json = self.data.get();
        let mut event = match (&self.event, serde_json::from_str::<String>(json)) {
            (None, Ok(text)) => Event::new(text),
            _ => Event::new(json),
        };
        if let Some(event_type) = &self.event {
            event.event_type = Some(EventType::parse(event_type).context("`event` is no type")?);
        }
        let Some(user) = &self.user_id else {
            return Ok(Publication::new(Topic::parse(EVERYBODY)?, event));
        };
        let topic = Topic::parse(&topic_of(user)).context("`userId` is no name")?;
        Ok(Publication::new(topic, event).private())
    }
}
