//! Writes a run down as it happens, in one order, and tells who waits how far it has come.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::line::{EventKey, Line, Outcome, Payload};
use super::owed::Owed;
use super::plan::{Plan, Publication, Seat};
use super::recording;
use super::selector::any_matches;

/// The run so far. Its lines also go to a file, outside of the hub, which so survives it (H1).
#[derive(Debug)]
pub(super) struct Recorder {
    began: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

/// How far a run has come.
#[derive(Debug)]
pub(super) struct State {
    lines: Vec<Line>,
    file: Option<BufWriter<File>>,
    /// The first write to the file that failed.
    fault: Option<io::Error>,
    seats: Vec<Seat>,
    /// How often each subscriber has connected.
    pub(super) connections: Vec<u32>,
    pub(super) owed: Owed,
    /// What is sent and not answered.
    pub(super) under_way: HashMap<EventKey, Publication>,
    /// Nobody can connect.
    is_down: bool,
    /// Why somebody could not connect or subscribe, the last time.
    pub(super) refusal: Option<String>,
}

impl Recorder {
    pub(super) fn begin(plan: &Plan, seats: &[Seat], file: Option<File>) -> Self {
        let recorder = Self {
            began: now(),
            state: Mutex::new(State {
                lines: Vec::new(),
                file: file.map(BufWriter::new),
                fault: None,
                seats: seats.to_vec(),
                connections: vec![0; seats.len()],
                owed: Owed::new(seats.len()),
                under_way: HashMap::new(),
                is_down: false,
                refusal: None,
            }),
            changed: Condvar::new(),
        };
        recorder.note(|_| Line::Begin {
            bound: micros(plan.bound),
            retains: plan.retains,
        });
        for (s, seat) in (0..).zip(seats) {
            recorder.note(|_| Line::Subscriber {
                s,
                name: seat.name.clone(),
                selectors: seat.selectors.clone(),
                grant: seat.grant.clone(),
            });
        }
        recorder
    }

    /// Writes the line that `line` makes of the time.
    pub(super) fn note(&self, line: impl FnOnce(u64) -> Line) {
        self.change(|state, at| state.push(line(at)));
    }

    /// `publication` is about to be sent.
    pub(super) fn invoke(&self, publication: &Publication, keyed: bool) {
        self.change(|state, at| {
            let Publication {
                payload,
                topics,
                private,
                ..
            } = publication;
            state.push(Line::Invoke {
                at,
                payload: payload.clone(),
                topics: topics.clone(),
                private: *private,
                keyed,
            });
            state.flush();
            state.under_way.insert(payload.key(), publication.clone());
        });
    }

    /// What was sent has this outcome.
    pub(super) fn complete(&self, event: EventKey, outcome: Outcome) {
        self.change(|state, at| {
            let publication = state.under_way.remove(&event);
            if let (Outcome::Ok { .. }, Some(publication)) = (&outcome, publication) {
                let seats = &state.seats;
                let may_see = |number: usize| seats[number].may_see(&publication);
                state.owed.acknowledge(event, may_see);
            }
            state.push(Line::Outcome { at, event, outcome });
            state.flush();
        });
    }

    /// A subscriber's stream has begun; returns the number of its connection.
    pub(super) fn connect(&self, s: u32, from: Option<&str>, answered: Option<&str>) -> u32 {
        self.change(|state, at| {
            if std::mem::take(&mut state.is_down) {
                state.push(Line::Healed { at });
            }
            let c = &mut state.connections[seat(s)];
            *c += 1;
            let c = *c;
            if from.is_some() && answered.is_some() && from != answered {
                state.owed.forgive(seat(s));
            }
            state.push(Line::Connect {
                at,
                s,
                c,
                from: from.map(str::to_owned),
                answered: answered.map(str::to_owned),
            });
            c
        })
    }

    /// A subscriber got an event.
    pub(super) fn hear(&self, s: u32, c: u32, id: &str, payload: Payload) {
        self.change(|state, at| {
            state.owed.pay(seat(s), payload.key());
            let id = id.to_owned();
            state.push(Line::Event {
                at,
                s,
                c,
                id,
                payload,
            });
        });
    }

    /// A subscriber was told of a gap.
    pub(super) fn hear_gap(&self, s: u32, c: u32, from: String, reason: String) {
        self.change(|state, at| {
            state.owed.forgive(seat(s));
            state.push(Line::Gap {
                at,
                s,
                c,
                from,
                reason,
            });
        });
    }

    /// Somebody could not connect, or was refused; `is_down`: nobody listens.
    pub(super) fn refuse(&self, why: String, is_down: bool) {
        self.change(|state, _| {
            state.is_down |= is_down;
            state.refusal = Some(why);
        });
    }

    /// Waits until `holds`; false if it did not within `patience`.
    pub(super) fn wait(&self, patience: Duration, holds: impl Fn(&State) -> bool) -> bool {
        let state = self.state.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(state, patience, |state| !holds(state));
        let (state, _) = waited.unwrap();
        holds(&state)
    }

    /// Reads the state.
    pub(super) fn look<T>(&self, what: impl FnOnce(&State) -> T) -> T {
        what(&self.state.lock().unwrap())
    }

    /// Takes the lines.
    ///
    /// # Errors
    ///
    /// The first write to the file that failed.
    pub(super) fn finish(&self) -> io::Result<Vec<Line>> {
        let mut state = self.state.lock().unwrap();
        state.flush();
        match state.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(std::mem::take(&mut state.lines)),
        }
    }

    fn change<T>(&self, what: impl FnOnce(&mut State, u64) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        let at = micros(now().duration_since(self.began));
        let result = what(&mut state, at);
        self.changed.notify_all();
        result
    }
}

impl State {
    fn push(&mut self, line: Line) {
        if let Some(file) = &mut self.file {
            let written = recording::write(file, &line);
            self.keep_fault(written);
        }
        self.lines.push(line);
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.file {
            let written = file.flush();
            self.keep_fault(written);
        }
    }

    fn keep_fault(&mut self, written: io::Result<()>) {
        if let Err(fault) = written {
            self.fault.get_or_insert(fault);
        }
    }
}

impl Seat {
    fn may_see(&self, publication: &Publication) -> bool {
        let topics = &publication.topics;
        let granted = !publication.private || any_matches(&self.grant, topics);
        granted && any_matches(&self.selectors, topics)
    }
}

fn seat(s: u32) -> usize {
    usize::try_from(s).unwrap_or(usize::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the one clock of a run")]
pub(super) fn now() -> Instant {
    Instant::now()
}
