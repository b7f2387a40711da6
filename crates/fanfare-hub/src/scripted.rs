//! A memory broker whose answers a test bends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Health, MemoryBroker, Page, Publication, PublishError,
    ReadError, Receipt, Resolved, TailItem, TopicFilter,
};
use fanfare_wire::EventId;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;

type Bend = dyn Fn(Result<Page, ReadError>) -> Result<Page, ReadError> + Send + Sync;

/// A memory broker that remembers what was read, and bends what it brings.
pub(crate) struct Scripted {
    pub(crate) inner: MemoryBroker,
    reads: Mutex<Vec<u64>>,
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
            reads: Mutex::default(),
            away: AtomicBool::new(false),
            bend: Box::new(bend),
        }
    }

    /// The offsets after which was read, in their order.
    pub(crate) fn reads(&self) -> Vec<u64> {
        self.reads.lock().unwrap().clone()
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
        Box::pin(async move {
            let away = self.away.load(Ordering::Relaxed);
            self.reads.lock().unwrap().push(after);
            tokio::task::yield_now().await;
            if away {
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
