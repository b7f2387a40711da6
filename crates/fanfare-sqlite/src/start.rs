//! The start: what an earlier run left is proved before anybody is served from it (§5.5).

mod check;
mod past;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_broker::{Bounds, Epoch, Lineage};
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB, params};

use self::past::Past;
pub(crate) use self::past::noted;
use crate::blocks::is_damage;
use crate::config::{Config, Durability, OnDamage};
use crate::database::{self, PAGE_BYTES, sql};
use crate::error::OpenError;
use crate::lock::Lock;
use crate::row::{Now, number};
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
    refuse_stump(directory)?;
    renew_log(directory)?;
    let connection = database::open_writer(directory).map_err(name_damage)?;
    connection.busy_timeout(RECOVERY_TIMEOUT)?;
    let recovered = connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE);
    connection.busy_timeout(database::WRITER_TIMEOUT)?;
    let damage = match recovered {
        Ok(_) => None,
        Err(error) if is_damage(&error) => Some(format!("the log cannot be recovered: {error}")),
        // Somebody reads an older state, a backup for instance. What is in the log is on the disk
        // (U2), and is moved later.
        Err(error) if is_full(&error) || is_busy(&error) => None,
        Err(error) => return Err(error.into()),
    };
    let past = Past::read(&connection).map_err(name_damage)?;
    let damage = damage
        .or_else(|| check::check(&connection, directory, &past).err())
        .or_else(|| check::after_reboot(&connection, directory, &past));
    let condition = match damage {
        Some(what) if config.on_damage == OnDamage::Refuse => {
            return Err(OpenError::Damaged { what });
        }
        Some(what) => Condition::read_only(&what),
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

/// SQLite takes a file that is shorter than a page for an empty one, and would begin anew.
fn refuse_stump(directory: &Path) -> Result<(), OpenError> {
    let length = fs::metadata(database::file(directory)).map_or(0, |file| file.len());
    if (1..PAGE_BYTES).contains(&length) {
        let what = format!("its file was cut to {length} bytes");
        return Err(OpenError::Damaged { what });
    }
    Ok(())
}

/// Writes the log of an unclean end anew, so that what is read from it is on the disk (U2).
///
/// After a failed flush Linux takes the pages for written; a checkpoint from such a log, cut by a
/// loss of power, would mix two states. In its place, and not as a new file: whoever reads the
/// history beside us has it open. A loss of power in the middle leaves what was on the disk before,
/// or the same bytes.
fn renew_log(directory: &Path) -> Result<(), OpenError> {
    let renew = || -> io::Result<()> {
        let log = match File::options()
            .read(true)
            .write(true)
            .open(database::log_file(directory))
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            log => log?,
        };
        let mut buffer = vec![0; 1 << 20];
        let mut offset = 0;
        loop {
            let length = log.read_at(&mut buffer, offset)?;
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            log.write_all_at(bytes, offset)?;
            offset += length as u64;
        }
        if offset > 0 {
            log.sync_all()?;
        }
        Ok(())
    };
    renew().map_err(|source| OpenError::Directory {
        directory: directory.to_owned(),
        action: "write the log anew",
        source,
    })
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
        clean = past.noted.clean,
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

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// A database that cannot even be opened is damaged.
pub(crate) fn name_damage(error: impl Into<OpenError>) -> OpenError {
    let error = error.into();
    if let OpenError::Database(error) = &error
        && (is_damage(error) || *error == rusqlite::Error::QueryReturnedNoRows)
    {
        let what = error.to_string();
        return OpenError::Damaged { what };
    }
    error
}

/// How long a start waits for others that read an older state.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(1);
