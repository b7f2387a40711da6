//! Everything around the clients: log, tail, ring, shards, clock.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_broker::{
    Bounds, Cursor, Epoch, Expiry, Form, Lineage, Page, PageEnd, Publication, ReadError, Record,
    Resolved, Selector, Selectors, Topic, TopicFilter,
};
use fanfare_wire::Event;
use rand::rngs::SmallRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{RngExt, SeedableRng};

use super::Story;
use super::client::Client;
use super::pipe::{Pipe, SimSink};
use crate::census::{Census, Place};
use crate::config::Config;
use crate::counts::{Ended, ShardCounters};
use crate::gap::{Gap, GapReason, id_at};
use crate::group::Kind;
use crate::ring::Ring;
use crate::shard::{Attach, HistoryRead, HistorySlice, Shard};
use crate::subscription::{GapSignal, Heartbeat};

/// What was published, and what became of it.
#[derive(Debug)]
pub(super) struct Past {
    /// By serial number, forgotten ones included.
    pub(super) all: Vec<Record>,
    /// Each epoch's view of history: the last is today's.
    logs: Vec<(Epoch, Vec<Record>)>,
    pub(super) forks: Vec<Fork>,
    /// The first retained offset.
    pub(super) floor: u64,
    pub(super) damaged: HashSet<Cursor>,
}

/// Where an epoch began: what the one before had after `end` is lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fork {
    pub(super) end: u64,
    epoch: Epoch,
}

impl Past {
    pub(super) fn newest(&self) -> Cursor {
        let (epoch, log) = self.logs.last().unwrap();
        Cursor {
            epoch: *epoch,
            offset: log.len() as u64,
        }
    }

    /// Whether `place` is part of the history of `epoch` too.
    pub(super) fn shares(&self, place: Cursor, epoch: Epoch) -> bool {
        self.lost_after(place, epoch).is_none()
    }

    /// The records after `from` and before `to` in the history of `epoch`.
    pub(super) fn between(
        &self,
        epoch: Epoch,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = &Record> + Clone {
        let (_, log) = self.logs.iter().find(|(known, _)| *known == epoch).unwrap();
        log.iter()
            .filter(move |record| record.offset() > from && record.offset() < to)
    }

    /// What a broker with this past would say that it retains.
    fn bounds(&self) -> Bounds {
        let (_, log) = self.logs.last().unwrap();
        let mut lineage = Lineage::default();
        for record in log {
            let Cursor { epoch, offset } = record.cursor();
            lineage.begin(offset, epoch);
        }
        // As a broker does, it forgets the epochs that ended before what is retained (U12).
        lineage.forget_before(self.floor - 1);
        Bounds {
            head: log.last().map(Record::cursor),
            first: self.floor,
            lineage: Arc::new(lineage),
        }
    }

    /// Where a stream goes on that presents `place`, and why not there.
    ///
    /// The model's own look-up has the last word on what a broker's lineage makes of a place: what
    /// was read here and not lost is never unknown, and no gap either unless it was trimmed.
    fn resolve(&self, place: Cursor) -> (u64, Option<GapReason>) {
        let (epoch, _) = self.logs.last().unwrap();
        let resolved = self.bounds().resolve(&place.id());
        match self.lost_after(place, *epoch) {
            Some(end) => {
                let seen = matches!(
                    resolved,
                    Some(Resolved::Diverged { .. } | Resolved::Unknown)
                );
                assert!(seen, "{place}, lost after {end}, is {resolved:?}");
                (self.floor.max(end + 1), Some(GapReason::Diverged))
            }
            None if place.offset + 1 < self.floor => {
                let first = self.floor;
                let known = resolved == Some(Resolved::Trimmed { first });
                assert!(known || self.forgot(place), "{place} is {resolved:?}");
                (first, Some(GapReason::Trimmed))
            }
            None => {
                let at = resolved == Some(Resolved::At(place.offset));
                assert!(
                    at || self.bounds().head.is_none(),
                    "{place} is {resolved:?}"
                );
                (place.offset + 1, None)
            }
        }
    }

    /// Whether the epoch of `place` ended before what is retained.
    fn forgot(&self, place: Cursor) -> bool {
        let lineage = self.bounds().lineage;
        !lineage.epochs().any(|(_, epoch)| epoch == place.epoch)
    }

    /// The last offset that `place` shares with `epoch`, if that is before `place`.
    fn lost_after(&self, place: Cursor, epoch: Epoch) -> Option<u64> {
        let number = |epoch: Epoch| self.logs.iter().position(|(known, _)| *known == epoch);
        let forks = self.forks.iter().filter(|fork| {
            number(fork.epoch) > number(place.epoch) && number(fork.epoch) <= number(epoch)
        });
        forks
            .map(|fork| fork.end)
            .min()
            .filter(|end| *end < place.offset)
    }
}

/// A slice of history on its way, between whose moments anything may happen.
struct Reading {
    shard: usize,
    read: HistoryRead,
    page: Option<Result<Page, ReadError>>,
    bounds: Option<Bounds>,
}

/// The simulated process and its subscribers.
pub(super) struct World {
    random: SmallRng,
    now: Instant,
    past: Past,
    /// Stored, but the tail has not brought them to the ring yet.
    tail: VecDeque<Record>,
    ring: Ring,
    shards: Vec<Shard<SimSink>>,
    counters: Vec<Arc<ShardCounters>>,
    census: Arc<Census>,
    reads: Vec<Reading>,
    clients: Vec<Client>,
    trace: Vec<String>,
}

const TOPICS: [&str; 5] = ["a", "b", "books/1", "books/2", "user/7"];
const SELECTORS: [&str; 6] = ["a", "b", "books/{id}", "books/1", "*", "user/7"];

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let now = Instant::now();
        let epoch = Epoch::new(NonZeroU32::MIN);
        let config = Config {
            heartbeat: Duration::from_secs(random.random_range(1..20)),
            stall_timeout: Duration::from_secs(random.random_range(2..40)),
            ..Config::default()
        };
        let shards_count = random.random_range(1..=2);
        let records_max = random.random_range(4..64);
        let census = Arc::<Census>::default();
        let counters: Vec<Arc<ShardCounters>> = (0..shards_count).map(|_| Arc::default()).collect();
        let shard = |reader: usize| {
            let counters = Arc::clone(&counters[reader]);
            let census = Arc::clone(&census);
            Shard::new(
                reader,
                config.clone(),
                counters,
                census,
                (1, Arc::default()),
                (seed, now),
            )
        };
        let past = Past {
            all: Vec::new(),
            logs: vec![(epoch, Vec::new())],
            forks: Vec::new(),
            floor: 1,
            damaged: HashSet::new(),
        };
        let mut world = Self {
            shards: (0..shards_count).map(shard).collect(),
            ring: Ring::new(1 << 20, records_max, shards_count, 1),
            random,
            now,
            past,
            tail: VecDeque::new(),
            counters,
            census,
            reads: Vec::new(),
            clients: Vec::new(),
            trace: Vec::new(),
        };
        let count = world.random.random_range(1..12);
        for name in 0..count {
            world.add_client(name);
        }
        world
    }

    /// One thing happens.
    pub(super) fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..25 => self.publish(),
            25..40 => self.follow_tail(),
            40..60 => self.turn(),
            60..75 => self.read_some(),
            75..80 => self.advance_history(),
            80..85 => self.stall_or_not(),
            85..89 => self.disconnect(),
            89..94 => self.connect_all(),
            94..96 => self.trim(),
            96..97 => self.diverge(),
            97..98 => self.damage(),
            _ => self.now += Duration::from_millis(self.random.random_range(1..5000)),
        }
        self.check_bounds();
    }

    /// Everything works again; goes on until everybody has everything.
    pub(super) fn heal(&mut self) {
        self.publish();
        for client in &mut self.clients {
            client.stalled = false;
        }
        // Far more than it takes: whoever is not done then never will be.
        for _ in 0..4000 {
            // Heartbeats find those that are gone without a word.
            self.now += Duration::from_millis(10);
            self.connect_all();
            self.follow_tail();
            self.turn();
            // Read, asked for the bounds, answered.
            (0..3).for_each(|_| self.advance_history());
            self.read_all();
        }
        for client in &self.clients {
            client.check_complete(&self.past, self.now);
        }
        let live: u64 = self
            .counters
            .iter()
            .map(|counters| counters.live.read())
            .sum();
        assert_eq!(
            live,
            self.clients.len() as u64,
            "everybody is live in the end"
        );
    }

    /// Drains, and checks that everybody got a clean end.
    pub(super) fn finish(mut self) -> Story {
        let until = self.now + Duration::from_secs(10);
        let count = self.clients.len() as u64;
        for shard in &mut self.shards {
            shard.drain(until, self.now);
        }
        while self.now <= until + Duration::from_secs(1) {
            self.now += Duration::from_millis(100);
            self.turn();
            self.read_all();
        }
        let ended_by = |reason| {
            self.counters
                .iter()
                .map(|it| it.ended_by(reason))
                .sum::<u64>()
        };
        assert_eq!(
            ended_by(Ended::Drained),
            count,
            "everybody gets a clean end"
        );
        assert!(self.shards.iter().all(|shard| shard.len() == 0));
        assert_eq!(self.census.admitted(), 0, "every place is given back");
        Story {
            trace: self.trace,
            events_read: self.clients.iter().map(|client| client.events_read).sum(),
            gaps_read: self.clients.iter().map(|client| client.gaps_read).sum(),
        }
    }

    fn publish(&mut self) {
        for _ in 0..self.random.random_range(1..8) {
            let topic = |name: &&str| Topic::parse(name).unwrap();
            let serial = self.past.all.len();
            // The padding makes frames of different lengths, some longer than a pipe.
            let padding = ".".repeat(self.random.random_range(0..300));
            let event = Event::new(format!("{serial}{padding}"));
            let mut publication =
                Publication::new(topic(TOPICS.choose(&mut self.random).unwrap()), event);
            if self.random.random_ratio(1, 4) {
                publication = publication.also(topic(TOPICS.choose(&mut self.random).unwrap()));
            }
            if self.random.random_ratio(1, 4) {
                publication = publication.private();
            }
            if self.random.random_ratio(1, 8) {
                let left = self.random.random_range(0..20_000);
                publication.expires = Some(Expiry::at(left, 0, self.now));
            }
            let newest = self.past.newest();
            let record = Record::new(
                Cursor {
                    offset: newest.offset + 1,
                    ..newest
                },
                publication,
            );
            self.past.all.push(record.clone());
            self.past.logs.last_mut().unwrap().1.push(record.clone());
            self.tail.push_back(record);
        }
    }

    fn follow_tail(&mut self) {
        self.ring.append_what_fits(&mut self.tail);
    }

    fn turn(&mut self) {
        for (number, shard) in self.shards.iter_mut().enumerate() {
            let turn = shard.turn(&self.ring, self.now);
            self.reads
                .extend(turn.reads.into_iter().map(|read| Reading {
                    shard: number,
                    read,
                    page: None,
                    bounds: None,
                }));
        }
        for client in &mut self.clients {
            if client
                .pipe
                .as_ref()
                .is_some_and(|pipe| pipe.borrow().closed)
            {
                // What is on the way still arrives.
                client.read(usize::MAX, &self.past, self.now, &mut self.trace);
                client.pipe = None;
            }
        }
    }

    fn read_some(&mut self) {
        for number in 0..self.clients.len() {
            let limit = self.random.random_range(1..500);
            if !self.clients[number].stalled && self.random.random_ratio(1, 2) {
                self.read(number, limit);
            }
        }
    }

    fn read_all(&mut self) {
        (0..self.clients.len()).for_each(|number| self.read(number, usize::MAX));
    }

    fn read(&mut self, number: usize, limit: usize) {
        let client = &mut self.clients[number];
        if client.read(limit, &self.past, self.now, &mut self.trace) {
            let pipe = client.pipe.clone().unwrap();
            self.with_key_of(&pipe, |shard, key| shard.writable(key));
        }
    }

    fn stall_or_not(&mut self) {
        if let Some(client) = self.clients.choose_mut(&mut self.random) {
            client.stalled = !client.stalled;
        }
    }

    /// A connection breaks; whatever was on the way is lost.
    fn disconnect(&mut self) {
        let Some(client) = self.clients.choose_mut(&mut self.random) else {
            return;
        };
        let Some(pipe) = client.pipe.take() else {
            return;
        };
        pipe.borrow_mut().gone = true;
        // The hub hears of it at once, or only when it writes.
        if self.random.random_ratio(1, 2) {
            self.with_key_of(&pipe, |shard, key| shard.readable(key));
        }
    }

    fn connect_all(&mut self) {
        for number in 0..self.clients.len() {
            if self.clients[number].pipe.is_none() {
                self.connect(number);
            }
        }
    }

    /// Resumes as `Hub::subscribe` does, by the model's own look-up.
    fn connect(&mut self, number: usize) {
        let (client, past) = (&mut self.clients[number], &self.past);
        let place = client.place;
        let (next, reason) = past.resolve(place);
        if next > self.ring.next() {
            // The hub waits until the tail has come as far, and asks again.
            return;
        }
        let to = past.bounds().lineage.cursor_at(next - 1).unwrap_or(place);
        let gap = reason.map(|reason| Gap {
            from: place.id(),
            to: id_at(Some(to)),
            reason,
        });
        if gap.is_some() && client.kind.gap_signal == GapSignal::Cursor {
            // The answer's head says it.
            client.place = to;
        }
        let capacity = self.random.random_range(32..2000);
        let pipe = Rc::new(RefCell::new(Pipe {
            capacity,
            ..Pipe::default()
        }));
        client.connect(Rc::clone(&pipe), self.now);
        let first = match client.kind.form {
            Form::Chunked => Bytes::from_static(b"2\r\n:\n\r\n"),
            Form::Plain => Bytes::from_static(b":\n"),
        };
        let attach = Attach {
            counted_in: self.census.attach(&client.kind),
            kind: client.kind.clone(),
            next,
            first,
            gap,
            tells_live: number.is_multiple_of(2),
            ends_at: None,
            guest: None,
        };
        let shard = self.random.random_range(0..self.shards.len());
        Place::take(&self.census, 1000).unwrap().keep();
        self.shards[shard].attach(attach, SimSink(pipe), self.now);
    }

    /// Each slice of history comes a moment further, as `Replay` brings it.
    fn advance_history(&mut self) {
        for mut reading in std::mem::take(&mut self.reads) {
            match (reading.page.take(), reading.bounds.take()) {
                (None, _) => reading.page = Some(self.history(&reading.read)),
                (page, None) => {
                    reading.page = page;
                    reading.bounds = Some(self.past.bounds());
                }
                (Some(page), Some(bounds)) => {
                    let slice = HistorySlice { page, bounds };
                    self.shards[reading.shard].history(&reading.read, slice, self.now);
                    continue;
                }
            }
            self.reads.push(reading);
        }
    }

    fn history(&mut self, read: &HistoryRead) -> Result<Page, ReadError> {
        let past = &self.past;
        if read.after + 1 < past.floor {
            return Err(ReadError::Trimmed { first: past.floor });
        }
        let upto = read.upto.min(read.after + self.random.random_range(1..30));
        let looked_at = past.between(past.newest().epoch, read.after, upto + 1);
        let next = looked_at
            .clone()
            .last()
            .map_or(read.upto + 1, |record| record.offset() + 1);
        let (damaged, whole): (Vec<_>, Vec<_>) = looked_at
            .cloned()
            .partition(|record| past.damaged.contains(&record.cursor()));
        Ok(Page {
            records: whole
                .into_iter()
                .filter(|it| read.filter.wants(it.publication()))
                .collect(),
            next,
            end: PageEnd::Budget,
            missing: damaged
                .iter()
                .map(|it| it.offset()..it.offset() + 1)
                .collect(),
        })
    }

    /// Retention moves on, perhaps past what the tail has read.
    fn trim(&mut self) {
        let head = self.past.newest().offset;
        self.past.floor = self
            .random
            .random_range(self.past.floor..=head.max(self.past.floor));
        let floor = self.past.floor;
        if self
            .tail
            .front()
            .is_some_and(|record| record.offset() < floor)
        {
            self.tail.retain(|record| record.offset() >= floor);
            self.ring.skip_to(floor, Some(&self.past.bounds().lineage));
        }
    }

    /// The broker loses its newest records and goes on in a new epoch.
    fn diverge(&mut self) {
        let head = self.past.newest().offset;
        if head < self.past.floor {
            return;
        }
        let end = self.random.random_range(self.past.floor..=head);
        let number = u32::try_from(self.past.logs.len() + 1).unwrap();
        let epoch = Epoch::new(NonZeroU32::new(number).unwrap());
        let log = self
            .past
            .logs
            .last()
            .unwrap()
            .1
            .iter()
            .take_while(|record| record.offset() <= end)
            .cloned()
            .collect();
        self.past.logs.push((epoch, log));
        self.past.forks.push(Fork { end, epoch });
        self.tail.retain(|record| record.offset() <= end);
        if self.ring.next() > end + 1 {
            self.ring.cut(end);
        }
    }

    fn damage(&mut self) {
        let Some(record) = self.past.logs.last().unwrap().1.choose(&mut self.random) else {
            return;
        };
        self.past.damaged.insert(record.cursor());
    }

    fn add_client(&mut self, name: usize) {
        let mut some = |most: usize| {
            let count = self.random.random_range(0..=most);
            let chosen = SELECTORS.sample(&mut self.random, count);
            chosen
                .map(|text| Selector::parse(text).unwrap())
                .collect::<Vec<_>>()
        };
        let (mut selectors, grant) = (some(3), some(2));
        selectors.push(Selector::parse("a").unwrap());
        let form = if self.random.random() {
            Form::Chunked
        } else {
            Form::Plain
        };
        let gap_signal = if self.random.random() {
            GapSignal::Event
        } else {
            GapSignal::Cursor
        };
        let (selectors, grant) = (Selectors::new(selectors), Selectors::new(grant));
        let kind = Kind {
            selectors,
            grant,
            hidden: Selectors::default(),
            form,
            gap_signal,
            heartbeat: Heartbeat::Comment,
        };
        let start = Cursor {
            offset: 0,
            ..self.past.newest()
        };
        self.clients.push(Client::new(name, kind, start, self.now));
    }

    /// Finds the subscriber behind `pipe`, as a poll's token would.
    fn with_key_of(
        &mut self,
        pipe: &Rc<RefCell<Pipe>>,
        act: impl Fn(&mut Shard<SimSink>, crate::wheel::Key),
    ) {
        for shard in &mut self.shards {
            for key in shard.keys() {
                let found = shard
                    .sink_mut(key)
                    .is_some_and(|sink| Rc::ptr_eq(&sink.0, pipe));
                if found {
                    act(shard, key);
                    return;
                }
            }
        }
    }

    /// What a lagging subscriber holds is bounded, whatever happens.
    fn check_bounds(&self) {
        for shard in &self.shards {
            let held = shard.held_bytes_max();
            assert!(held < 8 << 10, "a subscriber holds {held} bytes");
        }
    }
}
