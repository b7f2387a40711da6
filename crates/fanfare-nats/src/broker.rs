//! The broker: hands publishes and reads to the connection of the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Cursor, Health, Page, Presence, Publication,
    PublishError, ReadError, Receipt, Resolved, TailItem, TopicFilter,
};
use fanfare_wire::EventId;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::Address;
use crate::append::{self, unavailable};
use crate::codec::Now;
use crate::config::{Ack, Config};
use crate::error::OpenError;
use crate::keeper::Keeper;
use crate::link::Link;
use crate::page;
use crate::presence::NatsPresence;
use crate::shared::Shared;
use crate::tail;

/// A broker of several nodes that keeps its history in a stream of NATS JetStream.
///
/// What it has acknowledged survives the death of every node. What it survives of the servers'
/// deaths is said by [`Ack`] and the stream's replicas.
#[derive(Debug)]
pub struct NatsBroker {
    shared: Arc<Shared>,
    capabilities: Capabilities,
    runtime: Handle,
    /// Publications that were sent and have no answer.
    room: Arc<Semaphore>,
    /// One permit, for the batch that is being sent.
    turn: Arc<Semaphore>,
    publishes: TaskTracker,
    is_closing: AtomicBool,
    stop: CancellationToken,
}

impl NatsBroker {
    /// Connects to the servers at `address`, and makes the stream unless it is there.
    ///
    /// Waits for a server as long as the configuration says. Dropping the future leaves nothing
    /// behind, or the empty stream.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn connect(address: Address, config: Config) -> Result<Self, OpenError> {
        let capabilities = Capabilities::shared("nats", config.window(), loss_window(&address));
        let shared = Arc::new(Shared::new(config.broker_grace));
        let keeper = Keeper {
            address,
            config,
            shared: Arc::clone(&shared),
        };
        let link = keeper.start().await?;
        let runtime = Handle::current();
        let stop = CancellationToken::new();
        runtime.spawn(keeper.run(link, stop.clone()));
        Ok(Self {
            shared,
            capabilities,
            runtime,
            room: Arc::new(Semaphore::new(ROOM)),
            turn: Arc::new(Semaphore::new(1)),
            publishes: TaskTracker::new(),
            is_closing: AtomicBool::new(false),
            stop,
        })
    }

    /// Sends `batch` from here on, whether or not anybody waits for it (O4, L11).
    fn begin(
        &self,
        batch: Vec<Publication>,
    ) -> Result<oneshot::Receiver<Vec<Result<Receipt, PublishError>>>, PublishError> {
        let link = self.link().ok_or_else(unavailable)?;
        let wanted = batch.len().min(ROOM);
        let permits = u32::try_from(wanted).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(permits);
        let room = room.map_err(|_| PublishError::Overloaded { retry_after: RETRY })?;
        let (answer, answered) = oneshot::channel();
        let (shared, turn) = (Arc::clone(&self.shared), Arc::clone(&self.turn));
        let work = async move {
            let outcomes = append::append(&shared, &link, &turn, batch).await;
            drop(room);
            // Its publisher may have gone.
            _ = answer.send(outcomes);
        };
        self.publishes.spawn_on(work, &self.runtime);
        Ok(answered)
    }

    /// The connection, unless it is down or the broker is closing.
    fn link(&self) -> Option<Arc<Link>> {
        match self.is_closing.load(Ordering::Relaxed) {
            true => None,
            false => self.shared.link(),
        }
    }

    fn read_link(&self) -> Result<Arc<Link>, ReadError> {
        self.link().ok_or(ReadError::Unavailable)
    }

    async fn bounds_by(&self, link: &Link) -> Result<Bounds, ReadError> {
        let view = link.views.view(&link.log).await;
        let view = view.map_err(|error| page::unavailable(&error))?;
        let known = self.shared.known();
        Ok(Bounds {
            head: match view.last {
                0 => None,
                last => known.cursor_at(last),
            },
            first: view.first,
            lineage: Arc::clone(&known.lineage),
        })
    }
}

impl Broker for NatsBroker {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn publish(
        &self,
        batch: Vec<Publication>,
    ) -> BoxFuture<'_, Vec<Result<Receipt, PublishError>>> {
        // Not in the future: one that is made is a publish that was begun, polled or not.
        let count = batch.len();
        let begun = self.begin(batch);
        Box::pin(async move {
            match begun {
                Ok(answered) => answered
                    .await
                    .unwrap_or_else(|_| vec![Err(PublishError::Unknown); count]),
                Err(refusal) => vec![Err(refusal); count],
            }
        })
    }

    fn tail(&self, after: Option<Cursor>) -> BoxStream<'static, TailItem> {
        tail::follow(Arc::clone(&self.shared), self.runtime.clone(), after)
    }

    fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move {
            let link = self.read_link()?;
            page::read(&self.shared, &link, after, upto, budget, filter).await
        })
    }

    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>> {
        Box::pin(async { self.bounds_by(&*self.read_link()?).await })
    }

    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>> {
        let id = id.clone();
        Box::pin(async move {
            let link = self.read_link()?;
            let bounds = self.bounds_by(&link).await?;
            if let Some(resolved) = bounds.resolve(&id) {
                return Ok(resolved);
            }
            let found = link.log.find(&id, Now::read()).await;
            let found = found.map_err(|error| page::unavailable(&error))?;
            Ok(found.map_or(Resolved::Unknown, Resolved::At))
        })
    }

    fn presence(&self) -> Option<Arc<dyn Presence>> {
        Some(Arc::new(NatsPresence::new(Arc::clone(&self.shared))))
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        self.is_closing.store(true, Ordering::Relaxed);
        self.publishes.close();
        Box::pin(async move {
            let closed = async {
                self.publishes.wait().await;
                let link = self.shared.link();
                let end = match &link {
                    Some(link) => link.log.view().await.map_or(0, |view| view.last),
                    None => 0,
                };
                self.shared.close(end, link);
            };
            let in_time = tokio::time::timeout_at(deadline.into(), closed).await;
            if in_time.is_err() {
                tracing::warn!("NATS did not answer every publish in time; some are unknown");
                self.shared.close(0, None);
            }
            self.stop.cancel();
        })
    }
}

impl Drop for NatsBroker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What of the stored events the servers may lose, for logs and `/readyz`.
fn loss_window(address: &Address) -> Option<String> {
    match (address.ack, address.replicas) {
        (Ack::Synced, _) => None,
        (Ack::Relaxed, 1) => Some(
            "what the NATS server had not written to its disk when the power failed: up to 2 \
             minutes by its default; everything when its disk is lost"
                .to_owned(),
        ),
        (Ack::Relaxed, _) => Some(
            "what the NATS servers had not written to their disks when the power of most of them \
             failed at once: up to 2 minutes by their default"
                .to_owned(),
        ),
    }
}

/// Publications that may be on their way at once.
const ROOM: usize = 4_096;

const RETRY: std::time::Duration = std::time::Duration::from_secs(1);
