//! The lines of a run, put in order for judging.

use std::collections::{BTreeMap, HashMap};

use crate::hubcheck::line::{EventKey, Line, Outcome, Payload};
use crate::hubcheck::selector::{Selector, any_matches};

/// A run by events, subscribers and places.
#[derive(Debug)]
pub(super) struct Books<'a> {
    /// Microseconds that a delivery may take.
    pub(super) bound: u64,
    /// The newest events that the hub says it keeps; `None`: all.
    pub(super) retains: Option<u64>,
    /// By event, and so in the order of each worker's numbers.
    pub(super) published: BTreeMap<EventKey, Published<'a>>,
    pub(super) seats: BTreeMap<u32, Seat<'a>>,
    /// The final history, oldest first.
    pub(super) history: Vec<Stored<'a>>,
    /// Where in `history` an event stands first.
    pub(super) places: HashMap<EventKey, usize>,
    /// Where in `history` an id stands first.
    pub(super) ids: HashMap<&'a str, usize>,
    /// Events in the history that the run did not publish.
    pub(super) foreign: u64,
    /// When the hub came back, each time.
    pub(super) healed: Vec<u64>,
    /// When all was over.
    pub(super) ended: u64,
}

/// An event as its publisher sent it.
#[derive(Debug)]
pub(super) struct Published<'a> {
    pub(super) hash: &'a str,
    pub(super) topics: &'a [String],
    pub(super) private: bool,
    pub(super) outcome: &'a Outcome,
    /// The line that says so: the order of lines is the order of time.
    pub(super) invoked: usize,
    /// The line of the outcome; `usize::MAX` without one.
    pub(super) completed: usize,
    /// When the outcome was known, or else when it was sent.
    pub(super) settled_at: u64,
}

/// An event as the final history has it.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    pub(super) id: &'a str,
    pub(super) payload: &'a Payload,
}

/// A subscriber and all that came to it, in order.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    pub(super) name: &'a str,
    selectors: &'a [Selector],
    grant: &'a [Selector],
    /// When, and at which line, its first stream began.
    pub(super) joined: Option<(u64, usize)>,
    pub(super) heard: Vec<Heard<'a>>,
    /// When it was let back after it had been kept away, each time.
    released: Vec<u64>,
}

/// What came to a subscriber.
#[derive(Debug)]
pub(super) enum Heard<'a> {
    Event {
        at: u64,
        id: &'a str,
        payload: &'a Payload,
    },
    /// It was told that events behind `from` are missing.
    Signal { from: &'a str, damaged: bool },
}

impl<'a> Books<'a> {
    pub(super) fn open(run: &'a [Line]) -> Self {
        let mut books = Self {
            bound: u64::MAX,
            retains: None,
            published: BTreeMap::new(),
            seats: BTreeMap::new(),
            history: Vec::new(),
            places: HashMap::new(),
            ids: HashMap::new(),
            foreign: 0,
            healed: Vec::new(),
            ended: 0,
        };
        for (number, line) in run.iter().enumerate() {
            books.enter(number, line);
        }
        books
    }

    fn enter(&mut self, number: usize, line: &'a Line) {
        match line {
            Line::Begin { bound, retains } => {
                self.bound = *bound;
                self.retains = *retains;
            }
            Line::Invoke { .. } | Line::Outcome { .. } => self.enter_ledger(number, line),
            Line::Subscriber {
                s,
                name,
                selectors,
                grant,
            } => {
                let seat = Seat {
                    name,
                    selectors,
                    grant,
                    joined: None,
                    heard: Vec::new(),
                    released: Vec::new(),
                };
                self.seats.insert(*s, seat);
            }
            Line::Connect { s, .. }
            | Line::Event { s, .. }
            | Line::Gap { s, .. }
            | Line::Released { s, .. } => {
                if let Some(seat) = self.seats.get_mut(s) {
                    seat.enter(number, line);
                }
            }
            Line::Healed { at } => self.healed.push(*at),
            Line::End { at } => self.ended = *at,
            Line::History { id, payload } => {
                let place = self.history.len();
                self.places.entry(payload.key()).or_insert(place);
                self.ids.entry(id).or_insert(place);
                self.history.push(Stored { id, payload });
            }
            Line::ReadEnd { foreign } => self.foreign = *foreign,
            Line::Killed { .. }
            | Line::Restarted { .. }
            | Line::Reopened { .. }
            | Line::Read { .. } => {}
        }
    }

    fn enter_ledger(&mut self, number: usize, line: &'a Line) {
        match line {
            Line::Invoke {
                at,
                payload,
                topics,
                private,
                ..
            } => {
                let published = Published {
                    hash: &payload.h,
                    topics,
                    private: *private,
                    outcome: &Outcome::Unknown,
                    invoked: number,
                    completed: usize::MAX,
                    settled_at: *at,
                };
                self.published.insert(payload.key(), published);
            }
            Line::Outcome { at, event, outcome } => {
                if let Some(published) = self.published.get_mut(event) {
                    published.outcome = outcome;
                    published.completed = number;
                    published.settled_at = *at;
                }
            }
            _ => {}
        }
    }

    /// When both hub and `seat` were last back, as of `at`; 0 if they were never gone.
    pub(super) fn back_before(&self, seat: &Seat<'_>, at: u64) -> u64 {
        let last = |times: &[u64]| times.iter().rev().find(|back| **back <= at).copied();
        last(&self.healed).max(last(&seat.released)).unwrap_or(0)
    }

    /// Whether `seat` may see what stands at `place` of the history.
    pub(super) fn may_see(&self, seat: &Seat<'_>, place: usize) -> bool {
        let stored = self.history.get(place);
        let published = stored.and_then(|stored| self.published.get(&stored.payload.key()));
        published.is_some_and(|published| seat.may_see(published))
    }

    /// Why `payload` is not what was published under its name; `None` if it is.
    pub(super) fn phantom(&self, payload: &Payload) -> Option<&'static str> {
        match self.published.get(&payload.key()) {
            None => Some("was never published"),
            Some(published) if published.hash != payload.h => Some("is not as it was published"),
            Some(published) if *published.outcome == Outcome::No => Some("was refused"),
            Some(_) => None,
        }
    }
}

impl Published<'_> {
    pub(super) fn is_acknowledged(&self) -> bool {
        matches!(self.outcome, Outcome::Ok { .. })
    }
}

impl<'a> Seat<'a> {
    fn enter(&mut self, number: usize, line: &'a Line) {
        match line {
            Line::Connect {
                at, from, answered, ..
            } => {
                self.joined.get_or_insert((*at, number));
                if let (Some(from), Some(answered)) = (from, answered)
                    && from != answered
                    && from != "earliest"
                {
                    let damaged = false;
                    self.heard.push(Heard::Signal { from, damaged });
                }
            }
            Line::Event {
                at, id, payload, ..
            } => self.heard.push(Heard::Event {
                at: *at,
                id,
                payload,
            }),
            Line::Gap { from, reason, .. } => {
                // The answer's header and the event that follows it are one signal.
                let told = self.heard.last().is_some_and(|last| match last {
                    Heard::Signal { from: told, .. } => told == from,
                    Heard::Event { .. } => false,
                });
                if told {
                    self.heard.pop();
                }
                let damaged = reason == "damaged";
                self.heard.push(Heard::Signal { from, damaged });
            }
            Line::Released { at, .. } => self.released.push(*at),
            _ => {}
        }
    }

    pub(super) fn may_see(&self, published: &Published<'_>) -> bool {
        let topics = published.topics;
        any_matches(self.selectors, topics)
            && (!published.private || any_matches(self.grant, topics))
    }

    pub(super) fn signals(&self) -> u64 {
        let is_signal = |heard: &&Heard<'_>| matches!(heard, Heard::Signal { .. });
        self.heard.iter().filter(is_signal).count() as u64
    }
}
