//! Publications become rows: keys, offsets, epoch, index.

use std::num::NonZeroU32;
use std::sync::Arc;

use fanfare_broker::{
    Audience, Cursor, Epoch, IdempotencyKey, Lineage, Publication, PublishError, Receipt, Record,
};
use fanfare_wire::{EventId, EventType, Retry};
use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{Head, Writer};
use crate::blocks::block_of;
use crate::database::sql;
use crate::queue::Outcomes;
use crate::row::{self, Now, Place, join_topics, number, topic_hash, weight};
use crate::search::posting;

/// What a transaction has done so far; nothing of it holds before COMMIT has returned (W8).
pub(super) struct Stage {
    pub(super) head: Head,
    pub(super) lineage: Arc<Lineage>,
    pub(super) begun: bool,
    pub(super) records: Vec<Record>,
    pub(super) outcomes: Vec<Outcomes>,
}

impl Writer {
    /// Appends all of `batches`, in order.
    pub(super) fn append(
        &mut self,
        batches: Vec<Vec<Publication>>,
        now: Now,
    ) -> rusqlite::Result<Stage> {
        let mut stage = Stage {
            head: self.head,
            lineage: Arc::clone(&self.lineage),
            begun: self.begun,
            records: Vec::with_capacity(batches.iter().map(Vec::len).sum()),
            outcomes: Vec::with_capacity(batches.len()),
        };
        for batch in batches {
            let mut outcomes = Vec::with_capacity(batch.len());
            for publication in batch {
                outcomes.push(self.append_one(&mut stage, publication, now)?);
            }
            stage.outcomes.push(outcomes);
        }
        Ok(stage)
    }

    fn append_one(
        &mut self,
        stage: &mut Stage,
        mut publication: Publication,
        now: Now,
    ) -> rusqlite::Result<Result<Receipt, PublishError>> {
        let weight = weight(&publication);
        if weight > self.config.history_bytes_max {
            let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
            return Ok(Err(PublishError::TooLarge {
                bytes: size(weight),
                bytes_max: size(self.config.history_bytes_max),
            }));
        }
        let key = publication.idempotency_key.take();
        let key = key.map(|key| (key_hash(&key), fingerprint(&publication)));
        if let Some((key, fingerprint)) = &key
            && let Some(first) = self.recall(key, fingerprint, now)?
        {
            return Ok(first);
        }
        let offset = stage.head.next;
        if !stage.begun {
            self.begin_epoch(stage, offset)?;
        }
        let cursor = Cursor {
            epoch: self.epoch,
            offset,
        };
        let place = Place {
            cursor,
            ts_ms: stage.head.ts_ms.max(now.unix_ms),
            total: stage.head.total + weight,
        };
        let topics = join_topics(&publication);
        let mut insert = self.connection.prepare_cached(sql::INSERT_RECORD)?;
        row::insert(&mut insert, place, &publication, &topics)?;
        drop(insert);
        self.index(stage, &publication, block_of(offset))?;
        let own_id = publication.event.id.clone();
        let record = Record::new(cursor, publication);
        let receipt = Receipt {
            cursor,
            id: record.id(),
            duplicate: false,
        };
        if let Some((key, fingerprint)) = key {
            self.remember(&key, &fingerprint, &receipt, own_id.as_ref(), now)?;
        }
        stage.head.next = offset + 1;
        stage.head.total = place.total;
        stage.head.ts_ms = place.ts_ms;
        stage.records.push(record);
        Ok(Ok(receipt))
    }

    /// The first record of a run begins its epoch (U11).
    fn begin_epoch(&mut self, stage: &mut Stage, first: u64) -> rusqlite::Result<()> {
        let lineage = Arc::make_mut(&mut stage.lineage);
        while !lineage.begin(first, self.epoch) {
            self.epoch = Epoch::random();
        }
        let mut insert = self.connection.prepare_cached(sql::INSERT_EPOCH)?;
        insert.execute(params![number(first), self.epoch.number()])?;
        stage.begun = true;
        Ok(())
    }

    /// Notes in the index that the topics of `publication` occur in `block`.
    fn index(
        &mut self,
        stage: &mut Stage,
        publication: &Publication,
        block: u64,
    ) -> rusqlite::Result<()> {
        for topic in publication.topics() {
            let known = self.topics.get(topic).copied();
            let (hash, last) = match known {
                Some((_, Some(last))) if last == block => continue,
                Some(known) => known,
                None => {
                    let hash = topic_hash(topic.as_str().as_bytes());
                    (hash, self.last_block(hash)?)
                }
            };
            if last != Some(block) {
                let previous = last.map_or(-1, number);
                let mut insert = self.connection.prepare_cached(sql::INSERT_TOPIC_BLOCK)?;
                insert.execute([hash, number(block), previous])?;
                stage.head.postings ^= posting(hash, number(block));
            }
            self.topics.insert(topic.clone(), (hash, Some(block)));
        }
        Ok(())
    }

    fn last_block(&self, hash: i64) -> rusqlite::Result<Option<u64>> {
        let mut select = self.connection.prepare_cached(sql::SELECT_LAST_BLOCK)?;
        let last: Option<i64> = select.query_row([hash], |row| row.get(0))?;
        Ok(last.and_then(|last| u64::try_from(last).ok()))
    }

    /// What was stored under `key`; `None`: it is new, or its window has ended.
    fn recall(
        &self,
        key: &[u8],
        fingerprint: &[u8],
        now: Now,
    ) -> rusqlite::Result<Option<Result<Receipt, PublishError>>> {
        let mut select = self.connection.prepare_cached(sql::SELECT_DEDUPE)?;
        let known = select.query_row([key], |row| {
            let fingerprint: Vec<u8> = row.get(0)?;
            let (epoch, offset): (u32, i64) = (row.get(1)?, row.get(2)?);
            let (id, expires_ms): (Option<String>, i64) = (row.get(3)?, row.get(4)?);
            Ok((fingerprint, epoch, offset, id, expires_ms))
        });
        let Some((stored, epoch, offset, id, expires_ms)) = known.optional()? else {
            return Ok(None);
        };
        if expires_ms <= number(now.unix_ms) {
            return Ok(None);
        }
        if stored != fingerprint {
            return Ok(Some(Err(PublishError::KeyReused)));
        }
        let cursor = NonZeroU32::new(epoch).map(|epoch| Cursor {
            epoch: Epoch::new(epoch),
            offset: u64::try_from(offset).unwrap_or_default(),
        });
        Ok(cursor.map(|cursor| {
            let own = id.and_then(|id| EventId::parse(&id).ok());
            Ok(Receipt {
                cursor,
                id: own.unwrap_or_else(|| cursor.id()),
                duplicate: true,
            })
        }))
    }

    fn remember(
        &self,
        key: &[u8],
        fingerprint: &[u8],
        receipt: &Receipt,
        own_id: Option<&EventId>,
        now: Now,
    ) -> rusqlite::Result<()> {
        let window = u64::try_from(self.config.dedupe_window.as_millis()).unwrap_or(u64::MAX);
        let mut insert = self.connection.prepare_cached(sql::INSERT_DEDUPE)?;
        insert.execute(params![
            key,
            fingerprint,
            receipt.cursor.epoch.number(),
            number(receipt.cursor.offset),
            own_id.map(EventId::as_str),
            number(now.unix_ms.saturating_add(window)),
        ])?;
        Ok(())
    }
}

/// A key in the database: its length does not depend on the publisher's.
fn key_hash(key: &IdempotencyKey) -> [u8; 16] {
    first_half(Sha256::digest(key.as_str().as_bytes()).into())
}

/// Covers what a subscriber could tell apart: topics, event and audience (O3). Every field goes
/// with its length, so that no two publications sum the same bytes.
fn fingerprint(publication: &Publication) -> [u8; 16] {
    let event = &publication.event;
    let mut digest = Sha256::new();
    let mut take = |text: Option<&str>| {
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        digest.update(length.to_le_bytes());
        digest.update(text.unwrap_or_default().as_bytes());
    };
    take(Some(&event.data));
    take(event.id.as_ref().map(EventId::as_str));
    take(event.event_type.as_ref().map(EventType::as_str));
    for topic in publication.topics() {
        take(Some(topic.as_str()));
    }
    let retry = event
        .retry
        .map_or(u64::MAX, |it| Retry::as_millis(it).into());
    digest.update(retry.to_le_bytes());
    digest.update([u8::from(publication.audience == Audience::Private)]);
    first_half(digest.finalize().into())
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    digest.first_chunk::<16>().copied().unwrap_or_default()
}
