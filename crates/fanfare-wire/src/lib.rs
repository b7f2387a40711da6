//! The `text/event-stream` format (HTML §9.2): [`Event`] to bytes, and bytes to [`Item`]s.
//!
//! This crate knows bytes only: no async, no clock, no I/O. Its values are valid by construction,
//! so encoding cannot fail, and whatever was encoded decodes to the same event.

mod encode;
mod event;

pub use encode::HEARTBEAT;
pub use event::{Comment, Event, EventId, EventType, InvalidField, Retry};
