//! The broker: hands publishes to the writer and reads to the readers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use fanfare_broker::{
    Bounds, Broker, Budget, Capabilities, Cursor, Health, Page, Publication, PublishError,
    ReadError, Receipt, Resolved, TailItem, TopicFilter,
};
use fanfare_wire::EventId;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;

use crate::blocks::Blocks;
use crate::config::Config;
use crate::error::OpenError;
use crate::page::{self, Source};
use crate::queue::{Job, Queue};
use crate::readers::Readers;
use crate::search::{self, FoundId};
use crate::shared::Shared;
use crate::start;
use crate::tail;
use crate::writer::Writer;

/// A broker of one node that keeps its history in an SQLite database.
///
/// What it has acknowledged survives the death of the process, and the loss of power as far as
/// [`crate::Durability`] says. Dropping it stores what waits, and ends it cleanly.
#[derive(Debug)]
pub struct SqliteBroker {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    readers: Arc<Readers>,
    blocks: Arc<Blocks>,
    capabilities: Capabilities,
    /// `None` once it was waited for.
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteBroker {
    /// Opens the history in `directory`, or makes both; takes as long as a recovery takes.
    ///
    /// The directory is this broker's alone until it is closed. On a local disk: the write-ahead
    /// log is shared memory.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: the directory is in use or cannot be used, the database is of another
    /// program or version, or so damaged that nothing of it can be served.
    pub fn open(directory: impl Into<PathBuf>, config: Config) -> Result<Self, OpenError> {
        let capabilities = Capabilities::durable(
            "sqlite",
            config.dedupe_window,
            config.durability.loss_window(),
        );
        let directory = directory.into();
        let opened = start::open(&directory, &config)?;
        let readers = Arc::new(Readers::open(&directory, READERS)?);
        let shared = Arc::new(Shared::new(opened.bounds(), opened.condition.clone()));
        let queue = Arc::<Queue>::default();
        let writer = Writer::new(opened, directory, config, &shared, &queue)?;
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)?;
        Ok(Self {
            shared,
            queue,
            readers,
            blocks: Arc::default(),
            capabilities,
            writer: Mutex::new(Some(thread)),
        })
    }

    /// Resolves with the reason once the history cannot be written any more (F8): what is stored
    /// is safe, and only another start can prove it and go on.
    pub async fn failed(&self) -> String {
        let mut failures = self.shared.failures();
        loop {
            if let Some(why) = failures.borrow_and_update().clone() {
                return why;
            }
            if failures.changed().await.is_err() {
                // The sender lives as long as `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    fn source(&self) -> Source<'_> {
        Source {
            shared: &self.shared,
            readers: &self.readers,
            blocks: &self.blocks,
        }
    }

    fn take_writer(&self) -> Option<JoinHandle<()>> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.take()
    }
}

impl Broker for SqliteBroker {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
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
        let (readers, blocks) = (Arc::clone(&self.readers), Arc::clone(&self.blocks));
        tail::follow(Arc::clone(&self.shared), readers, blocks, after)
    }

    fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move {
            if self.shared.is_closed() {
                return Err(ReadError::Unavailable);
            }
            page::read(self.source(), after, upto, budget, filter).await
        })
    }

    fn bounds(&self) -> BoxFuture<'_, Result<Bounds, ReadError>> {
        Box::pin(async {
            match self.shared.is_closed() {
                true => Err(ReadError::Unavailable),
                false => Ok(self.shared.bounds()),
            }
        })
    }

    fn resolve(&self, id: &EventId) -> BoxFuture<'_, Result<Resolved, ReadError>> {
        let id = id.clone();
        Box::pin(async move {
            if self.shared.is_closed() {
                return Err(ReadError::Unavailable);
            }
            let bounds = self.shared.bounds();
            if let Some(resolved) = bounds.resolve(&id) {
                return Ok(resolved);
            }
            let (first, lineage) = (bounds.first, bounds.lineage);
            let find = move |connection: &rusqlite::Connection| {
                search::find_id(connection, &id, first, &lineage)
            };
            let found = self.readers.read(find).await?;
            if found == FoundId::Damaged {
                let what = "the index of ids has a row that is wrong; the id is told as unknown";
                self.shared.damaged(what.to_owned());
            }
            Ok(match found {
                FoundId::At(offset) => Resolved::At(offset),
                FoundId::Nowhere | FoundId::Damaged => Resolved::Unknown,
            })
        })
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        self.queue.close();
        Box::pin(async move {
            let mut changes = self.shared.changes();
            let closed = async {
                while !self.shared.is_closed() {
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
                if let Some(writer) = self.take_writer() {
                    // Its last act is a matter of moments: it closes the database.
                    _ = tokio::task::spawn_blocking(move || writer.join()).await;
                }
            };
            if tokio::time::timeout_at(deadline.into(), closed)
                .await
                .is_err()
            {
                tracing::error!("the history was not closed in time; the next start recovers it");
            }
        })
    }
}

impl Drop for SqliteBroker {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.take_writer() {
            // The data directory must be free for the next one when this is gone.
            _ = writer.join();
        }
    }
}

/// Threads that read.
const READERS: usize = 2;
