//! A subscriber's bytes as a stream: HTTP/2, TLS and embedded use.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;

use crate::inbox::{Command, Inbox};
use crate::wheel::Key;

/// A subscriber's bytes in the event-stream format. Dropping it ends the subscription.
///
/// It ends when the hub ends it: at its lifetime's end, on drain, or when it took nothing for
/// [`crate::Config::stall_timeout`].
#[derive(Debug)]
pub struct EventStream(Arc<Handover>);

/// The shard's end of the hand-over.
#[derive(Debug)]
pub(crate) struct StreamSink(Arc<Handover>);

/// The bytes between a shard and whoever polls the stream, bounded.
#[derive(Debug)]
struct Handover {
    state: Mutex<State>,
    inbox: Arc<Inbox>,
    bytes_max: usize,
    /// Where the reader's peer is.
    address: Option<SocketAddr>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    /// The shard was told "would block" and wants to hear when there is room.
    blocked: bool,
    ended: bool,
    dropped: bool,
    key: Option<Key>,
    reader: Option<Waker>,
}

/// Makes the two ends of a hand-over of at most `bytes_max` bytes, to a peer at `address`; the
/// reader reports to `inbox`.
pub(crate) fn handover(
    bytes_max: usize,
    address: Option<SocketAddr>,
    inbox: Arc<Inbox>,
) -> (StreamSink, EventStream) {
    let handover = Arc::new(Handover {
        state: Mutex::default(),
        inbox,
        bytes_max,
        address,
    });
    (StreamSink(Arc::clone(&handover)), EventStream(handover))
}

impl StreamSink {
    /// Tells the reader's end which subscriber it is.
    pub(crate) fn name(&self, key: Key) {
        self.0.lock().key = Some(key);
    }

    /// See [`crate::sink::Sink::write`].
    pub(crate) fn write(&mut self, bytes: &Bytes) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.dropped {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes
            .len()
            .min(self.0.bytes_max.saturating_sub(state.bytes));
        state.blocked = taken < bytes.len();
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.bytes += taken;
        state.waiting.push_back(bytes.slice(..taken));
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(taken)
    }

    /// Where the reader's peer is, if the subscription said so.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.0.address
    }

    /// Whether the reader's end still exists.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.lock().dropped
    }

    /// Ends the stream after what is waiting.
    pub(crate) fn end(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        if let Some(reader) = state.reader.take() {
            drop(state);
            reader.wake();
        }
    }
}

impl Drop for StreamSink {
    fn drop(&mut self) {
        self.end();
    }
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock();
        let Some(bytes) = state.waiting.pop_front() else {
            if state.ended {
                return Poll::Ready(None);
            }
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.bytes -= bytes.len();
        // Half empty before the shard hears of it: otherwise each small read costs a wake-up.
        if state.blocked && state.bytes <= self.0.bytes_max / 2 {
            state.blocked = false;
            let key = state.key;
            drop(state);
            self.0.tell(key.map(Command::Writable));
        }
        Poll::Ready(Some(Ok(bytes)))
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.dropped = true;
        state.waiting.clear();
        let key = state.key.filter(|_| !state.ended);
        drop(state);
        self.0.tell(key.map(Command::Left));
    }
}

impl Handover {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the state is whole between statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, command: Option<Command>) {
        if let Some(command) = command {
            self.inbox.send(command);
        }
    }
}
