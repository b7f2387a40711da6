//! A reader of a tail that objects to every silent skip (L2).

use std::sync::Arc;

use fanfare_broker::{Broker, Cursor, Record, TailItem};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::sample::within;

/// Follows a tail, and keeps what it saw.
pub(super) struct Follower {
    tail: BoxStream<'static, TailItem>,
    /// The offset that was told last, or told to be gone.
    last: u64,
    /// What was told, oldest first.
    pub(super) records: Vec<Record>,
}

impl Follower {
    /// Follows `broker` after `after`, or from the beginning.
    pub(super) fn attach(broker: &Arc<dyn Broker>, after: Option<Cursor>) -> Self {
        Self {
            tail: broker.tail(after),
            last: after.map_or(0, |cursor| cursor.offset),
            records: Vec::new(),
        }
    }

    /// Reads on until it was told of `offset`.
    pub(super) async fn reach(&mut self, offset: u64) {
        while self.last < offset {
            let next = within("the tail reaches what is stored", self.tail.next()).await;
            self.take(next.expect("a tail does not end by itself"));
        }
    }

    /// Reads on until the tail ends.
    pub(super) async fn reach_end(&mut self) {
        while let Some(item) = within("a closed broker's tail ends", self.tail.next()).await {
            self.take(item);
        }
    }

    fn take(&mut self, item: TailItem) {
        match item {
            TailItem::Records(records) => {
                assert!(!records.is_empty(), "an item tells something");
                for record in records {
                    assert_eq!(record.offset(), self.last + 1, "offsets are dense");
                    self.last = record.offset();
                    self.records.push(record);
                }
            }
            TailItem::Trimmed { next } => {
                assert!(next > self.last + 1, "trimmed is what was not told");
                self.last = next - 1;
            }
            item @ (TailItem::Diverged { .. } | _) => {
                panic!("a tail that nothing happened to says {item:?}")
            }
        }
    }
}
