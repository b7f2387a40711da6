//! The `text/event-stream` format (HTML §9.2): [`Event`] to bytes, and bytes to [`Item`]s.
//!
//! This crate knows bytes only: no async, no clock, no I/O. Its values are valid by construction,
//! so encoding cannot fail, and whatever was encoded decodes to the same event.
//!
//! A publisher's side makes an event, and gets the bytes for the wire:
//!
//! ```
//! use fanfare_wire::{Event, EventId, EventType, Retry};
//!
//! let mut event = Event::new("  two\r\nlines");
//! event.event_type = Some(EventType::parse("greeting")?);
//! event.retry = Some(Retry::from_millis(2_000));
//! event.id = Some(EventId::parse("urn:ff:3k9f-1z")?);
//!
//! let mut bytes = Vec::new();
//! event.encode(&mut bytes);
//! assert_eq!(
//!     bytes,
//!     b"event: greeting\n\
//!       retry: 2000\n\
//!       id: urn:ff:3k9f-1z\n\
//!       data:   two\n\
//!       data: lines\n\
//!       \n",
//! );
//! # Ok::<(), fanfare_wire::InvalidField>(())
//! ```
//!
//! A subscriber's side feeds what arrives, cut anywhere, and gets items out. Each item says what
//! it says as soon as the bytes allow:
//!
//! ```
//! use fanfare_wire::{Decoder, EventId, Item};
//!
//! let mut decoder = Decoder::new(&EventId::parse("urn:ff:3k9f-1y")?);
//!
//! // The first chunk ends in the middle of the word `lines`.
//! let mut items = decoder.feed(b"event: greeting\nretry: 2000\nid: urn:ff:3k9f-1z\ndata:   two\ndata: li");
//! assert_eq!(items.next(), Some(Item::Retry(2_000)));
//! assert_eq!(items.next(), None);
//! drop(items);
//! assert_eq!(decoder.last_event_id(), "urn:ff:3k9f-1y");
//!
//! let mut items = decoder.feed(b"nes\n\n: a comment\n");
//! let event = Item::Event {
//!     event_type: "greeting",
//!     data: "  two\nlines",
//!     last_event_id: "urn:ff:3k9f-1z",
//! };
//! assert_eq!(items.next(), Some(event));
//! assert_eq!(items.next(), Some(Item::Comment(" a comment")));
//! assert_eq!(items.next(), None);
//! # Ok::<(), fanfare_wire::InvalidField>(())
//! ```
//!
//! The format knows one line end: CR, LF and CRLF in data all reach the reader as LF. Data whose
//! exact bytes matter is encoded by its publisher, say as JSON or base64 (ENC-05).

mod decode;
mod encode;
mod event;

pub use decode::{Decoder, Item, Items};
pub use encode::HEARTBEAT;
pub use event::{Comment, Event, EventId, EventType, InvalidField, Retry};
