//! A crowd of subscribers and its publishers: load on a hub, with every single event accounted for.
//!
//! One thread and one poll own all connections. A [`Target`] says how requests are worded, a
//! [`Crowd`] opens the connections and runs at a [`Pace`], and a [`Report`] says what was lost,
//! doubled or out of order, and how long events took. Fanfare itself is not involved, so the same
//! load drives the hub, a bare loop of `write(2)` and any Mercure hub.

mod answer;
mod chunks;
mod crowd;
mod latency;
mod ledger;
mod payload;
mod publisher;
mod report;
mod subscriber;
mod target;
mod wire;

use std::io;
use std::time::Duration;

pub use crowd::Crowd;
pub use latency::Latency;
pub use report::{Progress, Report};
pub use target::{InvalidTarget, Target};

/// The size of a crowd; assign what differs from the default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Subscribers, at least 1. Default 1,000.
    pub subscribers: usize,
    /// Topics, 1 to `subscribers`; subscriber `i` has topic `i % topics`. Default 1.
    pub topics: usize,
    /// Publishers' connections, at least 1, each with one request under way at most. Default 16.
    pub publishers: usize,
    /// Bytes of an event's data, at least 64. Default 200.
    pub event_bytes: usize,
    /// Whether events are private; subscribers then need a grant for their topics. Default: no.
    pub private: bool,
    /// URI Templates by which subscribers ask for each topic, in turns; zero: by its name. Default
    /// zero.
    pub templates: usize,
    /// How long nothing may move before what is missing counts as lost. Default 10 s.
    pub settle_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            subscribers: 1000,
            topics: 1,
            publishers: 16,
            event_bytes: 200,
            private: false,
            templates: 0,
            settle_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    fn check(&self) -> Result<(), LoadError> {
        let rules = [
            (self.subscribers >= 1, "subscribers", "at least 1"),
            (
                (1..=self.subscribers).contains(&self.topics),
                "topics",
                "at least 1, and at most as many as subscribers",
            ),
            (self.publishers >= 1, "publishers", "at least 1"),
            (
                self.event_bytes >= payload::BYTES_MIN,
                "event_bytes",
                "at least 64",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, field, must_be)) => Err(LoadError::Config { field, must_be }),
            None => Ok(()),
        }
    }
}

/// When the next event is published.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "closed loop and open loop")]
pub enum Pace {
    /// Closed loop: every publisher publishes one event, and the next round begins once every
    /// subscriber has all of them. [`Config::publishers`] is the number in flight.
    Rounds,
    /// Open loop: so many events in a second, whether or not the last ones have arrived.
    ///
    /// An event's time counts from the moment it was due, so a hub that holds up the publishers
    /// does not look better for it.
    Rate(f64),
}

/// Why load could not be put on a hub, or not to the end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A field of [`Config`] is out of range.
    #[error("`{field}` must be {must_be}")]
    Config {
        /// The field's name.
        field: &'static str,
        /// What would be right.
        must_be: &'static str,
    },
    /// This machine gives no further socket or poll; mostly the limit of open files.
    #[error("no further socket; `ulimit -n` must be above the number of subscribers")]
    Socket(#[source] io::Error),
    /// The hub's address takes no connection.
    #[error("the hub takes no connection")]
    Connect(#[source] io::Error),
    /// The hub refused a subscriber or a publisher.
    #[error("the hub refused to {what} with status {status}: {said}")]
    Refused {
        /// What was asked: `subscribe` or `publish`.
        what: &'static str,
        /// The answer's status.
        status: u16,
        /// The beginning of its body.
        said: String,
    },
    /// What came is not an answer of HTTP/1.1.
    #[error("the hub's answer to a {what} is no HTTP/1.1")]
    Malformed {
        /// What was asked: `subscribe` or `publish`.
        what: &'static str,
    },
    /// A publisher's connection broke while its request was under way.
    #[error("a publisher's connection broke")]
    Broken(#[source] io::Error),
    /// Connections or answers did not come for [`Config::settle_timeout`].
    #[error("nothing moved for {waited:?}: {open} of {subscribers} subscribers are open")]
    Stuck {
        /// How long nothing happened.
        waited: Duration,
        /// Subscribers whose stream has begun.
        open: usize,
        /// Subscribers asked for.
        subscribers: usize,
    },
}
