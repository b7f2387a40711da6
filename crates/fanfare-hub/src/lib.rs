//! Fan-out of Server-Sent Events inside one process: the crate that applications embed.
//!
//! [`Hub`] publishes through a [`fanfare_broker::Broker`] and delivers to subscribers. A
//! subscriber is a cursor into the hub's one order, not a queue: one that cannot keep up reads on
//! from the ring, then from the broker's history, and is told aloud when that has a gap.
//!
//! ```
//! use std::sync::Arc;
//!
//! use fanfare_broker::{MemoryBroker, Publication, Selector, Selectors, Topic};
//! use fanfare_hub::{Config, Hub, Subscription};
//! use fanfare_wire::Event;
//! use futures_util::StreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::start(Arc::new(MemoryBroker::default()), Config::default()).await?;
//!
//! let selectors = Selectors::new(vec![Selector::parse("books/{id}")?]);
//! let mut stream = hub.subscribe(Subscription::new(selectors)).await?.into_stream(":\n".into());
//!
//! let publication = Publication::new(Topic::parse("books/1")?, Event::new("sold out"));
//! let id = hub.publish(vec![publication]).await.remove(0)?.id;
//!
//! assert_eq!(stream.next().await.unwrap()?, ":\n");
//! assert_eq!(stream.next().await.unwrap()?, format!("id: {id}\ndata: sold out\n\n"));
//! # Ok(())
//! # }
//! ```
//!
//! # The road of an event
//!
//! `publish` → broker → `tail` → `ring` → `thread` → `shard` → `sink` → socket or stream. The
//! files below stand in the order in which they are best read.

mod census;
mod config;
mod counts;
mod filter;
mod gap;
mod group;
mod guest;
mod hub;
mod inbox;
mod index;
mod latency;
mod preload;
mod replay;
mod ring;
mod run;
mod shard;
mod sink;
mod start;
mod stream;
mod subscription;
mod survey;
mod tail;
mod thread;
mod wheel;

pub use config::{Config, InvalidConfig, StartError, UnknownCursor};
pub use counts::Counts;
pub use guest::{Guest, GuestBook};
pub use hub::{Admission, Drained, Hub};
pub use latency::Latency;
pub use stream::EventStream;
pub use subscription::{GapSignal, Heartbeat, SubscribeError, Subscription};
pub use survey::{Lagging, Survey, Surveyed};

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod sim;
