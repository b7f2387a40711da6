//! A shard's thread: one poll, one inbox, one core.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use tokio::sync::oneshot;

use crate::inbox::{Command, Inbox, WAKER, Wire};
use crate::replay::Replay;
use crate::ring::Ring;
use crate::shard::{Attach, Shard, Turn};
use crate::sink::Outlet;

/// What a shard's thread owns.
#[derive(Debug)]
pub(crate) struct ShardThread {
    pub(crate) shard: Shard<Outlet>,
    pub(crate) poll: Poll,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) ring: Arc<Ring>,
    pub(crate) replay: Replay,
    /// Who waits for the end of a drain.
    pub(crate) drained: Option<oneshot::Sender<()>>,
    pub(crate) stopped: bool,
}

impl ShardThread {
    /// Turns until the hub has drained or stops.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut turn = Turn {
            more: true,
            ..Turn::default()
        };
        while !self.stopped {
            if let Err(error) = self.wait(&mut events, &turn) {
                tracing::error!(%error, "a shard's poll failed; its subscribers are cut");
                break;
            }
            let now = now();
            for command in self.inbox.take() {
                self.obey(command, now);
            }
            self.hear(&events);
            turn = self.shard.turn(&self.ring, now);
            if let Some(since) = turn.since {
                self.shard
                    .took(self::now().saturating_duration_since(since));
            }
            for read in turn.reads.drain(..) {
                self.replay.read(read, Arc::clone(&self.inbox));
            }
            self.stopped |= self.drained.is_some() && self.shard.len() == 0;
        }
        self.shard.cut_all();
        self.ring.leave(self.shard.reader());
        if let Some(drained) = self.drained {
            // Whoever drains may have stopped waiting.
            let _ = drained.send(());
        }
    }

    fn wait(&mut self, events: &mut Events, turn: &Turn) -> io::Result<()> {
        let timeout = if turn.more {
            Some(Duration::ZERO)
        } else {
            turn.wake_at.map(|at| at.saturating_duration_since(now()))
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::Attach(attach, wire) => self.attach(*attach, wire, now),
            Command::Writable(key) => self.shard.writable(key),
            Command::Left(key) => self.shard.readable(key),
            Command::History(read, slice) => self.shard.history(&read, slice, now),
            Command::Drain { until, done } => {
                self.shard.drain(until, now);
                self.drained = Some(done);
            }
            Command::Dismiss(guests) => self.shard.dismiss(&guests),
            Command::Survey {
                from,
                limit,
                answer,
            } => {
                // Whoever asked may have stopped waiting.
                let _ = answer.send(self.shard.survey(from, limit, now));
            }
            Command::Stop => self.stopped = true,
        }
    }

    fn attach(&mut self, attach: Attach, wire: Wire, now: Instant) {
        let sink = match wire {
            Wire::Socket(socket) => Outlet::Socket(mio::net::TcpStream::from_std(socket)),
            Wire::Stream(stream) => Outlet::Stream(stream),
        };
        let key = self.shard.attach(attach, sink, now);
        match self.shard.sink_mut(key) {
            Some(Outlet::Socket(socket)) => {
                let interest = Interest::READABLE | Interest::WRITABLE;
                let token = Token(key.place as usize);
                if let Err(error) = self.poll.registry().register(socket, token, interest) {
                    tracing::warn!(%error, "a socket could not be polled; its subscriber is cut");
                    self.shard.cut(key);
                }
            }
            Some(Outlet::Stream(stream)) => stream.name(key),
            None => {}
        }
    }

    fn hear(&mut self, events: &Events) {
        for event in events.iter().filter(|event| event.token() != WAKER) {
            let Some(key) = self.shard.key_at(event.token().0) else {
                continue;
            };
            if event.is_writable() {
                self.shard.writable(key);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.shard.readable(key);
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the loop reads the clock where its turn starts"
)]
fn now() -> Instant {
    Instant::now()
}

/// Readiness events that one poll brings; more wait for the next turn.
const EVENTS_MAX: usize = 1024;
