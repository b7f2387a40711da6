//! Who is there: told when somebody asks, a bounded number of places at a time.

use std::time::Instant;

use super::{Shard, Subscriber, Wait};
use crate::sink::Sink;
use crate::survey::{Found, Lagging, Surveyed};
use crate::wheel::Tick;

impl<S: Sink> Shard<S> {
    /// Up to `limit` subscribers at places from `from` on.
    pub(crate) fn survey(&mut self, from: usize, limit: usize, now: Instant) -> Found {
        self.now = self.clock.tick(now);
        let mut subscribers = Vec::new();
        let end = self.subscribers.capacity();
        let stop = end.min(from.saturating_add(LOOKED_AT_MAX));
        let mut place = from;
        while place < stop && subscribers.len() < limit {
            let subscriber = self.subscribers.get(place);
            subscribers.extend(subscriber.and_then(|it| self.surveyed(it)));
            place += 1;
        }
        Found {
            subscribers,
            next: (place < end).then_some(place),
        }
    }

    fn surveyed(&self, subscriber: &Subscriber<S>) -> Option<Surveyed> {
        let (now, head) = (self.now, self.next);
        let kind = &self.groups.get(subscriber.group)?.kind;
        let lag = subscriber.lag.as_deref().map(|lag| Lagging {
            behind: head.saturating_sub(lag.next),
            held_bytes: lag.rest.len(),
            stuck: now.since(lag.progress_at),
            waits_for: match lag.wait {
                Wait::Turn => "turn",
                Wait::Sink => "sink",
                Wait::History => "history",
                Wait::Tail => "tail",
            },
        });
        let ends_at = subscriber.ends_at;
        Some(Surveyed {
            shard: self.reader,
            number: subscriber.generation,
            selectors: kind.selectors.clone(),
            sees_private: !kind.grant.is_empty(),
            age: now.since(subscriber.since),
            ends_in: (ends_at != Tick::NEVER).then(|| ends_at.since(now)),
            address: subscriber.sink.address(),
            owns_socket: subscriber.sink.is_socket(),
            lag,
            guest: subscriber.guest.as_ref().map(|guest| guest.id()),
        })
    }
}

/// Places that one turn looks at, so that a survey holds up no delivery: each may cost a system
/// call for its address.
const LOOKED_AT_MAX: usize = 1024;
