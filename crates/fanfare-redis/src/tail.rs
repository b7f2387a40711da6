//! A reader of the stream that waits for more at its end, on a connection of its own (RD10, RD11).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Bounds, Cursor, Epoch, Lineage, Resolved, TailItem};
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use redis::cmd;
use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::bounds;
use crate::condition::{Condition, Part, Phase};
use crate::encoding::Now;
use crate::entry::{self, Entry};
use crate::keys::Keys;
use crate::link::{Connection, Fault, Link};

/// Follows the stream after `after`, or from its beginning; ends when the broker is closed, with
/// all that it stored before.
pub(crate) fn follow(
    link: Link,
    keys: Keys,
    condition: Arc<Condition>,
    after: Option<Cursor>,
) -> BoxStream<'static, TailItem> {
    let tail = Tail {
        phases: condition.phases(),
        link,
        keys,
        condition,
        connection: None,
        backoff: Backoff::default(),
        lost: false,
        last: after.map_or(0, |cursor| cursor.offset),
        epoch: after.map(|cursor| cursor.epoch),
        lineage: Arc::default(),
        count: COUNT_FIRST,
        ready: VecDeque::new(),
    };
    unfold(tail, |mut tail| async {
        let item = tail.next().await?;
        Some((item, tail))
    })
    .boxed()
}

struct Tail {
    link: Link,
    keys: Keys,
    condition: Arc<Condition>,
    phases: watch::Receiver<Phase>,
    /// Nobody else's, so that a loss of it is seen.
    connection: Option<Connection>,
    backoff: Backoff,
    /// Whether this tail said that it has lost the server.
    lost: bool,
    /// The newest offset that was told, or told to be gone; 0: the beginning.
    last: u64,
    /// The epoch of that one, where it is known.
    epoch: Option<Epoch>,
    /// The epochs that the last look at them told.
    lineage: Arc<Lineage>,
    /// Entries that are asked for at once.
    count: usize,
    /// Told before anything else is looked for.
    ready: VecDeque<TailItem>,
}

impl Tail {
    async fn next(&mut self) -> Option<TailItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let phase = *self.phases.borrow_and_update();
            if let Phase::Closing { upto, .. } = phase
                && self.last >= upto
            {
                return None;
            }
            let mut phases = self.phases.clone();
            let turn = async {
                if let Err(fault) = self.step().await {
                    self.lose(&fault).await;
                }
            };
            let done = match phase {
                Phase::Open => tokio::select! {
                    () = turn => true,
                    _ = phases.changed() => false,
                },
                Phase::Closing { until, .. } => {
                    tokio::time::timeout_at(until.into(), turn).await.ok()?;
                    true
                }
                Phase::Closed => return None,
            };
            if !done {
                // It waits on a read that may not be answered for a while.
                self.connection = None;
            }
        }
    }

    /// Connects and checks, or reads on.
    async fn step(&mut self) -> Result<(), Fault> {
        let Some(mut connection) = self.connection.clone() else {
            let mut connection = self.link.connect_for(BLOCK + PATIENCE).await?;
            self.check(&mut connection).await?;
            self.connection = Some(connection);
            self.backoff = Backoff::default();
            if std::mem::take(&mut self.lost) {
                self.condition.found(Part::Tailing);
            }
            return Ok(());
        };
        let blocks = u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX);
        let read = cmd("XREAD")
            .arg("COUNT")
            .arg(self.count)
            .arg("BLOCK")
            .arg(blocks)
            .arg("STREAMS")
            .arg(&self.keys.log)
            .arg(format!("{}-0", self.last))
            .take();
        let entries = entry::entries_of_stream(connection.ask(&read).await?)?;
        let known = entries.iter().all(|entry| self.is_known(entry));
        if entries.is_empty() || !known {
            // A stream that was lost and begins anew says nothing to one who is ahead of it.
            self.check(&mut connection).await?;
        }
        self.adapt(&entries);
        // After a check that found a loss, what was read may not follow what is told.
        if self.ready.is_empty() {
            self.tell(&entries);
        }
        Ok(())
    }

    /// Whether the entry's epoch is the one that we know of its place; of a place before the oldest
    /// that is known, its own word is taken.
    fn is_known(&self, entry: &Entry) -> bool {
        let cursor = entry.cursor();
        match self.lineage.cursor_at(entry.offset) {
            Some(known) => cursor == Some(known),
            None => cursor.is_some() && self.lineage.newest().is_some(),
        }
    }

    /// Holds what was told against what the server has (RD11).
    async fn check(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let bounds = bounds::ask(connection, &self.keys).await?;
        let known = std::mem::replace(&mut self.lineage, Arc::clone(&bounds.lineage));
        if self.last == 0 {
            return Ok(());
        }
        if let Some((end, epoch)) = divergence(&known, self.last, self.epoch, &bounds) {
            self.ready.push_back(TailItem::Diverged { end, epoch });
            (self.last, self.epoch) = (end, self.epoch_at(end));
        }
        Ok(())
    }

    /// Tells entries that follow what was told; what is left out is told to be gone.
    fn tell(&mut self, entries: &[Entry]) {
        let now = Now::read();
        let mut run = Vec::new();
        for entry in entries {
            if entry.offset > self.last + 1 {
                self.flush(&mut run);
                self.skip_to(entry.offset);
            }
            match entry.record(now).filter(|_| self.is_known(entry)) {
                Some(record) => {
                    (self.last, self.epoch) = (entry.offset, Some(record.cursor().epoch));
                    run.push(record);
                }
                None => {
                    let offset = entry.offset;
                    let what = format!("the entry at offset {offset} does not prove itself");
                    self.condition.damaged(what);
                    self.flush(&mut run);
                    // Whoever reads the history is told why.
                    self.skip_to(offset + 1);
                }
            }
        }
        self.flush(&mut run);
    }

    fn flush(&mut self, run: &mut Vec<fanfare_broker::Record>) {
        if !run.is_empty() {
            let records = std::mem::take(run);
            self.ready.push_back(TailItem::Records(records));
        }
    }

    /// Everything before `next` is gone.
    fn skip_to(&mut self, next: u64) {
        match self.ready.back_mut() {
            Some(TailItem::Trimmed { next: last }) => *last = next,
            _ => self.ready.push_back(TailItem::Trimmed { next }),
        }
        (self.last, self.epoch) = (next - 1, self.epoch_at(next - 1));
    }

    fn epoch_at(&self, offset: u64) -> Option<Epoch> {
        self.lineage.cursor_at(offset).map(|cursor| cursor.epoch)
    }

    /// Asks for fewer entries at once when they are large, for more when they are small: an answer
    /// stays at a few MiB.
    fn adapt(&mut self, entries: &[Entry]) {
        let bytes: usize = entries.iter().map(Entry::size).sum();
        if bytes > ANSWER_BYTES {
            self.count = (self.count / 2).max(1);
        } else if entries.len() == self.count && bytes < ANSWER_BYTES / 4 {
            self.count = (self.count * 2).min(COUNT_MAX);
        }
    }

    /// The connection is of no use any more; waits before the next attempt.
    async fn lose(&mut self, fault: &Fault) {
        let had = self.connection.take().is_some();
        // A first attempt says no less than a lost connection.
        self.lost = true;
        self.condition
            .lost(Part::Tailing, &fault.to_string(), Now::read().instant);
        if had {
            // At once: the server may only have ended this one.
            return;
        }
        let mut phases = self.phases.clone();
        _ = tokio::time::timeout(self.backoff.next(), phases.changed()).await;
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        if self.lost {
            // Nobody waits for this one any more.
            self.condition.found(Part::Tailing);
        }
    }
}

/// Where a reader that was told all up to `last`, which is of `epoch`, and the history part, and
/// the epoch that follows; `None`: they do not.
///
/// An epoch that the history does not know is lost as a whole; the one before it, of those that
/// were `known`, tells more.
fn divergence(
    known: &Lineage,
    last: u64,
    epoch: Option<Epoch>,
    bounds: &Bounds,
) -> Option<(u64, Epoch)> {
    let cursor = |epoch, offset| Cursor { epoch, offset };
    let mut told: Vec<_> = epoch.map(|epoch| cursor(epoch, last)).into_iter().collect();
    let mut end = last;
    let epochs: Vec<_> = known.epochs().collect();
    for (first, epoch) in epochs.into_iter().rev() {
        if first <= end {
            told.push(cursor(epoch, end));
            end = first - 1;
        }
    }
    let mut parted = 0;
    for cursor in told {
        match bounds
            .lineage
            .resolve(cursor, bounds.first, bounds.head_offset())
        {
            Resolved::At(_) | Resolved::Trimmed { .. } if cursor.offset == last => return None,
            Resolved::At(_) | Resolved::Trimmed { .. } => parted = cursor.offset,
            Resolved::Diverged { end } => parted = end,
            Resolved::Unknown | _ => continue,
        }
        break;
    }
    // Nothing follows yet: then it is told by the epoch that has ended.
    let next = bounds.lineage.cursor_at(parted + 1).or(bounds.head);
    let next = next.map(|cursor| cursor.epoch).or(epoch)?;
    Some((parted, next))
}

/// How long the server holds a read that finds nothing.
const BLOCK: Duration = Duration::from_secs(5);
/// How much longer we wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

const COUNT_FIRST: usize = 64;
const COUNT_MAX: usize = 512;
const ANSWER_BYTES: usize = 2 << 20;

#[cfg(test)]
mod tests;
