//! An entry of the stream, and the record that it holds.

use std::num::NonZeroU32;

use fanfare_broker::{Cursor, Epoch, Record};
use redis::Value;

use crate::encoding::{self, Now};
use crate::link::Fault;

/// An entry as it came from the server.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    epoch: Option<Epoch>,
    bytes: Option<Vec<u8>>,
}

impl Entry {
    /// Where it stands, by its own account; `None`: that is damaged.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        let offset = self.offset;
        self.epoch.map(|epoch| Cursor { epoch, offset })
    }

    /// How much the server sent for it.
    pub(crate) fn size(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len)
    }

    /// The record; `None`: it does not prove itself.
    pub(crate) fn record(&self, now: Now) -> Option<Record> {
        let publication = encoding::decode(self.bytes.as_ref()?, now)?;
        Some(Record::new(self.cursor()?, publication))
    }
}

/// Reads entries: an array of ids and fields.
pub(crate) fn entries(answer: Value) -> Result<Vec<Entry>, Fault> {
    match answer {
        Value::Nil => Ok(Vec::new()),
        Value::Array(entries) => entries.into_iter().map(entry).collect(),
        other => Err(Fault::odd(&other)),
    }
}

/// Reads what `XREAD` brings of one stream: nothing, or a map, or an array of pairs, of its key and
/// its entries.
pub(crate) fn entries_of_stream(answer: Value) -> Result<Vec<Entry>, Fault> {
    let of_stream = match answer {
        Value::Nil => return Ok(Vec::new()),
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        Value::Array(streams) => match streams.into_iter().next() {
            Some(Value::Array(pair)) => pair.into_iter().nth(1),
            other => return Err(Fault::odd(&other)),
        },
        other => return Err(Fault::odd(&other)),
    };
    entries(of_stream.unwrap_or_default())
}

fn entry(value: Value) -> Result<Entry, Fault> {
    let Value::Array(parts) = value else {
        return Err(Fault::odd(&value));
    };
    let mut parts = parts.into_iter();
    let (Some(Value::BulkString(id)), fields) = (parts.next(), parts.next()) else {
        return Err(Fault::Odd("an entry without id".to_owned()));
    };
    let offset = offset(&id).ok_or_else(|| Fault::odd(&String::from_utf8_lossy(&id)))?;
    let mut entry = Entry {
        offset,
        epoch: None,
        bytes: None,
    };
    let Some(Value::Array(fields)) = fields else {
        return Ok(entry);
    };
    let mut fields = fields.into_iter();
    while let (Some(Value::BulkString(name)), Some(Value::BulkString(value))) =
        (fields.next(), fields.next())
    {
        match name.as_slice() {
            b"e" => entry.epoch = epoch(&value),
            b"v" => entry.bytes = Some(value),
            _ => {}
        }
    }
    Ok(entry)
}

/// The offset of an entry's id, `<offset>-0`.
fn offset(id: &[u8]) -> Option<u64> {
    let text = str::from_utf8(id).ok()?;
    let offset = text.strip_suffix("-0")?.parse().ok()?;
    (1..=Cursor::OFFSET_MAX).contains(&offset).then_some(offset)
}

/// An epoch in decimal.
pub(crate) fn epoch(text: &[u8]) -> Option<Epoch> {
    let number: NonZeroU32 = str::from_utf8(text).ok()?.parse().ok()?;
    Some(Epoch::new(number))
}
