//! A memory broker that fails as it is told to.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Cursor, Health, MemoryBroker, Page, Publication,
    PublishError, ReadError, Receipt, Resolved, TailItem, TopicFilter,
};
use fanfare_wire::EventId;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

#[derive(Debug, Default)]
pub(crate) struct FailingBroker {
    inner: MemoryBroker,
    /// What a publish gets; `None`: what the memory broker says.
    pub(crate) publish_error: Mutex<Option<PublishError>>,
    pub(crate) health: Mutex<Option<Health>>,
}

impl Broker for FailingBroker {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn publish(
        &self,
        batch: Vec<Publication>,
    ) -> BoxFuture<'_, Vec<Result<Receipt, PublishError>>> {
        match self.publish_error.lock().unwrap().clone() {
            Some(error) => Box::pin(std::future::ready(vec![Err(error); batch.len()])),
            None => self.inner.publish(batch),
        }
    }

    fn tail(&self, after: Option<Cursor>) -> BoxStream<'static, TailItem> {
        self.inner.tail(after)
    }

    fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        self.inner.read(after, upto, budget, filter)
    }

    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>> {
        self.inner.bounds()
    }

    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>> {
        self.inner.resolve(id)
    }

    fn health(&self) -> Health {
        let bent = self.health.lock().unwrap().clone();
        bent.unwrap_or_else(|| self.inner.health())
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        self.inner.close(deadline)
    }
}
