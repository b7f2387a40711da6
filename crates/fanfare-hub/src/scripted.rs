//! A memory broker whose answers a test bends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Health, MemoryBroker, Page, Publication, PublishError,
    ReadError, Receipt, Resolved, TailItem, TopicFilter,
};
use fanfare_wire::EventId;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;

type Bend = dyn Fn(Result<Page, ReadError>) -> Result<Page, ReadError> + Send + Sync;

/// A memory broker that counts reads and bends what they bring.
pub(crate) struct Scripted {
    pub(crate) inner: MemoryBroker,
    pub(crate) reads: AtomicUsize,
    /// It answers no read.
    pub(crate) away: AtomicBool,
    bend: Box<Bend>,
}

impl Scripted {
    pub(crate) fn new(
        bend: impl Fn(Result<Page, ReadError>) -> Result<Page, ReadError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner: MemoryBroker::default(),
            reads: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            bend: Box::new(bend),
        }
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Broker for Scripted {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn publish(
        &self,
        batch: Vec<Publication>,
    ) -> BoxFuture<'_, Vec<Result<Receipt, PublishError>>> {
        self.inner.publish(batch)
    }

    fn tail(&self, after: Option<fanfare_broker::Cursor>) -> BoxStream<'static, TailItem> {
        self.inner.tail(after)
    }

    fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if self.away.load(Ordering::Relaxed) {
                return Err(ReadError::Unavailable);
            }
            (self.bend)(self.inner.read(after, upto, budget, filter).await)
        })
    }

    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>> {
        self.inner.bounds()
    }

    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>> {
        self.inner.resolve(id)
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        self.inner.close(deadline)
    }
}
