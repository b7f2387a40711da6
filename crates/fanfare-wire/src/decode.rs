//! Bytes to items: the incremental reader of HTML §9.2.5 and §9.2.6.

use std::mem;

use bytes::BytesMut;

mod field;
mod items;

use crate::event::EventId;
use field::{Field, retry_millis};
pub use items::{Item, Items};

/// Decodes one source's stream, in chunks cut anywhere.
///
/// What lies whole in one chunk is borrowed from it; only what a chunk's end cuts in two, data of
/// several lines and invalid UTF-8 are copied. An event with its block in one chunk costs no
/// allocation. Time is linear in the bytes fed, at any chunking (SSE-23). Between blocks a decoder
/// keeps little more than its last event id, so thousands may wait. No input panics.
///
/// Ids are lent as `&str`, not as [`EventId`], for the next id overwrites the last in its place;
/// each of them is a valid [`EventId`].
#[derive(Debug)]
pub struct Decoder {
    /// Bytes of one block's data plus the value of its current line. Default 16 MiB.
    ///
    /// Past it the block's event is given up with [`Item::TooLong`], the rest of its data is
    /// skipped, and decoding goes on (SSE-24). A comment past it is cut.
    pub event_bytes_max: usize,
    /// What [`Items`] had not reached when it was dropped.
    unread: BytesMut,
    /// How many bytes of [`BYTE_ORDER_MARK`] the body began with; its length once that is settled.
    mark_bytes: usize,
    /// A CR ended the last line, so an LF that comes next is the rest of that end (SSE-06).
    after_cr: bool,
    /// The block went past the limit: its data does not count any more.
    skipping: bool,
    part: Part,
    /// The head of an unfinished line, or its value once the field is known.
    line: Vec<u8>,
    /// The data buffer of the Standard: each value with an LF after it.
    data: Vec<u8>,
    /// The type buffer of the Standard.
    event_type: String,
    /// The id buffer of the Standard, where it differs from `last_event_id`.
    pending_id: Option<String>,
    last_event_id: String,
    /// Where a lent text lies whose bytes were no UTF-8.
    repaired: String,
    lent: Lent,
}

/// Where in its line a decoder stands that holds only the first part of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// In its first bytes, the field is not known yet. So is a line not begun.
    Head,
    /// In its value. That of `data` goes straight to the data buffer.
    Value(Field),
}

/// Which buffer the last item was lent from, to be given back before the next.
#[derive(Clone, Copy, Debug, Default)]
enum Lent {
    #[default]
    Nothing,
    Comment,
    Event,
}

/// The fields of the current block that lie whole in the current chunk.
///
/// Each takes the place of the buffer of the same name in [`Decoder`].
#[derive(Debug, Default)]
struct Block<'i> {
    event_type: Option<&'i str>,
    id: Option<&'i str>,
    /// The only `data` line; a second one moves both into the buffer.
    data: Option<&'i [u8]>,
}

/// An item before its texts are lent: `None` says that the text is in the decoder's buffer.
#[derive(Clone, Copy, Debug)]
enum Found<'i> {
    Event {
        event_type: Option<&'i str>,
        data: Option<&'i [u8]>,
    },
    Comment(Option<&'i [u8]>),
    Retry(u64),
    Cursor,
    TooLong,
}

impl Decoder {
    /// Starts at the beginning of a body, as a reader that last saw `last_event_id` (SSE-20).
    #[must_use]
    pub fn new(last_event_id: &EventId) -> Self {
        Self {
            event_bytes_max: EVENT_BYTES_MAX,
            unread: BytesMut::new(),
            mark_bytes: 0,
            after_cr: false,
            skipping: false,
            part: Part::Head,
            line: Vec::new(),
            data: Vec::new(),
            event_type: String::new(),
            pending_id: None,
            last_event_id: last_event_id.as_str().to_owned(),
            repaired: String::new(),
            lent: Lent::Nothing,
        }
    }

    /// Takes the next bytes of the body; the items they complete come out of the answer.
    ///
    /// A line counts as soon as its CR or LF is in (SSE-07).
    pub fn feed<'a>(&'a mut self, chunk: &'a [u8]) -> Items<'a> {
        Items::new(self, chunk)
    }

    /// The source's last event id as of the last item yielded; empty if there is none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The id that the current block commits when it ends, as far as it has come; `None` if it
    /// has said none.
    ///
    /// After [`Item::TooLong`] it tells which event was given up, if its id came first.
    #[must_use]
    pub fn block_id(&self) -> Option<&str> {
        self.pending_id.as_deref()
    }

    /// Ends this body and starts the source's next one.
    ///
    /// What no blank line completed is forgotten, an id too (SSE-19); the last event id stays
    /// (SSE-20).
    pub fn restart(&mut self) {
        *self = Self {
            event_bytes_max: self.event_bytes_max,
            last_event_id: mem::take(&mut self.last_event_id),
            ..Self::default()
        };
    }

    /// Decodes `input` from `read` on up to the first item, and moves `read` behind it.
    fn find<'i>(&mut self, input: &'i [u8], read: &mut usize) -> Option<Found<'i>> {
        self.take_back_lent();
        let mut rest = self.skip_mark(input.get(*read..).unwrap_or_default());
        let mut block = Block::default();
        let found = loop {
            if let Some((&first, tail)) = rest.split_first()
                && mem::take(&mut self.after_cr)
                && first == b'\n'
            {
                rest = tail;
            }
            let Some((line, end, tail)) = split_line(rest) else {
                self.keep(&mut block);
                break self.hold(mem::take(&mut rest));
            };
            self.after_cr = end == b'\r';
            rest = tail;
            let found = self.end_line(line, &mut block);
            if found.is_some() {
                break found;
            }
        };
        self.keep(&mut block);
        *read = input.len() - rest.len();
        found
    }

    /// Makes an item of `found`, whose texts are lent by the chunk or by a buffer.
    fn lend<'a>(&'a mut self, found: Found<'a>) -> Item<'a> {
        match found {
            Found::Event { event_type, data } => {
                self.lent = Lent::Event;
                let event_type = event_type.unwrap_or(&self.event_type);
                // HTML §9.2.6: the LF after the last line is not part of the data.
                let buffered = self.data.strip_suffix(b"\n").unwrap_or_default();
                Item::Event {
                    event_type: if event_type.is_empty() {
                        DEFAULT_TYPE
                    } else {
                        event_type
                    },
                    data: text(data.unwrap_or(buffered), &mut self.repaired),
                    last_event_id: &self.last_event_id,
                }
            }
            Found::Comment(value) => {
                self.lent = Lent::Comment;
                let value = value.unwrap_or(&self.line);
                Item::Comment(text(value, &mut self.repaired))
            }
            Found::Retry(millis) => Item::Retry(millis),
            Found::Cursor => Item::Cursor(&self.last_event_id),
            Found::TooLong => Item::TooLong,
        }
    }

    fn take_back_lent(&mut self) {
        match mem::take(&mut self.lent) {
            Lent::Nothing => return,
            Lent::Comment => empty(&mut self.line),
            Lent::Event => {
                empty(&mut self.data);
                self.event_type = String::new();
            }
        }
        self.repaired = String::new();
    }

    /// Drops the byte order mark; bytes that only began like one open the first line (SSE-02).
    fn skip_mark<'i>(&mut self, mut bytes: &'i [u8]) -> &'i [u8] {
        while let Some(&expected) = BYTE_ORDER_MARK.get(self.mark_bytes)
            && let Some((&first, tail)) = bytes.split_first()
        {
            if first == expected {
                self.mark_bytes += 1;
                bytes = tail;
            } else {
                let begun = BYTE_ORDER_MARK.get(..self.mark_bytes);
                self.line.extend_from_slice(begun.unwrap_or_default());
                self.mark_bytes = BYTE_ORDER_MARK.len();
            }
        }
        bytes
    }

    /// Ends a line whose last bytes are `bytes`.
    fn end_line<'i>(&mut self, bytes: &'i [u8], block: &mut Block<'i>) -> Option<Found<'i>> {
        let whole = self.part == Part::Head && self.line.is_empty();
        if !whole {
            return self.end_held_line(bytes);
        }
        if bytes.is_empty() {
            return self.dispatch(block);
        }
        let (field, value) = Field::split(bytes);
        self.apply(field, value, block)
    }

    /// Applies a line that lies whole in the chunk.
    fn apply<'i>(
        &mut self,
        field: Field,
        value: &'i [u8],
        block: &mut Block<'i>,
    ) -> Option<Found<'i>> {
        let held = self.data.len() + block.data.map_or(0, |data| data.len() + 1);
        match field {
            Field::Unknown => return None,
            Field::Data if self.skipping => return None,
            Field::Comment => {
                let room = self.event_bytes_max.saturating_sub(held);
                return Some(Found::Comment(Some(value.get(..room).unwrap_or(value))));
            }
            _ if held + value.len() > self.event_bytes_max => {
                block.data = None;
                return self.give_up();
            }
            Field::Data if held == 0 => block.data = Some(value),
            Field::Data => {
                self.keep_data(block);
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            Field::Type => {
                block.event_type = std::str::from_utf8(value).ok();
                if block.event_type.is_none() {
                    self.event_type = String::from_utf8_lossy(value).into_owned();
                }
            }
            Field::Id if has_nul(value) => {}
            Field::Id => {
                block.id = std::str::from_utf8(value).ok();
                if block.id.is_none() {
                    self.pending_id = Some(String::from_utf8_lossy(value).into_owned());
                }
            }
            Field::Retry => return retry_millis(value).map(Found::Retry),
        }
        None
    }

    /// Takes the next bytes of a line that does not end in this chunk.
    fn hold(&mut self, mut bytes: &[u8]) -> Option<Found<'static>> {
        if self.part == Part::Head {
            let missing = Field::HEAD_BYTES_MAX.saturating_sub(self.line.len());
            let (head, tail) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
            self.line.extend_from_slice(head);
            if self.line.len() < Field::HEAD_BYTES_MAX {
                return None;
            }
            self.begin_value();
            bytes = tail;
        }
        self.hold_value(bytes)
    }

    /// Recognises the field by the head in `line`, and leaves of that the value only.
    fn begin_value(&mut self) {
        let (mut field, value) = Field::split(&self.line);
        if field == Field::Data && self.skipping {
            field = Field::Unknown;
        }
        let value_start = self.line.len() - value.len();
        match field {
            Field::Data => {
                self.data.extend_from_slice(value);
                self.line.clear();
            }
            Field::Unknown => self.line.clear(),
            Field::Type | Field::Id | Field::Retry | Field::Comment => {
                self.line.drain(..value_start);
            }
        }
        self.part = Part::Value(field);
    }

    fn hold_value(&mut self, bytes: &[u8]) -> Option<Found<'static>> {
        let Part::Value(field) = self.part else {
            return None;
        };
        let held = self.data.len() + self.line.len() + bytes.len();
        match field {
            Field::Unknown => {}
            Field::Comment => {
                self.line.extend_from_slice(bytes);
                let room = self.event_bytes_max.saturating_sub(self.data.len());
                self.line.truncate(room);
            }
            _ if held > self.event_bytes_max => {
                self.part = Part::Value(Field::Unknown);
                self.line = Vec::new();
                return self.give_up();
            }
            Field::Data => self.data.extend_from_slice(bytes),
            Field::Type | Field::Id | Field::Retry => self.line.extend_from_slice(bytes),
        }
        None
    }

    /// Ends a line that began in an earlier chunk; `bytes` are its last.
    fn end_held_line(&mut self, bytes: &[u8]) -> Option<Found<'static>> {
        let mut found = self.hold(bytes);
        if self.part == Part::Head {
            self.begin_value();
            found = self.hold_value(&[]);
        }
        let Part::Value(field) = mem::replace(&mut self.part, Part::Head) else {
            return found;
        };
        match field {
            // Also a line that has just gone past the limit.
            Field::Unknown => return found,
            Field::Data => self.data.push(b'\n'),
            Field::Type => self.event_type = String::from_utf8_lossy(&self.line).into_owned(),
            Field::Id if has_nul(&self.line) => {}
            Field::Id => self.pending_id = Some(String::from_utf8_lossy(&self.line).into_owned()),
            Field::Comment => return Some(Found::Comment(None)),
            Field::Retry => found = retry_millis(&self.line).map(Found::Retry),
        }
        empty(&mut self.line);
        found
    }

    /// Ends the block (SSE-16 to SSE-18).
    fn dispatch<'i>(&mut self, block: &mut Block<'i>) -> Option<Found<'i>> {
        self.skipping = false;
        let commits = self.commit_id(block.id.take());
        let event_type = block.event_type.take();
        let data = block.data.take();
        if data.is_some() || !self.data.is_empty() {
            return Some(Found::Event { event_type, data });
        }
        self.event_type = String::new();
        commits.then_some(Found::Cursor)
    }

    /// Makes the block's id the source's, if the block had one.
    fn commit_id(&mut self, id: Option<&str>) -> bool {
        let pending = self.pending_id.take();
        match (id, pending) {
            (Some(id), _) => {
                self.last_event_id.clear();
                self.last_event_id.push_str(id);
            }
            (None, Some(id)) => self.last_event_id = id,
            (None, None) => return false,
        }
        true
    }

    /// Drops the block's data, that to come too; says so once per block (SSE-24).
    fn give_up(&mut self) -> Option<Found<'static>> {
        self.data = Vec::new();
        let first = !mem::replace(&mut self.skipping, true);
        first.then_some(Found::TooLong)
    }

    /// Copies what the block borrows, because the chunk is about to go.
    fn keep(&mut self, block: &mut Block<'_>) {
        self.keep_data(block);
        if let Some(event_type) = block.event_type.take() {
            event_type.clone_into(&mut self.event_type);
        }
        if let Some(id) = block.id.take() {
            self.pending_id = Some(id.to_owned());
        }
    }

    fn keep_data(&mut self, block: &mut Block<'_>) {
        if let Some(data) = block.data.take() {
            self.data.extend_from_slice(data);
            self.data.push(b'\n');
        }
    }
}

impl Default for Decoder {
    /// A decoder of a source that has no last event id yet.
    fn default() -> Self {
        Self::new(&EventId::default())
    }
}

/// Splits off the first line: the line, the byte that ends it, what follows that byte (SSE-05).
fn split_line(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let end = memchr::memchr2(b'\r', b'\n', bytes);
    #[cfg(test)]
    tests::count_work(end.unwrap_or(bytes.len()));
    let (line, tail) = bytes.split_at_checked(end?)?;
    let (&end, tail) = tail.split_first()?;
    Some((line, end, tail))
}

/// `bytes` as text, in place if they are UTF-8, else with U+FFFD in `repaired` (SSE-03).
fn text<'a>(bytes: &'a [u8], repaired: &'a mut String) -> &'a str {
    #[cfg(test)]
    tests::count_work(bytes.len());
    // Tried first, for it skims ASCII many bytes at a time; `from_utf8_lossy` goes byte by byte.
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text;
    }
    *repaired = String::from_utf8_lossy(bytes).into_owned();
    repaired
}

fn has_nul(value: &[u8]) -> bool {
    memchr::memchr(b'\0', value).is_some()
}

/// Empties `buffer`, and gives its memory back unless it is small.
fn empty(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_BYTES_MAX {
        *buffer = Vec::new();
    } else {
        buffer.clear();
    }
}

/// Room for a usual event cut in two; two such buffers in each of 10,000 decoders are 20 MiB.
const KEPT_BYTES_MAX: usize = 1024;

const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// The type of an event whose block names none (HTML §9.2.6).
const DEFAULT_TYPE: &str = "message";

#[cfg(test)]
mod tests;
