//! A memory broker that several nodes of one process share, with leases and entries beside it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Cursor, Entry, EntryChange, Estate, Health, MemoryBroker,
    NodeId, Page, Presence, PresenceError, Publication, PublishError, ReadError, Receipt, Resolved,
    TailItem, TopicFilter,
};
use fanfare_wire::EventId;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::BoxStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the nodes share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pub(crate) history: Arc<MemoryBroker>,
    leases: Arc<Mutex<BTreeMap<NodeId, Leased>>>,
}

#[derive(Debug)]
struct Leased {
    until: Instant,
    entries: BTreeMap<String, Bytes>,
}

impl Shared {
    /// The way of one more node to what they share.
    pub(crate) fn node(&self) -> Arc<NodeBroker> {
        Arc::new(NodeBroker {
            shared: self.clone(),
            away: Arc::default(),
            closed: CancellationToken::new(),
        })
    }

    /// The nodes that have not been released.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.leases.lock().unwrap().keys().copied().collect()
    }
}

/// The broker of one node.
#[derive(Debug)]
pub(crate) struct NodeBroker {
    shared: Shared,
    /// Nothing gets through.
    away: Arc<AtomicBool>,
    closed: CancellationToken,
}

impl NodeBroker {
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn away(&self) -> bool {
        self.away.load(Ordering::SeqCst)
    }
}

impl Broker for NodeBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities::shared("shared", Duration::from_secs(600), None)
    }

    fn publish(
        &self,
        batch: Vec<Publication>,
    ) -> BoxFuture<'_, Vec<Result<Receipt, PublishError>>> {
        if self.away() {
            let retry_after = Duration::from_secs(1);
            let error = PublishError::Unavailable { retry_after };
            return Box::pin(ready(vec![Err(error); batch.len()]));
        }
        self.shared.history.publish(batch)
    }

    fn tail(&self, after: Option<Cursor>) -> BoxStream<'static, TailItem> {
        let tail = self.shared.history.tail(after);
        let closed = self.closed.clone().cancelled_owned();
        Box::pin(tail.take_until(closed))
    }

    fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        self.shared.history.read(after, upto, budget, filter)
    }

    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>> {
        self.shared.history.bounds()
    }

    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>> {
        self.shared.history.resolve(id)
    }

    fn presence(&self) -> Option<Arc<dyn Presence>> {
        let (shared, away) = (self.shared.clone(), Arc::clone(&self.away));
        Some(Arc::new(NodePresence { shared, away }))
    }

    fn health(&self) -> Health {
        self.shared.history.health()
    }

    fn close(&self, _: std::time::Instant) -> BoxFuture<'_, ()> {
        self.closed.cancel();
        Box::pin(ready(()))
    }
}

struct NodePresence {
    shared: Shared,
    away: Arc<AtomicBool>,
}

impl NodePresence {
    fn answer<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut BTreeMap<NodeId, Leased>, Instant) -> Result<T, PresenceError>,
    ) -> BoxFuture<'_, Result<T, PresenceError>> {
        let answer = match self.away.load(Ordering::SeqCst) {
            true => Err(PresenceError::Unavailable {
                why: "away".to_owned(),
            }),
            false => ask(&mut self.shared.leases.lock().unwrap(), Instant::now()),
        };
        Box::pin(ready(answer))
    }
}

impl Presence for NodePresence {
    fn enter(&self, node: NodeId, ttl: Duration) -> BoxFuture<'_, Result<(), PresenceError>> {
        self.answer(|leases, now| {
            let entries = BTreeMap::new();
            let until = now + ttl;
            leases.insert(node, Leased { until, entries });
            Ok(())
        })
    }

    fn renew(
        &self,
        node: NodeId,
        ttl: Duration,
        changes: Vec<EntryChange>,
    ) -> BoxFuture<'_, Result<(), PresenceError>> {
        self.answer(|leases, now| {
            let held = leases.get_mut(&node).filter(|leased| leased.until > now);
            let leased = held.ok_or(PresenceError::LeaseLost)?;
            leased.until = now + ttl;
            for change in changes {
                match change {
                    EntryChange::Put { key, value } => leased.entries.insert(key, value),
                    EntryChange::Remove { key } => leased.entries.remove(&key),
                };
            }
            Ok(())
        })
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>, PresenceError>> {
        self.answer(|leases, _| {
            let entries = leases.iter().flat_map(|(&node, leased)| of(node, leased));
            Ok(entries.collect())
        })
    }

    fn reap(&self, ttl: Duration) -> BoxFuture<'_, Result<Option<Estate>, PresenceError>> {
        self.answer(|leases, now| {
            let mut lapsed = leases.iter_mut().filter(|(_, leased)| leased.until <= now);
            Ok(lapsed.next().map(|(&node, leased)| {
                leased.until = now + ttl;
                let entries = of(node, leased).collect();
                Estate { node, entries }
            }))
        })
    }

    fn release(&self, node: NodeId) -> BoxFuture<'_, Result<(), PresenceError>> {
        self.answer(|leases, _| {
            leases.remove(&node);
            Ok(())
        })
    }
}

fn of(node: NodeId, leased: &Leased) -> impl Iterator<Item = Entry> {
    let entries = leased.entries.clone().into_iter();
    entries.map(move |(key, value)| Entry { node, key, value })
}
