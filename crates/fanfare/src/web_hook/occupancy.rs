//! Who is listened to now, shared by those who count and the one who tells.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ledger::Ledger;
use super::notice::Notice;
use super::outcome::Outcome;
use super::timestamp;

/// Counts subscribers by topic, a topic being the selector's text as its subscriber wrote it.
///
/// Any thread may call it. A call takes a lock for some look-ups in maps and waits for no I/O.
#[derive(Debug)]
pub(crate) struct Occupancy {
    ledger: Mutex<Ledger>,
    changed: Notify,
}

/// What has come of the notices so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    /// Notices that the receiver took.
    pub(crate) delivered: u64,
    /// Notices given up, because the receiver refused them.
    pub(crate) refused: u64,
    /// Attempts that failed and are followed by another one, if there is still something to tell.
    pub(crate) failures: u64,
    /// Topics with a change that the receiver has not taken yet.
    pub(crate) untold: usize,
}

impl Occupancy {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self {
            ledger: Mutex::new(ledger),
            changed: Notify::new(),
        }
    }

    /// One more subscriber has `topic`. A subscriber that has it twice may be counted twice.
    pub(crate) fn enter(&self, topic: &str) {
        let (now, at) = (Instant::now(), timestamp::now());
        if self.lock().enter(topic, now, at) {
            self.changed.notify_one();
        }
    }

    /// One subscriber less has `topic`; without an [`Occupancy::enter`] before it nothing happens.
    pub(crate) fn leave(&self, topic: &str) {
        let (now, at) = (Instant::now(), timestamp::now());
        if self.lock().leave(topic, now, at) {
            self.changed.notify_one();
        }
    }

    /// The counts at this moment.
    pub(crate) fn tally(&self) -> Tally {
        self.lock().tally()
    }

    /// Resolves when a topic has changed since the last call resolved.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn next(&self, now: Instant) -> Option<Notice> {
        self.lock().next(now)
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.lock().wake_at()
    }

    pub(super) fn settle(&self, notice: &Notice, outcome: Outcome, now: Instant, chance: f64) {
        self.lock().settle(notice, outcome, now, chance);
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
