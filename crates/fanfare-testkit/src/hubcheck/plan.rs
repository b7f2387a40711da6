//! What is published in a run, and who listens.

use std::time::Duration;

use super::line::Payload;
use super::selector::Selector;

/// How a check is made; assign what differs from the default.
///
/// Each plan publishes under topics of its own, by workers of its own, so many checks of one hub
/// do not disturb each other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// Publishers, each with one event under way at most. Default 4, at most 200.
    pub publishers: usize,
    /// How many of them repeat what is unknown or refused for now, with the same
    /// `Idempotency-Key`. Default 0: only for hubs that know the header.
    pub keyed: usize,
    /// Subscribers, of all kinds in turn. Default 8.
    pub subscribers: usize,
    /// Events a second of all publishers together. Default 0: as fast as they are answered.
    pub rate: u32,
    /// Bytes of an event's data, at least. Default 200.
    pub data_bytes: usize,
    /// How long a delivery may take. Default 10 s.
    pub bound: Duration,
    /// How long a publisher waits for an answer; after it, the outcome is unknown. Default 10 s.
    pub answer_timeout: Duration,
    /// The newest events that the hub promises to keep; older ones may be gone at the end. Default
    /// `None`: all.
    pub retains: Option<u64>,
    tag: String,
    first_worker: u32,
    /// Runs whose events are taken for own ones, this one and those after it.
    runs: u32,
}

/// A subscriber's part in a run.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) name: String,
    pub(super) selectors: Vec<Selector>,
    pub(super) grant: Vec<Selector>,
    /// It asks for gaps as events (C7).
    pub(super) gap_events: bool,
}

/// An event to be published.
#[derive(Clone, Debug)]
pub(super) struct Publication {
    pub(super) payload: Payload,
    pub(super) data: String,
    pub(super) topics: Vec<String>,
    pub(super) private: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

impl Plan {
    /// A plan with topics and workers of its own.
    #[must_use]
    pub fn new() -> Self {
        let drawn = rand::random::<u32>();
        Self {
            publishers: 4,
            keyed: 0,
            subscribers: 8,
            rate: 0,
            data_bytes: 200,
            bound: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            retains: None,
            tag: format!("{drawn:08x}"),
            first_worker: drawn & !(WORKERS - 1),
            runs: 1,
        }
    }

    /// The same plan for another run on the same hub: the topics stay, the workers are others.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            first_worker: self.first_worker.wrapping_add(WORKERS),
            ..self.clone()
        }
    }

    /// The same plan for somebody who reads what `runs` runs have published, this one and those
    /// that [`Plan::next`] gives.
    pub(super) fn with_next(&self, runs: u32) -> Self {
        Self {
            runs,
            ..self.clone()
        }
    }

    /// Whether an event is of this run.
    pub(super) fn is_own(&self, payload: &Payload) -> bool {
        payload.w.wrapping_sub(self.first_worker) / WORKERS < self.runs
    }

    /// Event `n` of the worker with that index; publishers count from 1.
    pub(super) fn publication(&self, worker: u32, n: u32) -> Publication {
        let kind = hash(format!("{} {worker} {n}", self.tag).as_bytes());
        let pick = |shift: u32, count: u64| (kind >> shift) % count;
        let mut topics = vec![self.room(pick(0, ROOMS))];
        if pick(16, 4) == 0 {
            topics.push(self.user(pick(20, USERS)));
        }
        self.publish_to(worker, n, topics, pick(8, 4) == 0)
    }

    /// An event that everybody may see: what came before it has come.
    pub(super) fn marker(&self, n: u32) -> Publication {
        let rooms = (0..ROOMS).map(|room| self.room(room));
        let users = (0..USERS).map(|user| self.user(user));
        self.publish_to(MARKER, n, rooms.chain(users).collect(), false)
    }

    fn publish_to(&self, worker: u32, n: u32, topics: Vec<String>, private: bool) -> Publication {
        let w = self.first_worker.wrapping_add(worker);
        let all = format!("{} {w} {n} {topics:?} {private}", self.tag);
        let h = format!("{:016x}", hash(all.as_bytes()));
        let text = format!(r#"{{"w":{w},"n":{n},"h":"{h}"}}"#);
        // JSON may have spaces around its values.
        let data = format!("{text:<width$}", width = self.data_bytes);
        Publication {
            payload: Payload { w, n, h },
            data,
            topics,
            private,
        }
    }

    /// Every subscriber of the run.
    pub(super) fn seats(&self, can_grant_parts: bool) -> Vec<Seat> {
        let mut kinds = self.kinds();
        if !can_grant_parts {
            kinds.retain(|seat| seat.grant == [Selector::All]);
        }
        let kinds = kinds.into_iter().cycle();
        let seats = (0..self.subscribers).zip(kinds);
        seats
            .map(|(number, seat)| Seat {
                name: format!("{number}: {}", seat.name),
                ..seat
            })
            .collect()
    }

    fn kinds(&self) -> Vec<Seat> {
        let exact = |topic: String| vec![Selector::Exact(topic)];
        let rooms = || vec![Selector::from(format!("{}{{room}}", self.base("room")))];
        let users = || vec![Selector::from(format!("{}{{user}}", self.base("user")))];
        let all = || vec![Selector::All];
        let seat = |name: &str, selectors, grant, gap_events| Seat {
            name: name.to_owned(),
            selectors,
            grant,
            gap_events,
        };
        let two = [self.room(2), self.room(3)].map(Selector::Exact).to_vec();
        vec![
            seat("all, sees all", all(), all(), true),
            seat("all, sees what is public", all(), Vec::new(), false),
            seat("one room, sees all", exact(self.room(0)), all(), false),
            seat(
                "one room, sees what is public",
                exact(self.room(1)),
                Vec::new(),
                true,
            ),
            seat("rooms, sees one", rooms(), exact(self.room(0)), true),
            seat("rooms, sees rooms", rooms(), rooms(), false),
            seat("two rooms, sees all", two, all(), false),
            // What it asks for and what it may see are different topics of the same event.
            seat("users, sees one room", users(), exact(self.room(1)), true),
        ]
    }

    fn room(&self, number: u64) -> String {
        format!("{}{number}", self.base("room"))
    }

    fn user(&self, number: u64) -> String {
        format!("{}{number}", self.base("user"))
    }

    fn base(&self, kind: &str) -> String {
        format!("https://hubcheck.example/{}/{kind}/", self.tag)
    }
}

const ROOMS: u64 = 6;
const USERS: u64 = 2;

/// Workers that a run may have, a power of two.
const WORKERS: u32 = 256;

/// The worker that publishes what everybody may see.
const MARKER: u32 = 0;

/// FNV-1a: the same on every machine and in every version.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
