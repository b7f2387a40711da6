//! Fan-out of Server-Sent Events inside one process: the crate that applications embed.
//!
//! [`Hub`] publishes through a [`fanfare_broker::Broker`] and delivers to subscribers. A
//! subscriber is a cursor into the hub's one order, not a queue: one that cannot keep up reads on
//! from the ring, then from the broker's history, and is told aloud when that has a gap.

mod config;
mod counts;
mod gap;
mod group;
mod hub;
mod inbox;
mod index;
mod replay;
mod ring;
mod run;
mod shard;
mod sink;
mod start;
mod stream;
mod subscription;
mod tail;
mod thread;
mod wheel;

pub use config::{Config, InvalidConfig, StartError, UnknownCursor};
pub use counts::Counts;
pub use hub::{Admission, Drained, Hub};
pub use stream::EventStream;
pub use subscription::{GapSignal, SubscribeError, Subscription};

#[cfg(test)]
mod sim;
