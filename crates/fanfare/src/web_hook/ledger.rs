//! Who is told what, and when. Pure: it is told what happened, and reads no clock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::backoff::{Backoff, Pace};
use super::notice::{Notice, State};
use super::occupancy::Tally;
use super::outcome::{Failure, Heard, Outcome, Scope};

/// For each topic, whether it is occupied, and what the receiver knows of that.
///
/// A topic is in it as long as it has subscribers, or the receiver may believe that it has. A topic
/// without subscribers is thus here only after an attempt to tell that it had some, so strangers
/// cannot make it grow faster than the receiver is talked to.
#[derive(Debug)]
pub(super) struct Ledger {
    topics: HashMap<Arc<str>, Topic>,
    /// Topics with something to tell and nothing in flight, each once, by when they are due.
    agenda: BTreeMap<Place, Arc<str>>,
    in_flight: usize,
    /// Failures that were the receiver's as a whole, in a row.
    receiver: Backoff,
    /// Nothing is told to anybody before.
    hold_until: Option<Instant>,
    /// Changes so far, which number them.
    changes: u64,
    /// When the newest change was.
    latest: SystemTime,
    pace: Pace,
    tally: Tally,
}

/// When a topic is due. The number of a change is unique, so no two topics share a place.
type Place = (Instant, u64);

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    subscribers: u64,
    /// What the receiver believes. `None`: an attempt failed in a way that leaves it open.
    told: Option<State>,
    change: u64,
    changed_at: SystemTime,
    backoff: Backoff,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Settled,
    Due(Place),
    InFlight,
}

impl Ledger {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            topics: HashMap::new(),
            agenda: BTreeMap::new(),
            in_flight: 0,
            receiver: Backoff::default(),
            hold_until: None,
            changes: 0,
            latest: UNIX_EPOCH,
            pace,
            tally: Tally::default(),
        }
    }

    /// Counts a subscriber; true if it is the topic's first one.
    pub(super) fn enter(&mut self, name: &str, now: Instant, at: SystemTime) -> bool {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.subscribers += 1;
            if topic.subscribers > 1 {
                return false;
            }
        } else {
            let name: Arc<str> = name.into();
            self.topics.insert(Arc::clone(&name), Topic::entered(name));
        }
        self.change(name, now, at);
        true
    }

    /// Uncounts a subscriber; true if it was the topic's last one.
    pub(super) fn leave(&mut self, name: &str, now: Instant, at: SystemTime) -> bool {
        let Some(topic) = self.topics.get_mut(name) else {
            return false;
        };
        let Some(others) = topic.subscribers.checked_sub(1) else {
            return false;
        };
        topic.subscribers = others;
        if others > 0 {
            return false;
        }
        self.change(name, now, at);
        true
    }

    /// Begins an attempt, if one is due; [`Ledger::settle`] must follow it.
    pub(super) fn next(&mut self, now: Instant) -> Option<Notice> {
        if self.in_flight >= self.slots() || self.hold_until.is_some_and(|until| now < until) {
            return None;
        }
        let first = self.agenda.first_entry()?;
        if now < first.key().0 {
            return None;
        }
        let name = first.remove();
        let topic = self.topics.get_mut(&name)?;
        topic.stage = Stage::InFlight;
        self.in_flight += 1;
        Some(Notice {
            state: topic.wanted(),
            change: topic.change,
            changed_at: topic.changed_at,
            topic: name,
        })
    }

    /// When [`Ledger::next`] may have something, unless an attempt ends or a topic changes before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let (&(due, _), _) = self.agenda.first_key_value()?;
        (self.in_flight < self.slots()).then(|| self.hold_until.map_or(due, |hold| due.max(hold)))
    }

    /// Ends the attempt that `notice` began; `chance` is a random number from 0 to 1.
    pub(super) fn settle(&mut self, notice: &Notice, outcome: Outcome, now: Instant, chance: f64) {
        let Some(topic) = self.topics.get_mut(&notice.topic) else {
            return;
        };
        self.in_flight = self.in_flight.saturating_sub(1);
        topic.stage = Stage::Settled;
        let mut due = now;
        match outcome {
            Outcome::Told => {
                self.tally.delivered += 1;
                topic.told = Some(notice.state);
            }
            // A second attempt would be refused too. The topic's next change is told again.
            Outcome::Refused => {
                self.tally.refused += 1;
                topic.told = Some(notice.state);
            }
            Outcome::Failed(failure) => {
                self.tally.failures += 1;
                if failure.heard == Heard::Maybe {
                    topic.told = None;
                }
                if failure.scope == Scope::Notice {
                    due += topic.backoff.failed(self.pace, failure.retry_after, chance);
                }
            }
        }
        self.judge_receiver(outcome, now, chance);
        self.reschedule(&notice.topic, due);
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            untold: self.agenda.len() + self.in_flight,
            ..self.tally
        }
    }

    /// A receiver in trouble is asked by one attempt at a time whether it is well again.
    fn slots(&self) -> usize {
        match self.receiver.failing() {
            true => 1,
            false => IN_FLIGHT_MAX,
        }
    }

    /// Notes that the topic got its first or lost its last subscriber.
    fn change(&mut self, name: &str, now: Instant, at: SystemTime) {
        // Receivers tell by the time which of two notices is newer, and clocks are set back.
        self.latest = at.max(self.latest + TICK);
        self.changes += 1;
        if let Some(topic) = self.topics.get_mut(name) {
            (topic.change, topic.changed_at) = (self.changes, self.latest);
        }
        self.reschedule(name, now);
    }

    fn judge_receiver(&mut self, outcome: Outcome, now: Instant, chance: f64) {
        let Outcome::Failed(Failure {
            scope: Scope::Receiver,
            retry_after,
            ..
        }) = outcome
        else {
            // It answers. A hold that it asked for stays, whatever else it says meanwhile.
            self.receiver.reset();
            return;
        };
        // Attempts that began together and fail together are one failure.
        let held = self.hold_until.is_some_and(|until| now < until);
        if !held || retry_after.is_some() {
            let wait = self.receiver.failed(self.pace, retry_after, chance);
            self.hold_until = self.hold_until.max(Some(now + wait));
        }
    }

    /// Puts the topic on the agenda at `due`, leaves it where it is, or takes it off.
    fn reschedule(&mut self, name: &str, due: Instant) {
        let Some(topic) = self.topics.get_mut(name) else {
            return;
        };
        let untold = topic.told != Some(topic.wanted());
        match topic.stage {
            // Its end decides, by what holds then.
            Stage::InFlight => {}
            // The new change waits as long as the old one would have: it is the same receiver.
            Stage::Due(_) if untold => {}
            Stage::Settled if untold => {
                let place = (due, topic.change);
                topic.stage = Stage::Due(place);
                self.agenda.insert(place, Arc::clone(&topic.name));
            }
            Stage::Due(_) | Stage::Settled => {
                if let Stage::Due(place) = topic.stage {
                    self.agenda.remove(&place);
                }
                topic.stage = Stage::Settled;
                topic.backoff.reset();
                if topic.subscribers == 0 {
                    self.topics.remove(name);
                }
            }
        }
    }
}

/// Attempts at once. More would make a crowd that reconnects the receiver's crowd too.
const IN_FLIGHT_MAX: usize = 8;

/// What timestamps show at least of a difference.
const TICK: Duration = Duration::from_micros(1);

impl Topic {
    /// With its first subscriber, of whom the receiver does not know.
    fn entered(name: Arc<str>) -> Self {
        Self {
            name,
            subscribers: 1,
            told: Some(State::Vacated),
            change: 0,
            changed_at: UNIX_EPOCH,
            backoff: Backoff::default(),
            stage: Stage::Settled,
        }
    }

    /// What the receiver is to believe.
    fn wanted(&self) -> State {
        match self.subscribers {
            0 => State::Vacated,
            _ => State::Occupied,
        }
    }
}

#[cfg(test)]
mod tests;
