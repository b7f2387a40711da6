//! One thing to tell the receiver.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::timestamp::rfc3339;

/// That a topic got its first subscriber, or lost its last one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Notice {
    pub(super) topic: Arc<str>,
    pub(super) state: State,
    /// The change's number, the same for all attempts to tell it and for nothing else.
    pub(super) change: u64,
    /// When it changed, later than every change before.
    pub(super) changed_at: SystemTime,
}

/// Whether a topic has subscribers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
pub(super) enum State {
    #[serde(rename = "topic.occupied")]
    Occupied,
    #[serde(rename = "topic.vacated")]
    Vacated,
}

impl Notice {
    /// The request's body, in the shape that Standard Webhooks recommends ("Payload structure").
    pub(super) fn body(&self) -> String {
        let body = Body {
            state: self.state,
            timestamp: rfc3339(self.changed_at),
            data: Data { topic: &self.topic },
        };
        serde_json::to_string(&body).expect("texts are always JSON")
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    state: State,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    topic: &'a str,
}
