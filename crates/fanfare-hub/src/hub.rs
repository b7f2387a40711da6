//! The hub's handle.

use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{Broker, Form, Health, Publication, PublishError, Receipt};
use fanfare_wire::EventId;
use futures_core::Stream;

use crate::config::{Config, InvalidConfig};
use crate::subscription::{SubscribeError, Subscription};

/// The fan-out of one process. Cloning is cheap and shares it.
#[derive(Clone, Debug)]
pub struct Hub;

impl Hub {
    /// Starts the shards' threads and the reader of the broker's tail, inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the field and what it must be.
    pub fn start(broker: Arc<dyn Broker>, config: Config) -> Result<Self, InvalidConfig> {
        todo!()
    }

    /// Publishes `batch` in order; outcome `i` belongs to publication `i`.
    ///
    /// Dropping the future leaves each publication stored or not stored, never half (L11).
    pub async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<Receipt, PublishError>> {
        todo!()
    }

    /// Admits a subscriber and finds the place where its stream starts. Nothing is sent yet.
    ///
    /// From here on no event is missed: the stream starts at this moment, or where
    /// `last_event_id` says. Dropping the future or the [`Admission`] gives the place back.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]: too many, draining, or the broker cannot say where the id stands.
    pub async fn subscribe(&self, subscription: Subscription) -> Result<Admission, SubscribeError> {
        todo!()
    }

    /// How many subscribers of this process want `publication`, lagging ones included.
    pub async fn count_matching(&self, publication: &Publication) -> u64 {
        todo!()
    }

    /// Gauges and counters since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        todo!()
    }

    /// Whether the broker can take publications.
    #[must_use]
    pub fn health(&self) -> Health {
        todo!()
    }

    /// Refuses new subscribers from now on, and ends all others within `over`: in random order, at
    /// an even pace, each with its own `retry` hint out of 1 s to `over`. Then stops the shards.
    pub async fn drain(&self, over: Duration) -> Drained {
        todo!()
    }
}

/// A subscriber that was admitted and knows its place, but has no way to the wire yet.
#[derive(Debug)]
pub struct Admission;

impl Admission {
    /// What the answer says of the resume: the id just before the first event that will be sent,
    /// or `earliest`. `None` when the subscription had no `last_event_id`.
    #[must_use]
    pub fn resumed_after(&self) -> Option<EventId> {
        todo!()
    }

    /// Hands a connected non-blocking socket to a shard, which writes `first` (the answer's head and first
    /// bytes) and from then on owns it.
    pub fn into_socket(self, socket: TcpStream, first: Bytes, form: Form) {
        todo!()
    }

    /// Turns into a stream of bytes in the event-stream format, beginning with `first`.
    #[must_use]
    pub fn into_stream(self, first: Bytes) -> EventStream {
        todo!()
    }
}

/// A subscriber's bytes as a stream. Dropping it ends the subscription.
#[derive(Debug)]
pub struct EventStream;

impl Stream for EventStream {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        todo!()
    }
}

/// Gauges and counters of a hub.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Subscribers now.
    pub subscribers: u64,
    /// Of those, the lagging ones.
    pub lagging: u64,
    /// Subscribers ever attached.
    pub subscribers_total: u64,
    /// Publications stored through this process.
    pub published_total: u64,
    /// Records fanned out.
    pub records_total: u64,
    /// Frames handed to a socket or stream, one for each subscriber and event.
    pub deliveries_total: u64,
    /// Writes made; `deliveries_total / writes_total` is the batching.
    pub writes_total: u64,
    /// Bytes written.
    pub written_bytes_total: u64,
    /// Heartbeats sent.
    pub heartbeats_total: u64,
    /// Subscribers ended, by reason.
    pub ended_total: Vec<(&'static str, u64)>,
    /// Gaps signalled, by reason.
    pub gaps_total: Vec<(&'static str, u64)>,
    /// Records in the ring.
    pub ring_records: u64,
    /// Bytes of frames in the ring.
    pub ring_bytes: u64,
}

/// How a drain went.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Drained {
    /// Streams that got their last block and a clean end.
    pub ended: u64,
    /// Streams that had to be cut.
    pub cut: u64,
}
