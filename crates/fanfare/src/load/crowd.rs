//! The crowd: all connections in one poll, and the loops that open them, load them and cut them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::ledger::Ledger;
use super::payload::Payload;
use super::publisher::Publisher;
use super::subscriber::{Outcome, Subscriber};
use super::{Config, Latency, LoadError, Pace, Progress, Report, Target};

/// Subscribers and publishers on open connections.
///
/// Everything happens inside its methods, on the caller's thread; in between, connections stay
/// open and what arrives waits in the kernel.
pub struct Crowd {
    /// The nodes of one hub, at least one.
    nodes: Vec<Target>,
    config: Config,
    /// Names that no other crowd uses.
    topics: Vec<String>,
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    began: Instant,
    subscribers: Vec<Subscriber>,
    publishers: Vec<Publisher>,
    ledger: Ledger,
    /// Subscribers whose stream is open.
    open: usize,
    /// Subscribers on their way there.
    opening: usize,
    /// Where this crowd's addresses begin; another one's ports may still rest.
    source_base: u16,
    /// Connections ever begun by subscribers.
    dialled: usize,
    /// Events ever published.
    published: u64,
    /// When something last arrived.
    moved_at: Instant,
    run: Run,
}

/// What belongs to the current run alone.
#[derive(Debug)]
struct Run {
    began: Instant,
    told_at: Instant,
    published: u64,
    foreign: u64,
    ended: u64,
    latency: Latency,
}

impl Crowd {
    /// Connects all subscribers and publishers, and waits for the first bytes of every stream.
    ///
    /// At most 512 subscribers are on their way at a time. `progress` is told about ten times a
    /// second how far it is.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; the connections that already stand are closed.
    pub fn connect(
        target: Target,
        config: Config,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, LoadError> {
        Self::connect_to_all(vec![target], config, progress)
    }

    /// The same with the nodes of one hub, over which subscribers and publishers are spread evenly.
    /// Their events are to have one order at all of them.
    ///
    /// # Errors
    ///
    /// As [`Crowd::connect`], and without any node.
    pub fn connect_to_all(
        nodes: Vec<Target>,
        config: Config,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, LoadError> {
        config.check()?;
        if nodes.is_empty() {
            let (field, must_be) = ("nodes", "at least one");
            return Err(LoadError::Config { field, must_be });
        }
        let began = now();
        let run = rand::random::<u32>();
        let topics = (0..config.topics).map(|topic| format!("bench-{run:08x}-{topic}"));
        let mut crowd = Self {
            topics: topics.collect(),
            poll: Poll::new().map_err(LoadError::Socket)?,
            events: Events::with_capacity(EVENTS_MAX),
            scratch: vec![0; SCRATCH_BYTES],
            began,
            subscribers: (0..config.subscribers).map(|_| Subscriber::new()).collect(),
            publishers: Vec::with_capacity(config.publishers),
            ledger: Ledger::new(config.subscribers, config.topics, config.publishers),
            open: 0,
            opening: 0,
            source_base: rand::random(),
            dialled: 0,
            published: 0,
            moved_at: began,
            run: Run::begin(began),
            nodes,
            config,
        };
        for publisher in 0..crowd.config.publishers {
            let token = Token(crowd.subscribers.len() + publisher);
            let Some(node) = node_of(&crowd.nodes, publisher) else {
                break;
            };
            let mut publisher = Publisher::connect(node.address, node.tls.as_ref())?;
            register(&crowd.poll, publisher.socket_mut(), token)?;
            crowd.publishers.push(publisher);
        }
        crowd.open_all(progress)?;
        Ok(crowd)
    }

    /// Publishes at `pace` for `duration`, then waits until everybody has everything.
    ///
    /// Ends earlier if nothing arrives for [`Config::settle_timeout`]; what is missing then is
    /// lost.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when a publish is refused or never answered.
    pub fn run(
        &mut self,
        pace: Pace,
        duration: Duration,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, LoadError> {
        let began = self.begin_run();
        loop {
            let now = now();
            let timeout = if now - began < duration {
                self.publish_due(pace, now)?
            } else if self.has_settled() {
                break;
            } else {
                TURN_MAX
            };
            if self.is_stuck(now)? {
                break;
            }
            self.turn(timeout)?;
            self.tell(now, progress);
        }
        Ok(self.report())
    }

    /// Cuts every subscriber's connection, as a broken network would; publishers stay.
    pub fn cut(&mut self) {
        self.subscribers.iter_mut().for_each(Subscriber::cut);
        self.open = 0;
    }

    /// Publishes `count` events in order over the first publisher, and waits for the answers
    /// alone. The events stay outstanding until [`Crowd::resume`] or a run receives them.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when a publish is refused or never answered.
    pub fn publish(&mut self, count: u64) -> Result<(), LoadError> {
        self.begin_run();
        let mut left = count;
        loop {
            let now = now();
            if self.publishers.first().is_some_and(Publisher::is_idle) {
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                self.publish_on(0, now)?;
            }
            self.is_stuck(now)?;
            self.turn(TURN_MAX)?;
        }
    }

    /// Connects all cut subscribers again, each with its last event id, and waits until everybody
    /// has everything. The report's clock begins with the first connection.
    ///
    /// # Errors
    ///
    /// As [`Crowd::connect`].
    pub fn resume(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<Report, LoadError> {
        self.begin_run();
        self.open_all(progress)?;
        loop {
            let now = now();
            if self.has_settled() || self.is_stuck(now)? {
                return Ok(self.report());
            }
            self.turn(TURN_MAX)?;
            self.tell(now, progress);
        }
    }

    fn open_all(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), LoadError> {
        let mut next = 0;
        while self.open < self.subscribers.len() {
            while self.opening < OPENING_MAX && next < self.subscribers.len() {
                self.dial(next)?;
                next += 1;
            }
            self.turn(TURN_MAX)?;
            let now = now();
            // A stream that ended while the others were opened is not awaited, but counted.
            if next == self.subscribers.len() && self.opening == 0 {
                break;
            }
            if now - self.moved_at > self.config.settle_timeout {
                return Err(self.stuck());
            }
            self.tell(now, progress);
        }
        Ok(())
    }

    fn dial(&mut self, index: usize) -> Result<(), LoadError> {
        let Some(node) = node_of(&self.nodes, index) else {
            return Ok(());
        };
        let source = source_address(node.address.ip(), self.source_base, self.dialled);
        let topic = self.topics.get(index % self.topics.len());
        let mut topic = topic.cloned().unwrap_or_default();
        if let Some(template) = index.checked_rem(self.config.templates) {
            // It matches the topic, and the topic with a fragment, which nobody publishes to.
            topic.push_str(&format!("%7B%23t{template}%7D"));
        }
        if let Some(subscriber) = self.subscribers.get_mut(index) {
            let request = node.subscribe(&topic, subscriber.last_event_id());
            let tls = node.tls.as_ref();
            let socket = subscriber.connect(node.address, source, tls, request)?;
            register(&self.poll, socket, Token(index))?;
            self.dialled += 1;
            self.opening += 1;
        }
        Ok(())
    }

    /// Publishes what `pace` asks for, and says how long to wait for what comes next.
    fn publish_due(&mut self, pace: Pace, now: Instant) -> Result<Duration, LoadError> {
        match pace {
            Pace::Rounds => {
                if self.has_settled() {
                    for publisher in 0..self.publishers.len() {
                        self.publish_on(publisher, now)?;
                    }
                }
                Ok(TURN_MAX)
            }
            Pace::Rate(per_second) => loop {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a schedule in a double; 2^53 events are not published"
                )]
                let due = self.run.published as f64 / per_second;
                let due = self.run.began + Duration::try_from_secs_f64(due).unwrap_or(LONG);
                if due > now {
                    // The poll's timeout is whole milliseconds: the last two are waited awake.
                    return Ok((due - now).saturating_sub(POLL_GRAIN).min(TURN_MAX));
                }
                let Some(idle) = self.publishers.iter().position(Publisher::is_idle) else {
                    return Ok(TURN_MAX);
                };
                self.publish_on(idle, due)?;
            },
        }
    }

    /// Publishes the next event on an idle publisher; it was due at `due`.
    fn publish_on(&mut self, publisher: usize, due: Instant) -> Result<(), LoadError> {
        let topics = self.topics.len() as u64;
        let topic = usize::try_from(self.published % topics).unwrap_or_default();
        let name = self.topics.get(topic).map_or("", String::as_str);
        let node = node_of(&self.nodes, publisher);
        let Some((connection, node)) = self.publishers.get_mut(publisher).zip(node) else {
            return Ok(());
        };
        if let Some(socket) = connection.reconnect_if_ended(node.address, node.tls.as_ref())? {
            register(
                &self.poll,
                socket,
                Token(self.subscribers.len() + publisher),
            )?;
        }
        connection.sequence += 1;
        let payload = Payload {
            publisher: u32::try_from(publisher).unwrap_or(u32::MAX),
            sequence: connection.sequence,
            sent_nanos: nanos(due - self.began),
        };
        let text = payload.text(self.config.event_bytes);
        let private = self.config.private;
        connection.send(node.publish(name, &text, private))?;
        if self.ledger.outstanding == 0 {
            // Nothing could move while nothing was on its way.
            self.moved_at = self.moved_at.max(due);
        }
        self.ledger.published(topic);
        self.published += 1;
        self.run.published += 1;
        Ok(())
    }

    /// Waits for readiness up to `timeout`, and lets every ready connection go on.
    fn turn(&mut self, timeout: Duration) -> Result<(), LoadError> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled.map_err(LoadError::Socket)?,
        }
        let moved_before = self.ledger.received;
        let mut moved = false;
        for event in &self.events {
            let index = event.token().0;
            let Some(subscriber) = self.subscribers.get_mut(index) else {
                let publisher = self.publishers.get_mut(index - self.subscribers.len());
                if let Some(publisher) = publisher {
                    moved |= publisher.ready(&mut self.scratch)?;
                }
                continue;
            };
            let (ledger, run) = (&mut self.ledger, &mut self.run);
            let at = nanos(now() - self.began);
            let take = |data: &str| match Payload::parse(data) {
                Some(payload) => {
                    ledger.received(index, payload);
                    run.latency.record(at.saturating_sub(payload.sent_nanos));
                }
                None => run.foreign += 1,
            };
            match subscriber.ready(&mut self.scratch, event.is_read_closed(), take)? {
                Outcome::Same => {}
                Outcome::Opened => {
                    self.opening -= 1;
                    self.open += 1;
                    moved = true;
                }
                Outcome::Ended { open } => {
                    let count = if open {
                        &mut self.open
                    } else {
                        &mut self.opening
                    };
                    *count = count.saturating_sub(1);
                    self.run.ended += 1;
                }
            }
        }
        if moved || self.ledger.received > moved_before {
            self.moved_at = now();
        }
        Ok(())
    }

    /// Whether everybody has everything, and every publish is answered.
    fn has_settled(&self) -> bool {
        self.ledger.outstanding == 0 && self.publishers.iter().all(Publisher::is_idle)
    }

    /// Whether what is outstanding counts as lost; an error if a publish is not answered.
    fn is_stuck(&self, now: Instant) -> Result<bool, LoadError> {
        let waited = now.saturating_duration_since(self.moved_at);
        if waited < self.config.settle_timeout || self.has_settled() {
            return Ok(false);
        }
        if self.publishers.iter().all(Publisher::is_idle) {
            return Ok(true);
        }
        Err(self.stuck())
    }

    fn stuck(&self) -> LoadError {
        LoadError::Stuck {
            waited: self.config.settle_timeout,
            open: self.open,
            subscribers: self.subscribers.len(),
        }
    }

    fn begin_run(&mut self) -> Instant {
        let now = now();
        self.run = Run::begin(now);
        self.moved_at = now;
        self.ledger.reset_counts();
        now
    }

    fn tell(&mut self, now: Instant, progress: &mut dyn FnMut(Progress)) {
        if now.saturating_duration_since(self.run.told_at) < TELL_INTERVAL {
            return;
        }
        self.run.told_at = now;
        progress(Progress {
            open: self.open,
            published: self.run.published,
            received: self.ledger.received,
            elapsed: now - self.run.began,
        });
    }

    fn report(&self) -> Report {
        Report {
            elapsed: self.moved_at - self.run.began,
            subscribers: self.subscribers.len(),
            topics: self.topics.len(),
            published: self.run.published,
            received: self.ledger.received,
            lost: self.ledger.outstanding,
            doubled: self.ledger.doubled,
            reordered: self.ledger.reordered,
            foreign: self.run.foreign,
            ended: self.run.ended,
            latency: self.run.latency.clone(),
        }
    }
}

/// Readiness taken from the poll at a time: few, so that a due event is not late.
const EVENTS_MAX: usize = 256;
const SCRATCH_BYTES: usize = 256 << 10;
/// Below the backlog of common listeners, so that no connection waits for a lost SYN.
const OPENING_MAX: usize = 512;
const TURN_MAX: Duration = Duration::from_millis(100);
const POLL_GRAIN: Duration = Duration::from_millis(2);
const TELL_INTERVAL: Duration = Duration::from_millis(100);
/// Later than any run's end.
const LONG: Duration = Duration::from_secs(1 << 32);

impl Run {
    fn begin(began: Instant) -> Self {
        Self {
            began,
            told_at: began,
            published: 0,
            foreign: 0,
            ended: 0,
            latency: Latency::new(),
        }
    }
}

impl fmt::Debug for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crowd")
            .field("nodes", &self.nodes)
            .field("config", &self.config)
            .field("open", &self.open)
            .field("outstanding", &self.ledger.outstanding)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the crowd's loops read the clock, and so does every arrival"
)]
fn now() -> Instant {
    Instant::now()
}

/// The node of the `index`-th subscriber or publisher.
fn node_of(nodes: &[Target], index: usize) -> Option<&Target> {
    nodes.get(index.checked_rem(nodes.len())?)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn register(poll: &Poll, socket: &mut mio::net::TcpStream, token: Token) -> Result<(), LoadError> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry()
        .register(socket, token, interest)
        .map_err(LoadError::Socket)
}

/// A loopback address for the `dialled`-th connection, from the `base`-th on.
///
/// One address has some 28,000 ports, and a port that was cut rests for a minute; 127.0.0.0/8 has
/// addresses enough. To any other hub the system chooses.
fn source_address(hub: IpAddr, base: u16, dialled: usize) -> Option<Ipv4Addr> {
    let IpAddr::V4(hub) = hub else { return None };
    let block = u16::try_from(dialled / CONNECTIONS_PER_SOURCE).unwrap_or_default();
    let [high, low] = base.wrapping_add(block).to_be_bytes();
    hub.is_loopback()
        .then_some(Ipv4Addr::new(127, SOURCES, high, low))
}

const CONNECTIONS_PER_SOURCE: usize = 5_000;
/// A corner of 127.0.0.0/8 that nobody else uses.
const SOURCES: u8 = 77;

#[cfg(test)]
mod tests;
