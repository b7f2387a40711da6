use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use fanfare_broker::{Epoch, Form, Publication, Selector, Selectors, Topic};
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
            (1, None),
            (7, now),
        );
        Self {
            shard,
            ring: Ring::new(1 << 20, 1000, 1, 1),
            now,
            offset: 0,
        }
    }

    fn attach(&mut self) -> (Key, Rc<RefCell<Peer>>) {
        self.attach_until(None)
    }

    fn attach_until(&mut self, ends_at: Option<Instant>) -> (Key, Rc<RefCell<Peer>>) {
        let kind = Kind {
            selectors: Selectors::new(vec![Selector::parse("t").unwrap()]),
            grant: Selectors::default(),
            hidden: Selectors::default(),
            form: Form::Chunked,
            gap_signal: GapSignal::Event,
            heartbeat: Heartbeat::Comment,
        };
        let peer = Rc::new(RefCell::new(Peer::default()));
        let (next, first) = (self.ring.next(), Bytes::from_static(b"HEAD"));
        Place::take(&self.shard.census, 1000).unwrap().keep();
        let attach = Attach {
            counted_in: self.shard.census.attach(&kind),
            kind,
            next,
            first,
            gap: None,
            ends_at,
            guest: None,
        };
        let key = self
            .shard
            .attach(attach, PeerSink(Rc::clone(&peer)), self.now);
        self.turn();
        (key, peer)
    }

    fn publish(&mut self, data: &str) {
        self.offset += 1;
        let cursor = Cursor {
            epoch: Epoch::new(NonZeroU32::MIN),
            offset: self.offset,
        };
        let publication = Publication::new(Topic::parse("t").unwrap(), Event::new(data));
        self.ring
            .append_what_fits(&mut VecDeque::from([Record::new(cursor, publication)]));
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

#[test]
fn an_idle_subscriber_is_small() {
    assert!(size_of::<Subscriber<crate::sink::Outlet>>() <= 56);
}
