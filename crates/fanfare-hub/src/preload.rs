//! What fills the ring at the start: a restart is when everybody resumes, and finds it in memory
//! (U8).

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_broker::{Bounds, Broker, Budget, ReadError, Record, Topic, TopicFilter, Verdict};

use crate::config::Config;
use crate::ring::weight;

/// The newest records within `bounds`, without a gap up to the head, as many as the ring keeps.
///
/// They begin only after what is damaged, trimmed meanwhile or cannot be read: a hub starts without
/// it, and whoever needs it asks the broker again.
pub(crate) async fn newest_records(
    broker: &dyn Broker,
    bounds: &Bounds,
    config: &Config,
) -> VecDeque<Record> {
    let records_max = config.ring_records_max as u64;
    let head = bounds.head_offset();
    let first = bounds.first.max((head + 1).saturating_sub(records_max));
    let mut newest = VecDeque::new();
    let (mut bytes, mut upto) = (0, head);
    // Backwards in short stretches: how many records fit is known only when they are read.
    while upto >= first && upto > 0 {
        let start = first.max((upto + 1).saturating_sub(STRETCH_RECORDS));
        let stretch = Stretch::read(broker, bounds, start..=upto, config.ring_bytes_max).await;
        for record in stretch.records.into_iter().rev() {
            bytes += weight(&record);
            if bytes > config.ring_bytes_max {
                return newest;
            }
            newest.push_front(record);
        }
        if !stretch.whole {
            break;
        }
        upto = start - 1;
    }
    newest
}

/// Records that follow each other up to the end of the range that was asked for.
struct Stretch {
    records: VecDeque<Record>,
    bytes: usize,
    /// They begin where the range does.
    whole: bool,
    /// The offset that comes next.
    next: u64,
}

impl Stretch {
    async fn read(
        broker: &dyn Broker,
        bounds: &Bounds,
        range: std::ops::RangeInclusive<u64>,
        bytes_max: usize,
    ) -> Self {
        let mut stretch = Self {
            records: VecDeque::new(),
            bytes: 0,
            whole: true,
            next: *range.start(),
        };
        let upto = *range.end();
        while stretch.next <= upto {
            let before = stretch.next;
            match broker
                .read(before - 1, upto, BUDGET, Arc::new(Everything))
                .await
            {
                Ok(page) => {
                    for record in page.records {
                        let known = bounds.lineage.cursor_at(record.offset());
                        if known == Some(record.cursor()) {
                            stretch.push(record, bytes_max);
                        }
                    }
                    stretch.skip_to(page.next);
                }
                Err(ReadError::Trimmed { first }) => stretch.skip_to(first),
                Err(_) => stretch.skip_to(upto + 1),
            }
            if stretch.next == before {
                // L9: a broker that brings nothing is broken, but no reason not to start.
                stretch.skip_to(upto + 1);
            }
        }
        stretch
    }

    fn push(&mut self, record: Record, bytes_max: usize) {
        self.skip_to(record.offset());
        self.next = record.offset() + 1;
        self.bytes += weight(&record);
        self.records.push_back(record);
        while self.bytes > bytes_max
            && let Some(oldest) = self.records.pop_front()
        {
            self.bytes -= weight(&oldest);
            self.whole = false;
        }
    }

    /// What is before `next` and was not brought is missing: nothing older follows it.
    fn skip_to(&mut self, next: u64) {
        if next > self.next {
            self.records.clear();
            self.bytes = 0;
            self.whole = false;
            self.next = next;
        }
    }
}

/// Wants every record.
struct Everything;

impl TopicFilter for Everything {
    fn verdict(&self, _topic: &Topic) -> Verdict {
        Verdict {
            subscribed: true,
            granted: true,
        }
    }
}

/// Records that are read at once: what turns out not to fit is read in vain.
const STRETCH_RECORDS: u64 = 1024;

/// How much one look at the broker brings.
const BUDGET: Budget = Budget {
    records_max: 1024,
    bytes_max: 1 << 20,
};

#[cfg(test)]
mod tests;
