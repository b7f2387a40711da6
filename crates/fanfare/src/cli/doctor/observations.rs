//! What was seen of a hub through whatever stands in front of it; no opinion yet.

use std::time::Duration;

use http::{HeaderMap, StatusCode, Version};

/// All that one examination saw.
#[derive(Debug)]
pub(super) struct Observations {
    /// Whether the URL says `https`.
    pub(super) tls: bool,
    /// Whether the URL's host is this machine.
    pub(super) here: bool,
    /// Whether requests carried a token.
    pub(super) token: bool,
    /// The origin that requests carried, if it was asked for.
    pub(super) origin: Option<String>,
    /// How long anything that should come at once was waited for.
    pub(super) patience: Duration,
    pub(super) opening: Opening,
    pub(super) encoded: Option<Encoded>,
    /// When the first byte of the body came, from the head on; `None`: not within `patience`, or
    /// there was no body to read.
    pub(super) first_byte: Option<Duration>,
    pub(super) publishing: Publishing,
    /// Events to the plain topic, in the order in which they were published.
    pub(super) deliveries: Vec<Delivery>,
    /// The event to a topic whose name needs every kind of escape in a URL.
    pub(super) awkward: Option<Delivery>,
    pub(super) resumed: Option<Resumed>,
    pub(super) idle: Option<Idle>,
}

/// How the first request for a stream was answered.
#[derive(Debug)]
pub(super) enum Opening {
    /// With this head, within the patience.
    Answered(Head),
    /// The connection was made and the request taken, but nothing came back.
    Held,
}

/// The head of an answer; `text` is the beginning of its body unless it was a stream.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

/// A stream that came compressed, as browsers offer to take it.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) coding: String,
    /// Whether bytes moved once an event was published; `None`: it could not be.
    pub(super) moved: Option<bool>,
    /// Whether a client that offers no compression gets it too: then nothing else can be seen.
    pub(super) always: bool,
}

/// How publishing went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Publishing {
    Stored,
    Refused {
        status: StatusCode,
        text: String,
    },
    /// Taken, and not answered in time, or the connection broke.
    Unanswered,
    /// There was no stream to see events on.
    NotTried,
}

/// When an event came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Delivery {
    /// So long after its publish was answered, before the next one was published.
    AtOnce(Duration),
    /// Only after a later one had been published.
    Late,
    Never,
}

/// What a reconnection with the last id got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Resumed {
    /// The missed event, first of all.
    Exactly,
    /// Word of a gap.
    Gap,
    /// Another event than the one that was missed.
    Otherwise,
    /// Nothing with the header `Last-Event-ID`, but the missed event with the id in the query.
    ByQueryOnly,
    /// Nothing, by header and by query.
    Nothing,
    /// The second request was refused, or not answered.
    Refused,
}

/// A stream on which nothing was published.
#[derive(Debug)]
pub(super) struct Idle {
    /// How long it was to be watched.
    pub(super) planned: Duration,
    /// Comments and heartbeat events.
    pub(super) heartbeats: usize,
    /// The longest silence between two of its bytes.
    pub(super) silence_max: Duration,
    /// How it ended, if it did.
    pub(super) end: Option<End>,
    /// Whether an event published afterwards still came; `None`: it could not be published.
    pub(super) event_after: Option<bool>,
}

/// The end of a stream that was to go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Since the stream was asked for.
    pub(super) age: Duration,
    /// Since its last byte.
    pub(super) silence: Duration,
}
