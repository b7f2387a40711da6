//! Who has received what: finds every loss, double and disorder, exactly.

use super::payload::Payload;

/// The books of a crowd.
///
/// A topic's order is the order in which its events were first seen by anybody. Every subscriber
/// must see that same order, and every publisher's events must stand in it as they were published.
#[derive(Debug)]
pub(crate) struct Ledger {
    topics: Vec<Topic>,
    seats: Vec<Seat>,
    /// Deliveries that are still to come.
    pub(crate) outstanding: u64,
    pub(crate) received: u64,
    pub(crate) doubled: u64,
    pub(crate) reordered: u64,
}

/// A topic's events.
#[derive(Debug)]
struct Topic {
    members: u64,
    order: Vec<EventKey>,
    /// Each publisher's newest sequence number in `order`.
    newest: Vec<u32>,
}

/// A subscriber's place in its topic's order.
#[derive(Debug)]
struct Seat {
    topic: usize,
    /// Index in the order of what comes next.
    next: usize,
    /// Indexes before `next` that were skipped.
    missing: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct EventKey {
    publisher: u32,
    sequence: u32,
}

impl Ledger {
    /// Opens books for `subscribers`; subscriber `i` has topic `i % topics`.
    pub(crate) fn new(subscribers: usize, topics: usize, publishers: usize) -> Self {
        let mut ledger = Self {
            topics: (0..topics).map(|_| Topic::new(publishers)).collect(),
            seats: Vec::with_capacity(subscribers),
            outstanding: 0,
            received: 0,
            doubled: 0,
            reordered: 0,
        };
        for subscriber in 0..subscribers {
            let topic = subscriber % topics;
            if let Some(topic) = ledger.topics.get_mut(topic) {
                topic.members += 1;
            }
            ledger.seats.push(Seat {
                topic,
                next: 0,
                missing: Vec::new(),
            });
        }
        ledger
    }

    /// Starts counting anew; what is outstanding stays so.
    pub(crate) fn reset_counts(&mut self) {
        self.received = 0;
        self.doubled = 0;
        self.reordered = 0;
    }

    /// Expects one more event at every subscriber of `topic`.
    pub(crate) fn published(&mut self, topic: usize) {
        self.outstanding += self.topics.get(topic).map_or(0, |topic| topic.members);
    }

    /// Books what `subscriber` received.
    pub(crate) fn received(&mut self, subscriber: usize, payload: Payload) {
        let Some(seat) = self.seats.get_mut(subscriber) else {
            return;
        };
        let Some(topic) = self.topics.get_mut(seat.topic) else {
            return;
        };
        let key = EventKey {
            publisher: payload.publisher,
            sequence: payload.sequence,
        };
        let index = if topic.order.get(seat.next) == Some(&key) {
            seat.next
        } else {
            topic.find_or_append(key, &mut self.reordered)
        };
        if index >= seat.next {
            seat.missing.extend(seat.next..index);
            seat.next = index + 1;
        } else if let Some(late) = seat.missing.iter().position(|missing| *missing == index) {
            seat.missing.swap_remove(late);
            self.reordered += 1;
        } else {
            self.doubled += 1;
            return;
        }
        self.received += 1;
        self.outstanding = self.outstanding.saturating_sub(1);
    }
}

impl Topic {
    fn new(publishers: usize) -> Self {
        Self {
            members: 0,
            order: Vec::new(),
            newest: vec![0; publishers],
        }
    }

    /// Where `key` stands in the order; at its end, if nobody has seen it before.
    fn find_or_append(&mut self, key: EventKey, reordered: &mut u64) -> usize {
        let publisher = usize::try_from(key.publisher).unwrap_or(usize::MAX);
        let newer = match self.newest.get_mut(publisher) {
            Some(newest) if key.sequence > *newest => {
                *newest = key.sequence;
                true
            }
            _ => false,
        };
        if !newer {
            if let Some(index) = self.order.iter().rposition(|seen| *seen == key) {
                return index;
            }
            // New, and yet behind a younger one of its publisher.
            *reordered += 1;
        }
        self.order.push(key);
        self.order.len() - 1
    }
}

#[cfg(test)]
mod tests;
