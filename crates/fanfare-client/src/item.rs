//! What a source hands out.

use std::fmt;
use std::time::Duration;

use fanfare_wire::EventId;
use http::HeaderMap;
use url::Url;

use crate::error::Cause;
use crate::mask::Masked;

/// One thing that an [`EventSource`](crate::EventSource) tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Item {
    /// A stream was opened.
    Open(Opened),
    /// An event.
    Event(Event),
    /// Events between two places are gone, or may be: the application should load its state anew.
    Gap(Gap),
    /// Catching up is over: from here on events are new. Hubs tell it with
    /// [`Config::signals`](crate::Config).
    Live,
    /// The connection was lost, or an attempt failed; there is one for each, until the last.
    Lost {
        /// What happened.
        cause: Cause,
        /// When the next attempt will be made.
        retry_in: Duration,
    },
    /// An event past [`Config::event_bytes_max`](crate::Config) was left out.
    Skipped {
        /// The limit that it went past.
        event_bytes_max: usize,
        /// Its id, if that came before the limit did.
        id: Option<EventId>,
    },
    /// A comment: everything after its colon. Only with [`Config::comments`](crate::Config).
    Comment(String),
    /// The last item.
    End(End),
}

/// An event as it was dispatched.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its type; `message` if it named none.
    pub event_type: String,
    /// Its data; every line end is LF.
    pub data: String,
    /// The source's last event id, this event's included; empty if there is none.
    ///
    /// Keep it once the event is handled, and pass it as
    /// [`Config::last_event_id`](crate::Config) after a crash (RC-12).
    pub last_event_id: EventId,
}

/// An opened stream.
#[derive(Clone)]
#[non_exhaustive]
pub struct Opened {
    /// Where it was found, after all redirects.
    pub url: Url,
    /// The answer's headers.
    pub headers: HeaderMap,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("url", &Masked(&self.url))
            .field("headers", &self.headers)
            .finish()
    }
}

/// A stretch of history that is gone.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Gap {
    /// The place that was presented, or the last one that was seen.
    pub from: String,
    /// Where the stream goes on, just after this place.
    pub to: String,
    /// Why, if the hub says so.
    pub reason: Option<GapReason>,
}

/// Why there is a gap.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum GapReason {
    /// What came after `from` is no longer kept.
    Trimmed,
    /// `from` is of a past that the hub lost.
    Diverged,
    /// The hub does not know `from`.
    Unknown,
    /// History is kept and cannot be read.
    Damaged,
    /// In the hub's own word.
    Other(String),
}

impl GapReason {
    /// The hub's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Trimmed => "trimmed",
            Self::Diverged => "diverged",
            Self::Unknown => "unknown",
            Self::Damaged => "damaged",
            Self::Other(word) => word,
        }
    }

    pub(crate) fn parse(text: String) -> Self {
        match text.as_str() {
            "trimmed" => Self::Trimmed,
            "diverged" => Self::Diverged,
            "unknown" => Self::Unknown,
            "damaged" => Self::Damaged,
            _ => Self::Other(text),
        }
    }
}

/// Why there will be no further item.
#[derive(Debug)]
#[non_exhaustive]
pub enum End {
    /// [`EventSource::close`](crate::EventSource::close) was called.
    Closed,
    /// The server has nothing more for this reader, ever: 204, or a judge's word.
    NoContent,
    /// Something that another attempt would not change.
    Failed(Cause),
    /// [`Config::attempts_max`](crate::Config) attempts in a row failed, the last one by this.
    GaveUp(Cause),
    /// An event went past [`Config::event_bytes_max`](crate::Config).
    TooLong {
        /// The limit that it went past.
        event_bytes_max: usize,
        /// Its id, if that came before the limit did.
        id: Option<EventId>,
    },
}
