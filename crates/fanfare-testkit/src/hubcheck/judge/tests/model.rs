//! A hub that does everything right, simulated under a seed.

use std::collections::VecDeque;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::hubcheck::line::{EventKey, Line, Outcome, Payload};
use crate::hubcheck::selector::{Selector, any_matches};

/// A recorded run of an honest hub.
pub(super) fn run(seed: u64) -> Vec<Line> {
    let mut world = World::new(seed);
    for _ in 0..200 {
        world.step();
    }
    world.finish()
}

struct World {
    random: SmallRng,
    at: u64,
    lines: Vec<Line>,
    history: Vec<Event>,
    /// The last event of each worker that has been sent, until it is answered.
    workers: Vec<(u32, Option<Line>)>,
    /// Events whose publisher gave up, and which may still be stored.
    late: VecDeque<Event>,
    seats: Vec<Seat>,
}

#[derive(Clone)]
struct Event {
    id: String,
    payload: Payload,
    topics: Vec<String>,
    private: bool,
}

struct Seat {
    selectors: Vec<Selector>,
    grant: Vec<Selector>,
    connection: u32,
    connected: bool,
    /// How much of the history it has read.
    read: usize,
    last: Option<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let seats = [("*", "*"), ("*", ""), ("a", "b"), ("{x}", "a"), ("b", "")];
        let selectors = |text: &str| match text {
            "" => Vec::new(),
            text => vec![Selector::from(text.to_owned())],
        };
        let mut world = Self {
            random: SmallRng::seed_from_u64(seed),
            at: 0,
            lines: vec![Line::Begin {
                bound: 1_000_000_000,
                retains: None,
            }],
            history: Vec::new(),
            workers: vec![(0, None); 3],
            late: VecDeque::new(),
            seats: Vec::new(),
        };
        for (s, (asked, grant)) in (0..).zip(seats) {
            let (selectors, grant) = (selectors(asked), selectors(grant));
            world.lines.push(Line::Subscriber {
                s,
                name: format!("{asked} with {grant:?}"),
                selectors: selectors.clone(),
                grant: grant.clone(),
            });
            world.seats.push(Seat {
                selectors,
                grant,
                connection: 0,
                connected: false,
                read: 0,
                last: None,
            });
        }
        world
    }

    fn step(&mut self) {
        self.at += 1000;
        match self.random.random_range(0..10) {
            0..4 => self.publish(),
            4 => {
                let seat = self.random.random_range(0..self.seats.len());
                self.seats[seat].connected = false;
            }
            5 if !self.late.is_empty() => self.history.extend(self.late.pop_front()),
            _ => {
                let seat = self.random.random_range(0..self.seats.len());
                let count = self.random.random_range(0..5);
                self.read(seat, count);
            }
        }
    }

    /// Sends a worker's next event, or answers the one that it has sent.
    fn publish(&mut self) {
        let w = self.random.random_range(0..self.workers.len());
        let at = self.at;
        if let Some(outcome) = self.workers[w].1.take() {
            self.lines.push(outcome);
            return;
        }
        self.workers[w].0 += 1;
        let key = EventKey {
            w: u32::try_from(w).unwrap(),
            n: self.workers[w].0,
        };
        let event = self.event(key);
        self.lines.push(Line::Invoke {
            at,
            payload: event.payload.clone(),
            topics: event.topics.clone(),
            private: event.private,
            keyed: false,
        });
        let outcome = match self.random.random_range(0..10) {
            0 => Outcome::No,
            1 => {
                self.late.push_back(event);
                Outcome::Unknown
            }
            2 => {
                self.history.push(event);
                Outcome::Unknown
            }
            _ => {
                let id = event.id.clone();
                self.history.push(event);
                Outcome::Ok { id }
            }
        };
        let event = key;
        self.workers[w].1 = Some(Line::Outcome { at, event, outcome });
    }

    fn event(&mut self, key: EventKey) -> Event {
        let topics: &[&str] = match self.random.random_range(0..4) {
            0 => &["a"],
            1 => &["b"],
            2 => &["a", "b"],
            _ => &["c:d"],
        };
        let EventKey { w, n } = key;
        Event {
            id: format!("id-{key}"),
            payload: Payload {
                w,
                n,
                h: format!("hash of {key}"),
            },
            topics: topics.iter().map(ToString::to_string).collect(),
            private: self.random.random_bool(0.3),
        }
    }

    /// Lets a subscriber come back if it is gone, and read on.
    fn read(&mut self, number: usize, count: usize) {
        let at = self.at;
        let seat = &mut self.seats[number];
        let s = u32::try_from(number).unwrap();
        if !seat.connected {
            seat.connected = true;
            seat.connection += 1;
            if seat.last.is_none() {
                seat.read = self.history.len();
            }
            self.lines.push(Line::Connect {
                at,
                s,
                c: seat.connection,
                from: seat.last.clone(),
                answered: seat.last.clone(),
            });
        }
        for event in self.history.iter().skip(seat.read).take(count) {
            seat.read += 1;
            let granted = !event.private || any_matches(&seat.grant, &event.topics);
            if granted && any_matches(&seat.selectors, &event.topics) {
                seat.last = Some(event.id.clone());
                self.lines.push(Line::Event {
                    at,
                    s,
                    c: seat.connection,
                    id: event.id.clone(),
                    payload: event.payload.clone(),
                });
            }
        }
    }

    fn finish(mut self) -> Vec<Line> {
        self.history.extend(std::mem::take(&mut self.late));
        for w in 0..self.workers.len() {
            self.lines.extend(self.workers[w].1.take());
        }
        for seat in 0..self.seats.len() {
            self.read(seat, usize::MAX);
        }
        self.lines.push(Line::End { at: self.at });
        for Event { id, payload, .. } in self.history {
            self.lines.push(Line::History { id, payload });
        }
        self.lines.push(Line::ReadEnd { foreign: 0 });
        self.lines
    }
}
