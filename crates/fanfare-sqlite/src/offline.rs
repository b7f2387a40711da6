//! What is done to a history that no hub uses.

use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::database;
use crate::error::OpenError;
use crate::queue::Queue;
use crate::shared::{Condition, Shared};
use crate::start;
use crate::writer::Writer;

/// What of a history is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the two ways to name a floor")]
pub enum Keep {
    /// So many of the newest records; zero counts as 1.
    Newest(u64),
    /// The records from this offset on, and the newest in any case.
    From(u64),
}

/// Lets go of the oldest records of the history in `directory`, and gives their room back to the
/// disk.
///
/// Takes the directory as a hub does, and frees it again. Clients that still need what went are
/// told so.
///
/// # Errors
///
/// [`OpenError`]: there is no history, a hub uses it, or it cannot be written. What had gone by then
/// is gone.
pub fn trim(directory: &Path, keep: Keep) -> Result<(), OpenError> {
    if !database::file(directory).exists() {
        let directory = directory.to_owned();
        return Err(OpenError::Missing { directory });
    }
    let mut config = Config {
        history_bytes_max: u64::MAX,
        ..Config::default()
    };
    let opened = start::open(directory, &config)?;
    match &opened.condition {
        Condition::Ready => {}
        Condition::Full(why) | Condition::ReadOnly(why) | Condition::Failed(why) => {
            let why = why.clone();
            return Err(OpenError::Unwritable { why });
        }
    }
    config.history_count_max = match keep {
        Keep::Newest(count) => count,
        Keep::From(offset) => opened.head.next.saturating_sub(offset),
    };
    let shared = Arc::new(Shared::new(opened.bounds(), Condition::Ready));
    let queue = Arc::<Queue>::default();
    Writer::new(opened, directory.to_owned(), config, &shared, &queue)?.trim_all()
}
