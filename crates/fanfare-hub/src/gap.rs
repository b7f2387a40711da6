//! The gap signal: a stretch of history that is gone is said aloud (C7).

use fanfare_broker::{Cursor, Frame};
use fanfare_wire::{Event, EventId, EventType};

/// Why a stretch of history cannot be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum GapReason {
    /// It is older than what is retained.
    Trimmed,
    /// The subscriber's past is not ours any more.
    Diverged,
    /// The id it presented was never seen, or is no longer known.
    Unknown,
    /// It is retained but cannot be read.
    Damaged,
}

impl GapReason {
    /// All reasons, in the order of their metrics.
    pub(crate) const ALL: [Self; 4] = [Self::Trimmed, Self::Diverged, Self::Unknown, Self::Damaged];

    /// The word on the wire and in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::Diverged => "diverged",
            Self::Unknown => "unknown",
            Self::Damaged => "damaged",
        }
    }
}

/// What is said of a gap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gap {
    /// The id that the subscriber presented, or the last that it can have seen.
    pub(crate) from: EventId,
    /// The id just before the next record, or `earliest`.
    pub(crate) to: EventId,
    /// Why.
    pub(crate) reason: GapReason,
}

impl Gap {
    /// The event `fanfare-gap`, whose id moves the subscriber's cursor past the gap.
    pub(crate) fn frame(&self) -> Frame {
        let json = serde_json::Value::from;
        let mut event = Event::new(format!(
            r#"{{"from":{},"to":{},"reason":{}}}"#,
            json(self.from.as_str()),
            json(self.to.as_str()),
            json(self.reason.as_str()),
        ));
        event.event_type = EventType::parse("fanfare-gap").ok();
        event.id = Some(self.to.clone());
        Frame::new(&event)
    }
}

/// The id of the place at `offset`, or `earliest` before the first.
pub(crate) fn id_at(cursor: Option<Cursor>) -> EventId {
    match cursor {
        Some(cursor) if cursor.offset > 0 => cursor.id(),
        _ => EventId::parse(EARLIEST).unwrap_or_default(),
    }
}

/// The word for the place before the first retained record (C5).
pub(crate) const EARLIEST: &str = "earliest";
