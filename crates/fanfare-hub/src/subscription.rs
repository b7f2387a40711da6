//! What a subscriber asks for and may see.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fanfare_broker::{ReadError, Selectors};
use fanfare_wire::EventId;

use crate::guest::Guest;

/// What a subscriber asks for, what it may see, and where to start.
#[derive(Debug)]
#[non_exhaustive]
pub struct Subscription {
    /// Topics it asks for.
    pub selectors: Selectors,
    /// Private events it may see: those with a topic that one of these matches. Empty: none.
    pub grant: Selectors,
    /// Private events with a topic that one of these matches are never sent, even if granted.
    /// Default: none.
    pub hidden: Selectors,
    /// The last id it has seen, or `earliest` for all that is retained; `None`: from now on.
    pub last_event_id: Option<EventId>,
    /// How it learns of a stretch of history that is gone.
    pub gap_signal: GapSignal,
    /// What fills silence. Default: [`Heartbeat::Comment`].
    pub heartbeat: Heartbeat,
    /// Whether it is told, by one event of type `fanfare-live`, when it first has everything that
    /// there is (SRV-15). Default: no.
    pub tells_live: bool,
    /// When it must be closed at the latest, for instance because its token ends.
    pub ends_at: Option<Instant>,
    /// Where it is, for whoever asks who is connected; a socket knows by itself. Default: unknown.
    pub address: Option<SocketAddr>,
    /// Its entry in the application's book; kept as long as the subscriber is there.
    pub guest: Option<Guest>,
}

impl Subscription {
    /// Asks for `selectors` from now on: public events only.
    #[must_use]
    pub fn new(selectors: Selectors) -> Self {
        Self {
            selectors,
            grant: Selectors::default(),
            hidden: Selectors::default(),
            last_event_id: None,
            gap_signal: GapSignal::Event,
            heartbeat: Heartbeat::Comment,
            tells_live: false,
            ends_at: None,
            address: None,
            guest: None,
        }
    }
}

/// How a subscriber learns of a gap (C7, C8).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "C8 knows these two")]
pub enum GapSignal {
    /// By an event of type `fanfare-gap`, at the start and in mid-stream.
    Event,
    /// By the answer's cursor alone; a gap in mid-stream ends the stream, so that the subscriber
    /// returns and reads it there.
    Cursor,
}

/// What a subscriber is sent in silence (SRV-15).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Heartbeat {
    /// A comment, which keeps proxies awake and which no page can see.
    Comment,
    /// An event of type `fanfare-heartbeat`, and one at the start: it says how often they come, so
    /// that a reader can tell a quiet hub from a dead connection.
    Event,
}

/// Why a subscriber was not admitted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// [`crate::Config::subscribers_max`] is reached.
    #[error("the hub has its {subscribers_max} subscribers")]
    TooMany {
        /// The limit.
        subscribers_max: usize,
    },
    /// The hub is draining; another node, or this one later, will take it.
    #[error("the hub is draining")]
    Draining {
        /// How long to wait before coming back.
        retry_after: Duration,
    },
    /// The broker could not tell where `last_event_id` stands.
    #[error("the place to resume from could not be found")]
    Broker(#[from] ReadError),
}
