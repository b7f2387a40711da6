//! The core of a shard: a pure state machine that turns records and readiness into writes.
//!
//! It knows no clock, no thread and no poll: `now`, the ring and the sinks are its caller's, so a
//! seed can drive it. One turn takes everything that waits, writes each group's run to its live
//! subscribers, lets lagging ones catch up, and looks at those whose time has come.

mod lifetime;
mod resume;
mod survey;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_broker::{Bounds, Epoch, Frame, Lineage, Page, ReadError, Record};
use fanfare_wire::HEARTBEAT;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use slab::Slab;

use crate::census::Census;
use crate::config::Config;
use crate::counts::{Ended, ShardCounters};
use crate::filter::Filter;
use crate::gap::Gap;
use crate::group::{Groups, Kind};
use crate::guest::Guest;
use crate::index::GroupId;
use crate::ring::Ring;
use crate::run::{Rest, Run};
use crate::sink::Sink;
use crate::subscription::Heartbeat;
use crate::wheel::{Clock, Key, Tick, Wheel};
use lifetime::{heartbeat_event, live_event};
use resume::join;

/// A shard's subscribers and its place in the ring.
#[derive(Debug)]
pub(crate) struct Shard<S> {
    /// Which of the ring's readers it is.
    reader: usize,
    config: Config,
    counters: Arc<ShardCounters>,
    census: Arc<Census>,
    random: SmallRng,
    clock: Clock,
    now: Tick,
    /// `now` as its caller said it, for the times at which events expire.
    time: Instant,
    subscribers: Slab<Subscriber<S>>,
    /// The generation of the next subscriber.
    generation: u32,
    groups: Groups,
    wheel: Wheel,
    /// The offset of the next record to take: live subscribers have everything before it.
    next: u64,
    /// The epochs of what it took, for the ids of gap signals: each names the epoch of the record
    /// at its offset (C1).
    lineage: Arc<Lineage>,
    /// How often the broker lost what this shard had taken, or might have read.
    forks: u32,
    /// Lagging subscribers that can go on, in their order.
    ready: VecDeque<Key>,
    /// Lagging subscribers that are ahead of `next`: the tail has not brought their place yet.
    early: Vec<Key>,
    drain: Option<lifetime::Drain>,
    heartbeat: Frame,
    /// The same for those who want it as an event.
    heartbeat_event: Frame,
    live_event: Frame,
    /// The last slice that a lagging subscriber read; in a storm the next one wants the same.
    storm: Storm,
    records: Vec<Record>,
    touched: Vec<GroupId>,
    run: Run,
}

/// One subscriber. There may be very many: each field counts.
#[derive(Debug)]
struct Subscriber<S> {
    sink: S,
    /// `None` when it is live: its place is then `next`.
    lag: Option<Box<Lag>>,
    group: GroupId,
    /// When it came.
    since: Tick,
    /// Its place among the live ones of its group.
    slot: u32,
    generation: u32,
    /// When it was last written to apart from its group.
    written_at: Tick,
    ends_at: Tick,
    guest: Option<Box<Guest>>,
}

/// A lagging subscriber's place.
#[derive(Debug)]
struct Lag {
    /// Bytes that go first: the rest of a begun frame, or the first bytes of the stream.
    rest: Bytes,
    /// The offset after them.
    next: u64,
    wait: Wait,
    /// When it last took something.
    progress_at: Tick,
    /// What it took since `window_at`.
    window_bytes: u64,
    window_at: Tick,
    /// Since when it has waited for the broker, if it does.
    waits_at: Tick,
    /// It ends when `rest` is written.
    ending: Option<Ended>,
    /// It is told when it is live.
    tells_live: bool,
    /// What it reads history by, kept until it is live.
    filter: Option<Arc<Filter>>,
    /// The slice of history that it waits for, if it does.
    reading: Option<Arc<()>>,
}

/// What a lagging subscriber waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wait {
    /// Its turn: it can go on.
    Turn,
    /// Room in its sink.
    Sink,
    /// A slice of history.
    History,
    /// The tail to reach its place.
    Tail,
}

/// The run that a lagging subscriber of `group` reads at `from`.
#[derive(Debug, Default)]
struct Storm {
    group: GroupId,
    from: u64,
    next: u64,
    run: Run,
    /// Some of its events expire.
    expiring: bool,
}

/// A subscriber that joins the shard.
#[derive(Debug)]
pub(crate) struct Attach {
    pub(crate) kind: Kind,
    /// Its group in the census.
    pub(crate) counted_in: GroupId,
    /// The offset to start at.
    pub(crate) next: u64,
    /// What is written before anything else, in its form.
    pub(crate) first: Bytes,
    pub(crate) gap: Option<Gap>,
    /// It is told when it is first live.
    pub(crate) tells_live: bool,
    pub(crate) ends_at: Option<Instant>,
    pub(crate) guest: Option<Box<Guest>>,
}

/// What a turn leaves for its caller to do.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Slices of history to read; each is answered by [`Shard::history`].
    pub(crate) reads: Vec<HistoryRead>,
    /// There is more to do at once.
    pub(crate) more: bool,
    /// When to turn again at the latest.
    pub(crate) wake_at: Option<Instant>,
    /// When the oldest record came of those that were written to somebody.
    pub(crate) since: Option<Instant>,
}

/// What a shard took from the ring.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// When the oldest of it came.
    since: Option<Instant>,
    /// Whether more waits.
    more: bool,
}

/// A slice of the broker's history that a lagging subscriber needs.
#[derive(Debug)]
pub(crate) struct HistoryRead {
    pub(crate) key: Key,
    /// Records in (`after`, `upto`] are wanted.
    pub(crate) after: u64,
    pub(crate) upto: u64,
    pub(crate) filter: Arc<Filter>,
    /// [`Shard::forks`] when it was asked for.
    pub(crate) forks: u32,
    /// Gone when nobody waits for it any more.
    pub(crate) wanted: Weak<()>,
}

/// What the broker had to say to a [`HistoryRead`].
#[derive(Debug)]
pub(crate) struct HistorySlice {
    pub(crate) page: Result<Page, ReadError>,
    /// What it retained after it was read.
    pub(crate) bounds: Bounds,
}

impl<S: Sink> Shard<S> {
    /// A shard without subscribers, the ring's reader number `reader`, whose next record is at
    /// `next`, and belongs to the history of `lineage`.
    pub(crate) fn new(
        reader: usize,
        config: Config,
        counters: Arc<ShardCounters>,
        census: Arc<Census>,
        (next, lineage): (u64, Arc<Lineage>),
        (seed, now): (u64, Instant),
    ) -> Self {
        let heartbeat_event = heartbeat_event(config.heartbeat);
        Self {
            reader,
            config,
            counters,
            census,
            random: SmallRng::seed_from_u64(seed),
            clock: Clock::new(now),
            now: Tick::default(),
            time: now,
            subscribers: Slab::new(),
            generation: 0,
            groups: Groups::default(),
            wheel: Wheel::new(),
            next,
            lineage,
            forks: 0,
            ready: VecDeque::new(),
            early: Vec::new(),
            drain: None,
            heartbeat: Frame::wrap(HEARTBEAT),
            heartbeat_event,
            live_event: live_event(),
            storm: Storm::default(),
            records: Vec::new(),
            touched: Vec::new(),
            run: Run::default(),
        }
    }

    /// Registers a subscriber as lagging at its place (A2); nothing is queued for it.
    pub(crate) fn attach(&mut self, attach: Attach, sink: S, now: Instant) -> Key {
        self.now = self.clock.tick(now);
        let ends_at = self.ends_at(attach.ends_at);
        let (form, gap_signal) = (attach.kind.form, attach.kind.gap_signal);
        let group = self.groups.join(&attach.kind);
        if let Some(group) = self.groups.get_mut(group) {
            group.counted_in = attach.counted_in;
        }
        self.generation = self.generation.wrapping_add(1);
        let first = match attach.kind.heartbeat {
            Heartbeat::Comment => attach.first,
            Heartbeat::Event => join(&attach.first, self.heartbeat_event.bytes(form)),
        };
        let mut lag = Lag::new(Rest::begin(first, attach.next), self.now);
        lag.tells_live = attach.tells_live;
        let subscriber = Subscriber {
            sink,
            lag: Some(Box::new(lag)),
            group,
            since: self.now,
            slot: 0,
            generation: self.generation,
            written_at: self.now,
            ends_at,
            guest: attach.guest,
        };
        let place = self.subscribers.insert(subscriber);
        let place = u32::try_from(place).expect("subscribers_max is below 2^32");
        let key = Key {
            place,
            generation: self.generation,
        };
        self.counters.subscribers.add(1);
        self.counters.subscribers_total.add(1);
        if let Some(gap) = attach.gap {
            self.signal_at_start(key, &gap, form, gap_signal);
        }
        self.queue(key);
        self.schedule(key);
        key
    }

    /// The sink of `key`, for whoever registers it with a poll.
    pub(crate) fn sink_mut(&mut self, key: Key) -> Option<&mut S> {
        self.get_mut(key).map(|subscriber| &mut subscriber.sink)
    }

    /// The subscriber that is at `place` now.
    pub(crate) fn key_at(&self, place: usize) -> Option<Key> {
        let generation = self.subscribers.get(place)?.generation;
        Some(Key {
            place: u32::try_from(place).ok()?,
            generation,
        })
    }

    /// Takes what is new and what has become ready, and writes what is due.
    pub(crate) fn turn(&mut self, ring: &Ring, now: Instant) -> Turn {
        self.now = self.clock.tick(now);
        self.time = now;
        let taken = self.take(ring);
        let mut turn = Turn {
            more: taken.more,
            ..Turn::default()
        };
        if self.deliver() {
            turn.since = taken.since;
        }
        self.resume_ready(ring, &mut turn);
        self.look_at_due();
        turn.more |= !self.ready.is_empty();
        turn.wake_at = self.wheel.next_due().map(|tick| self.clock.instant(tick));
        turn
    }

    /// From when the oldest record of the last turn came, until that was over, it took `duration`.
    pub(crate) fn took(&self, duration: Duration) {
        self.counters.written.add(duration);
    }

    /// Something can be read from the sink of `key`, or its peer is gone.
    pub(crate) fn readable(&mut self, key: Key) {
        let open = self
            .get_mut(key)
            .is_some_and(|subscriber| subscriber.sink.is_open());
        if !open {
            self.remove(key, Ended::Left);
        }
    }

    /// Which of the ring's readers it is.
    pub(crate) fn reader(&self) -> usize {
        self.reader
    }

    /// How many subscribers there are.
    pub(crate) fn len(&self) -> usize {
        self.subscribers.len()
    }

    /// The most bytes that one lagging subscriber holds.
    #[cfg(test)]
    pub(crate) fn held_bytes_max(&self) -> usize {
        let lags = self
            .subscribers
            .iter()
            .filter_map(|(_, subscriber)| subscriber.lag.as_deref());
        lags.map(|lag| lag.rest.len()).max().unwrap_or(0)
    }

    /// Moves new records from the ring into this turn; says since when they, and whether more, wait.
    fn take(&mut self, ring: &Ring) -> Waiting {
        self.records.clear();
        let taken = ring.take(self.reader, TURN_BYTES_MAX, &mut self.records);
        let past = Arc::clone(&self.lineage);
        if let Some(lineage) = taken.lineage {
            self.adopt(lineage);
        }
        if let Some(end) = taken.cut {
            self.diverge(end, &past);
        }
        if taken.first > self.next {
            // The tail skipped. Everybody reads what is between from history, or hears of a gap.
            self.fall_behind();
        }
        self.next = taken.first;
        Waiting {
            since: taken.since,
            more: taken.more,
        }
    }

    /// Writes each touched group's run to its live subscribers, one write each; says whether there
    /// were any.
    fn deliver(&mut self) -> bool {
        let Some(newest) = self.records.last().map(Record::cursor) else {
            return false;
        };
        self.learn_epochs();
        let records = std::mem::take(&mut self.records);
        let mut touched = std::mem::take(&mut self.touched);
        let mut run = std::mem::take(&mut self.run);
        self.groups.match_all(&records, self.time, &mut touched);
        self.next = newest.offset + 1;
        self.counters.records_total.add(records.len() as u64);
        let writes = !touched.is_empty();
        for id in touched.drain(..) {
            let Some(group) = self.groups.get_mut(id) else {
                continue;
            };
            let hits = group
                .hits
                .drain()
                .filter_map(|hit| records.get(hit as usize).cloned());
            run.fill(hits, group.kind.form);
            group.written_at = self.now;
            self.write_to_live(id, &run);
        }
        run.clear();
        self.run = run;
        self.touched = touched;
        self.records = records;
        self.queue_early();
        writes
    }

    /// Adds what this turn's records say to the lineage.
    fn learn_epochs(&mut self) {
        let is_known = |lineage: &Lineage, record: &Record| {
            lineage.cursor_at(record.offset()) == Some(record.cursor())
        };
        let mut ends = self.records.first().into_iter().chain(self.records.last());
        if ends.all(|record| is_known(&self.lineage, record)) {
            return;
        }
        let lineage = Arc::make_mut(&mut self.lineage);
        for record in &self.records {
            if !is_known(lineage, record) {
                // A lineage that knew more than the tail has brought gives way to the tail.
                lineage.cut(record.offset() - 1);
                lineage.begin(record.offset(), record.cursor().epoch);
            }
        }
    }

    /// Takes the broker's word on the epochs of this shard's history. What it has forgotten since,
    /// because nothing of it is retained, stays known here.
    fn adopt(&mut self, lineage: Arc<Lineage>) {
        let all = |lineage: &Lineage| lineage.epochs().collect::<Vec<_>>();
        if !all(&self.lineage).ends_with(&all(&lineage)) {
            self.lineage = lineage;
        }
    }

    /// The epoch of the newest record that was taken.
    fn epoch(&self) -> Option<Epoch> {
        let newest = self.next.checked_sub(1).filter(|offset| *offset > 0)?;
        Some(self.lineage.cursor_at(newest)?.epoch)
    }

    /// One write for each live member; whoever does not take all of it lags from there.
    fn write_to_live(&mut self, id: GroupId, run: &Run) {
        let mut slot = 0;
        let (mut whole, mut bytes, mut writes) = (0_u64, 0_u64, 0_u64);
        while let Some(place) = self.groups.get(id).and_then(|group| group.live.get(slot)) {
            let place = *place as usize;
            let Some(subscriber) = self.subscribers.get_mut(place) else {
                break;
            };
            writes += 1;
            match subscriber.sink.write(&run.bytes) {
                Ok(taken) if taken == run.bytes.len() => {
                    whole += 1;
                    slot += 1;
                }
                Ok(taken) => {
                    bytes += taken as u64;
                    self.fall_behind_at(place, run.rest(taken, self.next));
                }
                Err(error) if would_block(&error) => {
                    self.fall_behind_at(place, run.rest(0, self.next));
                }
                Err(_) => {
                    if let Some(key) = self.key_at(place) {
                        self.remove(key, Ended::Left);
                    }
                }
            }
        }
        let counters = &self.counters;
        counters.writes_total.add(writes);
        counters.deliveries_total.add(whole * run.len() as u64);
        counters
            .written_bytes_total
            .add(bytes + whole * run.bytes.len() as u64);
    }

    /// The live subscriber at `place` lags from `rest` on, until its sink has room (A5).
    fn fall_behind_at(&mut self, place: usize, rest: Rest) {
        self.counters.deliveries_total.add(rest.frames as u64);
        self.leave_live(place);
        if let Some(subscriber) = self.subscribers.get_mut(place) {
            subscriber.written_at = self.now;
            subscriber.lag = Some(Box::new(Lag::new(rest, self.now)));
        }
    }

    /// Takes the subscriber at `place` out of its group's live ones.
    fn leave_live(&mut self, place: usize) {
        let Some(subscriber) = self.subscribers.get(place) else {
            return;
        };
        let slot = subscriber.slot;
        let Some(group) = self.groups.get_mut(subscriber.group) else {
            return;
        };
        group.live.swap_remove(slot as usize);
        self.counters.live.sub(1);
        if let Some(moved) = group.live.get(slot as usize)
            && let Some(moved) = self.subscribers.get_mut(*moved as usize)
        {
            moved.slot = slot;
        }
    }

    /// Takes `key` out; dropping its sink closes it.
    fn remove(&mut self, key: Key, reason: Ended) {
        let place = key.place as usize;
        let Some(subscriber) = self.get_mut(key) else {
            return;
        };
        let (group, is_live) = (subscriber.group, subscriber.lag.is_none());
        let counted_in = self.groups.get(group).map(|group| group.counted_in);
        if is_live {
            self.leave_live(place);
        }
        self.subscribers.remove(place);
        self.groups.leave(group);
        self.counters.subscribers.sub(1);
        self.counters.ended(reason);
        if let Some(counted_in) = counted_in {
            self.census.leave(counted_in);
        }
    }

    fn get_mut(&mut self, key: Key) -> Option<&mut Subscriber<S>> {
        let subscriber = self.subscribers.get_mut(key.place as usize)?;
        (subscriber.generation == key.generation).then_some(subscriber)
    }
}

impl Lag {
    /// Lags from `rest` on, until its sink has room.
    fn new(rest: Rest, now: Tick) -> Self {
        Self {
            rest: rest.bytes,
            next: rest.next,
            wait: Wait::Sink,
            progress_at: now,
            window_bytes: 0,
            window_at: now,
            waits_at: now,
            ending: None,
            tells_live: false,
            filter: None,
            reading: None,
        }
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Bytes of frames that one turn takes from the ring: bounds a run, and how long a turn lasts.
const TURN_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests;
