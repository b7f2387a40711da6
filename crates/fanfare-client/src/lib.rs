//! EventSource for Rust, and a publisher: the client side of a Fanfare or Mercure hub, and of any
//! other server that sends `text/event-stream`.
//!
//! An [`EventSource`] is a `Stream` of [`Item`]s. It comes back by itself when a connection is
//! lost, goes on where it was by the last event id, and says everything aloud: that it was lost
//! and when it tries again, that events are gone, and why it ends.
//!
//! ```
//! use fanfare_client::{Config, EventSource, Item, item::End};
//! use futures_util::StreamExt;
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}/events?topic=demo", listener.local_addr()?);
//! # let serve = async {
//! #     let answers: [&[u8]; 2] = [
//! #         b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n\
//! #           retry: 10\nid: 1\ndata: hello\n\n",
//! #         b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
//! #     ];
//! #     for answer in answers {
//! #         let (mut socket, _) = listener.accept().await?;
//! #         let _ = socket.read(&mut [0; 4096]).await?;
//! #         socket.write_all(answer).await?;
//! #     }
//! #     Ok::<(), std::io::Error>(())
//! # };
//! # let read = async {
//! let mut source = EventSource::new(Config::get(url.parse()?))?;
//! # let mut events = Vec::new();
//! while let Some(item) = source.next().await {
//!     match item {
//!         Item::Event(event) => {
//!             println!("{} {}", event.event_type, event.data);
//! #           events.push((event.event_type, event.data));
//!         }
//!         Item::Gap(gap) => println!("events after {} are gone: load the state anew", gap.from),
//!         Item::Lost { cause, retry_in } => println!("{cause}; next try in {retry_in:?}"),
//!         Item::End(End::Failed(cause)) => return Err(cause.into()),
//!         _ => {}
//!     }
//! }
//! # assert_eq!(events, [("message".to_owned(), "hello".to_owned())]);
//! # assert_eq!(source.last_event_id().as_str(), "1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # };
//! # let (served, read) = tokio::join!(serve, read);
//! # served?;
//! # read
//! # }
//! ```
//!
//! It follows the HTML Standard (§9.2) in what a stream, an event, a redirect and a reconnect are.
//! It is more patient than a browser with a server that is away for a while:
//! [`config::Policy`] says how much.
//!
//! A [`Publisher`] stores an event at most once, however often it has to send it.
//!
//! Both need a tokio runtime. TLS is rustls and trusts whom the system trusts; proxies come from
//! the environment; [`Network`] changes either. A [`Client`] shares connections.

mod answer;
mod authorize;
mod client;
pub mod config;
mod connect;
pub mod error;
pub mod item;
mod mask;
pub mod network;
pub mod publisher;
mod reader;
mod redirect;
mod request;
mod retry;
mod source;

pub use client::Client;
pub use config::Config;
pub use fanfare_wire::EventId;
pub use item::Item;
pub use network::Network;
pub use publisher::{Publication, Publisher};
pub use source::{EventSource, State};

/// Runs the examples of the client's page.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/concepts/rust-client.md")]
struct Page;
