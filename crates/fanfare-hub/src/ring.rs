//! The newest records of this process, between the tail that appends and the shards that read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fanfare_broker::{Form, Lineage, Record};
use tokio::sync::Notify;

/// The newest records, contiguous by offset, bounded by bytes and count.
///
/// Every shard is a reader position in it. The tail waits only when the slowest shard, not the
/// slowest subscriber, is a whole ring behind. The lock is held to move reference counts, never
/// while anything is written to a subscriber.
#[derive(Debug)]
pub(crate) struct Ring {
    state: Mutex<State>,
    /// A shard took something.
    room: Notify,
    /// The head is elsewhere.
    moved: Notify,
    bytes_max: usize,
    records_max: usize,
}

#[derive(Debug)]
struct State {
    records: VecDeque<Record>,
    bytes: usize,
    /// The offset that comes next; the newest record's + 1.
    next: u64,
    readers: Vec<Reader>,
}

/// One shard's place.
#[derive(Clone, Debug)]
struct Reader {
    /// The next offset that it has not taken.
    next: u64,
    /// The broker lost what follows this offset, and the shard does not know yet.
    cut: Option<u64>,
    /// The epochs as they are since the tail skipped, and the shard does not know yet.
    lineage: Option<Arc<Lineage>>,
    /// When the oldest record came that it has not taken.
    since: Option<Instant>,
}

/// What a shard learns from the ring at the start of its turn.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Taken {
    /// The broker lost everything after this offset; what was taken after it is void.
    pub(crate) cut: Option<u64>,
    /// The tail skipped, perhaps over the beginning of an epoch: these are all.
    pub(crate) lineage: Option<Arc<Lineage>>,
    /// The offset of the first record that was taken, or the one that comes next if none was.
    pub(crate) first: u64,
    /// Whether more waits.
    pub(crate) more: bool,
    /// When the oldest of what was taken came, if the tail said so.
    pub(crate) since: Option<Instant>,
}

/// What the ring has for a subscriber that reads on from an offset.
#[derive(Debug, PartialEq)]
pub(crate) enum Slice {
    /// Records were appended to the reader's list, none if it is at the head.
    Records,
    /// The ring begins only here; what is before it is in the broker's history.
    Before {
        /// The first offset in the ring.
        first: u64,
    },
    /// The broker lost records since the shard's last turn, and the shard has to hear of it first:
    /// what stands at these offsets now may be another history.
    Cut,
}

impl Ring {
    /// Makes an empty ring that `shards` read, whose first record will be at `next`.
    pub(crate) fn new(bytes_max: usize, records_max: usize, shards: usize, next: u64) -> Self {
        let reader = Reader {
            next,
            cut: None,
            lineage: None,
            since: None,
        };
        let readers = vec![reader; shards];
        let state = State {
            records: VecDeque::new(),
            bytes: 0,
            next,
            readers,
        };
        Self {
            state: Mutex::new(state),
            room: Notify::new(),
            moved: Notify::new(),
            bytes_max,
            records_max,
        }
    }

    /// Fills it with `records`, the newest of what was stored before the start (U8).
    pub(crate) fn fill(&self, records: VecDeque<Record>) {
        let mut state = self.lock();
        state.bytes = records.iter().map(weight).sum();
        state.records = records;
    }

    /// The offset that comes next: a subscriber that starts here misses nothing from now on.
    pub(crate) fn next(&self) -> u64 {
        self.lock().next
    }

    /// The offset that comes next, and the record before it if that is kept.
    pub(crate) fn head(&self) -> (u64, Option<Record>) {
        let state = self.lock();
        (state.next, state.records.back().cloned())
    }

    /// The newest record, if any is kept.
    pub(crate) fn newest(&self) -> Option<Record> {
        self.lock().records.back().cloned()
    }

    /// The newest records, oldest first, `count` at most.
    pub(crate) fn recent(&self, count: usize) -> Vec<Record> {
        let state = self.lock();
        let skip = state.records.len().saturating_sub(count);
        state.records.range(skip..).cloned().collect()
    }

    /// Resolves when the head has moved since the future was made.
    pub(crate) fn moved(&self) -> impl Future<Output = ()> {
        self.moved.notified()
    }

    /// Records and bytes of frames now.
    pub(crate) fn size(&self) -> (usize, usize) {
        let state = self.lock();
        (state.records.len(), state.bytes)
    }

    /// Records that are about to be appended came at `now`.
    pub(crate) fn arrived(&self, now: Instant) {
        for reader in &mut self.lock().readers {
            reader.since.get_or_insert(now);
        }
    }

    /// Appends `records`, waiting while a shard still needs what would have to leave.
    ///
    /// Dropping the future leaves a part of them appended, in order.
    pub(crate) async fn append(&self, records: Vec<Record>, mut appended: impl FnMut()) {
        let mut records = VecDeque::from(records);
        loop {
            let room = self.room.notified();
            self.append_what_fits(&mut records);
            appended();
            self.moved.notify_waiters();
            if records.is_empty() {
                return;
            }
            room.await;
        }
    }

    /// Appends from the front of `records` until a shard would lose one that it has not taken.
    pub(crate) fn append_what_fits(&self, records: &mut VecDeque<Record>) {
        let mut state = self.lock();
        while let Some(record) = records.front() {
            let size = weight(record);
            while state.records.len() >= self.records_max || state.bytes + size > self.bytes_max {
                let Some(oldest) = state.records.front() else {
                    break;
                };
                let offset = oldest.offset();
                if state.readers.iter().any(|reader| reader.next <= offset) {
                    return;
                }
                state.bytes -= weight(oldest);
                state.records.pop_front();
            }
            state.next = record.offset() + 1;
            state.bytes += size;
            state.records.extend(records.pop_front());
        }
    }

    /// Forgets everything: the tail skipped, and `next` comes next. What was skipped may have begun
    /// an epoch, which only `lineage` tells.
    ///
    /// Shards notice because their place is before it, and send everybody to history.
    pub(crate) fn skip_to(&self, next: u64, lineage: Option<&Arc<Lineage>>) {
        let mut state = self.lock();
        state.records.clear();
        state.bytes = 0;
        state.next = next;
        for reader in &mut state.readers {
            reader.since = None;
            if lineage.is_some() {
                reader.lineage = lineage.cloned();
            }
        }
        drop(state);
        self.moved.notify_waiters();
    }

    /// Cuts back to `end`: the broker lost what follows it (A7).
    pub(crate) fn cut(&self, end: u64) {
        let mut state = self.lock();
        while state
            .records
            .back()
            .is_some_and(|record| record.offset() > end)
        {
            let lost = state.records.pop_back();
            state.bytes -= lost.as_ref().map_or(0, weight);
        }
        state.next = state.next.min(end + 1);
        let next = state.next;
        for reader in &mut state.readers {
            if reader.next >= next {
                // Nothing waits for it any more.
                reader.since = None;
            }
            // Also one that took nothing of what is lost: a subscriber of it may wait beyond.
            reader.cut = Some(reader.cut.map_or(end, |cut| cut.min(end)));
            if let Some(lineage) = &mut reader.lineage {
                Arc::make_mut(lineage).cut(end);
            }
            if reader.next != GONE {
                reader.next = reader.next.min(end + 1);
            }
        }
        drop(state);
        self.moved.notify_waiters();
    }

    /// Moves what `shard` has not seen into `records`, within the budget, and moves its place.
    pub(crate) fn take(&self, shard: usize, budget: usize, records: &mut Vec<Record>) -> Taken {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(reader) = state.readers.get_mut(shard) else {
            return Taken::default();
        };
        let first = state
            .records
            .front()
            .map_or(state.next, Record::offset)
            .max(reader.next);
        reader.next = copy(&state.records, first, state.next, budget, records);
        let more = reader.next < state.next;
        // What stays has waited as long, as far as anybody knows.
        let since = match (reader.next > first, more) {
            (false, _) => None,
            (true, false) => reader.since.take(),
            (true, true) => reader.since,
        };
        let taken = Taken {
            cut: reader.cut.take(),
            lineage: reader.lineage.take(),
            first,
            more,
            since,
        };
        self.room.notify_one();
        taken
    }

    /// The shard reads no more, and holds nothing up.
    pub(crate) fn leave(&self, shard: usize) {
        if let Some(reader) = self.lock().readers.get_mut(shard) {
            reader.next = GONE;
        }
        self.room.notify_one();
    }

    /// Copies records from `next` up to before `upto` into `records`, within the budget, for a
    /// subscriber of `shard`.
    pub(crate) fn read(
        &self,
        shard: usize,
        next: u64,
        upto: u64,
        budget: usize,
        records: &mut Vec<Record>,
    ) -> Slice {
        let state = self.lock();
        if state
            .readers
            .get(shard)
            .is_some_and(|reader| reader.cut.is_some())
        {
            return Slice::Cut;
        }
        let first = state.records.front().map_or(state.next, Record::offset);
        if next < first {
            return Slice::Before { first };
        }
        copy(&state.records, next, upto, budget, records);
        Slice::Records
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the state is whole between statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a shard that reads no more.
const GONE: u64 = u64::MAX;

/// What a record counts against the ring's bytes and a slice's budget.
pub(crate) fn weight(record: &Record) -> usize {
    record.frame().bytes(Form::Chunked).len()
}

/// Copies [`next`, `upto`) within the budget, at least one record; returns the offset after them.
fn copy(
    ring: &VecDeque<Record>,
    mut next: u64,
    upto: u64,
    budget: usize,
    out: &mut Vec<Record>,
) -> u64 {
    let Some(front) = ring.front() else {
        return next;
    };
    let skip = usize::try_from(next.saturating_sub(front.offset())).unwrap_or(usize::MAX);
    let mut bytes = 0;
    for record in ring.range(skip.min(ring.len())..) {
        if bytes >= budget || record.offset() >= upto || out.len() >= SLICE_RECORDS_MAX {
            break;
        }
        bytes += weight(record);
        next = record.offset() + 1;
        out.push(record.clone());
    }
    next
}

/// Records in one slice at most, so that a turn over tiny events stays short.
const SLICE_RECORDS_MAX: usize = 4096;

#[cfg(test)]
mod tests;
