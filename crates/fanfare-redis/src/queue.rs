//! What waits for the publisher: whole jobs, bounded in publications and bytes (W4).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_broker::{Publication, PublishError, Receipt};
use tokio::sync::{Notify, oneshot};

use crate::encoding::weight;

/// One outcome for each publication of a batch.
pub(crate) type Outcomes = Vec<Result<Receipt, PublishError>>;

/// A batch that waits to be stored, as a whole, and whoever waits for the outcome.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) batch: Vec<Publication>,
    pub(crate) reply: Reply,
    bytes: u64,
}

impl Job {
    /// The job, and where its outcomes will come.
    pub(crate) fn new(batch: Vec<Publication>) -> (Self, oneshot::Receiver<Outcomes>) {
        let (outcomes, receiver) = oneshot::channel();
        let reply = Reply {
            outcomes: Some(outcomes),
            count: batch.len(),
            sent: false,
        };
        let bytes = batch.iter().map(weight).sum();
        let job = Self {
            batch,
            reply,
            bytes,
        };
        (job, receiver)
    }
}

/// Whoever waits for the outcomes of a job.
///
/// One that is dropped unanswered, by a cancelled task for instance, still answers: unknown once
/// the job was sent, not stored before (W8).
#[derive(Debug)]
pub(crate) struct Reply {
    outcomes: Option<oneshot::Sender<Outcomes>>,
    count: usize,
    sent: bool,
}

impl Reply {
    pub(crate) fn send(mut self, outcomes: Outcomes) {
        if let Some(waiting) = self.outcomes.take() {
            // Whoever hung up does not need it; the publish stands (O4).
            _ = waiting.send(outcomes);
        }
    }

    /// Gives every publication of the job the same answer.
    pub(crate) fn refuse(self, error: &PublishError) {
        let outcomes = vec![Err(error.clone()); self.count];
        self.send(outcomes);
    }

    /// Something of the job may leave this process from now on.
    pub(crate) fn leaves(&mut self) {
        self.sent = true;
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(waiting) = self.outcomes.take() {
            let error = match self.sent {
                true => PublishError::Unknown,
                false => UNAVAILABLE,
            };
            _ = waiting.send(vec![Err(error); self.count]);
        }
    }
}

/// How long to wait before a publish that was refused may go through.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Nothing of it has left this process.
pub(crate) const UNAVAILABLE: PublishError = PublishError::Unavailable { retry_after: RETRY };

/// The jobs that wait.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    publications: usize,
    bytes: u64,
    /// The server is away: what comes is refused, so that nobody waits for it.
    away: bool,
    closed: bool,
}

impl Queue {
    /// Puts `job` at the end.
    ///
    /// # Errors
    ///
    /// `Overloaded` when there is no room, `Unavailable` while the server is away, and once closed:
    /// not stored either way.
    pub(crate) fn push(&self, job: Job) -> Result<(), PublishError> {
        let mut waiting = self.lock();
        if waiting.closed || waiting.away {
            return Err(UNAVAILABLE);
        }
        let publications = waiting.publications + job.batch.len();
        let bytes = waiting.bytes + job.bytes;
        let full = publications > PUBLICATIONS_MAX || bytes > BYTES_MAX;
        // One that is larger than the whole queue must not wait for ever.
        if full && !waiting.jobs.is_empty() {
            return Err(PublishError::Overloaded { retry_after: RETRY });
        }
        waiting.publications = publications;
        waiting.bytes = bytes;
        waiting.jobs.push_back(job);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a job, and takes what else waits into the same batch; `None`: no job will come any
    /// more. While one batch is on its way, the next gathers by itself.
    ///
    /// Dropping the future takes nothing.
    pub(crate) async fn take(&self) -> Option<Vec<Job>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut waiting = self.lock();
                if !waiting.jobs.is_empty() {
                    return Some(waiting.drain());
                }
                if waiting.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// The server is away: refuses what waits, and what comes until it is [`back`](Self::back).
    pub(crate) fn away(&self) {
        let jobs = {
            let mut waiting = self.lock();
            waiting.away = true;
            waiting.clear()
        };
        drop(jobs);
    }

    /// The server is there again.
    pub(crate) fn back(&self) {
        self.lock().away = false;
    }

    /// Takes no more jobs; those that wait are still stored.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Takes no more jobs, and refuses those that wait: nobody is there to store them.
    pub(crate) fn end(&self) {
        let jobs = {
            let mut waiting = self.lock();
            waiting.closed = true;
            waiting.clear()
        };
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The numbers are only limits; whatever a panic left of them is good enough.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn drain(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let (mut publications, mut bytes) = (0, 0);
        while let Some(next) = self.jobs.front() {
            let more = (publications + next.batch.len(), bytes + next.bytes);
            let fits = more.0 <= BATCH_PUBLICATIONS_MAX && more.1 <= BATCH_BYTES_MAX;
            if !fits && !jobs.is_empty() {
                break;
            }
            (publications, bytes) = more;
            jobs.extend(self.jobs.pop_front());
        }
        self.publications -= publications;
        self.bytes -= bytes;
        jobs
    }

    fn clear(&mut self) -> VecDeque<Job> {
        (self.publications, self.bytes) = (0, 0);
        std::mem::take(&mut self.jobs)
    }
}

/// Publications that may wait, and their weight.
const PUBLICATIONS_MAX: usize = 10_000;
const BYTES_MAX: u64 = 16 << 20;

/// Publications of one script, and their weight: the server does nothing else meanwhile.
const BATCH_PUBLICATIONS_MAX: usize = 1024;
const BATCH_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests;
