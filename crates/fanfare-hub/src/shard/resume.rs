//! Lagging subscribers: the rest first, then the ring, then history, and a gap said aloud.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use fanfare_broker::{Form, Lineage, ReadError, TopicFilter};

use super::lifetime::last_chunk;
use super::{HistoryRead, HistorySlice, Lag, Shard, Storm, Subscriber, Turn, Wait, would_block};
use crate::counts::Ended;
use crate::gap::{Gap, GapReason, id_at};
use crate::group::{Kind, is_past};
use crate::ring::{Ring, Slice};
use crate::run::{Rest, Run};
use crate::sink::Sink;
use crate::subscription::GapSignal;
use crate::wheel::{Key, Tick};

impl<S: Sink> Shard<S> {
    /// The sink of `key` has room again.
    pub(crate) fn writable(&mut self, key: Key) {
        if self.lag_mut(key).is_some_and(|lag| lag.wait == Wait::Sink) {
            self.queue(key);
        }
    }

    /// The slice of history that `read` asked for.
    ///
    /// A fork or a new epoch since it was asked for means that it may be of another history than the
    /// subscriber's: it is read again. If this shard has not met that epoch, the tail has to bring
    /// it first.
    pub(crate) fn history(&mut self, read: &HistoryRead, slice: HistorySlice, now: Instant) {
        let HistorySlice { page, bounds } = slice;
        self.now = self.clock.tick(now);
        let (key, head, tick) = (read.key, self.next, self.now);
        let newest = bounds.head.map(|head| head.epoch);
        let forked = read.forks != self.forks;
        let current = newest == self.epoch();
        let met = self
            .lineage
            .epochs()
            .any(|(_, epoch)| Some(epoch) == newest);
        let Some(lag) = self.lag_mut(key) else { return };
        // It may have been sent elsewhere meanwhile, and wait for another slice by now.
        if lag.wait != Wait::History || lag.next != read.after + 1 || lag.ending.is_some() {
            return;
        }
        if forked || (met && !current) {
            return self.queue(key);
        }
        if !current {
            lag.wait = Wait::Tail;
            return self.early.push(key);
        }
        lag.waited(tick);
        // Half a heartbeat goes first; the slice is read again when there is room.
        if !lag.rest.is_empty() && !self.flush(key) {
            return self.wait(key, Wait::Sink);
        }
        let Some(lag) = self.lag_mut(key) else { return };
        let next = lag.next;
        let past = Arc::clone(&self.lineage);
        self.adopt(bounds.lineage);
        match page {
            Ok(page) => match page.missing.first() {
                Some(hole) if hole.start <= next => {
                    self.signal_gap(key, hole.end.min(head), GapReason::Damaged, &past);
                }
                hole => {
                    // What it was asked for may have been cut off meanwhile.
                    let upto = hole.map_or(page.next, |hole| hole.start).min(head);
                    let records = page
                        .records
                        .into_iter()
                        .filter(|record| record.offset() < upto && !is_past(record, now));
                    let mut run = std::mem::take(&mut self.run);
                    run.fill(records, self.form(key));
                    self.write_run(key, &run, upto);
                    run.clear();
                    self.run = run;
                }
            },
            Err(ReadError::Trimmed { first }) => {
                self.signal_gap(key, first, GapReason::Trimmed, &past);
            }
            // The reader repeats until the broker answers; it gives up only when that closes.
            Err(_) => self.remove(key, Ended::Left),
        }
    }

    /// Lets each subscriber that can go on take one slice, up to a bound, so that new records do
    /// not wait long for a storm of resumes.
    pub(super) fn resume_ready(&mut self, ring: &Ring, turn: &mut Turn) {
        for _ in 0..self.ready.len().min(RESUMES_MAX) {
            let Some(key) = self.ready.pop_front() else {
                break;
            };
            self.resume(key, ring, turn);
        }
        if self.ready.is_empty() {
            self.storm.run.clear();
        }
    }

    /// Lets `key` take its turn with the others that can go on.
    pub(super) fn queue(&mut self, key: Key) {
        let now = self.now;
        let Some(lag) = self.lag_mut(key) else { return };
        if lag.wait != Wait::Turn {
            lag.waited(now);
            lag.wait = Wait::Turn;
            self.ready.push_back(key);
        }
    }

    /// Lets those who wait for the tail look again.
    pub(super) fn queue_early(&mut self) {
        for key in std::mem::take(&mut self.early) {
            self.queue(key);
        }
    }

    /// Everybody who is live lags at the offset that comes next.
    pub(super) fn fall_behind(&mut self) {
        let next = self.next;
        self.storm = Storm::default();
        for key in self.keys() {
            if self.lag_mut(key).is_none() {
                self.fall_behind_at(key.place as usize, Rest::begin(Bytes::new(), next));
                self.queue(key);
            }
        }
        self.queue_early();
    }

    /// The broker lost what follows `end` (A7): whoever is beyond it hears so and goes on there.
    /// `past` knows what was lost.
    pub(super) fn diverge(&mut self, end: u64, past: &Lineage) {
        if self.next > end + 1 {
            self.fall_behind();
            self.next = end + 1;
        }
        self.storm = Storm::default();
        self.forks = self.forks.wrapping_add(1);
        Arc::make_mut(&mut self.lineage).cut(end);
        for key in self.keys() {
            if self.lag_mut(key).is_some_and(|lag| lag.next > end + 1) {
                self.signal_gap(key, end + 1, GapReason::Diverged, past);
            }
        }
        self.queue_early();
    }

    /// Says the gap that was found when the subscriber asked to resume.
    pub(super) fn signal_at_start(&mut self, key: Key, gap: &Gap, form: Form, how: GapSignal) {
        self.counters.gap(gap.reason);
        if how == GapSignal::Event
            && let Some(lag) = self.lag_mut(key)
        {
            lag.rest = join(&lag.rest, gap.frame().bytes(form));
        }
    }

    /// Skips `key` to `next`, aloud: by an event, or by ending the stream so that the answer to
    /// its return says it (C8).
    ///
    /// Damage is always said by the event: the place that the subscriber would return with is
    /// still retained, so no answer would say it, and it would run into the hole for ever.
    ///
    /// `past` is the lineage in which the subscriber came to its place.
    fn signal_gap(&mut self, key: Key, next: u64, reason: GapReason, past: &Lineage) {
        self.counters.gap(reason);
        let Some(kind) = self.kind(key) else { return };
        let present = Arc::clone(&self.lineage);
        if kind.gap_signal == GapSignal::Cursor && reason != GapReason::Damaged {
            self.begin_end(key, Ended::Gap, last_chunk(kind.form));
            return;
        }
        if let Some(lag) = self.lag_mut(key) {
            let before =
                |lineage: &Lineage, next: u64| id_at(lineage.cursor_at(next.saturating_sub(1)));
            let (from, to) = (before(past, lag.next), before(&present, next));
            let gap = Gap { from, to, reason };
            lag.rest = join(&lag.rest, gap.frame().bytes(kind.form));
            lag.next = next;
        }
        self.queue(key);
    }

    /// One step of catching up (A3): what is left, then a slice, then perhaps live.
    fn resume(&mut self, key: Key, ring: &Ring, turn: &mut Turn) {
        let Some(lag) = self.lag_mut(key) else { return };
        lag.wait = Wait::Sink;
        if !lag.rest.is_empty() && !self.flush(key) {
            return;
        }
        let Some(lag) = self.lag_mut(key) else { return };
        if let Some(reason) = lag.ending {
            self.end(key, reason);
            return;
        }
        let from = lag.next;
        if from >= self.next {
            self.catch_up(key, from);
            return;
        }
        if !self.read_slice(key, from, ring, turn) {
            return;
        }
        let storm = std::mem::take(&mut self.storm);
        self.write_run(key, &storm.run, storm.next);
        self.storm = storm;
    }

    /// Puts the slice that `key` reads at `from` into `storm`; false if it is only in history.
    fn read_slice(&mut self, key: Key, from: u64, ring: &Ring, turn: &mut Turn) -> bool {
        let Some(group) = self.subscribers.get(key.place as usize).map(|it| it.group) else {
            return false;
        };
        let Some(kind) = self.groups.get(group).map(|group| &group.kind) else {
            return false;
        };
        let (now, tick, forks) = (self.time, self.now, self.forks);
        let known = self.storm.run.len() > 0 && self.storm.group == group;
        if known && self.storm.from == from && !self.storm.is_stale(now) {
            return true;
        }
        self.records.clear();
        let slice = ring.read(
            self.reader,
            from,
            self.next,
            SLICE_BYTES_MAX,
            &mut self.records,
        );
        match slice {
            Slice::Records => {}
            Slice::Cut => {
                self.queue(key);
                return false;
            }
            Slice::Before { first } => {
                let (after, upto) = (from - 1, first.min(self.next) - 1);
                if let Some(filter) = self.groups.filter(group)
                    && let Some(lag) = self.lag_mut(key)
                {
                    lag.wait_for_broker(Wait::History, tick);
                    lag.filter = Some(Arc::clone(&filter));
                    let reading = Arc::default();
                    let wanted = Arc::downgrade(&reading);
                    lag.reading = Some(reading);
                    turn.reads.push(HistoryRead {
                        key,
                        after,
                        upto,
                        filter,
                        forks,
                        wanted,
                    });
                }
                return false;
            }
        }
        let next = self
            .records
            .last()
            .map_or(self.next, |record| record.offset() + 1);
        let wanted = self
            .records
            .iter()
            .filter(|record| !is_past(record, now) && kind.wants(record.publication()))
            .cloned();
        let mut run = std::mem::take(&mut self.storm.run);
        run.fill(wanted, kind.form);
        let expiring = run
            .iter()
            .any(|record| record.publication().expires.is_some());
        self.storm = Storm {
            group,
            from,
            next,
            run,
            expiring,
        };
        true
    }

    /// Writes a run that leads `key` to `next`.
    fn write_run(&mut self, key: Key, run: &Run, next: u64) {
        let now = self.now;
        let Some(subscriber) = self.get_mut(key) else {
            return;
        };
        let written = if run.len() == 0 {
            Ok(0)
        } else {
            subscriber.sink.write(&run.bytes)
        };
        let taken = match written {
            Ok(taken) => taken,
            Err(error) if would_block(&error) => 0,
            Err(_) => return self.remove(key, Ended::Left),
        };
        subscriber.written_at = now;
        let Some(lag) = &mut subscriber.lag else {
            return;
        };
        let rest = run.rest(taken, next);
        let blocked = taken < run.bytes.len();
        lag.rest = rest.bytes;
        lag.next = rest.next;
        lag.progress(taken, now);
        self.count_write(taken, rest.frames);
        if blocked {
            self.wait(key, Wait::Sink);
        } else if next >= self.next {
            self.catch_up(key, next);
        } else {
            self.queue(key);
        }
    }

    /// Writes what is left of the last frame; false if not all of it went.
    pub(super) fn flush(&mut self, key: Key) -> bool {
        let now = self.now;
        let Some(subscriber) = self.get_mut(key) else {
            return false;
        };
        let Some(lag) = &mut subscriber.lag else {
            return false;
        };
        let taken = match subscriber.sink.write(&lag.rest) {
            Ok(taken) => taken,
            Err(error) if would_block(&error) => 0,
            Err(_) => {
                self.remove(key, Ended::Left);
                return false;
            }
        };
        subscriber.written_at = now;
        lag.rest = lag.rest.slice(taken..);
        lag.progress(taken, now);
        let done = lag.rest.is_empty();
        if done {
            // An empty slice still holds the frame that it was cut from.
            lag.rest = Bytes::new();
        }
        self.count_write(taken, 0);
        done
    }

    /// At the head: live from here on (A4). Beyond it: the tail has to come first.
    fn catch_up(&mut self, key: Key, next: u64) {
        let now = self.now;
        if next > self.next {
            if let Some(lag) = self.lag_mut(key) {
                lag.wait_for_broker(Wait::Tail, now);
                self.early.push(key);
            }
            return;
        }
        let untold = |lag: &mut Lag| std::mem::take(&mut lag.tells_live);
        if self.lag_mut(key).is_some_and(untold) {
            let live = self.live_event.bytes(self.form(key)).clone();
            if let Some(lag) = self.lag_mut(key) {
                lag.rest = live;
            }
            return self.queue(key);
        }
        let Some(subscriber) = self.subscribers.get_mut(key.place as usize) else {
            return;
        };
        let Some(group) = self.groups.get_mut(subscriber.group) else {
            return;
        };
        subscriber.lag = None;
        subscriber.written_at = now;
        subscriber.slot = u32::try_from(group.live.len()).unwrap_or(u32::MAX);
        group.live.push(key.place);
        self.counters.live.add(1);
    }

    fn wait(&mut self, key: Key, wait: Wait) {
        if let Some(lag) = self.lag_mut(key) {
            lag.wait = wait;
        }
    }

    fn count_write(&self, bytes: usize, frames: usize) {
        self.counters.writes_total.add(1);
        self.counters.written_bytes_total.add(bytes as u64);
        self.counters.deliveries_total.add(frames as u64);
    }

    /// All subscribers; for what happens once in a hub's life.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let key = |(place, subscriber): (usize, &Subscriber<S>)| {
            Some(Key {
                place: u32::try_from(place).ok()?,
                generation: subscriber.generation,
            })
        };
        self.subscribers.iter().filter_map(key).collect()
    }

    pub(super) fn form(&self, key: Key) -> Form {
        self.kind(key).map_or(Form::Plain, |kind| kind.form)
    }

    /// What `key` has in common with its group.
    fn kind(&self, key: Key) -> Option<Arc<Kind>> {
        let subscriber = self.subscribers.get(key.place as usize)?;
        Some(Arc::clone(&self.groups.get(subscriber.group)?.kind))
    }

    pub(super) fn lag_mut(&mut self, key: Key) -> Option<&mut Lag> {
        self.get_mut(key)?.lag.as_deref_mut()
    }
}

impl Storm {
    /// Whether an event in it has expired since it was read.
    fn is_stale(&self, now: Instant) -> bool {
        self.expiring && self.run.iter().any(|record| is_past(record, now))
    }
}

impl Lag {
    /// Waits for what only the broker can bring.
    fn wait_for_broker(&mut self, wait: Wait, now: Tick) {
        self.wait = wait;
        self.waits_at = now;
    }

    /// The broker's time is not held against the subscriber.
    fn waited(&mut self, now: Tick) {
        self.reading = None;
        if matches!(self.wait, Wait::History | Wait::Tail) {
            let waited = now.since(self.waits_at);
            self.progress_at = self.progress_at.after(waited).min(now);
            self.window_at = self.window_at.after(waited).min(now);
            self.waits_at = now;
        }
    }

    fn progress(&mut self, taken: usize, now: Tick) {
        if taken > 0 {
            self.progress_at = now;
            self.window_bytes += taken as u64;
        }
    }
}

/// `first`, then `second`.
pub(super) fn join(first: &Bytes, second: &[u8]) -> Bytes {
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    both.freeze()
}

/// How many lagging subscribers go on in one turn.
const RESUMES_MAX: usize = 256;

/// Bytes of frames that a lagging subscriber reads in one turn.
const SLICE_BYTES_MAX: usize = 64 << 10;
