//! Whether a history is whole, as far as a start can afford to look (U5, U6).

use std::fs;
use std::path::Path;

use fanfare_broker::Topic;
use rusqlite::{Connection, OptionalExtension};

use super::boot_id;
use super::past::Past;
use crate::blocks::{self, block_of};
use crate::config::Durability;
use crate::database::{self, sql};
use crate::row::{self, Now, number, topic_hash, weight};
use crate::search;

/// What does not fit, in words; the outer error is SQLite's.
type Checked = rusqlite::Result<Result<(), String>>;

/// The cheap checks (U5): the newest records and their index, and that the parts fit each other.
///
/// The error says what does not.
pub(super) fn check(connection: &Connection, directory: &Path, past: &Past) -> Result<(), String> {
    let told = |checked: Checked| checked.unwrap_or_else(|error| Err(error.to_string()));
    check_ends(past)?;
    check_lineage(past)?;
    told(check_floor(connection, past))?;
    told(check_records(connection, past))?;
    if file_bytes(directory) <= WHOLE_CHECK_BYTES_MAX {
        told(check_postings(connection, past))?;
    }
    Ok(())
}

/// Where the history begins and ends, against what was noted of it.
fn check_ends(past: &Past) -> Result<(), String> {
    let head = past.head;
    if head.purged > head.floor && head.floor < head.next {
        return Err(format!(
            "the records from offset {} to {} are gone",
            head.floor,
            head.purged - 1
        ));
    }
    let found = past.last.unwrap_or(head.floor - 1);
    if head.floor > found + 1 || past.noted.is_beyond(head.next - 1) {
        let noted = past.noted.head.max(head.floor - 1);
        return Err(format!(
            "its newest record is at offset {found}, and should be at {noted}"
        ));
    }
    Ok(())
}

fn check_lineage(past: &Past) -> Result<(), String> {
    let head = past.head;
    let newest = past.lineage.epochs().last().map(|(first, _)| first);
    if newest.is_some_and(|first| first >= head.next) {
        return Err("the newest epoch begins beyond the newest record".to_owned());
    }
    let oldest = past.lineage.cursor_at(head.floor.min(head.next - 1));
    if head.next > 1 && oldest.is_none() {
        return Err("the oldest record belongs to no epoch".to_owned());
    }
    Ok(())
}

/// A floor that was moved by damage does not fit the weights of the record there.
fn check_floor(connection: &Connection, past: &Past) -> Checked {
    let head = past.head;
    let now = Now::read();
    let oldest = connection
        .query_row(sql::SELECT_RECORD, [number(head.floor)], |row| {
            row::decode(row, &past.lineage, now)
        })
        .optional()?;
    let Some(Ok(oldest)) = oldest else {
        // That it is missing is told to everybody who reads it.
        return Ok(Ok(()));
    };
    let before = oldest.place.total.checked_sub(weight(&oldest.publication));
    Ok(match before == Some(head.floor_total) {
        true => Ok(()),
        false => Err(format!(
            "the record at offset {} does not fit to be the first",
            head.floor
        )),
    })
}

/// The newest records are there and prove themselves, and the index knows their topics.
fn check_records(connection: &Connection, past: &Past) -> Checked {
    let head = past.head;
    let mut next = head.next.saturating_sub(CHECKED_RECORDS).max(head.floor);
    let mut posting =
        connection.prepare("SELECT 1 FROM topic_block WHERE topic = ?1 AND block = ?2")?;
    while next < head.next {
        let end = blocks::offsets_of(block_of(next)).end.min(head.next);
        let piece = blocks::load(connection, next..end, &past.lineage)?;
        if let Some(hole) = piece.missing.first() {
            let (start, last) = (hole.start, hole.end - 1);
            return Ok(Err(format!(
                "the records at offsets {start} to {last} cannot be read"
            )));
        }
        let mut before: Option<&[Topic]> = None;
        for record in &piece.records {
            let topics = record.publication().topics();
            if before == Some(topics) {
                continue;
            }
            before = Some(topics);
            let offset = record.offset();
            for topic in topics {
                let hash = topic_hash(topic.as_str().as_bytes());
                let key = [hash, number(block_of(offset))];
                if posting.query_row(key, |_| Ok(())).optional()?.is_none() {
                    return Ok(Err(format!(
                        "the index does not know a topic of the record at offset {offset}"
                    )));
                }
            }
        }
        next = piece.offsets.end;
    }
    Ok(Ok(()))
}

/// A topic's newest row in the index, or all of them, could be gone without a break in its chain.
fn check_postings(connection: &Connection, past: &Past) -> Checked {
    Ok(match search::postings(connection)? == past.noted.postings {
        true => Ok(()),
        false => Err("the index of topics is not what was written".to_owned()),
    })
}

/// An unclean end and another boot: pages may have been lost, so all of a database of a moderate
/// size is looked at (U6). Under the same boot the kernel kept what the process wrote.
pub(super) fn after_reboot(
    connection: &Connection,
    directory: &Path,
    past: &Past,
) -> Option<String> {
    if past.noted.clean || past.boot_id == boot_id() {
        return None;
    }
    if past.durability != Durability::Always.as_str() {
        tracing::warn!(
            durability = past.durability,
            "the last run did not end cleanly, and the machine was started since: newest events \
             of it may be lost; clients that had them are told"
        );
    }
    if file_bytes(directory) > WHOLE_CHECK_BYTES_MAX {
        tracing::warn!(
            "the database is too large to be checked at a start; `fanfare history verify` does it"
        );
        return None;
    }
    let answer: rusqlite::Result<String> =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match answer {
        Ok(answer) if answer == "ok" => None,
        Ok(answer) => Some(answer),
        Err(error) => Some(error.to_string()),
    }
}

fn file_bytes(directory: &Path) -> u64 {
    fs::metadata(database::file(directory)).map_or(0, |file| file.len())
}

/// Newest records that every start looks at.
const CHECKED_RECORDS: u64 = 1000;

/// The largest database of which something is looked at as a whole at a start, which takes seconds.
const WHOLE_CHECK_BYTES_MAX: u64 = 1 << 30;
