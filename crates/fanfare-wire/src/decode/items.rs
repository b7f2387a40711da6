//! What the decoder yields, and the iterator that lends it.

use std::fmt;
use std::mem;

use bytes::{Buf, BytesMut};

use super::Decoder;

/// One thing that a stream said; its texts are lent until the next one is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A block with data ended: an event (SSE-18).
    Event {
        /// The type; `message` if the block named none. Never empty.
        event_type: &'a str,
        /// The data, its lines joined by LF.
        data: &'a str,
        /// The source's last event id, this event's block included; empty if there is none.
        last_event_id: &'a str,
    },
    /// A comment line ended: everything after its colon (SSE-21), cut at `event_bytes_max`.
    Comment(&'a str),
    /// The reconnection time from now on, in milliseconds (SSE-14).
    Retry(u64),
    /// A block without an event committed this id as the source's last event id (SSE-16).
    Cursor(&'a str),
    /// A block went past `event_bytes_max`, and its event is lost (SSE-24).
    ///
    /// It comes once per block, at the byte too many. The block's later `id` and `retry` still
    /// count, so a [`Item::Cursor`] may follow at its end.
    TooLong,
}

/// The items of one chunk, in order; made by [`Decoder::feed`].
///
/// A lending iterator: drive it by `while let Some(item) = items.next()`. It may be dropped
/// before its end. Then nothing is lost: the bytes that were not reached are copied, come first
/// at the next [`Decoder::feed`] (of an empty chunk, if need be), and until then move neither an
/// item nor [`Decoder::last_event_id`].
pub struct Items<'a> {
    decoder: &'a mut Decoder,
    /// What was left unread earlier, with the chunk appended; empty if nothing was left.
    unread: BytesMut,
    chunk: &'a [u8],
    /// How many bytes of `unread`, or else of `chunk`, are decoded.
    read: usize,
}

impl<'a> Items<'a> {
    pub(super) fn new(decoder: &'a mut Decoder, chunk: &'a [u8]) -> Self {
        let mut unread = mem::take(&mut decoder.unread);
        if !unread.is_empty() {
            unread.extend_from_slice(chunk);
        }
        Self {
            decoder,
            unread,
            chunk,
            read: 0,
        }
    }

    /// Decodes up to the next item; `None` once the chunk holds no further one.
    #[expect(
        clippy::should_implement_trait,
        reason = "`Iterator` cannot lend from itself"
    )]
    pub fn next(&mut self) -> Option<Item<'_>> {
        let input = if self.unread.is_empty() {
            self.chunk
        } else {
            &self.unread
        };
        let found = self.decoder.find(input, &mut self.read)?;
        Some(self.decoder.lend(found))
    }
}

impl Drop for Items<'_> {
    fn drop(&mut self) {
        if self.unread.is_empty() {
            let rest = self.chunk.get(self.read..).unwrap_or_default();
            self.decoder.unread.extend_from_slice(rest);
        } else if self.read < self.unread.len() {
            self.unread.advance(self.read);
            self.decoder.unread = mem::take(&mut self.unread);
        }
    }
}

impl fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}
