//! A record's encoded bytes, made once and shared by every subscriber.

use bytes::Bytes;
use fanfare_wire::Event;

/// An event's bytes in both forms; one allocation, shared by reference count.
#[derive(Clone, Debug)]
pub struct Frame {
    chunked: Bytes,
    plain: Bytes,
}

/// How an event's bytes are wrapped on the way to a subscriber.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "HTTP/1.1 chunks, everything else does not"
)]
pub enum Form {
    /// One HTTP/1.1 chunk (RFC 9112 §7.1).
    Chunked,
    /// The event alone: HTTP/2, HTTP/1.0, and programs.
    Plain,
}

impl Frame {
    /// Encodes `event`.
    #[must_use]
    pub fn new(event: &Event) -> Self {
        let mut plain = Vec::with_capacity(event.data.len() + 128);
        event.encode(&mut plain);
        Self::wrap(&plain)
    }

    /// Wraps bytes that are already in the event-stream format: comments, hints, events.
    #[must_use]
    pub fn wrap(plain: &[u8]) -> Self {
        let head = format!("{:X}\r\n", plain.len());
        let mut chunk = Vec::with_capacity(head.len() + plain.len() + 2);
        chunk.extend_from_slice(head.as_bytes());
        chunk.extend_from_slice(plain);
        chunk.extend_from_slice(b"\r\n");
        let chunked = Bytes::from(chunk);
        let plain = chunked.slice(head.len()..head.len() + plain.len());
        Self { chunked, plain }
    }

    /// The bytes in `form`.
    #[must_use]
    pub fn bytes(&self, form: Form) -> &Bytes {
        match form {
            Form::Chunked => &self.chunked,
            Form::Plain => &self.plain,
        }
    }
}

#[cfg(test)]
mod tests;
