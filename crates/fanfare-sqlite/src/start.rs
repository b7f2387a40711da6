//! The start: what an earlier run left is proved before anybody is served from it (§5.5).

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use fanfare_broker::{Bounds, Epoch, Lineage};
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB, OptionalExtension, params};

use crate::blocks::{self, block_of, is_damage};
use crate::config::{Config, Durability, OnDamage};
use crate::database::{self, sql};
use crate::error::OpenError;
use crate::lock::Lock;
use crate::row::{Now, number, topic_hash};
use crate::shared::Condition;
use crate::writer::{self, Head};

/// What the start found, ready to go on from.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) lock: Lock,
    pub(crate) connection: Connection,
    pub(crate) head: Head,
    pub(crate) lineage: Arc<Lineage>,
    /// The epoch of this run, which its first record begins (U11).
    pub(crate) epoch: Epoch,
    pub(crate) condition: Condition,
}

impl Opened {
    pub(crate) fn bounds(&self) -> Bounds {
        writer::bounds(&self.head, &self.lineage)
    }
}

/// Takes the data directory, recovers what is in it, and looks whether it is whole.
pub(crate) fn open(directory: &Path, config: &Config) -> Result<Opened, OpenError> {
    let began = Now::read();
    let lock = Lock::take(directory)?;
    refuse_unfit()?;
    renew_log(directory)?;
    let connection = database::open_writer(directory).map_err(name_damage)?;
    let recovered = connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE);
    let mut damage = match recovered {
        Ok(_) => None,
        Err(error) if is_damage(&error) => Some(format!("the log cannot be recovered: {error}")),
        Err(error) if is_full(&error) => None,
        Err(error) => return Err(error.into()),
    };
    let past = read_past(&connection).map_err(name_damage)?;
    let found = if past.head.next == 1 {
        Ok(())
    } else {
        check(&connection, &past)
    };
    damage = damage
        .or(found.err())
        .or_else(|| after_reboot(&connection, directory, &past));
    let condition = match damage {
        Some(what) if config.on_damage == OnDamage::Refuse => {
            return Err(OpenError::Damaged { what });
        }
        Some(what) => Condition::ReadOnly(format!(
            "the history is damaged, so nothing is stored: {what}; `fanfare history verify` looks \
             at all of it, `export` saves what can be read"
        )),
        None => begin_run(&connection, config, began),
    };
    report(directory, config, &past, &condition, began.instant);
    let mut epoch = Epoch::random();
    while past.lineage.epochs().any(|(_, known)| known == epoch) {
        epoch = Epoch::random();
    }
    Ok(Opened {
        lock,
        connection,
        head: past.head,
        lineage: Arc::new(past.lineage),
        epoch,
        condition,
    })
}

/// W0: some versions can lose the log's newest part when two connections checkpoint at once.
fn refuse_unfit() -> Result<(), OpenError> {
    let number = rusqlite::version_number();
    if number < 3_051_003 || number == 3_052_000 {
        let version = rusqlite::version().to_owned();
        return Err(OpenError::Unfit { version });
    }
    Ok(())
}

/// Writes the log of an unclean end anew, so that what is read from it is on the disk (U2).
///
/// After a failed flush Linux takes the pages for written; a checkpoint from such a log, cut by a
/// loss of power, would mix two states.
fn renew_log(directory: &Path) -> Result<(), OpenError> {
    let log = database::log_file(directory);
    let length = fs::metadata(&log).map_or(0, |log| log.len());
    if length == 0 {
        return Ok(());
    }
    let copy = log.with_extension("db-wal.new");
    let renew = || -> io::Result<()> {
        fs::copy(&log, &copy)?;
        File::open(&copy)?.sync_all()?;
        fs::rename(&copy, &log)?;
        File::open(directory)?.sync_all()
    };
    match renew() {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull) => {
            tracing::warn!("the disk is too full to write the log anew; it is used as it is");
            // What was copied of it has the room that is needed now.
            _ = fs::remove_file(&copy);
            Ok(())
        }
        Err(source) => Err(OpenError::Directory {
            directory: directory.to_owned(),
            action: "write the log anew",
            source,
        }),
    }
}

/// What the last run left.
#[derive(Debug)]
struct Past {
    head: Head,
    lineage: Lineage,
    started_ms: u64,
    boot_id: String,
    durability: String,
    clean: bool,
}

fn read_past(connection: &Connection) -> Result<Past, OpenError> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
    let mut past = connection.query_row(sql::SELECT_HUB, [], |row| {
        let floor = unsigned(row.get(0)?).max(1);
        let floor_total = unsigned(row.get(1)?);
        Ok(Past {
            head: Head {
                next: floor,
                total: floor_total,
                ts_ms: 0,
                floor,
                floor_total,
                floor_ts_ms: None,
                purged: floor,
            },
            lineage: Lineage::default(),
            started_ms: unsigned(row.get(2)?),
            boot_id: row.get(3)?,
            durability: row.get(4)?,
            clean: row.get::<_, i64>(5)? != 0,
        })
    })?;
    let mut select = connection.prepare_cached(sql::SELECT_EPOCHS)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (first, epoch): (i64, u32) = (row.get(0)?, row.get(1)?);
        let epoch = std::num::NonZeroU32::new(epoch).map(Epoch::new);
        let begun = epoch.is_some_and(|epoch| past.lineage.begin(unsigned(first), epoch));
        if !begun {
            let what = format!("the epoch at offset {first} does not follow the one before it");
            return Err(OpenError::Damaged { what });
        }
    }
    let extreme = |text| -> rusqlite::Result<Option<i64>> {
        connection.query_row(text, [], |row| row.get(0))
    };
    if let Some(last) = extreme(sql::SELECT_LAST)? {
        past.head.next = past.head.next.max(unsigned(last) + 1);
        past.head.purged = extreme(sql::SELECT_FIRST)?.map_or(1, unsigned).max(1);
        let (ts_ms, total) = connection.query_row(sql::SELECT_WEIGHTS, [last, 1], |row| {
            Ok((unsigned(row.get(1)?), unsigned(row.get(2)?)))
        })?;
        past.head.ts_ms = ts_ms;
        past.head.total = past.head.total.max(total);
    }
    Ok(past)
}

/// The cheap checks (U5): the newest records and their index, and that the parts fit each other.
///
/// The error says what does not.
fn check(connection: &Connection, past: &Past) -> Result<(), String> {
    let head = past.head;
    if head.purged > head.floor && head.floor < head.next {
        return Err(format!(
            "the records from offset {} to {} are gone",
            head.floor,
            head.purged - 1
        ));
    }
    let newest = past
        .lineage
        .epochs()
        .last()
        .map_or(u64::MAX, |(first, _)| first);
    if newest >= head.next {
        return Err("the newest epoch begins beyond the newest record".to_owned());
    }
    if past
        .lineage
        .cursor_at(head.floor.min(head.next - 1))
        .is_none()
    {
        return Err("the oldest record belongs to no epoch".to_owned());
    }
    let first = head.next.saturating_sub(CHECKED_RECORDS).max(head.floor);
    check_records(connection, past, first).unwrap_or_else(|error| Err(error.to_string()))
}

fn check_records(
    connection: &Connection,
    past: &Past,
    first: u64,
) -> rusqlite::Result<Result<(), String>> {
    let mut next = first;
    let mut posting =
        connection.prepare("SELECT 1 FROM topic_block WHERE topic = ?1 AND block = ?2")?;
    while next < past.head.next {
        let end = blocks::offsets_of(block_of(next)).end.min(past.head.next);
        let piece = blocks::load(connection, next..end, &past.lineage)?;
        if let Some(hole) = piece.missing.first() {
            let (start, last) = (hole.start, hole.end - 1);
            return Ok(Err(format!(
                "the records at offsets {start} to {last} cannot be read"
            )));
        }
        let mut before: Option<&[fanfare_broker::Topic]> = None;
        for record in &piece.records {
            let topics = record.publication().topics();
            if before == Some(topics) {
                continue;
            }
            before = Some(topics);
            for topic in topics {
                let key = [
                    topic_hash(topic.as_str()),
                    number(block_of(record.offset())),
                ];
                if posting.query_row(key, |_| Ok(())).optional()?.is_none() {
                    let offset = record.offset();
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

/// An unclean end and another boot: pages may have been lost, so all of a database of a moderate
/// size is looked at (U6). Under the same boot the kernel kept what the process wrote.
fn after_reboot(connection: &Connection, directory: &Path, past: &Past) -> Option<String> {
    if past.clean || past.boot_id == boot_id() {
        return None;
    }
    if past.durability != Durability::Always.as_str() {
        tracing::warn!(
            durability = past.durability,
            "the last run did not end cleanly, and the machine was started since: newest events \
             of it may be lost; clients that had them are told"
        );
    }
    let size = fs::metadata(database::file(directory)).map_or(0, |file| file.len());
    if size > QUICK_CHECK_BYTES_MAX {
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

/// Signs the database for this run (U7). A disk that cannot be written makes it read-only.
fn begin_run(connection: &Connection, config: &Config, now: Now) -> Condition {
    let signed = connection
        .execute(
            sql::UPDATE_RUN,
            params![number(now.unix_ms), boot_id(), config.durability.as_str()],
        )
        .and_then(|_| match config.durability {
            Durability::Always => Ok(()),
            Durability::Interval(_) | Durability::Never => {
                connection.pragma_update(None, "synchronous", "NORMAL")
            }
        });
    match signed {
        Ok(()) => Condition::Ready,
        Err(error) if is_full(&error) => Condition::Full("the disk is full".to_owned()),
        Err(error) => Condition::ReadOnly(format!("the database cannot be written: {error}")),
    }
}

fn report(directory: &Path, config: &Config, past: &Past, condition: &Condition, began: Instant) {
    let head = past.head;
    let took = Now::read().instant.saturating_duration_since(began);
    tracing::info!(
        directory = %directory.display(),
        records = head.next - head.floor,
        head = head.next - 1,
        clean = past.clean,
        last_run_ms = past.started_ms,
        durability = config.durability.as_str(),
        took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "the history is open"
    );
    match condition {
        Condition::Ready => {}
        Condition::Full(why) | Condition::ReadOnly(why) | Condition::Failed(why) => {
            tracing::error!("{why}");
        }
    }
}

/// Which run of the operating system this is; empty where nobody says.
fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map(|id| id.trim().to_owned()).unwrap_or_default()
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

/// A database that cannot even be opened is damaged.
pub(crate) fn name_damage(error: impl Into<OpenError>) -> OpenError {
    let error = error.into();
    if let OpenError::Database(error) = &error
        && is_damage(error)
    {
        let what = error.to_string();
        return OpenError::Damaged { what };
    }
    error
}

/// Newest records that every start looks at.
const CHECKED_RECORDS: u64 = 1000;

/// The largest database that is checked as a whole at a start, which takes seconds.
const QUICK_CHECK_BYTES_MAX: u64 = 1 << 30;
