//! The database file: its tables, its settings, its connections.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;
use crate::row::number;

/// The file in the data directory.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join("fanfare.db")
}

/// Its write-ahead log.
pub(crate) fn log_file(directory: &Path) -> PathBuf {
    directory.join("fanfare.db-wal")
}

/// Bytes of a page.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Only another process can make the writer wait.
pub(crate) const WRITER_TIMEOUT: Duration = Duration::from_secs(5);

/// "FANF".
const APPLICATION_ID: i64 = 0x4641_4E46;

/// The newest schema, and the only one so far.
pub(crate) const VERSION: i64 = 1;

/// Opens the one connection that writes, and makes the tables if there are none.
pub(crate) fn open_writer(directory: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file(directory), flags)?;
    connection.busy_timeout(WRITER_TIMEOUT)?;
    defend(&connection)?;
    // An orderly end moves the log itself. After a failed write nothing may be moved (F4), and a
    // damaged history is left as it was found (F12).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Before anything is changed: it may be the database of another program.
    let new = is_new(&connection)?;
    if new {
        connection.pragma_update(None, "page_size", number(PAGE_BYTES))?;
        // Pages that trimming frees can be given back one by one.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    } else {
        check(&connection, directory)?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let file = file(directory);
        let what = format!("its journal is `{mode}` and cannot be a write-ahead log");
        return Err(OpenError::Foreign { file, what });
    }
    for (name, value) in [
        ("synchronous", "FULL"),
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
        // A checkpoint that fails must not look like a commit that failed (W11).
        ("wal_autocheckpoint", "0"),
        ("journal_size_limit", "67108864"),
        ("cache_size", "-16384"),
    ] {
        connection
            .pragma_update_and_check(None, name, value, |_| Ok(()))
            .or_else(no_rows)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    if new {
        make(&connection, directory)?;
    }
    Ok(connection)
}

/// Opens a connection that only reads, beside the writer of this process or of another.
pub(crate) fn open_reader(directory: &Path) -> Result<Connection, OpenError> {
    // Not `READ_ONLY`: that could not rebuild the WAL's index. `query_only` refuses writes, and
    // without a checkpoint at its end the connection leaves the files as they are.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if !file(directory).exists() {
        let directory = directory.to_owned();
        return Err(OpenError::Missing { directory });
    }
    let connection = Connection::open_with_flags(file(directory), flags)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    defend(&connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "cache_size", "-4096")?;
    check(&connection, directory)?;
    Ok(connection)
}

/// The file may come from anywhere: nothing that is planted in it runs (S27).
fn defend(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    for (name, value) in [
        ("trusted_schema", "OFF"),
        ("foreign_keys", "OFF"),
        // An I/O error is an error, not a SIGBUS.
        ("mmap_size", "0"),
        ("temp_store", "MEMORY"),
        ("cell_size_check", "ON"),
    ] {
        connection
            .pragma_update_and_check(None, name, value, |_| Ok(()))
            .or_else(no_rows)?;
    }
    Ok(())
}

/// Some pragmas answer with a row when they are set, others do not.
fn no_rows(error: rusqlite::Error) -> rusqlite::Result<()> {
    if matches!(error, rusqlite::Error::QueryReturnedNoRows) {
        return Ok(());
    }
    Err(error)
}

/// Whether nothing was ever made of the file; one that a crash left empty is as new.
fn is_new(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && marks(connection)? == (0, 0))
}

fn make(connection: &Connection, directory: &Path) -> Result<(), OpenError> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {VERSION};
         {TABLES}
         COMMIT;"
    ))?;
    // The file itself is new in its directory, and a loss of power must not take it out again.
    let synced = std::fs::File::open(directory).and_then(|it| it.sync_all());
    synced.map_err(|source| OpenError::Directory {
        directory: directory.to_owned(),
        action: "flush it",
        source,
    })
}

/// Whether the file is a history of a version that this program knows.
fn check(connection: &Connection, directory: &Path) -> Result<(), OpenError> {
    let (application, version) = marks(connection)?;
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign {
            file: file(directory),
            what: format!("its application id is {application:#x}, not {APPLICATION_ID:#x}"),
        });
    }
    match version {
        VERSION => Ok(()),
        // Older versions: each gets its migration here once there is a second one.
        0 => Err(OpenError::Foreign {
            file: file(directory),
            what: "it has no schema version".to_owned(),
        }),
        version => Err(OpenError::Newer {
            version,
            known: VERSION,
        }),
    }
}

fn marks(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((application, version))
}

/// Schema version 1.
///
/// `topic_block` says in which blocks of offsets a topic occurs, not at which offsets: one row
/// serves up to [`crate::blocks::BLOCK`] records. A topic is there by a hash of 64 bits, so there is
/// no dictionary to keep; two topics of one hash only cost a look that finds nothing.
///
/// `hub.head` and `hub.postings` are not believed, only compared: a history that is shorter than
/// the head that was noted when the row was written, or an index that does not sum up to
/// `postings`, is damaged.
pub(crate) const TABLES: &str = "
    CREATE TABLE hub (
      one         INTEGER PRIMARY KEY CHECK (one = 1),
      created_ms  INTEGER NOT NULL,
      floor       INTEGER NOT NULL,
      floor_total INTEGER NOT NULL,
      head        INTEGER NOT NULL,
      postings    INTEGER NOT NULL,
      synced      INTEGER NOT NULL,
      started_ms  INTEGER NOT NULL,
      boot_id     TEXT    NOT NULL,
      durability  TEXT    NOT NULL,
      clean       INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE epoch (
      first INTEGER PRIMARY KEY,
      epoch INTEGER NOT NULL UNIQUE
    ) STRICT;

    CREATE TABLE record (
      offset     INTEGER PRIMARY KEY,
      ts_ms      INTEGER NOT NULL,
      total      INTEGER NOT NULL,
      private    INTEGER NOT NULL,
      sum        INTEGER NOT NULL,
      expires_ms INTEGER,
      retry_ms   INTEGER,
      topics     TEXT    NOT NULL,
      id         TEXT,
      type       TEXT,
      data       TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX record_id ON record (id) WHERE id IS NOT NULL;

    CREATE TABLE topic_block (
      topic INTEGER NOT NULL,
      block INTEGER NOT NULL,
      prev  INTEGER NOT NULL,
      PRIMARY KEY (topic, block)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE dedupe (
      key         BLOB PRIMARY KEY,
      fingerprint BLOB    NOT NULL,
      epoch       INTEGER NOT NULL,
      offset      INTEGER NOT NULL,
      id          TEXT,
      expires_ms  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX dedupe_expiry ON dedupe (expires_ms);

    INSERT INTO hub VALUES (1, unixepoch('subsec') * 1000, 1, 0, 0, 0, 0, 0, '', '', 1);
";

/// Every other statement there is, by name: a test holds each to a plan without scan or sort.
pub(crate) mod sql {
    /// The columns that [`crate::row::decode`] reads, in its order.
    macro_rules! records {
        ($rest:literal) => {
            concat!(
                "SELECT offset, ts_ms, total, private, sum, expires_ms, retry_ms, topics, id, \
                 type, data FROM record ",
                $rest
            )
        };
    }

    pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";
    pub(crate) const COMMIT: &str = "COMMIT";
    pub(crate) const ROLLBACK: &str = "ROLLBACK";
    pub(crate) const SNAPSHOT: &str = "BEGIN";

    pub(crate) const INSERT_RECORD: &str = "INSERT INTO record (offset, ts_ms, total, private, \
        sum, expires_ms, retry_ms, topics, id, type, data) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    pub(crate) const INSERT_TOPIC_BLOCK: &str = "INSERT INTO topic_block VALUES (?1, ?2, ?3)";
    pub(crate) const INSERT_EPOCH: &str = "INSERT INTO epoch (first, epoch) VALUES (?1, ?2)";
    pub(crate) const INSERT_DEDUPE: &str =
        "INSERT OR REPLACE INTO dedupe VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

    pub(crate) const SELECT_RECORDS: &str =
        records!("WHERE offset >= ?1 AND offset <= ?2 ORDER BY offset");
    pub(crate) const SELECT_RECORD: &str = records!("WHERE offset = ?1");
    pub(crate) const SELECT_TIME: &str = "SELECT ts_ms FROM record WHERE offset = ?1";
    pub(crate) const SELECT_TOTAL: &str = "SELECT total FROM record WHERE offset = ?1";
    pub(crate) const SELECT_TOPICS: &str =
        "SELECT topics FROM record WHERE offset >= ?1 AND offset <= ?2";
    pub(crate) const SELECT_FIRST: &str = "SELECT min(offset) FROM record";
    pub(crate) const SELECT_LAST: &str = "SELECT max(offset) FROM record";
    pub(crate) const SELECT_OWN_ID: &str =
        "SELECT min(offset) FROM record WHERE id = ?1 AND offset >= ?2";
    pub(crate) const SELECT_FLOOR: &str = "SELECT floor FROM hub WHERE one = 1";
    pub(crate) const SELECT_HUB: &str = "SELECT floor, floor_total, started_ms, boot_id, \
        durability, clean, head, postings FROM hub WHERE one = 1";
    pub(crate) const SELECT_EPOCHS: &str = "SELECT first, epoch FROM epoch ORDER BY first";
    pub(crate) const SELECT_LAST_BLOCK: &str =
        "SELECT max(block) FROM topic_block WHERE topic = ?1";
    pub(crate) const SELECT_BLOCKS: &str = "SELECT block, prev FROM topic_block \
        WHERE topic = ?1 AND block >= ?2 AND block <= ?3 ORDER BY block LIMIT ?4";
    pub(crate) const SELECT_POSTINGS: &str = "SELECT topic, block FROM topic_block";
    pub(crate) const SELECT_DEDUPE: &str =
        "SELECT fingerprint, epoch, offset, id, expires_ms FROM dedupe WHERE key = ?1";

    pub(crate) const UPDATE_BOUNDS: &str = "UPDATE hub SET floor = ?1, floor_total = ?2, \
        head = ?3, postings = ?4 WHERE one = 1";
    pub(crate) const UPDATE_SYNCED: &str =
        "UPDATE hub SET synced = ?1, head = ?1, clean = 0 WHERE one = 1";
    pub(crate) const UPDATE_RUN: &str = "UPDATE hub SET started_ms = ?1, boot_id = ?2, \
        durability = ?3, clean = 0 WHERE one = 1";
    pub(crate) const UPDATE_CLEAN: &str = "UPDATE hub SET clean = 1, head = ?1 WHERE one = 1";

    pub(crate) const DELETE_RECORDS: &str = "DELETE FROM record WHERE offset <= ?1";
    pub(crate) const DELETE_TOPIC_BLOCK: &str =
        "DELETE FROM topic_block WHERE topic = ?1 AND block = ?2";
    pub(crate) const DELETE_EPOCHS: &str = "DELETE FROM epoch WHERE first < ?1";
    pub(crate) const DELETE_DEDUPE: &str = "DELETE FROM dedupe WHERE key IN \
        (SELECT key FROM dedupe WHERE expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2)";

    /// All of them, for the test of their plans.
    #[cfg(test)]
    pub(crate) const ALL: &[&str] = &[
        INSERT_RECORD,
        INSERT_TOPIC_BLOCK,
        INSERT_EPOCH,
        INSERT_DEDUPE,
        SELECT_RECORDS,
        SELECT_RECORD,
        SELECT_TIME,
        SELECT_TOTAL,
        SELECT_POSTINGS,
        SELECT_TOPICS,
        SELECT_FIRST,
        SELECT_LAST,
        SELECT_OWN_ID,
        SELECT_FLOOR,
        SELECT_HUB,
        SELECT_EPOCHS,
        SELECT_LAST_BLOCK,
        SELECT_BLOCKS,
        SELECT_DEDUPE,
        UPDATE_BOUNDS,
        UPDATE_SYNCED,
        UPDATE_RUN,
        UPDATE_CLEAN,
        DELETE_RECORDS,
        DELETE_TOPIC_BLOCK,
        DELETE_EPOCHS,
        DELETE_DEDUPE,
    ];
}

#[cfg(test)]
mod tests;
