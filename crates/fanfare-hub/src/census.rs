//! How many subscribers there are, in all and by topic, without asking a shard.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_broker::Publication;

use crate::group::{Groups, Kind};
use crate::index::GroupId;
use crate::subscription::SubscribeError;

/// Counts a hub's subscribers.
///
/// Touched when a subscriber comes and when it goes, never when an event is delivered; so a
/// publisher can be told how many want its event without waking a shard.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Subscribers admitted and not yet gone.
    admitted: AtomicUsize,
    /// Those that are attached, by what they ask for.
    attached: Mutex<Groups>,
}

impl Census {
    /// How many attached subscribers want `publication`.
    pub(crate) fn count(&self, publication: &Publication) -> u64 {
        self.attached()
            .count(publication.topics(), publication.audience)
    }

    /// An admitted subscriber is attached as one of `kind`.
    pub(crate) fn attach(&self, kind: &Kind) -> GroupId {
        self.attached().join(kind)
    }

    /// An attached subscriber, counted in group `id`, is gone, and its place is free.
    pub(crate) fn leave(&self, id: GroupId) {
        self.attached().leave(id);
        self.admitted.fetch_sub(1, Ordering::Relaxed);
    }

    /// Places taken.
    #[cfg(test)]
    pub(crate) fn admitted(&self) -> usize {
        self.admitted.load(Ordering::Relaxed)
    }

    fn attached(&self) -> MutexGuard<'_, Groups> {
        // No code panics while it holds the lock, and the groups are whole between statements.
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the hub's places for subscribers; given back when dropped, unless a shard has it.
#[derive(Debug)]
pub(crate) struct Place(Option<Arc<Census>>);

impl Place {
    /// Takes a place if there are fewer than `subscribers_max`.
    pub(crate) fn take(
        census: &Arc<Census>,
        subscribers_max: usize,
    ) -> Result<Self, SubscribeError> {
        let one_more = |count: usize| (count < subscribers_max).then_some(count + 1);
        let (load, store) = (Ordering::Relaxed, Ordering::Relaxed);
        match census.admitted.fetch_update(store, load, one_more) {
            Ok(_) => Ok(Self(Some(Arc::clone(census)))),
            Err(_) => Err(SubscribeError::TooMany { subscribers_max }),
        }
    }

    /// Whoever has the subscriber now gives the place back, by [`Census::leave`].
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(census) = &self.0 {
            census.admitted.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
