//! Why a history cannot be opened.

use std::io;
use std::path::PathBuf;

/// Why a history cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process uses the directory.
    #[error("data directory {} is in use by process {pid}; stop it, or choose another directory", directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// Who has it, as it says itself.
        pid: String,
    },
    /// The directory cannot be made, read or written.
    #[error("data directory {}: cannot {action}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What failed.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The write-ahead log needs memory that is shared between processes.
    #[error("data directory {} is on {kind}, where SQLite's write-ahead log does not work; use a local disk", directory.display())]
    Remote {
        /// The directory.
        directory: PathBuf,
        /// What kind of file system it is.
        kind: &'static str,
    },
    /// The database was made by a newer version.
    #[error(
        "the database has schema version {version}, this program knows up to {known}; use the newer program"
    )]
    Newer {
        /// The database's version.
        version: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The file is no history of ours.
    #[error("{} is no history of Fanfare: {what}", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it has instead.
        what: String,
    },
    /// There is no history to look at.
    #[error("there is no history in {}", directory.display())]
    Missing {
        /// The directory.
        directory: PathBuf,
    },
    /// The history is damaged, so badly that nothing of it can be served, or the configuration
    /// says not to start then.
    #[error(
        "the history is damaged: {what}; `fanfare history verify` looks at all of it, `export` saves what can be read"
    )]
    Damaged {
        /// What was found first.
        what: String,
    },
    /// The history can be read, and not written.
    #[error("the history cannot be written: {why}")]
    Unwritable {
        /// Why.
        why: String,
    },
    /// SQLite has a bug that could damage the history (W0).
    #[error("SQLite {version} is not fit to be used, 3.51.3 or newer is, but not 3.52.0")]
    Unfit {
        /// The version that this program was linked with.
        version: String,
    },
    /// SQLite refuses.
    #[error("the database cannot be opened")]
    Database(#[from] rusqlite::Error),
    /// The operating system gives no thread.
    #[error("no thread for the history")]
    Thread(#[source] io::Error),
}
