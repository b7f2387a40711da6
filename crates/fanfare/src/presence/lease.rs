//! This node among those that share its broker: its lease, what it tells the others, and what it
//! tells of a node that is gone (PR1 to PR3).

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_broker::{
    Entry, EntryChange, Estate, NodeId, Presence as Shared, PresenceError, Publication, Record,
};
use fanfare_hub::Hub;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

use super::roster::Changes;
use super::{BATCH, Presence, entry, publish_all};

/// A node's place among the others.
pub(super) struct Lease {
    shared: Arc<dyn Shared>,
    /// How long the others wait for a sign of life.
    ttl: Duration,
    /// The name under which the others know this node; `None`: they know it no more, or not yet.
    node: Mutex<Option<NodeId>>,
    /// The newest records of this node's last seconds, a second apart, the oldest first.
    past: Mutex<VecDeque<Option<Record>>>,
}

impl Lease {
    pub(super) fn new(shared: Arc<dyn Shared>, ttl: Duration) -> Self {
        Self {
            shared,
            ttl,
            node: Mutex::default(),
            past: Mutex::default(),
        }
    }

    /// The entries of the other nodes.
    pub(super) async fn others(&self) -> Result<Vec<Entry>, PresenceError> {
        let mut entries = self.shared.entries().await?;
        let own = *lock(&self.node);
        entries.retain(|entry| Some(entry.node) != own);
        Ok(entries)
    }

    /// A record that is older than anything that another node has told in events, but not yet
    /// among its entries; `None`: there is none at hand.
    pub(super) fn settled(&self) -> Option<Record> {
        let past = lock(&self.past);
        let settled = past.front().filter(|_| past.len() == SETTLED_AFTER);
        settled.cloned().flatten()
    }

    fn remember(&self, newest: Option<Record>) {
        let mut past = lock(&self.past);
        past.push_back(newest);
        if past.len() > SETTLED_AFTER {
            past.pop_front();
        }
    }

    /// Removes this node, which has told of everybody who left.
    pub(super) async fn release(&self) {
        let held = lock(&self.node).take();
        if let Some(node) = held
            && let Err(error) = self.shared.release(node).await
        {
            tracing::warn!(%error, "the lease is left to run out");
        }
    }

    /// Takes a lease under a new name, and waits as long as that takes.
    async fn enter(&self, hub: &Hub) {
        let mut pace = interval(FLUSH);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            self.remember(hub.newest());
            let node = NodeId(Uuid::new_v4().as_u128());
            match self.shared.enter(node, self.ttl).await {
                Ok(()) => {
                    tracing::info!(%node, "in the list of nodes");
                    *lock(&self.node) = Some(node);
                    return;
                }
                Err(error) => tracing::warn!(%error, "not in the list of nodes"),
            }
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("ttl", &self.ttl)
            .field("node", &*lock(&self.node))
            .finish_non_exhaustive()
    }
}

impl Presence {
    /// Keeps this node's lease and cleans up after other nodes, until the future is dropped;
    /// resolves never where there is one node.
    pub(crate) async fn keep_lease(&self, hub: &Hub) {
        let Some(lease) = &self.lease else {
            return std::future::pending().await;
        };
        tokio::join!(self.stay(hub, lease), self.reap(hub, lease));
    }

    /// Leaves the others: in order, so that nobody has to wait for the lease to run out.
    pub(crate) async fn leave(&self) {
        if let Some(lease) = &self.lease {
            lease.release().await;
        }
    }

    /// Holds one lease after the other.
    async fn stay(&self, hub: &Hub, lease: &Lease) {
        lease.enter(hub).await;
        self.roster().enlist();
        self.hold(hub, lease).await;
        loop {
            *lock(&lease.node) = None;
            self.roster().delist();

            lease.enter(hub).await;
            // Somebody tells, or has told, that all who were here under the old lease are gone. As
            // they are not, they come back under new names (PR3); under the old ones the two tales
            // could be heard in the wrong order.
            let renamed = {
                let mut roster = self.roster();
                let renamed = roster.rename();
                roster.enlist();
                renamed
            };
            tracing::warn!(
                count = renamed.len(),
                "the lease was lost; all are named anew"
            );
            let mut news = Vec::new();
            for (old, new) in &renamed {
                news.extend(self.news(old, false));
                news.extend(self.news(new, true));
            }
            // What a loss has made untrue is told to the end, also when the next loss comes first.
            tokio::join!(tell(hub, news), self.hold(hub, lease));
        }
    }

    /// Renews the lease in time, with what has changed; returns when it is lost.
    async fn hold(&self, hub: &Hub, lease: &Lease) {
        let mut pace = interval(FLUSH.min(lease.ttl / 3));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed_at = pace.tick().await;
        loop {
            let now = pace.tick().await;
            lease.remember(hub.newest());
            if now >= renewed_at + lease.ttl {
                // Somebody else may have taken it; a broker that is away cannot say.
                return;
            }
            if now < renewed_at + lease.ttl / 3 && !self.roster().has_changes() {
                continue;
            }
            match self.renew(lease).await {
                Ok(()) => renewed_at = now,
                Err(PresenceError::LeaseLost) => return,
                Err(error) => tracing::warn!(%error, "the lease is not renewed"),
            }
        }
    }

    /// Renews the lease, and tells the others what has changed by now.
    async fn renew(&self, lease: &Lease) -> Result<(), PresenceError> {
        let Some(node) = *lock(&lease.node) else {
            return Err(PresenceError::LeaseLost);
        };
        loop {
            let taken = self.roster().take_changes(BATCH);
            let last = taken.len() < BATCH;
            let renewed = lease.shared.renew(node, lease.ttl, written(&taken)).await;
            if let Err(error) = renewed {
                self.roster().give_back(taken);
                return Err(error);
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Tells of those who were connected to nodes that are gone.
    async fn reap(&self, hub: &Hub, lease: &Lease) {
        loop {
            // Not all nodes at once.
            let pause = lease.ttl.mul_f64(rand::random_range(0.2..0.4));
            sleep_until(Instant::now() + pause).await;
            match lease.shared.reap(lease.ttl).await {
                Ok(Some(estate)) => self.settle_estate(hub, lease, &estate).await,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "nobody can look after nodes that are gone"),
            }
        }
    }

    async fn settle_estate(&self, hub: &Hub, lease: &Lease, estate: &Estate) {
        let (node, count) = (estate.node, estate.entries.len());
        tracing::warn!(%node, count, "a node is gone; its subscribers are told to have left");
        let mut news = Vec::new();
        for visitor in estate.entries.iter().filter_map(entry::read) {
            news.extend(self.news(&visitor, false));
        }
        tell(hub, news).await;
        // Should this fail, the next reaper's events are duplicates, and stored once.
        if let Err(error) = lease.shared.release(node).await {
            tracing::warn!(%error, %node, "a node that is gone could not be removed");
        }
    }
}

fn written(changes: &Changes) -> Vec<EntryChange> {
    let written = changes.iter().map(|(&name, change)| match change {
        Some(visitor) => entry::put(visitor),
        None => entry::remove(name),
    });
    written.collect()
}

async fn tell(hub: &Hub, news: Vec<Publication>) {
    for batch in news.chunks(BATCH) {
        publish_all(hub, batch.to_vec()).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often the others are told what has changed, at most (PR1).
const FLUSH: Duration = Duration::from_secs(1);

/// Steps of [`FLUSH`] after which an event is older than any change that is still to be told: one
/// until it is sent, one until it is there, and one for the distance between two steps.
const SETTLED_AFTER: usize = 4;
