//! A publication as the bytes of a message of the stream.

use std::time::Instant;

use bytes::{Buf, BufMut, Bytes};
use fanfare_broker::{Audience, Expiry, Publication, Topic};
use fanfare_wire::{Event, EventId, EventType, Retry};

/// Tells two records apart that the server put at one offset at two times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Nonce(pub(crate) u64);

impl Nonce {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }
}

/// The time that expiries are read against, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    unix_ms: u64,
    instant: Instant,
}

impl Now {
    #[expect(
        clippy::disallowed_methods,
        reason = "read once where a read or a turn of the tail starts"
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

/// The bytes of `publication`: a version, the nonce, what is there, and each field with its length.
pub(crate) fn encode(publication: &Publication, nonce: Nonce) -> Bytes {
    let event = &publication.event;
    let mut bytes = Vec::with_capacity(64 + event.data.len());
    bytes.put_u8(VERSION);
    bytes.put_u64(nonce.0);
    let mut flags = 0;
    let mut flag = |bit, is_set| flags |= if is_set { bit } else { 0 };
    flag(PRIVATE, publication.audience == Audience::Private);
    flag(ID, event.id.is_some());
    flag(TYPE, event.event_type.is_some());
    flag(RETRY, event.retry.is_some());
    flag(EXPIRES, publication.expires.is_some());
    bytes.put_u8(flags);
    if let Some(expiry) = publication.expires {
        bytes.put_u64(expiry.unix_ms());
    }
    if let Some(retry) = event.retry {
        bytes.put_u32(retry.as_millis());
    }
    if let Some(id) = &event.id {
        put_text(&mut bytes, id.as_str());
    }
    if let Some(event_type) = &event.event_type {
        put_text(&mut bytes, event_type.as_str());
    }
    put_text(&mut bytes, &event.data);
    bytes.put_u32(u32::try_from(publication.topics().len()).unwrap_or(u32::MAX));
    for topic in publication.topics() {
        put_text(&mut bytes, topic.as_str());
    }
    bytes.into()
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    // The server takes no message of 4 GiB; one that long would be refused before.
    bytes.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    bytes.put_slice(text.as_bytes());
}

/// The publication of [`encode`], through the same constructors as everything from outside; `None`:
/// these are not its bytes.
pub(crate) fn decode(mut bytes: &[u8], now: Now) -> Option<(Nonce, Publication)> {
    let bytes = &mut bytes;
    if bytes.try_get_u8().ok()? != VERSION {
        return None;
    }
    let nonce = Nonce(bytes.try_get_u64().ok()?);
    let flags = bytes.try_get_u8().ok()?;
    if flags & !(PRIVATE | ID | TYPE | RETRY | EXPIRES) != 0 {
        return None;
    }
    let has = |bit: u8| flags & bit != 0;
    let mut expires = None;
    if has(EXPIRES) {
        let unix_ms = bytes.try_get_u64().ok()?;
        expires = Some(Expiry::at(unix_ms, now.unix_ms, now.instant));
    }
    let mut event = Event::new("");
    if has(RETRY) {
        event.retry = Some(Retry::from_millis(bytes.try_get_u32().ok()?.into()));
    }
    if has(ID) {
        event.id = Some(EventId::parse(take_text(bytes)?).ok()?);
    }
    if has(TYPE) {
        event.event_type = Some(EventType::parse(take_text(bytes)?).ok()?);
    }
    event.data = take_text(bytes)?.into();
    let topics = bytes.try_get_u32().ok()?;
    let mut publication = Publication::new(Topic::parse(take_text(bytes)?).ok()?, event);
    for _ in 1..topics {
        publication = publication.also(Topic::parse(take_text(bytes)?).ok()?);
    }
    if !bytes.is_empty() {
        return None;
    }
    if has(PRIVATE) {
        publication = publication.private();
    }
    publication.expires = expires;
    Some((nonce, publication))
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

/// Whether both are the same publication for a publisher who says so (O3): topics, data, id, type,
/// retry, private.
pub(crate) fn is_same(a: &Publication, b: &Publication) -> bool {
    a.event == b.event && a.audience == b.audience && a.topics() == b.topics()
}

const VERSION: u8 = 1;
const PRIVATE: u8 = 1;
const ID: u8 = 2;
const TYPE: u8 = 4;
const RETRY: u8 = 8;
const EXPIRES: u8 = 16;

#[cfg(test)]
mod tests;
