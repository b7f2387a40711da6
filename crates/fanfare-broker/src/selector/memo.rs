//! A memo: compiled forms that somebody holds, found by what they were compiled from.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Shares one `V` among all who ask for the same `K`, and forgets it with its last holder.
///
/// Keys are compared part by part, never as joined text, so no crafted one can be taken for
/// another (OP-11).
#[derive(Debug)]
pub(super) struct Memo<K, V>(Mutex<Entries<K, V>>);

#[derive(Debug)]
struct Entries<K, V> {
    by_key: HashMap<K, Weak<V>>,
    /// Entries at which those that nobody holds any more are next removed.
    sweep_at: usize,
}

impl<K: Eq + Hash, V> Memo<K, V> {
    /// What is held for `key`.
    pub(super) fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        self.lock().by_key.get(key)?.upgrade()
    }

    /// Keeps `value` unless another was faster; the one to use.
    pub(super) fn share(&self, key: K, value: Arc<V>) -> Arc<V> {
        let mut entries = self.lock();
        if let Some(first) = entries.by_key.get(&key).and_then(Weak::upgrade) {
            return first;
        }
        entries.sweep();
        entries.by_key.insert(key, Arc::downgrade(&value));
        value
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        // Whatever a panic left behind is right or absent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Entries {
            by_key: HashMap::new(),
            sweep_at: 0,
        }))
    }
}

impl<K: Eq + Hash, V> Entries<K, V> {
    /// Removes what nobody holds, whenever the entries have doubled since the last time.
    fn sweep(&mut self) {
        if self.by_key.len() >= self.sweep_at {
            self.by_key.retain(|_, held| held.strong_count() > 0);
            self.by_key.shrink_to_fit();
            self.sweep_at = 2 * self.by_key.len().max(SWEEP_MIN);
        }
    }
}

/// Fewer entries than this are not worth a sweep.
const SWEEP_MIN: usize = 64;

#[cfg(test)]
mod tests;
