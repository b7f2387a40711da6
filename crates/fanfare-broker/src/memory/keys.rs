//! Idempotency keys: what was stored under each, for as long as it may be asked again (O2, O3).

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broker::{PublishError, Receipt};
use crate::publication::{IdempotencyKey, Publication};

/// The keys of one window, bounded in number.
#[derive(Debug)]
pub(super) struct Keys {
    stored: HashMap<Arc<IdempotencyKey>, Stored>,
    /// The same keys, oldest first, and when each was stored.
    by_age: VecDeque<(Instant, Arc<IdempotencyKey>)>,
    fingerprints: RandomState,
    window: Duration,
    count_max: usize,
}

#[derive(Debug)]
struct Stored {
    fingerprint: Fingerprint,
    receipt: Receipt,
}

/// Tells publications apart. Hashed under a secret, so nobody can make two that agree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fingerprint(u64);

impl Keys {
    /// Remembers up to `count_max` keys for `window` each.
    pub(super) fn new(window: Duration, count_max: usize) -> Self {
        Self {
            stored: HashMap::new(),
            by_age: VecDeque::new(),
            fingerprints: RandomState::new(),
            window,
            count_max,
        }
    }

    /// Covers what a subscriber could tell apart: topics, event and audience, not the key (O3).
    pub(super) fn fingerprint(&self, publication: &Publication) -> Fingerprint {
        let event = &publication.event;
        Fingerprint(self.fingerprints.hash_one((
            publication.topics(),
            publication.audience,
            &event.event_type,
            event.retry.map(fanfare_wire::Retry::as_millis),
            &event.id,
            &event.data,
        )))
    }

    /// Forgets the keys whose window has ended.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((stored, key)) = self.by_age.front() {
            if now.saturating_duration_since(*stored) < self.window {
                break;
            }
            self.stored.remove(key);
            self.by_age.pop_front();
        }
    }

    /// What was stored under `key`; `None` when it is new, and there is room for it.
    pub(super) fn recall(
        &self,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        now: Instant,
    ) -> Result<Option<Receipt>, PublishError> {
        match self.stored.get(key) {
            Some(stored) if stored.fingerprint == fingerprint => Ok(Some(Receipt {
                duplicate: true,
                ..stored.receipt.clone()
            })),
            Some(_) => Err(PublishError::KeyReused),
            None if self.stored.len() < self.count_max => Ok(None),
            None => Err(PublishError::Overloaded {
                retry_after: self.until_room(now),
            }),
        }
    }

    /// Keeps what was stored under `key`, which [`Keys::recall`] found to be new.
    pub(super) fn remember(
        &mut self,
        key: IdempotencyKey,
        fingerprint: Fingerprint,
        receipt: &Receipt,
        now: Instant,
    ) {
        let key = Arc::new(key);
        self.by_age.push_back((now, Arc::clone(&key)));
        let receipt = receipt.clone();
        let stored = Stored {
            fingerprint,
            receipt,
        };
        self.stored.insert(key, stored);
    }

    fn until_room(&self, now: Instant) -> Duration {
        let oldest = self.by_age.front().map_or(now, |(stored, _)| *stored);
        let age = now.saturating_duration_since(oldest);
        self.window.saturating_sub(age)
    }
}

#[cfg(test)]
mod tests;
