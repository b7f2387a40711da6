//! The lines of a recorded run: what was asked of a hub, and what it was seen to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::selector::Selector;

/// One line of a recorded run, in the order in which things came to be known.
///
/// A run begins with [`Line::Begin`] and the subscribers, and ends with the final history. Times
/// are microseconds since the run began. As NDJSON, each line is one object; its member `line`
/// says which of these it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Line {
    /// What the run is judged by.
    Begin {
        /// Microseconds that a delivery may take.
        bound: u64,
        /// The newest events that the hub says it keeps; `None`: all.
        retains: Option<u64>,
    },
    /// Somebody who listens.
    Subscriber {
        /// Number of the subscriber, from 0.
        s: u32,
        /// For people.
        name: String,
        /// What it asks for.
        selectors: Vec<Selector>,
        /// What its token lets it see of private events.
        grant: Vec<Selector>,
    },
    /// A publisher is about to send an event.
    Invoke {
        /// When.
        at: u64,
        /// What is sent.
        #[serde(flatten)]
        payload: Payload,
        /// Where to; the first is canonical.
        topics: Vec<String>,
        /// Only for those whose grant covers one of the topics.
        private: bool,
        /// It may be sent more than once, always with one `Idempotency-Key`.
        keyed: bool,
    },
    /// The publisher knows what has become of it.
    Outcome {
        /// When.
        at: u64,
        /// Which event.
        #[serde(flatten)]
        event: EventKey,
        /// What is known of it.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// A subscriber's stream has begun.
    Connect {
        /// When.
        at: u64,
        /// Number of the subscriber.
        s: u32,
        /// Number of the connection: of this subscriber, from 1.
        c: u32,
        /// The id that it asked to go on from.
        from: Option<String>,
        /// The id that the hub says it goes on from.
        answered: Option<String>,
    },
    /// A subscriber got an event.
    Event {
        /// When.
        at: u64,
        /// Number of the subscriber.
        s: u32,
        /// Number of its connection.
        c: u32,
        /// The event's id.
        id: String,
        /// The event's data.
        #[serde(flatten)]
        payload: Payload,
    },
    /// A subscriber was told of a gap by an event.
    Gap {
        /// When.
        at: u64,
        /// Number of the subscriber.
        s: u32,
        /// Number of its connection.
        c: u32,
        /// The last id before the gap.
        from: String,
        /// The reason that the hub gives.
        reason: String,
    },
    /// A subscriber that was kept away is let back.
    Released {
        /// When.
        at: u64,
        /// Number of the subscriber.
        s: u32,
    },
    /// The hub was killed.
    Killed {
        /// When.
        at: u64,
    },
    /// The hub's program was started again.
    Restarted {
        /// When.
        at: u64,
    },
    /// The hub takes connections again, after it took none.
    Healed {
        /// When.
        at: u64,
    },
    /// From here on new events are published again.
    Reopened {
        /// When.
        at: u64,
    },
    /// All is over; what is not delivered now was not delivered.
    End {
        /// When.
        at: u64,
    },
    /// The reader of record has begun to read the final history.
    Read {
        /// The id that it asked to go on from.
        from: String,
        /// The id that the hub says it goes on from.
        answered: Option<String>,
    },
    /// The next event of the final history.
    History {
        /// The event's id.
        id: String,
        /// The event's data.
        #[serde(flatten)]
        payload: Payload,
    },
    /// The final history has ended.
    ReadEnd {
        /// Events between the others that this run did not publish.
        foreign: u64,
    },
}

/// The data of an event.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "it is the format of the data")]
pub struct Payload {
    /// The worker that published it.
    pub w: u32,
    /// +1 for each event of this worker, from 1.
    pub n: u32,
    /// A hash over all that was published.
    pub h: String,
}

/// Names an event: the worker that published it, and its number there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "it is the format of the data")]
pub struct EventKey {
    /// The worker.
    pub w: u32,
    /// The number.
    pub n: u32,
}

/// What a publisher knows of an event that it has sent (O1).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "there are three by nature")]
pub enum Outcome {
    /// Stored, under this id.
    Ok {
        /// The event's id.
        id: String,
    },
    /// Not stored.
    No,
    /// Stored or not, nobody can tell.
    Unknown,
}

impl Payload {
    /// The event's name.
    #[must_use]
    pub fn key(&self) -> EventKey {
        let &Self { w, n, .. } = self;
        EventKey { w, n }
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.w, self.n)
    }
}
