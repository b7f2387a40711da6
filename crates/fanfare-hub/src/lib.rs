//! Fan-out of Server-Sent Events inside one process: the crate that applications embed.
//!
//! [`Hub`] publishes through a [`fanfare_broker::Broker`] and delivers to subscribers. A
//! subscriber is a cursor into the hub's one order, not a queue: one that cannot keep up reads on
//! from the ring, then from the broker's history, and is told aloud when that has a gap.

mod config;
mod hub;
mod subscription;

pub use config::{Config, InvalidConfig};
pub use hub::{Admission, Counts, Drained, EventStream, Hub};
pub use subscription::{GapSignal, SubscribeError, Subscription};
