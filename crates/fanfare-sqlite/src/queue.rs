//! What waits for the writer: whole jobs, bounded in publications and bytes (W4).

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fanfare_broker::{Publication, PublishError, Receipt};
use tokio::sync::oneshot;

use crate::row::weight;

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
            taken: false,
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
/// One that is dropped unanswered, by a panic for instance, still answers: unknown once the job
/// was taken, not stored before (W8).
#[derive(Debug)]
pub(crate) struct Reply {
    outcomes: Option<oneshot::Sender<Outcomes>>,
    count: usize,
    taken: bool,
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
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(waiting) = self.outcomes.take() {
            let error = match self.taken {
                true => PublishError::Unknown,
                false => PublishError::Unavailable { retry_after: RETRY },
            };
            _ = waiting.send(vec![Err(error); self.count]);
        }
    }
}

/// How long to wait before a publish that was refused may go through.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// The jobs that wait.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    publications: usize,
    bytes: u64,
    closed: bool,
}

/// What the writer gets.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The jobs of one transaction.
    Jobs(Vec<Job>),
    /// The time has come, and no job.
    Due,
    /// No job will come any more.
    Closed,
}

impl Queue {
    /// Puts `job` at the end.
    ///
    /// # Errors
    ///
    /// `Overloaded` when there is no room, `Unavailable` once closed: not stored either way.
    pub(crate) fn push(&self, job: Job) -> Result<(), PublishError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(PublishError::Unavailable { retry_after: RETRY });
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
        let was_empty = waiting.jobs.is_empty();
        waiting.jobs.push_back(job);
        drop(waiting);
        if was_empty {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for a job, at most until `due`, and takes what else waits into the same transaction
    /// (W5). While one flush runs, the next batch gathers by itself.
    pub(crate) fn take(&self, due: Option<Instant>, now: Instant) -> Taken {
        let mut waiting = self.lock();
        let mut left = due.map(|due| due.saturating_duration_since(now));
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return Taken::Closed;
            }
            waiting = match left {
                None => self
                    .changed
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(time) if time.is_zero() => return Taken::Due,
                Some(time) => {
                    let (waiting, timeout) = self
                        .changed
                        .wait_timeout(waiting, time)
                        .unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() {
                        left = Some(Duration::ZERO);
                    }
                    waiting
                }
            };
        }
        Taken::Jobs(waiting.drain())
    }

    /// Takes no more jobs; those that wait are still stored.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Takes no more jobs, and drops those that wait: nobody is there to store them.
    pub(crate) fn end(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let jobs = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        drop(jobs);
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().jobs.is_empty()
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
            let fits = more.0 <= TRANSACTION_PUBLICATIONS_MAX && more.1 <= TRANSACTION_BYTES_MAX;
            if !fits && !jobs.is_empty() {
                break;
            }
            (publications, bytes) = more;
            if let Some(mut job) = self.jobs.pop_front() {
                job.reply.taken = true;
                jobs.push(job);
            }
        }
        self.publications -= publications;
        self.bytes -= bytes;
        jobs
    }
}

/// Publications that may wait, and their weight.
const PUBLICATIONS_MAX: usize = 10_000;
const BYTES_MAX: u64 = 16 << 20;

/// Publications of one transaction, and their weight.
const TRANSACTION_PUBLICATIONS_MAX: usize = 4096;
const TRANSACTION_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests;
