//! The thread that writes: takes all that waits, commits it at once, then tells everybody (§5.4).

mod append;
mod condition;
mod fault;
mod trim;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fanfare_broker::{Bounds, Epoch, Lineage, Publication, Topic};
use rusqlite::Connection;

use self::append::Stage;
use self::fault::{At, Fault};
use crate::config::{Config, Durability};
use crate::database::{self, sql};
use crate::error::OpenError;
use crate::lock::Lock;
use crate::queue::{Job, Outcomes, Queue, Reply, Taken};
use crate::row::{Now, number};
use crate::shared::{Condition, Shared};
use crate::start::Opened;
use crate::trim_clock::TrimClock;
use crate::wal::Wal;

/// What the writer knows of the history without asking: what the last commit left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    /// The offset that comes next.
    pub(crate) next: u64,
    /// The newest record's total and time.
    pub(crate) total: u64,
    pub(crate) ts_ms: u64,
    /// The first retained offset, and the total just before it.
    pub(crate) floor: u64,
    pub(crate) floor_total: u64,
    /// When the record at the floor was stored, once that was looked up.
    pub(crate) floor_ts_ms: Option<u64>,
    /// The last walk of the floor ended before it was done: more may be too old.
    pub(crate) behind: bool,
    /// The first offset that may still have a row: blocks are deleted as a whole.
    pub(crate) purged: u64,
    /// What the rows of the index add up to; see [`crate::search::posting`].
    pub(crate) postings: i64,
}

/// The thread that writes, and all that it owns.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: Connection,
    directory: PathBuf,
    config: Config,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    head: Head,
    lineage: Arc<Lineage>,
    /// The epoch of this run, begun by its first record (U11).
    epoch: Epoch,
    begun: bool,
    topics: Topics,
    clock: TrimClock,
    wal: Wal,
    /// When the disk was last asked how much room it has, and what was stored since.
    room_asked_at: Option<Instant>,
    stored_since: u64,
    /// When what was committed without a flush must be flushed.
    sync_at: Option<Instant>,
    /// [`Head::purged`] when it was last looked whether pages can be given back.
    purged_seen: u64,
    /// The data directory; released when the connection is closed.
    _lock: Lock,
}

/// Topics that were written to lately: their name in the index, and the last block that they are
/// in.
type Topics = HashMap<Topic, (i64, Option<u64>)>;

impl Writer {
    /// Makes a writer that goes on from what `opened` found.
    pub(crate) fn new(
        mut opened: Opened,
        directory: PathBuf,
        config: Config,
        shared: &Arc<Shared>,
        queue: &Arc<Queue>,
    ) -> rusqlite::Result<Self> {
        let wal = Wal::new(&mut opened.connection, database::log_file(&directory))?;
        let newest_ms = (opened.head.next > 1).then_some(opened.head.ts_ms);
        Ok(Self {
            connection: opened.connection,
            directory,
            config,
            shared: Arc::clone(shared),
            queue: Arc::clone(queue),
            head: opened.head,
            lineage: opened.lineage,
            epoch: opened.epoch,
            begun: false,
            topics: Topics::new(),
            clock: TrimClock::new(Now::read(), newest_ms),
            wal,
            room_asked_at: None,
            stored_since: 0,
            sync_at: None,
            purged_seen: opened.head.purged,
            _lock: opened.lock,
        })
    }

    /// Writes until the queue is closed.
    pub(crate) fn run(mut self) {
        let _last_words = LastWords {
            shared: Arc::clone(&self.shared),
            queue: Arc::clone(&self.queue),
        };
        loop {
            let now = Now::read();
            match self.queue.take(self.due(now.instant), now.instant) {
                Taken::Jobs(jobs) => self.store(jobs),
                Taken::Due => self.tend(Now::read()),
                Taken::Closed => break,
            }
            self.checkpoint();
        }
        self.finish();
    }

    /// When something has to be done though nobody publishes.
    fn due(&self, now: Instant) -> Option<Instant> {
        match self.shared.condition() {
            Condition::Failed(_) | Condition::ReadOnly(_) => None,
            Condition::Full(_) => Some(now + TICK),
            Condition::Ready if self.exceeds_limits() || self.has_spare_pages() => Some(now),
            Condition::Ready => {
                let ages = !self.config.history_age_max.is_zero();
                let retained = self.head.floor < self.head.next;
                let tick = (ages && retained).then(|| now + TICK);
                [self.sync_at, tick].into_iter().flatten().min()
            }
        }
    }

    /// Does what is due by time: flushes, trims, looks whether there is room again.
    ///
    /// All of that goes on while there is no room for more (F7), as long as the disk lets it.
    fn tend(&mut self, now: Now) {
        if !self.may_write(now) && !matches!(self.shared.condition(), Condition::Full(_)) {
            return;
        }
        if let Err(fault) = self.commit(Vec::new(), now) {
            self.fail(&fault);
        }
    }

    /// Stores all of `jobs` in one transaction, or none.
    fn store(&mut self, jobs: Vec<Job>) {
        let now = Now::read();
        if !self.may_write(now) {
            let refusal = self.refusal();
            for job in jobs {
                job.reply.refuse(&refusal);
            }
            return;
        }
        let (batches, replies): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.batch, job.reply)).unzip();
        match self.commit(batches, now) {
            Ok(outcomes) => answer(replies, outcomes),
            Err(fault) => {
                let answer = fault.answer();
                self.fail(&fault);
                for reply in replies {
                    reply.refuse(&answer);
                }
            }
        }
    }

    /// One transaction; after it, everybody knows (W8). Without publications it only tidies up.
    fn commit(&mut self, batches: Vec<Vec<Publication>>, now: Now) -> Result<Vec<Outcomes>, Fault> {
        let flushed = self.raise(now.instant).map_err(At::Begin.fault())?;
        let staged = self.transaction(batches, now, flushed);
        if flushed && matches!(self.config.durability, Durability::Interval(_)) {
            // Outside a transaction; the next commits are not flushed again.
            self.pragma("synchronous", "NORMAL")
                .map_err(At::Begin.fault())?;
        }
        let stage = match staged {
            Ok(stage) => stage,
            Err(fault) => {
                // Its blocks may be rolled back.
                self.topics.clear();
                return Err(fault);
            }
        };
        self.note_flush(flushed, !stage.records.is_empty(), now.instant);
        let trimmed = stage.head.floor != self.head.floor;
        self.stored_since += stage.head.total.saturating_sub(self.head.total);
        self.head = stage.head;
        self.lineage = stage.lineage;
        self.begun = stage.begun;
        if self.topics.len() > TOPICS_MAX {
            self.topics.clear();
        }
        if !stage.records.is_empty() || trimmed {
            self.shared.committed(stage.records, self.bounds());
        }
        Ok(stage.outcomes)
    }

    fn transaction(
        &mut self,
        batches: Vec<Vec<Publication>>,
        now: Now,
        flushed: bool,
    ) -> Result<Stage, Fault> {
        self.execute(sql::BEGIN).map_err(At::Begin.fault())?;
        let staged = self.stage(batches, now, flushed);
        let staged = match staged {
            Ok(stage) => match self.execute(sql::COMMIT) {
                Ok(()) => Ok(stage),
                Err(error) => Err(At::Commit.fault()(error)),
            },
            Err(error) => Err(At::Body.fault()(error)),
        };
        if staged.is_err() && !self.connection.is_autocommit() {
            // What rolled back by itself is not rolled back again.
            _ = self.execute(sql::ROLLBACK);
        }
        staged
    }

    /// What goes between BEGIN and COMMIT.
    fn stage(
        &mut self,
        batches: Vec<Vec<Publication>>,
        now: Now,
        flushed: bool,
    ) -> rusqlite::Result<Stage> {
        let mut stage = self.append(batches, now)?;
        let inserted = stage.records.len();
        self.trim(&mut stage, inserted, now)?;
        self.note_bounds(&stage.head)?;
        if flushed && matches!(self.config.durability, Durability::Interval(_)) {
            let head = number(stage.head.next - 1);
            self.connection
                .prepare_cached(sql::UPDATE_SYNCED)?
                .execute([head])?;
        }
        Ok(stage)
    }

    /// Stores what of `head` has a column, if it changed.
    fn note_bounds(&self, head: &Head) -> rusqlite::Result<()> {
        let kept = |head: &Head| (head.floor, head.floor_total, head.postings);
        if kept(head) == kept(&self.head) {
            return Ok(());
        }
        let mut update = self.connection.prepare_cached(sql::UPDATE_BOUNDS)?;
        let (floor, floor_total) = (number(head.floor), number(head.floor_total));
        let columns = [floor, floor_total, number(head.next - 1), head.postings];
        update.execute(columns).map(|_| ())
    }

    /// Makes the coming commit one that is flushed, if it has to be (W10).
    fn raise(&mut self, now: Instant) -> rusqlite::Result<bool> {
        match self.config.durability {
            Durability::Always => Ok(true),
            Durability::Never => Ok(false),
            Durability::Interval(_) if self.sync_at.is_some_and(|due| due <= now) => {
                self.pragma("synchronous", "FULL")?;
                Ok(true)
            }
            Durability::Interval(_) => Ok(false),
        }
    }

    /// A flushed commit covers all before it; one that is not has to be covered in time.
    fn note_flush(&mut self, flushed: bool, wrote: bool, now: Instant) {
        let Durability::Interval(interval) = self.config.durability else {
            return;
        };
        if flushed {
            self.sync_at = None;
        } else if wrote {
            self.sync_at.get_or_insert(now + interval);
        }
    }

    fn checkpoint(&mut self) {
        if !matches!(
            self.shared.condition(),
            Condition::Ready | Condition::Full(_)
        ) {
            return;
        }
        let idle = self.queue.is_empty();
        let done = self.wal.checkpoint_if_due(&self.connection, idle);
        let done = done.and_then(|()| if idle { self.give_back() } else { Ok(()) });
        if let Err(error) = done {
            // What was stored is safe in the log (F5, F6). Somebody in the way is no fault (F2).
            self.fail(&At::Begin.fault()(error));
        }
    }

    /// Trims what exceeds the limits, gives the room back, and ends in order.
    pub(crate) fn trim_all(mut self) -> Result<(), OpenError> {
        let unwritable = |why: String| OpenError::Unwritable { why };
        while self.exceeds_limits() && self.shared.condition() == Condition::Ready {
            let done = self.commit(Vec::new(), Now::read());
            done.map_err(|fault| unwritable(fault.to_string()))?;
            self.checkpoint();
        }
        while self.has_spare_pages() {
            self.give_back()?;
        }
        let shared = Arc::clone(&self.shared);
        self.finish();
        match shared.condition() {
            Condition::Ready => Ok(()),
            Condition::Full(why) | Condition::ReadOnly(why) | Condition::Failed(why) => {
                Err(unwritable(why))
            }
        }
    }

    /// The orderly end (U10): flushed, marked clean, and all of it in one file.
    fn finish(mut self) {
        if self.shared.condition() == Condition::Ready {
            let head = number(self.head.next - 1);
            let ended = self
                .pragma("synchronous", "FULL")
                .and_then(|()| self.connection.execute(sql::UPDATE_CLEAN, [head]))
                .map(|_| ())
                .and_then(|()| self.wal.truncate(&self.connection));
            if let Err(error) = ended {
                self.fail(&At::Body.fault()(error));
            }
        }
        self.shared.close();
    }

    /// What is retained, as everybody sees it.
    pub(crate) fn bounds(&self) -> Bounds {
        bounds(&self.head, &self.lineage)
    }

    fn execute(&self, text: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(text)?
            .execute([])
            .map(|_| ())
    }

    fn pragma(&self, name: &str, value: &str) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, name, value)
    }
}

/// Tells everybody if the thread ends by a panic: nobody waits for ever (P4).
struct LastWords {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        if thread::panicking() {
            let why = "the thread that writes the history has stopped".to_owned();
            tracing::error!("{why}");
            self.shared.set_condition(Condition::Failed(why));
        }
        self.queue.end();
    }
}

/// What is retained according to `head`.
pub(crate) fn bounds(head: &Head, lineage: &Arc<Lineage>) -> Bounds {
    Bounds {
        head: match head.next {
            1 => None,
            next => lineage.cursor_at(next - 1),
        },
        first: head.floor,
        lineage: Arc::clone(lineage),
    }
}

/// Gives each batch its outcomes, in order.
fn answer(replies: Vec<Reply>, outcomes: Vec<Outcomes>) {
    for (reply, outcomes) in replies.into_iter().zip(outcomes) {
        reply.send(outcomes);
    }
}

/// How often something is looked at that changes by time.
const TICK: Duration = Duration::from_secs(1);

/// Topics that are remembered; past it all are forgotten, and looked up again.
const TOPICS_MAX: usize = 65_536;

#[cfg(test)]
mod tests;
