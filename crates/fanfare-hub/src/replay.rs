//! History that the ring no longer holds, read off the shards' threads in budgeted slices.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, Budget, ReadError};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::inbox::{Command, Inbox};
use crate::shard::{HistoryRead, HistorySlice};

/// Reads history for lagging subscribers, a bounded number at a time.
#[derive(Clone)]
pub(crate) struct Replay {
    broker: Arc<dyn Broker>,
    runtime: Handle,
    tasks: TaskTracker,
    turns: Arc<Semaphore>,
}

impl Replay {
    /// Reads from `broker` on `runtime`; its tasks belong to `tasks`.
    pub(crate) fn new(broker: Arc<dyn Broker>, runtime: Handle, tasks: TaskTracker) -> Self {
        Self {
            broker,
            runtime,
            tasks,
            turns: Arc::new(Semaphore::new(READS_MAX)),
        }
    }

    /// Reads one slice and leaves it in `inbox`. Reads have their turns in the order in which they
    /// came, a slice each, so that no replay holds up another; who waits has its stream open.
    pub(crate) fn read(&self, read: HistoryRead, inbox: Arc<Inbox>) {
        let this = self.clone();
        let task = async move {
            // The semaphore is never closed.
            let _turn = this.turns.acquire().await;
            if let Some(slice) = this.slice(&read).await {
                inbox.send(Command::History(read, slice));
            }
        };
        self.tasks.spawn_on(task, &self.runtime);
    }

    /// One slice; repeats while the broker is away, for a subscriber waits rather than loses. `None`
    /// when nobody waits any more.
    async fn slice(&self, read: &HistoryRead) -> Option<HistorySlice> {
        let mut pause = tokio::time::interval(BROKER_RETRY);
        loop {
            pause.tick().await;
            if read.wanted.strong_count() == 0 || self.tasks.is_closed() {
                return None;
            }
            let filter = Arc::clone(&read.filter);
            let page = self.broker.read(read.after, read.upto, SLICE, filter).await;
            if matches!(page, Err(ReadError::Unavailable)) {
                continue;
            }
            if let Ok(bounds) = self.broker.bounds().await {
                return Some(HistorySlice { page, bounds });
            }
        }
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

/// A slice is short, so that a broker's snapshot is (Q3).
const SLICE: Budget = Budget {
    records_max: 4096,
    bytes_max: 64 << 10,
};

/// Slices read at once.
const READS_MAX: usize = 64;

/// How often a broker that is away is asked again.
const BROKER_RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
