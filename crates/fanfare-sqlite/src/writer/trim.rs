//! Retention: the floor is exact after each commit, rows are deleted by whole blocks (T rules).

use std::sync::Arc;

use fanfare_broker::Lineage;
use rusqlite::OptionalExtension;

use super::append::Stage;
use super::{Head, Writer};
use crate::blocks::{block_of, offsets_of};
use crate::database::sql;
use crate::row::{self, Now, Place, number, split_topics, topic_hash, weight};
use crate::search::posting;
use crate::shared::Condition;

impl Writer {
    /// Whether there is more to trim, as far as it is known without a look at ages.
    pub(super) fn exceeds_limits(&self) -> bool {
        self.exceeds(&self.head) || self.head.behind || self.purgeable(&self.head)
    }

    fn exceeds(&self, head: &Head) -> bool {
        let count = head.next - head.floor;
        let bytes = head.total.saturating_sub(head.floor_total);
        count > self.config.history_count_max.max(1) || bytes > self.config.history_bytes_max
    }

    /// Whether the first block that may have rows is wholly below the floor.
    fn purgeable(&self, head: &Head) -> bool {
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
    ///
    /// A time or a total that is damaged must not empty the history: only a record that proves
    /// itself says where to stop, and what is retained from there on (T4).
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
        head.behind = false;
        let aged = |ts_ms: u64| ts_ms < oldest_ms;
        let young = head.floor_ts_ms.is_some_and(|ts_ms| !aged(ts_ms)) || oldest_ms == 0;
        if young && !self.exceeds(head) {
            return Ok(());
        }
        head.floor_ts_ms = None;
        for step in 0..=steps_max {
            if head.floor == head.next {
                head.floor_total = head.total;
                break;
            }
            let enough = step == steps_max;
            if enough || !self.exceeds(head) {
                let Some(place) = self.first_proved(head, &stage.lineage)? else {
                    break;
                };
                if enough {
                    head.behind = self.exceeds(head) || aged(place.ts_ms);
                    break;
                }
                if !self.exceeds(head) && !aged(place.ts_ms) {
                    head.floor_ts_ms = Some(place.ts_ms);
                    break;
                }
            }
            self.pass(head, &stage.lineage)?;
        }
        Ok(())
    }

    /// The first record from the floor on that proves itself, and with it the total before it:
    /// what cannot be read weighs nothing.
    fn first_proved(&self, head: &mut Head, lineage: &Lineage) -> rusqlite::Result<Option<Place>> {
        let mut select = self.connection.prepare_cached(sql::SELECT_RECORDS)?;
        let mut rows = select.query([number(head.floor), number(head.next) - 1])?;
        let now = Now::read();
        while let Some(row) = rows.next()? {
            if let Ok(stored) = row::decode(row, lineage, now)? {
                let weight = weight(&stored.publication);
                head.floor_total = stored.place.total.saturating_sub(weight);
                return Ok(Some(stored.place));
            }
        }
        Ok(None)
    }

    /// Moves the floor behind the record there, if there is one.
    fn pass(&self, head: &mut Head, lineage: &Lineage) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached(sql::SELECT_TOTAL)?;
        let total = select.query_row([number(head.floor)], |row| row.get::<_, i64>(0));
        let total = total
            .optional()?
            .and_then(|total| u64::try_from(total).ok());
        head.floor += 1;
        match total.filter(|it| (head.floor_total + 1..=head.total).contains(it)) {
            Some(total) => head.floor_total = total,
            None => _ = self.first_proved(head, lineage)?,
        }
        Ok(())
    }

    /// Forgets the oldest epoch once it is trimmed away and there are very many (U12).
    ///
    /// As long as it is known, a cursor of it is told where the history begins now, and gets all of
    /// that; an unknown one would be sent to the head.
    fn forget_epochs(&self, stage: &mut Stage) -> rusqlite::Result<()> {
        if stage.lineage.epochs().count() <= EPOCHS_KEPT {
            return Ok(());
        }
        let second = stage.lineage.epochs().nth(1);
        let Some((first, _)) = second.filter(|(first, _)| *first < stage.head.floor) else {
            return Ok(());
        };
        Arc::make_mut(&mut stage.lineage).forget_before(first);
        let mut delete = self.connection.prepare_cached(sql::DELETE_EPOCHS)?;
        delete.execute([number(first)])?;
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
                if delete.execute([hash, number(block)])? > 0 {
                    stage.head.postings ^= posting(hash, number(block));
                }
            }
            let mut delete = self.connection.prepare_cached(sql::DELETE_RECORDS)?;
            delete.execute([number(end - 1)])?;
            stage.head.purged = end;
            steps += usize::try_from(end - first).unwrap_or(steps_max);
        }
        Ok(())
    }

    /// The names in the index of all topics from offset `first` to `last`.
    ///
    /// Rows as they are, so that one that is damaged can be deleted like others.
    fn hashes_of(&self, first: u64, last: u64) -> rusqlite::Result<Vec<i64>> {
        let mut select = self.connection.prepare_cached(sql::SELECT_TOPICS)?;
        let mut rows = select.query([number(first), number(last)])?;
        let mut hashes = Vec::new();
        let mut before = Vec::new();
        while let Some(row) = rows.next()? {
            let topics = row.get_ref(0)?.as_bytes().unwrap_or_default();
            // Most blocks are of few topics.
            if topics != before {
                hashes.extend(split_topics(topics).map(topic_hash));
                before = topics.to_owned();
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
        let kept = match self.shared.condition() {
            // Nothing is kept for later while others lack it (F7).
            Condition::Full(_) => 0,
            Condition::Ready | Condition::ReadOnly(_) | Condition::Failed(_) => {
                FREE_PAGES_KEPT.max(pages / 4)
            }
        };
        if free > kept {
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

/// Epochs that are known though nothing of them is retained: a run each, so years of them.
const EPOCHS_KEPT: usize = 1000;

/// Pages that stay for what comes: 4 MiB.
const FREE_PAGES_KEPT: i64 = 1024;

/// Pages that are given back at a time: 2 MiB.
const VACUUM: &str = "PRAGMA incremental_vacuum(512)";
