//! What the rest of the process says to a shard.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::guest::GuestIds;
use crate::shard::{Attach, HistoryRead, HistorySlice};
use crate::stream::StreamSink;
use crate::survey::Found;
use crate::wheel::Key;

/// A shard's inbox.
///
/// Its length is bounded by what may be in flight: a subscriber is attached once and has at most
/// one of [`Command::Writable`], [`Command::Left`] and [`Command::History`] outstanding each, and
/// whoever surveys waits for the answer.
#[derive(Debug)]
pub(crate) struct Inbox {
    commands: Mutex<Vec<Command>>,
    /// The shard was woken and has not begun its turn.
    woken: AtomicBool,
    waker: mio::Waker,
}

/// One thing said to a shard.
#[derive(Debug)]
pub(crate) enum Command {
    /// A new subscriber.
    Attach(Box<Attach>, Wire),
    /// A stream that would block has room again.
    Writable(Key),
    /// A stream's reader is gone.
    Left(Key),
    /// A slice of history that the shard asked for.
    History(HistoryRead, HistorySlice),
    /// End every subscriber until then.
    Drain {
        until: Instant,
        done: oneshot::Sender<()>,
    },
    /// End these guests now.
    Dismiss(GuestIds),
    /// Say who is there, from a place on.
    Survey {
        from: usize,
        limit: usize,
        answer: oneshot::Sender<Found>,
    },
    /// The hub is gone: end everything at once.
    Stop,
}

/// How a new subscriber is reached; the shard makes its sink of it.
#[derive(Debug)]
pub(crate) enum Wire {
    /// A connected, non-blocking socket.
    Socket(TcpStream),
    /// The shard's end of a hand-over.
    Stream(StreamSink),
}

impl Inbox {
    /// An empty inbox whose owner waits in the poll that `waker` belongs to.
    pub(crate) fn new(waker: mio::Waker) -> Self {
        Self {
            commands: Mutex::default(),
            woken: AtomicBool::new(false),
            waker,
        }
    }

    /// Leaves `command` and wakes the shard.
    pub(crate) fn send(&self, command: Command) {
        self.commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(command);
        self.wake();
    }

    /// Wakes the shard: there is a command, or the ring's head moved.
    pub(crate) fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a shard could not be woken");
        }
    }

    /// Begins a turn: takes every command. What is said from now on wakes the shard again.
    pub(crate) fn take(&self) -> Vec<Command> {
        self.woken.store(false, Ordering::Release);
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes a poll and the inbox that wakes it.
pub(crate) fn poll_and_inbox() -> io::Result<(mio::Poll, Inbox)> {
    let poll = mio::Poll::new()?;
    let waker = mio::Waker::new(poll.registry(), WAKER)?;
    Ok((poll, Inbox::new(waker)))
}

/// The token of the waker; subscribers' tokens are their places, which are 32 bits wide.
pub(crate) const WAKER: mio::Token = mio::Token(usize::MAX);
