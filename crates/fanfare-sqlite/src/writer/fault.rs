//! What a failed write means: what became of the publications, and whether to go on (§5.7).

use std::fmt;

use fanfare_broker::PublishError;
use rusqlite::{ErrorCode, ffi};

use crate::blocks::is_damage;
use crate::queue::RETRY;

/// Where a write failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum At {
    /// Before anything was written.
    Begin,
    /// Between BEGIN and COMMIT, or in a checkpoint.
    Body,
    /// At COMMIT.
    Commit,
}

impl At {
    /// Makes a [`Fault`] of an error.
    pub(super) fn fault(self) -> impl Fn(rusqlite::Error) -> Fault {
        move |error| Fault { at: self, error }
    }
}

/// A write that failed.
#[derive(Debug)]
pub(super) struct Fault {
    at: At,
    error: rusqlite::Error,
}

impl Fault {
    /// There is no room. Certain to be not stored: the frame of the commit is incomplete (F1).
    pub(super) fn is_full(&self) -> bool {
        // A full disk that cannot even grow the log's index says so in its own way.
        let index = self.extended() == Some(ffi::SQLITE_IOERR_SHMSIZE);
        self.code() == Some(ErrorCode::DiskFull) || (index && self.at != At::Commit)
    }

    /// Another process writes (F2).
    pub(super) fn is_busy(&self) -> bool {
        let busy = matches!(
            self.code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        );
        busy && self.at == At::Begin
    }

    /// What is on the disk is damaged, and nothing was committed: another start would meet the same.
    pub(super) fn is_damage(&self) -> bool {
        self.at != At::Commit && is_damage(&self.error)
    }

    /// What the publishers are told.
    pub(super) fn answer(&self) -> PublishError {
        if self.is_full() {
            PublishError::Full
        } else if self.at == At::Commit {
            // The complete commit may be in the log, and there after a restart (F4).
            PublishError::Unknown
        } else {
            PublishError::Unavailable { retry_after: RETRY }
        }
    }

    fn code(&self) -> Option<ErrorCode> {
        self.error.sqlite_error_code()
    }

    fn extended(&self) -> Option<i32> {
        self.error.sqlite_error().map(|error| error.extended_code)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Commit => write!(f, "{} (at commit)", self.error),
            At::Begin | At::Body => write!(f, "{}", self.error),
        }
    }
}

#[cfg(test)]
mod tests;
