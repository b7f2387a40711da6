//! Who is connected, asked of the shards a page at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Selectors;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::inbox::{Command, Inbox};

/// A page of a hub's subscribers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// Those that it found, in no particular order.
    pub subscribers: Vec<Surveyed>,
    /// Where the next page begins; `None`: there are no more.
    pub next: Option<u64>,
}

/// One subscriber, as it was when its shard looked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Surveyed {
    /// Its shard.
    pub shard: usize,
    /// Its number among all that this shard ever had; the two name it.
    pub number: u32,
    /// What it asks for.
    pub selectors: Selectors,
    /// Whether it may see private events of some topic.
    pub sees_private: bool,
    /// How long it has been there, to a tenth of a second.
    pub age: Duration,
    /// How long until it is ended at the latest; `None`: nothing ends it.
    pub ends_in: Option<Duration>,
    /// Where it is, as far as the hub knows.
    pub address: Option<SocketAddr>,
    /// Whether a shard owns its socket; otherwise it reads a stream.
    pub owns_socket: bool,
    /// `None`: it is live, and has everything.
    pub lag: Option<Lagging>,
    /// The id of its guest, if it has one.
    pub guest: Option<u64>,
}

/// How far behind a subscriber is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Lagging {
    /// Events of the hub's order that it has not come to, whether it wants them or not.
    pub behind: u64,
    /// Bytes that it has begun to take, and not taken.
    pub held_bytes: usize,
    /// How long ago it last took something, or was given something to take.
    pub stuck: Duration,
    /// What it waits for: its `turn`, room in its `sink`, a slice of `history`, or the `tail`.
    pub waits_for: &'static str,
}

/// What one shard found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) subscribers: Vec<Surveyed>,
    /// The place to go on from; `None`: that was its last.
    pub(crate) next: Option<usize>,
}

/// Asks the shards behind `inboxes`, one after the other, from `from` on.
pub(crate) async fn survey(inboxes: &[Arc<Inbox>], from: u64, limit: usize) -> Survey {
    let limit = limit.clamp(1, SURVEYED_MAX);
    let (mut shard, mut place) = apart(from);
    let mut survey = Survey::default();
    while let Some(inbox) = inboxes.get(shard) {
        let left = limit - survey.subscribers.len();
        if left == 0 {
            survey.next = Some((shard as u64) << 32 | place as u64);
            break;
        }
        let (answer, answered) = oneshot::channel();
        inbox.send(Command::Survey {
            from: place,
            limit: left,
            answer,
        });
        // A shard that has stopped has nobody, and does not say so.
        let found = timeout(ANSWER_TIMEOUT, answered).await;
        let found = found.ok().and_then(Result::ok);
        let next = found.as_ref().and_then(|found| found.next);
        survey
            .subscribers
            .extend(found.into_iter().flat_map(|found| found.subscribers));
        (shard, place) = match next {
            Some(next) => (shard, next),
            None => (shard + 1, 0),
        };
    }
    survey
}

/// A shard, and a place in it.
fn apart(from: u64) -> (usize, usize) {
    let number = |it| usize::try_from(it).unwrap_or(usize::MAX);
    (number(from >> 32), number(from & u64::from(u32::MAX)))
}

/// Subscribers in one page at most.
const SURVEYED_MAX: usize = 1000;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
