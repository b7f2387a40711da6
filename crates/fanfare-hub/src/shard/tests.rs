use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use fanfare_broker::{
    Cursor, Epoch, Expiry, Form, PageEnd, Publication, Selector, Selectors, Topic,
};
use fanfare_wire::Event;

use super::*;
use crate::census::Place;
use crate::subscription::{GapSignal, Heartbeat};

/// A socket that takes as much as it is told to.
#[derive(Debug, Default)]
struct Peer {
    got: Vec<u8>,
    writes: usize,
    room: Option<usize>,
    ended: bool,
    closed: bool,
}

#[derive(Debug)]
struct PeerSink(Rc<RefCell<Peer>>);

impl Sink for PeerSink {
    fn write(&mut self, bytes: &Bytes) -> io::Result<usize> {
        let mut peer = self.0.borrow_mut();
        let taken = peer.room.unwrap_or(usize::MAX).min(bytes.len());
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        peer.room = peer.room.map(|room| room - taken);
        peer.writes += 1;
        peer.got.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn is_open(&mut self) -> bool {
        true
    }

    fn end(&mut self) {
        self.0.borrow_mut().ended = true;
    }
}

impl Drop for PeerSink {
    fn drop(&mut self) {
        self.0.borrow_mut().closed = true;
    }
}

struct Bench {
    shard: Shard<PeerSink>,
    ring: Ring,
    now: Instant,
    offset: u64,
    /// Whether who is attached wants to be told when it is live.
    tells_live: bool,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn new(config: Config) -> Self {
        let now = Instant::now();
        let shard = Shard::new(
            0,
            config,
            Arc::default(),
            Arc::default(),
            (1, Arc::default()),
            (7, now),
        );
        Self {
            shard,
            ring: Ring::new(1 << 20, 1000, 1, 1),
            now,
            offset: 0,
            tells_live: false,
        }
    }

    fn attach(&mut self) -> (Key, Rc<RefCell<Peer>>) {
        self.attach_until(None)
    }

    fn attach_until(&mut self, ends_at: Option<Instant>) -> (Key, Rc<RefCell<Peer>>) {
        let attached = self.attach_at(self.ring.next(), ends_at);
        self.turn();
        attached
    }

    fn attach_at(&mut self, next: u64, ends_at: Option<Instant>) -> (Key, Rc<RefCell<Peer>>) {
        let kind = Kind {
            selectors: Selectors::new(vec![Selector::parse("t").unwrap()]),
            grant: Selectors::default(),
            hidden: Selectors::default(),
            form: Form::Chunked,
            gap_signal: GapSignal::Event,
            heartbeat: Heartbeat::Comment,
        };
        let peer = Rc::new(RefCell::new(Peer::default()));
        let first = Bytes::from_static(b"HEAD");
        Place::take(&self.shard.census, 1000).unwrap().keep();
        let attach = Attach {
            counted_in: self.shard.census.attach(&kind),
            kind,
            next,
            first,
            gap: None,
            tells_live: self.tells_live,
            ends_at,
            guest: None,
        };
        let key = self
            .shard
            .attach(attach, PeerSink(Rc::clone(&peer)), self.now);
        (key, peer)
    }

    fn publish(&mut self, data: &str) {
        self.publish_in(1, data);
    }

    fn publish_in(&mut self, epoch: u32, data: &str) {
        self.append(record(epoch, self.offset + 1, data));
    }

    /// Publishes what expires `after` from now.
    fn publish_until(&mut self, after: Duration, data: &str) {
        let mut publication = Publication::new(Topic::parse("t").unwrap(), Event::new(data));
        let after = u64::try_from(after.as_millis()).unwrap();
        publication.expires = Some(Expiry::at(after, 0, self.now));
        let cursor = record(1, self.offset + 1, data).cursor();
        self.append(Record::new(cursor, publication));
    }

    fn append(&mut self, record: Record) {
        self.offset = record.offset();
        self.ring.append_what_fits(&mut VecDeque::from([record]));
    }

    /// The broker loses what follows `end`.
    fn fork(&mut self, end: u64) {
        self.ring.cut(end);
        self.offset = end;
    }

    /// What a broker that retains the records from `first` on, of `epochs`, says of itself.
    fn bounds(&self, first: u64, epochs: &[(u64, u32)]) -> Bounds {
        let mut lineage = Lineage::default();
        for (first, number) in epochs {
            lineage.begin(*first, epoch(*number));
        }
        Bounds {
            head: lineage.cursor_at(self.offset),
            first,
            lineage: Arc::new(lineage),
        }
    }

    fn turn(&mut self) -> Turn {
        self.shard.turn(&self.ring, self.now)
    }

    /// Lets time pass in turns, as deadlines ask for them.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.turn().wake_at.filter(|at| *at <= end) {
            self.now = self.now.max(at);
        }
        self.now = end;
        self.turn();
    }
}

fn epoch(number: u32) -> Epoch {
    Epoch::new(NonZeroU32::new(number).unwrap())
}

fn record(number: u32, offset: u64, data: &str) -> Record {
    let epoch = epoch(number);
    let publication = Publication::new(Topic::parse("t").unwrap(), Event::new(data));
    Record::new(Cursor { epoch, offset }, publication)
}

/// A page of `records`, after which reading goes on at `next`.
fn page(records: Vec<Record>, next: u64) -> Result<Page, ReadError> {
    Ok(Page {
        records,
        next,
        end: PageEnd::Upto,
        missing: Vec::new(),
    })
}

fn text(peer: &Rc<RefCell<Peer>>) -> String {
    String::from_utf8(peer.borrow().got.clone()).unwrap()
}

#[test]
fn all_that_waits_goes_out_in_one_write() {
    let mut bench = Bench::new(Config::default());
    let (_, peer) = bench.attach();
    let before = peer.borrow().writes;
    for _ in 0..32 {
        bench.publish("x");
    }
    bench.turn();
    assert_eq!(peer.borrow().writes, before + 1);
    assert_eq!(text(&peer).matches("data: x\n\n").count(), 32);
}

/// A socket that blocked inside a frame must get that frame's rest before anything else: otherwise
/// the browser sees one event torn into two.
#[test]
fn blocked_frame_is_finished_before_the_next_run() {
    let mut bench = Bench::new(Config::default());
    let (key, peer) = bench.attach();
    peer.borrow_mut().room = Some(10);
    bench.publish("first");
    bench.turn();
    bench.publish("second");
    bench.turn();
    peer.borrow_mut().room = None;
    bench.shard.writable(key);
    bench.turn();
    let expected =
        "HEAD1C\r\nid: urn:ff:1-1\ndata: first\n\n\r\n1D\r\nid: urn:ff:1-2\ndata: second\n\n\r\n";
    bench.turn();
    assert_eq!(text(&peer), expected);
}

#[test]
fn srv_06_heartbeat_comes_after_silence_only() {
    let heartbeat = Duration::from_secs(10);
    let mut bench = Bench::new(Config {
        heartbeat,
        ..Config::default()
    });
    let (_, peer) = bench.attach();
    for _ in 0..20 {
        bench.pass(heartbeat / 2);
        bench.publish("x");
        bench.turn();
    }
    assert!(
        !text(&peer).contains("\r\n:\n\r\n"),
        "never silent, no heartbeat"
    );
    bench.pass(heartbeat * 12 / 10 + Duration::from_millis(100));
    assert!(text(&peer).ends_with("2\r\n:\n\r\n"));
    let beats = bench.shard.counters.heartbeats_total.read();
    assert_eq!(beats, 1);
}

const LIVE: &str = "event: fanfare-live\ndata: {}\n\n";

#[test]
fn srv_15_live_is_told_once_after_all_that_was_missed() {
    let mut bench = Bench::new(Config::default());
    bench.tells_live = true;
    bench.publish("missed");
    bench.turn();
    let (key, peer) = bench.attach_at(1, None);
    // Some of it, and no more.
    peer.borrow_mut().room = Some(20);
    bench.turn();
    assert!(!text(&peer).contains(LIVE));
    bench.publish("meanwhile");
    peer.borrow_mut().room = None;
    bench.shard.writable(key);
    bench.turn();
    bench.publish("new");
    bench.turn();
    // It falls behind once more; that it is live again is nothing that it asked about.
    peer.borrow_mut().room = Some(10);
    bench.publish("stalled");
    bench.turn();
    peer.borrow_mut().room = None;
    bench.shard.writable(key);
    bench.turn();
    let got = text(&peer);
    let places = ["missed", "meanwhile", LIVE, "new", "stalled"].map(|it| got.find(it).unwrap());
    assert!(places.is_sorted(), "{got}");
    assert_eq!(got.matches(LIVE).count(), 1);
}

#[test]
fn srv_15_live_is_told_at_once_if_nothing_was_missed() {
    let mut bench = Bench::new(Config::default());
    bench.tells_live = true;
    let (_, peer) = bench.attach();
    bench.turn();
    assert!(text(&peer).ends_with(&format!("{LIVE}\r\n")));
}

#[test]
fn n3_heartbeats_of_many_do_not_beat_together() {
    let heartbeat = Duration::from_secs(10);
    let mut bench = Bench::new(Config {
        heartbeat,
        ..Config::default()
    });
    let peers: Vec<_> = (0..50).map(|_| bench.attach().1).collect();
    bench.pass(heartbeat);
    let early = peers
        .iter()
        .filter(|peer| text(peer).contains(":\n"))
        .count();
    assert!(
        (5..45).contains(&early),
        "{early} of 50 within the first interval"
    );
}

#[test]
fn op_3_subscriber_that_takes_nothing_is_closed_after_the_stall_timeout() {
    let stall_timeout = Duration::from_secs(5);
    let mut bench = Bench::new(Config {
        stall_timeout,
        ..Config::default()
    });
    let (_, peer) = bench.attach();
    let (_, other) = bench.attach();
    bench.pass(Duration::from_secs(60));
    peer.borrow_mut().room = Some(0);
    bench.publish("x");
    bench.turn();
    bench.pass(stall_timeout - Duration::from_millis(200));
    assert!(!peer.borrow().closed);
    bench.pass(Duration::from_millis(400));
    assert!(peer.borrow().closed);
    assert!(!other.borrow().closed);
    assert_eq!(bench.shard.counters.ended_by(Ended::Stalled), 1);
    assert_eq!(bench.shard.census.admitted(), 1);
}

#[test]
fn n4_a_subscriber_that_takes_a_byte_a_second_is_closed() {
    let mut bench = Bench::new(Config::default());
    let (key, peer) = bench.attach();
    peer.borrow_mut().room = Some(0);
    for _ in 0..100 {
        bench.publish(&"x".repeat(1000));
    }
    for _ in 0..120 {
        bench.pass(Duration::from_secs(1));
        peer.borrow_mut().room = Some(1);
        bench.shard.writable(key);
    }
    assert!(peer.borrow().closed);
    assert_eq!(bench.shard.counters.ended_by(Ended::TooSlow), 1);
}

#[test]
fn s6_the_stream_ends_no_later_than_its_end() {
    let mut bench = Bench::new(Config::default());
    let ends_at = bench.now + Duration::from_secs(100);
    let (_, peer) = bench.attach_until(Some(ends_at));
    bench.pass(Duration::from_millis(99_800));
    assert!(!peer.borrow().closed);
    bench.pass(Duration::from_millis(200));
    assert!(peer.borrow().closed && peer.borrow().ended);
    assert!(text(&peer).ends_with("0\r\n\r\n"), "a clean end");
}

#[test]
fn op_1_lifetimes_of_those_who_came_together_end_apart() {
    let lifetime_max = Duration::from_secs(100);
    let mut bench = Bench::new(Config {
        lifetime_max,
        ..Config::default()
    });
    let peers: Vec<_> = (0..50).map(|_| bench.attach().1).collect();
    bench.pass(Duration::from_secs(79));
    assert_eq!(bench.shard.len(), 50);
    bench.pass(Duration::from_secs(11));
    assert!((5..45).contains(&bench.shard.len()));
    bench.pass(Duration::from_secs(10));
    assert!(peers.iter().all(|peer| peer.borrow().ended));
}

#[test]
fn n8_a_drain_ends_everybody_at_an_even_pace_with_a_hint() {
    let mut bench = Bench::new(Config::default());
    let peers: Vec<_> = (0..100).map(|_| bench.attach().1).collect();
    let over = Duration::from_secs(20);
    bench.shard.drain(bench.now + over, bench.now);
    bench.pass(over / 2);
    assert!(
        (40..60).contains(&bench.shard.len()),
        "half of them after half the time"
    );
    bench.pass(over / 2);
    assert_eq!(bench.shard.len(), 0);
    assert_eq!(bench.shard.counters.ended_by(Ended::Drained), 100);
    for peer in &peers {
        let text = text(peer);
        let hint = text
            .split("retry: ")
            .nth(1)
            .and_then(|rest| rest.split('\n').next())
            .unwrap();
        assert!((1000..=20_000).contains(&hint.parse::<u64>().unwrap()));
        assert!(text.ends_with("\n\n\r\n0\r\n\r\n"), "{text:?}");
    }
}

#[test]
fn n8_a_blocked_subscriber_is_cut_at_the_end_of_the_drain() {
    let mut bench = Bench::new(Config::default());
    let (_, peer) = bench.attach();
    peer.borrow_mut().room = Some(0);
    bench.publish("x");
    bench.turn();
    bench
        .shard
        .drain(bench.now + Duration::from_secs(10), bench.now);
    bench.pass(Duration::from_secs(10));
    assert!(peer.borrow().closed && !peer.borrow().ended);
    assert_eq!(bench.shard.counters.ended_by(Ended::Cut), 1);
}

/// A gap's cursor named the newest epoch, whatever the offset: it was unknown when it came back.
#[test]
fn c1_the_cursor_of_a_gap_names_the_epoch_of_its_record() {
    let mut bench = Bench::new(Config::default());
    let (_, peer) = bench.attach();
    for number in [1, 1, 1, 2, 2] {
        bench.publish_in(number, "x");
    }
    bench.turn();
    bench.fork(2);
    bench.turn();
    let gap = r#"{"from":"urn:ff:2-5","to":"urn:ff:1-2","reason":"diverged"}"#;
    assert!(text(&peer).contains(gap), "{}", text(&peer));
}

/// The beginning of an epoch may be among what the tail skips: only the broker can tell it then.
#[test]
fn c1_the_cursor_of_a_gap_names_an_epoch_that_the_tail_skipped() {
    let mut bench = Bench::new(Config::default());
    let (key, peer) = bench.attach();
    bench.publish_in(1, "x");
    bench.turn();
    bench.offset = 9;
    bench.ring.skip_to(10, None);
    bench.publish_in(2, "y");
    let read = bench.turn().reads.pop().unwrap();
    assert_eq!((read.key, read.after, read.upto), (key, 1, 9));
    let page = Err(ReadError::Trimmed { first: 8 });
    let bounds = bench.bounds(8, &[(1, 1), (5, 2)]);
    bench
        .shard
        .history(&read, HistorySlice { page, bounds }, bench.now);
    bench.turn();
    let gap = r#"{"from":"urn:ff:1-1","to":"urn:ff:2-7","reason":"trimmed"}"#;
    assert!(text(&peer).contains(gap), "{}", text(&peer));
}

/// The slice held records that were lost meanwhile, up to an offset that the new epoch had reached
/// again: the epoch of the broker's newest record alone did not show it.
#[test]
fn a_slice_from_before_a_fork_is_read_again() {
    let mut bench = Bench::new(Config::default());
    bench.offset = 9;
    bench.ring.skip_to(10, None);
    bench.publish("x");
    bench.turn();
    let (key, peer) = bench.attach_at(3, None);
    let read = bench.turn().reads.pop().unwrap();
    bench.fork(5);
    (6..=10).for_each(|_| bench.publish_in(2, "new"));
    bench.turn();
    let page = page(vec![record(1, 7, "lost")], 10);
    let bounds = bench.bounds(1, &[(1, 1), (6, 2)]);
    bench
        .shard
        .history(&read, HistorySlice { page, bounds }, bench.now);
    let again = bench.turn().reads.pop().unwrap();
    assert_eq!((again.key, again.after, again.upto), (key, 2, 5));
    assert!(!text(&peer).contains("lost"));
}

/// Who resumed while the first event of a run was stored waited for the second one: its slice was
/// judged by an epoch that had just ended.
#[test]
fn a_slice_from_before_a_new_epoch_is_read_again_at_once() {
    let mut bench = Bench::new(Config::default());
    bench.offset = 9;
    bench.ring.skip_to(10, None);
    bench.publish("x");
    bench.turn();
    bench.attach_at(3, None);
    let read = bench.turn().reads.pop().unwrap();
    let bounds = bench.bounds(1, &[(1, 1)]);
    bench.publish_in(2, "new");
    bench.turn();
    let page = page(Vec::new(), 10);
    bench
        .shard
        .history(&read, HistorySlice { page, bounds }, bench.now);
    assert_eq!(bench.turn().reads.len(), 1);
}

#[test]
fn q2_a_groups_verdicts_last_while_one_of_it_lags() {
    let mut bench = Bench::new(Config::default());
    bench.offset = 9;
    bench.ring.skip_to(10, None);
    bench.publish("x");
    bench.turn();
    bench.attach_at(3, None);
    let first = bench.turn().reads.pop().unwrap();
    let filter = Arc::downgrade(&first.filter);
    let (page, bounds) = (page(Vec::new(), 6), bench.bounds(1, &[(1, 1)]));
    bench
        .shard
        .history(&first, HistorySlice { page, bounds }, bench.now);
    drop(first);
    bench.attach_at(3, None);
    let reads = bench.turn().reads;
    assert_eq!(reads.len(), 2);
    for read in &reads {
        assert!(Arc::ptr_eq(&read.filter, &filter.upgrade().unwrap()));
    }
    for read in reads {
        let (page, bounds) = (self::page(Vec::new(), 10), bench.bounds(1, &[(1, 1)]));
        bench
            .shard
            .history(&read, HistorySlice { page, bounds }, bench.now);
    }
    bench.turn();
    assert!(filter.upgrade().is_none(), "both are live");
}

/// A subscriber that waits for a slice of history, in a bench with this heartbeat and stall time-out.
fn waiting(heartbeat: Duration, stall: Duration) -> (Bench, Key, Rc<RefCell<Peer>>, HistoryRead) {
    let mut bench = Bench::new(Config {
        heartbeat,
        stall_timeout: stall,
        ..Config::default()
    });
    bench.offset = 9;
    bench.ring.skip_to(10, None);
    bench.publish("x");
    bench.turn();
    let (key, peer) = bench.attach_at(3, None);
    let read = bench.turn().reads.pop().unwrap();
    (bench, key, peer, read)
}

#[test]
fn srv_06_heartbeats_come_while_the_broker_is_slow_and_it_is_not_the_subscribers_fault() {
    let (mut bench, _, peer, read) = waiting(10 * SECOND, 5 * SECOND);
    bench.pass(100 * SECOND);
    let beats = text(&peer).matches("2\r\n:\n\r\n").count();
    assert!((8..=13).contains(&beats), "{beats} in 100 s");
    // It has no room just when the slice comes: its time begins then.
    peer.borrow_mut().room = Some(10);
    let (page, bounds) = (
        page(vec![record(1, 3, "y")], 10),
        bench.bounds(1, &[(1, 1)]),
    );
    bench
        .shard
        .history(&read, HistorySlice { page, bounds }, bench.now);
    bench.pass(4 * SECOND);
    assert!(!peer.borrow().closed);
    bench.pass(2 * SECOND);
    assert!(peer.borrow().closed, "now it is");
    assert_eq!(bench.shard.counters.ended_by(Ended::Stalled), 1);
}

#[test]
fn srv_06_heartbeats_come_while_the_tail_is_behind() {
    let mut bench = Bench::new(Config {
        heartbeat: 10 * SECOND,
        stall_timeout: 5 * SECOND,
        ..Config::default()
    });
    let (_, peer) = bench.attach_at(7, None);
    bench.pass(100 * SECOND);
    let beats = text(&peer).matches("2\r\n:\n\r\n").count();
    assert!((8..=13).contains(&beats), "{beats} in 100 s");
    (1..=7).for_each(|number| bench.publish(&number.to_string()));
    bench.turn();
    bench.turn();
    assert_eq!(events(&peer), ["7"]);
}

/// Another heartbeat, or the slice, in the middle of one would merge two events.
#[test]
fn what_is_left_of_a_heartbeat_goes_before_the_slice() {
    let (mut bench, key, peer, read) = waiting(SECOND, 60 * SECOND);
    peer.borrow_mut().room = Some(3);
    bench.pass(20 * SECOND);
    assert_eq!(text(&peer), "HEAD2\r\n", "half of one, and no other");
    let slice = |bench: &Bench| HistorySlice {
        page: page(vec![record(1, 3, "y")], 10),
        bounds: bench.bounds(1, &[(1, 1)]),
    };
    bench.shard.history(&read, slice(&bench), bench.now);
    bench.turn();
    assert_eq!(text(&peer), "HEAD2\r\n", "there was no room for the rest");
    peer.borrow_mut().room = None;
    bench.shard.writable(key);
    let read = bench.turn().reads.pop().unwrap();
    bench.shard.history(&read, slice(&bench), bench.now);
    bench.turn();
    let expected = "HEAD2\r\n:\n\r\n18\r\nid: urn:ff:1-3\ndata: y\n\n\r\n";
    assert!(text(&peer).starts_with(expected), "{}", text(&peer));
    assert_eq!(events(&peer), ["y", "x"]);
}

/// The data of the events that `peer` got.
fn events(peer: &Rc<RefCell<Peer>>) -> Vec<String> {
    let text = text(peer);
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(str::to_owned).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_event_that_has_expired_is_not_delivered_late() {
    let mut bench = Bench::new(Config::default());
    let (_, peer) = bench.attach();
    bench.publish_until(SECOND, "in time");
    bench.turn();
    bench.publish_until(SECOND, "late");
    bench.publish("kept");
    bench.now += SECOND;
    bench.turn();
    assert_eq!(events(&peer), ["in time", "kept"]);
    assert_eq!(bench.shard.counters.deliveries_total.read(), 2);
}

#[test]
fn an_event_that_has_expired_is_not_replayed_and_is_no_gap() {
    let mut bench = Bench::new(Config::default());
    bench.publish_until(2 * SECOND, "brief");
    bench.publish("kept");
    bench.turn();
    let (_, before) = bench.attach_at(1, None);
    // Its time comes while the slice of the first is still at hand for the second.
    bench.now += 2 * SECOND - Duration::from_millis(1);
    bench.turn();
    bench.now += Duration::from_millis(1);
    let (_, after) = bench.attach_at(1, None);
    bench.turn();
    assert_eq!(events(&before), ["brief", "kept"]);
    assert_eq!(events(&after), ["kept"]);
}

#[test]
fn an_event_that_expires_between_two_of_a_storm_is_read_again_without_it() {
    let mut bench = Bench::new(Config::default());
    bench.publish_until(SECOND, "brief");
    bench.publish("kept");
    bench.turn();
    // More than go on in one turn, so that the slice of the first turn is at hand in the second.
    let peers: Vec<_> = (0..300).map(|_| bench.attach_at(1, None).1).collect();
    bench.turn();
    bench.now += SECOND;
    bench.turn();
    let brief = peers.iter().filter(|peer| events(peer).len() == 2).count();
    assert!((1..300).contains(&brief), "{brief} of 300");
    assert!(
        peers
            .iter()
            .all(|peer| events(peer).last().unwrap() == "kept")
    );
}

#[test]
fn an_event_that_has_expired_is_not_replayed_from_history() {
    let mut bench = Bench::new(Config::default());
    bench.publish_until(SECOND, "brief");
    bench.publish("kept");
    let mut stored = Vec::new();
    bench.ring.take(0, usize::MAX, &mut stored);
    bench.offset = 9;
    bench.ring.skip_to(10, None);
    bench.publish("x");
    bench.turn();
    let (_, peer) = bench.attach_at(1, None);
    let read = bench.turn().reads.pop().unwrap();
    bench.now += SECOND;
    let (page, bounds) = (page(stored, 10), bench.bounds(1, &[(1, 1)]));
    bench
        .shard
        .history(&read, HistorySlice { page, bounds }, bench.now);
    bench.turn();
    assert_eq!(events(&peer), ["kept", "x"]);
}

#[test]
fn a_survey_says_who_is_behind_since_when_and_why() {
    let mut bench = Bench::new(Config::default());
    let (key, peer) = bench.attach();
    bench.pass(SECOND * 5);
    bench.attach();
    peer.borrow_mut().room = Some(10);
    for _ in 0..3 {
        bench.publish("x");
        bench.turn();
    }
    bench.now += SECOND * 2;
    let found = bench.shard.survey(0, 10, bench.now);
    assert_eq!(found.next, None);
    let [behind, live] = &found.subscribers[..] else {
        panic!("{found:?}");
    };
    assert_eq!((behind.age, live.age), (SECOND * 7, SECOND * 2));
    assert!(live.lag.is_none() && live.number > behind.number);
    let lag = behind.lag.unwrap();
    assert_eq!(
        (lag.behind, lag.waits_for, lag.stuck),
        (2, "sink", SECOND * 2)
    );
    assert!(lag.held_bytes > 0);

    peer.borrow_mut().room = None;
    bench.shard.writable(key);
    bench.turn();
    let found = bench.shard.survey(0, 10, bench.now);
    assert!(found.subscribers.iter().all(|it| it.lag.is_none()));
}

#[test]
fn a_survey_goes_on_where_its_page_ended() {
    let mut bench = Bench::new(Config::default());
    let keys: Vec<Key> = (0..5).map(|_| bench.attach().0).collect();
    bench.shard.cut(keys[1]);
    let (mut numbers, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let found = bench.shard.survey(place, 2, bench.now);
        assert!(found.subscribers.len() <= 2);
        numbers.extend(found.subscribers.iter().map(|it| it.number));
        from = found.next;
    }
    let expected = [0, 2, 3, 4].map(|nth: usize| keys[nth].generation);
    assert_eq!(numbers, expected);
}

#[test]
fn only_a_turn_that_wrote_to_somebody_says_since_when_it_waited() {
    let mut bench = Bench::new(Config::default());
    let came = bench.now;
    bench.ring.arrived(came);
    bench.publish("x");
    assert_eq!(bench.turn().since, None, "nobody is there");
    bench.attach();
    bench.ring.arrived(came);
    bench.publish("x");
    assert_eq!(bench.turn().since, Some(came));
    assert_eq!(bench.turn().since, None);
}

#[test]
fn an_idle_subscriber_is_small() {
    assert!(size_of::<Subscriber<crate::sink::Outlet>>() <= 56);
}
