//! A record as a row: its columns, and the sum that shows whether they are still what was written.

use std::time::Instant;

use crc32c::crc32c_append;
use fanfare_broker::{Audience, Cursor, Expiry, Lineage, Publication, Record, Topic};
use fanfare_wire::{Event, EventId, EventType, Retry};
use rusqlite::{CachedStatement, Row, ToSql};
use sha2::{Digest, Sha256};

/// What stands beside a publication in its row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) cursor: Cursor,
    /// When it was stored, in milliseconds since 1970; never less than the record's before it.
    pub(crate) ts_ms: u64,
    /// The weights of all records up to this one.
    pub(crate) total: u64,
}

/// The time that expiries are read against, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) unix_ms: u64,
    pub(crate) instant: Instant,
}

impl Now {
    #[expect(
        clippy::disallowed_methods,
        reason = "read once where a turn of the writer or a read starts"
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

/// What a publication counts against the limit of bytes (T1).
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

/// Fills `insert`, which is [`crate::database::sql::INSERT_RECORD`], and runs it.
pub(crate) fn insert(
    insert: &mut CachedStatement<'_>,
    place: Place,
    publication: &Publication,
    topics: &str,
) -> rusqlite::Result<()> {
    let event = &publication.event;
    let fields = Fields {
        place,
        private: publication.audience == Audience::Private,
        // A later one than SQLite can keep is as good as none, and must sum to what is kept.
        expires_ms: publication
            .expires
            .map(|expiry| expiry.unix_ms().min(i64::MAX.unsigned_abs())),
        retry_ms: event.retry.map(Retry::as_millis),
        topics,
        id: event.id.as_ref().map(EventId::as_str),
        event_type: event.event_type.as_ref().map(EventType::as_str),
        data: &event.data,
    };
    let columns: [&dyn ToSql; 11] = [
        &number(place.cursor.offset),
        &number(place.ts_ms),
        &number(place.total),
        &fields.private,
        &fields.sum(),
        &fields.expires_ms.map(number),
        &fields.retry_ms,
        &fields.topics,
        &fields.id,
        &fields.event_type,
        &fields.data,
    ];
    insert.execute(columns).map(|_| ())
}

/// The topics of a row: one a line, canonical first. A topic has no control characters.
pub(crate) fn join_topics(publication: &Publication) -> String {
    let mut all = String::new();
    for topic in publication.topics() {
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(topic.as_str());
    }
    all
}

/// The topics of [`join_topics`].
pub(crate) fn split_topics(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

/// A topic's name in the index.
pub(crate) fn topic_hash(topic: &[u8]) -> i64 {
    let digest = Sha256::digest(topic);
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    i64::from_be_bytes(first)
}

/// A row of [`crate::database::sql::SELECT_RECORD`] that proved itself.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) place: Place,
    pub(crate) publication: Publication,
}

impl Stored {
    pub(crate) fn into_record(self) -> Record {
        Record::new(self.place.cursor, self.publication)
    }
}

/// A row that is not what was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the record at offset {offset} does not prove itself")]
pub(crate) struct Damaged {
    pub(crate) offset: u64,
}

/// Reads a row, and holds it against its sum and the rules that everything stored keeps (W6).
///
/// Its epoch, which `lineage` knows, is part of the sum: a lineage that is damaged gives no record
/// a false cursor.
///
/// # Errors
///
/// The outer one is SQLite's; the inner one says that the row is damaged.
pub(crate) fn decode(
    row: &Row<'_>,
    lineage: &Lineage,
    now: Now,
) -> rusqlite::Result<Result<Stored, Damaged>> {
    let offset: i64 = row.get(0)?;
    let offset = u64::try_from(offset).unwrap_or_default();
    let stored = lineage
        .cursor_at(offset)
        .and_then(|cursor| decode_fields(row, cursor, now));
    Ok(stored.ok_or(Damaged { offset }))
}

fn decode_fields(row: &Row<'_>, cursor: Cursor, now: Now) -> Option<Stored> {
    let column = |column: usize| row.get_ref(column).ok();
    let integer = |at| u64::try_from(column(at)?.as_i64().ok()?).ok();
    let optional = |at| match column(at)?.as_i64_or_null().ok()? {
        None => Some(None),
        Some(number) => u64::try_from(number).ok().map(Some),
    };
    let text = |at| column(at)?.as_str_or_null().ok();
    let place = Place {
        cursor,
        ts_ms: integer(1)?,
        total: integer(2)?,
    };
    let fields = Fields {
        place,
        private: match integer(3)? {
            0 => false,
            1 => true,
            _ => return None,
        },
        expires_ms: optional(5)?,
        retry_ms: match optional(6)? {
            None => None,
            Some(millis) => Some(u32::try_from(millis).ok()?),
        },
        topics: text(7)??,
        id: text(8)?,
        event_type: text(9)?,
        data: text(10)??,
    };
    let sum = u32::try_from(integer(4)?).ok()?;
    (fields.sum() == sum)
        .then(|| fields.publication(now))?
        .map(|publication| Stored { place, publication })
}

/// The fields of a row, as they are summed.
struct Fields<'a> {
    place: Place,
    private: bool,
    expires_ms: Option<u64>,
    retry_ms: Option<u32>,
    topics: &'a str,
    id: Option<&'a str>,
    event_type: Option<&'a str>,
    data: &'a str,
}

impl Fields<'_> {
    /// CRC-32C over the epoch and every field, each with its length or as it is absent, so that no two rows sum
    /// the same bytes.
    fn sum(&self) -> u32 {
        let numbers = [
            self.place.cursor.epoch.number().into(),
            self.place.cursor.offset,
            self.place.ts_ms,
            self.place.total,
            u64::from(self.private),
            self.expires_ms.map_or(u64::MAX, |millis| millis),
            self.retry_ms.map_or(u64::MAX, u64::from),
            self.topics.len() as u64,
            self.id.map_or(u64::MAX, |id| id.len() as u64),
            self.event_type.map_or(u64::MAX, |it| it.len() as u64),
            self.data.len() as u64,
        ];
        let sum = numbers
            .iter()
            .fold(0, |sum, number| crc32c_append(sum, &number.to_le_bytes()));
        let texts = [
            self.topics,
            self.id.unwrap_or_default(),
            self.event_type.unwrap_or_default(),
            self.data,
        ];
        texts
            .iter()
            .fold(sum, |sum, text| crc32c_append(sum, text.as_bytes()))
    }

    /// The publication, through the same constructors as everything that comes from outside.
    fn publication(&self, now: Now) -> Option<Publication> {
        let mut topics = self
            .topics
            .split('\n')
            .map(|topic| Topic::parse(topic).ok());
        let event = Event {
            event_type: match self.event_type {
                None => None,
                Some(text) => Some(EventType::parse(text).ok()?),
            },
            retry: self
                .retry_ms
                .map(|millis| Retry::from_millis(millis.into())),
            id: match self.id {
                None => None,
                Some(text) => Some(EventId::parse(text).ok()?),
            },
            data: self.data.into(),
        };
        let publication = Publication::new(topics.next()??, event);
        let mut publication = topics.try_fold(publication, |all, topic| Some(all.also(topic?)))?;
        if self.private {
            publication = publication.private();
        }
        let expiry = |millis| Expiry::at(millis, now.unix_ms, now.instant);
        publication.expires = self.expires_ms.map(expiry);
        Some(publication)
    }
}

/// A number as SQLite keeps it. Offsets end at 2^53, times and totals long before 2^63.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
