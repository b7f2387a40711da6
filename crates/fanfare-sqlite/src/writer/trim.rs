//! Retention: the floor is exact after each commit, rows are deleted by whole blocks (T rules).

use std::sync::Arc;

use rusqlite::OptionalExtension;

use super::Writer;
use super::append::Stage;
use crate::blocks::{block_of, offsets_of};
use crate::database::sql;
use crate::row::{self, Now, number, split_topics, topic_hash};

impl Writer {
    /// Whether a limit is exceeded by what is retained now, ages apart.
    pub(super) fn exceeds_limits(&self) -> bool {
        self.exceeds(&self.head) || self.purgeable(&self.head)
    }

    fn exceeds(&self, head: &super::Head) -> bool {
        let count = head.next - head.floor;
        let bytes = head.total.saturating_sub(head.floor_total);
        count > self.config.history_count_max.max(1) || bytes > self.config.history_bytes_max
    }

    /// Whether the first block that may have rows is wholly below the floor.
    fn purgeable(&self, head: &super::Head) -> bool {
        offsets_of(block_of(head.purged)).end <= head.floor
    }

    /// Moves the floor as far as the limits ask, within a bound, and deletes what is below it.
    pub(super) fn trim(
        &mut self,
        stage: &mut Stage,
        inserted: usize,
        now: Now,
    ) -> rusqlite::Result<()> {
        let steps_max = 2 * inserted + 64;
        let floor = stage.head.floor;
        self.raise_floor(stage, steps_max, now)?;
        if stage.head.floor != floor {
            let (floor, total) = (number(stage.head.floor), number(stage.head.floor_total));
            let mut update = self.connection.prepare_cached(sql::UPDATE_FLOOR)?;
            update.execute([floor, total])?;
            drop(update);
            self.forget_epochs(stage)?;
        }
        self.purge(stage, steps_max)?;
        let mut delete = self.connection.prepare_cached(sql::DELETE_DEDUPE)?;
        delete.execute([
            number(now.unix_ms),
            i64::try_from(steps_max).unwrap_or(i64::MAX),
        ])?;
        Ok(())
    }

    /// Walks from the floor while the record there is one too many, too old, or too much (T2).
    fn raise_floor(
        &mut self,
        stage: &mut Stage,
        steps_max: usize,
        now: Now,
    ) -> rusqlite::Result<()> {
        let age_max = u64::try_from(self.config.history_age_max.as_millis()).unwrap_or(u64::MAX);
        let oldest_ms = match age_max {
            0 => 0,
            age_max => self.clock.read(now).saturating_sub(age_max),
        };
        let head = &mut stage.head;
        let aged = |ts_ms: u64| ts_ms < oldest_ms;
        let young = head.floor_ts_ms.is_some_and(|ts_ms| !aged(ts_ms)) || oldest_ms == 0;
        if head.floor == head.next || (young && !self.exceeds(head)) {
            return Ok(());
        }
        let mut select = self.connection.prepare_cached(sql::SELECT_WEIGHTS)?;
        let limit = i64::try_from(steps_max + 1).unwrap_or(i64::MAX);
        let mut rows = select.query([number(head.floor), limit])?;
        let mut steps = 0;
        head.floor_ts_ms = None;
        while let Some(row) = rows.next()? {
            let (offset, ts_ms, total): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
            let (offset, ts_ms, total) = (unsigned(offset), unsigned(ts_ms), unsigned(total));
            // The last record's total and time are numbers that may be damaged; they are believed
            // only if the record proves itself (T4). Else one more goes with it, at most.
            let go_on = self.exceeds(head)
                || aged(ts_ms)
                || (steps > 0 && !self.proves_itself(head.floor - 1)?);
            if !go_on || steps == steps_max {
                head.floor_ts_ms = Some(ts_ms).filter(|_| !go_on);
                return Ok(());
            }
            head.floor = offset + 1;
            head.floor_total = total;
            steps += 1;
        }
        Ok(())
    }

    /// Whether the record at `offset`, just passed by the floor, is what was written.
    fn proves_itself(&self, offset: u64) -> rusqlite::Result<bool> {
        let mut select = self.connection.prepare_cached(sql::SELECT_RECORD)?;
        let now = Now::read();
        let row = select.query_row([number(offset)], |row| row::decode(row, now));
        // One that was deleted in an earlier transaction was looked at in that.
        Ok(row.optional()?.is_none_or(|decoded| decoded.is_ok()))
    }

    fn forget_epochs(&self, stage: &mut Stage) -> rusqlite::Result<()> {
        let floor = stage.head.floor;
        let second = stage.lineage.epochs().nth(1);
        if second.is_none_or(|(first, _)| first >= floor) {
            return Ok(());
        }
        let lineage = Arc::make_mut(&mut stage.lineage);
        lineage.forget_before(floor - 1);
        if let Some((first, _)) = lineage.epochs().next() {
            let mut delete = self.connection.prepare_cached(sql::DELETE_EPOCHS)?;
            delete.execute([number(first)])?;
        }
        Ok(())
    }

    /// Deletes whole blocks below the floor, rows and index.
    fn purge(&self, stage: &mut Stage, steps_max: usize) -> rusqlite::Result<()> {
        let mut steps = 0;
        while steps < steps_max && self.purgeable(&stage.head) {
            let first = stage.head.purged;
            let block = block_of(first);
            let end = offsets_of(block).end;
            for hash in self.hashes_of(first, end - 1)? {
                let mut delete = self.connection.prepare_cached(sql::DELETE_TOPIC_BLOCK)?;
                delete.execute([hash, number(block)])?;
            }
            let mut delete = self.connection.prepare_cached(sql::DELETE_RECORDS)?;
            delete.execute([number(end - 1)])?;
            stage.head.purged = end;
            steps += usize::try_from(end - first).unwrap_or(steps_max);
        }
        Ok(())
    }

    /// The names in the index of all topics from offset `first` to `last`.
    fn hashes_of(&self, first: u64, last: u64) -> rusqlite::Result<Vec<i64>> {
        let mut select = self.connection.prepare_cached(sql::SELECT_TOPICS)?;
        let mut rows = select.query([number(first), number(last)])?;
        let mut hashes = Vec::new();
        let mut before = String::new();
        while let Some(row) = rows.next()? {
            let topics: String = row.get(0)?;
            // Most blocks are of few topics.
            if topics != before {
                hashes.extend(split_topics(&topics).map(topic_hash));
                before = topics;
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(hashes)
    }

    /// Gives pages back to the disk, some at a time, when many more are free than trimming will use
    /// again soon.
    pub(super) fn give_back(&mut self) -> rusqlite::Result<()> {
        if self.purged_seen == self.head.purged {
            return Ok(());
        }
        let count = |name| {
            self.connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let (free, pages) = (count("freelist_count")?, count("page_count")?);
        if free > FREE_PAGES_KEPT.max(pages / 4) {
            let mut vacuum = self.connection.prepare_cached(VACUUM)?;
            let mut rows = vacuum.query([])?;
            while rows.next()?.is_some() {}
        } else {
            self.purged_seen = self.head.purged;
        }
        Ok(())
    }

    /// Whether pages wait to be given back.
    pub(super) fn has_spare_pages(&self) -> bool {
        self.purged_seen != self.head.purged
    }
}

/// Pages that stay for what comes: 4 MiB.
const FREE_PAGES_KEPT: i64 = 1024;

/// Pages that are given back at a time: 2 MiB.
const VACUUM: &str = "PRAGMA incremental_vacuum(512)";
