//! What the last run left, as far as it can be read.

use std::num::NonZeroU32;

use fanfare_broker::{Epoch, Lineage};
use rusqlite::{Connection, OptionalExtension};

use crate::database::sql;
use crate::error::OpenError;
use crate::row::{self, Now};
use crate::writer::Head;

/// What the last run left.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) head: Head,
    pub(super) lineage: Lineage,
    pub(super) noted: Noted,
    /// The newest offset that has a row.
    pub(super) last: Option<u64>,
    pub(super) started_ms: u64,
    pub(super) boot_id: String,
    pub(super) durability: String,
}

/// What was noted of the history, to be compared with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Noted {
    /// The newest offset when it was noted; of an orderly end, the very last.
    pub(crate) head: u64,
    /// See [`crate::search::posting`].
    pub(crate) postings: i64,
    /// The last run ended in order.
    pub(crate) clean: bool,
}

impl Noted {
    /// Whether a history that ends at offset `head` has lost some of its end.
    pub(crate) fn is_beyond(&self, head: u64) -> bool {
        self.head > head || (self.clean && self.head != head)
    }
}

/// Reads [`Noted`].
pub(crate) fn noted(connection: &Connection) -> rusqlite::Result<Noted> {
    let mut select = connection.prepare_cached(sql::SELECT_HUB)?;
    select.query_row([], |row| {
        Ok(Noted {
            clean: row.get::<_, i64>(5)? != 0,
            head: unsigned(row.get(6)?),
            postings: row.get(7)?,
        })
    })
}

impl Past {
    pub(super) fn read(connection: &Connection) -> Result<Self, OpenError> {
        let noted = noted(connection)?;
        let mut past = connection.query_row(sql::SELECT_HUB, [], |row| {
            let floor = unsigned(row.get(0)?).max(1);
            let floor_total = unsigned(row.get(1)?);
            Ok(Self {
                head: Head {
                    next: floor,
                    total: floor_total,
                    ts_ms: 0,
                    floor,
                    floor_total,
                    floor_ts_ms: None,
                    behind: false,
                    purged: floor,
                    postings: noted.postings,
                },
                lineage: Lineage::default(),
                noted,
                last: None,
                started_ms: unsigned(row.get(2)?),
                boot_id: row.get(3)?,
                durability: row.get(4)?,
            })
        })?;
        past.read_epochs(connection)?;
        past.read_ends(connection)?;
        Ok(past)
    }

    fn read_epochs(&mut self, connection: &Connection) -> Result<(), OpenError> {
        let mut select = connection.prepare_cached(sql::SELECT_EPOCHS)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (first, epoch): (i64, u32) = (row.get(0)?, row.get(1)?);
            let epoch = NonZeroU32::new(epoch).map(Epoch::new);
            let begun = epoch.is_some_and(|epoch| self.lineage.begin(unsigned(first), epoch));
            if !begun {
                let what = format!("the epoch at offset {first} does not follow the one before it");
                return Err(OpenError::Damaged { what });
            }
        }
        Ok(())
    }

    /// Head = the newest row, or just before the floor when there is none (W1).
    fn read_ends(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let extreme = |text| -> rusqlite::Result<Option<i64>> {
            connection.query_row(text, [], |row| row.get(0))
        };
        let Some(last) = extreme(sql::SELECT_LAST)? else {
            return Ok(());
        };
        self.last = Some(unsigned(last));
        self.head.next = self.head.next.max(unsigned(last) + 1);
        self.head.purged = extreme(sql::SELECT_FIRST)?.map_or(1, unsigned).max(1);
        let newest = connection
            .query_row(sql::SELECT_RECORD, [last], |row| {
                row::decode(row, &self.lineage, Now::read())
            })
            .optional()?;
        // One that is damaged says nothing; the checks find it, if it is retained.
        if let Some(Ok(newest)) = newest {
            self.head.ts_ms = newest.place.ts_ms;
            self.head.total = self.head.total.max(newest.place.total);
        }
        Ok(())
    }
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
