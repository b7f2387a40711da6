//! What a bridge has heard and not stored, each event under a name that all nodes give it.

use std::collections::VecDeque;

use fanfare_broker::IdempotencyKey;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Heard events in order, bounded by count and bytes.
#[derive(Debug)]
pub(super) struct Backlog {
    count_max: usize,
    bytes_max: usize,
    waiting: VecDeque<Heard>,
    bytes: usize,
    /// The last marker; `None`: none since this node began to listen, or to listen again.
    marker: Option<String>,
    /// Events since the last marker.
    since: u64,
}

/// Something that was said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Heard {
    pub(super) said: Vec<u8>,
    at: Instant,
    /// The last marker, and its number since.
    name: String,
}

impl Heard {
    /// Under which it is stored once, whoever stores it; its publisher's `own` key comes first.
    pub(super) fn key(&self, own: Option<&str>) -> IdempotencyKey {
        let text = format!("bridge:{:x}", Sha256::digest(own.unwrap_or(&self.name)));
        IdempotencyKey::parse(&text).expect("hexadecimal digits are visible ASCII")
    }
}

impl Backlog {
    pub(super) fn new(count_max: usize, bytes_max: usize) -> Self {
        Self {
            count_max,
            bytes_max,
            waiting: VecDeque::new(),
            bytes: 0,
            marker: None,
            since: 0,
        }
    }

    /// Takes in what was said at `now`; how many older ones had to go for it.
    ///
    /// Before the first marker nothing is taken in, for it could not be named as others name it; who
    /// begins to listen says a marker first.
    pub(super) fn hear(&mut self, said: &[u8], now: Instant) -> u64 {
        let Some(marker) = &self.marker else {
            return 0;
        };
        let name = format!("{marker}:{}", self.since);
        self.since += 1;
        self.bytes += said.len();
        self.waiting.push_back(Heard {
            said: said.to_vec(),
            at: now,
            name,
        });
        let mut dropped = 0;
        while self.waiting.len() > self.count_max || self.bytes > self.bytes_max {
            self.drop_first();
            dropped += 1;
        }
        dropped
    }

    /// A marker was heard, whoever said it.
    pub(super) fn mark(&mut self, marker: &str) {
        self.marker = Some(marker.to_owned());
        self.since = 0;
    }

    /// Markers may have been missed.
    pub(super) fn lose_count(&mut self) {
        self.marker = None;
    }

    /// Forgets what was heard before `then`.
    pub(super) fn forget_before(&mut self, then: Instant) {
        while self.waiting.front().is_some_and(|heard| heard.at < then) {
            self.drop_first();
        }
    }

    /// Up to `count` of the oldest; they stay until they are [`done`](Self::done).
    pub(super) fn first(&self, count: usize) -> Vec<Heard> {
        self.waiting.iter().take(count).cloned().collect()
    }

    /// The first `count` of `batch` are stored, or never will be.
    pub(super) fn done(&mut self, batch: &[Heard], count: usize) {
        for heard in batch.iter().take(count) {
            // Unless it had to go meanwhile.
            if self.waiting.front() == Some(heard) {
                self.drop_first();
            }
        }
    }

    fn drop_first(&mut self) {
        if let Some(heard) = self.waiting.pop_front() {
            self.bytes -= heard.said.len();
        }
    }
}

#[cfg(test)]
mod tests;
