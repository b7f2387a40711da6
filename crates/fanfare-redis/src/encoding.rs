//! A publication as bytes, and the sum that shows whether they are still what was written (W6).

use std::time::Instant;

use crc32c::crc32c;
use fanfare_broker::{Audience, Expiry, Publication, Topic};
use fanfare_wire::{Event, EventId, EventType, Retry};

/// The time that expiries are read against, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) unix_ms: u64,
    pub(crate) instant: Instant,
}

impl Now {
    #[expect(
        clippy::disallowed_methods,
        reason = "read once where a batch or a read starts"
    )]
    pub(crate) fn read() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Self {
            unix_ms: u64::try_from(millis).unwrap_or(u64::MAX),
            instant: Instant::now(),
        }
    }
}

/// What a publication counts against the limit of bytes.
pub(crate) fn weight(publication: &Publication) -> u64 {
    let event = &publication.event;
    let topics: usize = publication
        .topics()
        .iter()
        .map(|topic| 32 + topic.as_str().len())
        .sum();
    let id = event.id.as_ref().map_or(0, |id| id.as_str().len());
    let event_type = event.event_type.as_ref().map_or(0, |it| it.as_str().len());
    (128 + topics + id + event_type + event.data.len()) as u64
}

/// Appends `publication` to `bytes`: version, sum, and what the sum covers.
///
/// Every text goes with its length before it, every field that may be absent has a flag.
pub(crate) fn encode(publication: &Publication, bytes: &mut Vec<u8>) {
    let event = &publication.event;
    let start = bytes.len();
    bytes.push(VERSION);
    bytes.extend([0; 4]);
    let flag = |set: bool, flag| if set { flag } else { 0 };
    bytes.push(
        flag(publication.audience == Audience::Private, PRIVATE)
            | flag(publication.expires.is_some(), EXPIRES)
            | flag(event.retry.is_some(), RETRY)
            | flag(event.id.is_some(), ID)
            | flag(event.event_type.is_some(), TYPE),
    );
    if let Some(expires) = publication.expires {
        bytes.extend(expires.unix_ms().to_le_bytes());
    }
    if let Some(retry) = event.retry {
        bytes.extend(Retry::as_millis(retry).to_le_bytes());
    }
    if let Some(id) = &event.id {
        append_text(id.as_str(), bytes);
    }
    if let Some(event_type) = &event.event_type {
        append_text(event_type.as_str(), bytes);
    }
    append_length(publication.topics().len(), bytes);
    for topic in publication.topics() {
        append_text(topic.as_str(), bytes);
    }
    append_text(&event.data, bytes);
    let summed = bytes.get(start + HEAD..).unwrap_or_default();
    let sum = crc32c(summed).to_le_bytes();
    if let Some(place) = bytes.get_mut(start + 1..start + HEAD) {
        place.copy_from_slice(&sum);
    }
}

/// Reads what [`encode`] made, through the same constructors as everything that comes from
/// outside; `None`: it is damaged, or of a version that we do not know.
pub(crate) fn decode(bytes: &[u8], now: Now) -> Option<Publication> {
    let mut rest = Rest(bytes);
    if rest.byte()? != VERSION {
        return None;
    }
    let sum = rest.u32()?;
    if crc32c(rest.0) != sum {
        return None;
    }
    let flags = rest.byte()?;
    let expires = rest.when(flags & EXPIRES, Rest::u64)?;
    let retry = rest.when(flags & RETRY, Rest::u32)?;
    let id = rest.when(flags & ID, Rest::text)?;
    let event_type = rest.when(flags & TYPE, Rest::text)?;
    let mut topics = Vec::new();
    for _ in 0..rest.u32()? {
        topics.push(Topic::parse(rest.text()?).ok()?);
    }
    let data = rest.text()?;
    let event = Event {
        event_type: match event_type {
            None => None,
            Some(text) => Some(EventType::parse(text).ok()?),
        },
        retry: retry.map(|millis| Retry::from_millis(millis.into())),
        id: match id {
            None => None,
            Some(text) => Some(EventId::parse(text).ok()?),
        },
        data: data.into(),
    };
    let mut topics = topics.into_iter();
    let publication = Publication::new(topics.next()?, event);
    let mut publication = topics.fold(publication, Publication::also);
    if flags & PRIVATE != 0 {
        publication = publication.private();
    }
    let expiry = |millis| Expiry::at(millis, now.unix_ms, now.instant);
    publication.expires = expires.map(expiry);
    rest.0.is_empty().then_some(publication)
}

const VERSION: u8 = 1;
/// Version and sum.
const HEAD: usize = 5;
const PRIVATE: u8 = 1;
const EXPIRES: u8 = 2;
const RETRY: u8 = 4;
const ID: u8 = 8;
const TYPE: u8 = 16;

fn append_length(length: usize, bytes: &mut Vec<u8>) {
    // Nothing that a publication holds comes near it: a request has a limit.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    bytes.extend(length.to_le_bytes());
}

fn append_text(text: &str, bytes: &mut Vec<u8>) {
    append_length(text.len(), bytes);
    bytes.extend(text.as_bytes());
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().copied().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().copied().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.u32()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// Reads a field if its flag is set; the outer `None` is damage.
    fn when<T>(
        &mut self,
        flag: u8,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match flag {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
