//! The broker: hands publishes to the publisher, and reads to the history.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Cursor, Health, Page, Presence, Publication,
    PublishError, ReadError, Receipt, Resolved, TailItem, TopicFilter,
};
use fanfare_wire::EventId;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use tokio::task::JoinSet;

use crate::address::Address;
use crate::backoff::Backoff;
use crate::condition::{Condition, Phase};
use crate::config::Config;
use crate::encoding::Now;
use crate::error::ConnectError;
use crate::history::History;
use crate::keys::Keys;
use crate::link::{Connection, Fault, Link, SharedConnection};
use crate::presence::RedisPresence;
use crate::publisher::Publisher;
use crate::queue::{Job, Queue};
use crate::server::{self, Misfit, Server};
use crate::tail;

/// A broker that any number of nodes share: a stream of Redis or Valkey.
///
/// What it has acknowledged outlives every node, and the server as far as [`crate::Ack`] and that
/// server's own persistence say. Dropping it gives up what is on its way.
#[derive(Debug)]
pub struct RedisBroker {
    link: Link,
    keys: Keys,
    config: Config,
    condition: Arc<Condition>,
    queue: Arc<Queue>,
    /// The newest offset that was acknowledged here: what the tails bring before they end.
    newest: Arc<AtomicU64>,
    history: Arc<History>,
    presence: Arc<RedisPresence>,
    publisher: Mutex<JoinSet<()>>,
}

impl RedisBroker {
    /// Connects to the server at `address` and looks whether it can keep what is promised; waits
    /// for it up to [`Config::broker_start_patience`]. Needs a tokio runtime, as long as it lives.
    ///
    /// Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: the server was not there in time, does not let us in, or is set up in a
    /// way that breaks a promise.
    pub async fn connect(address: Address, config: Config) -> Result<Self, ConnectError> {
        let link = Link::new(&address, config.broker_response_timeout)?;
        let (connection, server) = first_connection(&link, &address, &config).await?;
        let keys = Keys::new(address.hub());
        let condition = Condition::new(server, config.broker_grace);
        let queue = Arc::<Queue>::default();
        let newest = Arc::<AtomicU64>::default();
        let reads = SharedConnection::new(link.clone());
        let publisher = Publisher {
            link: link.clone(),
            address,
            config: config.clone(),
            keys: keys.clone(),
            queue: Arc::clone(&queue),
            condition: Arc::clone(&condition),
            newest: Arc::clone(&newest),
        };
        let mut task = JoinSet::new();
        task.spawn(publisher.run(connection));
        Ok(Self {
            history: Arc::new(History {
                keys: keys.clone(),
                connection: Arc::clone(&reads),
                condition: Arc::clone(&condition),
            }),
            presence: Arc::new(RedisPresence::new(keys.clone(), reads)),
            link,
            keys,
            config,
            condition,
            queue,
            newest,
            publisher: Mutex::new(task),
        })
    }
}

/// Tries until a server is there that will do, or one that never will.
async fn first_connection(
    link: &Link,
    address: &Address,
    config: &Config,
) -> Result<(Connection, Server), ConnectError> {
    let mut backoff = Backoff::default();
    let deadline = Now::read().instant + config.broker_start_patience;
    let unfit = |why| ConnectError::Unfit {
        server: address.server(),
        why,
    };
    loop {
        let misfit = match try_connect(link, address, config).await {
            Ok(found) => return Ok(found),
            Err(Misfit::Unfit(why)) => return Err(unfit(why)),
            Err(misfit) => misfit,
        };
        let next = Now::read().instant + backoff.next();
        match misfit {
            Misfit::Silent(Fault::Refused { ref code, .. }) if !passes(code) => {
                return Err(unfit(misfit.to_string()));
            }
            Misfit::Replica(why) if next > deadline => return Err(unfit(why)),
            misfit if next > deadline => {
                return Err(ConnectError::Unreachable {
                    server: address.server(),
                    waited: config.broker_start_patience,
                    why: misfit.to_string(),
                });
            }
            misfit => tracing::warn!(server = address.server(), %misfit, "waiting for Redis"),
        }
        tokio::time::sleep_until(next.into()).await;
    }
}

async fn try_connect(
    link: &Link,
    address: &Address,
    config: &Config,
) -> Result<(Connection, Server), Misfit> {
    let mut connection = link.connect().await?;
    let server = server::look(&mut connection, address, config).await?;
    Ok((connection, server))
}

/// Whether a refusal is one of a server that is about to be there.
fn passes(code: &str) -> bool {
    matches!(code, "LOADING" | "BUSY" | "MASTERDOWN")
}

impl Broker for RedisBroker {
    fn capabilities(&self) -> Capabilities {
        let loss_window = self.condition.server().loss_window;
        Capabilities::shared("redis", self.config.dedupe_window, loss_window)
    }

    fn publish(
        &self,
        batch: Vec<Publication>,
    ) -> BoxFuture<'_, Vec<Result<Receipt, PublishError>>> {
        // Not in the future: one that is made is a publish that was begun, polled or not.
        let count = batch.len();
        let (job, outcomes) = Job::new(batch);
        let pushed = self.queue.push(job);
        Box::pin(async move {
            match pushed {
                // A reply answers even when it is dropped.
                Ok(()) => outcomes
                    .await
                    .unwrap_or_else(|_| vec![Err(PublishError::Unknown); count]),
                Err(refusal) => vec![Err(refusal); count],
            }
        })
    }

    fn tail(&self, after: Option<Cursor>) -> BoxStream<'static, TailItem> {
        let condition = Arc::clone(&self.condition);
        tail::follow(self.link.clone(), self.keys.clone(), condition, after)
    }

    fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(self.history.read(after, upto, budget, filter))
    }

    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>> {
        Box::pin(self.history.bounds())
    }

    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>> {
        let id = id.clone();
        Box::pin(async move { self.history.resolve(&id).await })
    }

    fn presence(&self) -> Option<Arc<dyn Presence>> {
        Some(Arc::clone(&self.presence) as _)
    }

    fn health(&self) -> Health {
        self.condition.health(Now::read().instant)
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        self.queue.close();
        Box::pin(async move {
            let mut publisher = {
                let mut publisher = self
                    .publisher
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *publisher)
            };
            let ended = async { while publisher.join_next().await.is_some() {} };
            if tokio::time::timeout_at(deadline.into(), ended)
                .await
                .is_err()
            {
                tracing::warn!("Redis did not answer in time; what was sent is unknown");
            }
            // Whoever still waits is answered by it.
            publisher.shutdown().await;
            let upto = self.newest.load(Ordering::Relaxed);
            let until = deadline;
            self.condition.set_phase(Phase::Closing { upto, until });
            self.history.connection.close();
        })
    }
}

impl Drop for RedisBroker {
    fn drop(&mut self) {
        self.condition.set_phase(Phase::Closed);
    }
}
