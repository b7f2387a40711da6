//! What a hub counts: gauges and counters, added up over its shards.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::gap::GapReason;
use crate::latency::Histogram;

/// Gauges and counters of a hub.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Subscribers now.
    pub subscribers: u64,
    /// Of those, the lagging ones.
    pub lagging: u64,
    /// Subscribers ever attached.
    pub subscribers_total: u64,
    /// Publications stored through this process.
    pub published_total: u64,
    /// Records fanned out.
    pub records_total: u64,
    /// Frames handed to a socket or stream, one for each subscriber and event.
    pub deliveries_total: u64,
    /// Writes made; `deliveries_total / writes_total` is the batching.
    pub writes_total: u64,
    /// Bytes written.
    pub written_bytes_total: u64,
    /// Heartbeats sent.
    pub heartbeats_total: u64,
    /// Subscribers ended, by reason.
    pub ended_total: Vec<(&'static str, u64)>,
    /// Gaps signalled, by reason.
    pub gaps_total: Vec<(&'static str, u64)>,
    /// Records in the ring.
    pub ring_records: u64,
    /// Bytes of frames in the ring.
    pub ring_bytes: u64,
}

/// Why a subscriber's stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// The subscriber left, or its connection broke.
    Left,
    /// It took nothing for the stall time-out.
    Stalled,
    /// It took less than the least rate for a whole minute.
    TooSlow,
    /// Its lifetime or its token ended.
    Expired,
    /// The application dismissed it.
    Dismissed,
    /// It needs a gap signal and can only read one in an answer's head.
    Gap,
    /// Drained, with its last block and a clean end.
    Drained,
    /// Cut at the end of a drain.
    Cut,
}

impl Ended {
    const ALL: [Self; 8] = [
        Self::Left,
        Self::Stalled,
        Self::TooSlow,
        Self::Expired,
        Self::Dismissed,
        Self::Gap,
        Self::Drained,
        Self::Cut,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Stalled => "stalled",
            Self::TooSlow => "too_slow",
            Self::Expired => "expired",
            Self::Dismissed => "dismissed",
            Self::Gap => "gap",
            Self::Drained => "drained",
            Self::Cut => "cut",
        }
    }
}

/// One shard's counters: written by its thread alone, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct ShardCounters {
    pub(crate) subscribers: Counter,
    pub(crate) live: Counter,
    pub(crate) subscribers_total: Counter,
    pub(crate) records_total: Counter,
    pub(crate) deliveries_total: Counter,
    pub(crate) writes_total: Counter,
    pub(crate) written_bytes_total: Counter,
    pub(crate) heartbeats_total: Counter,
    /// How long wake-ups took that wrote to somebody.
    pub(crate) written: Histogram,
    ended_total: [Counter; Ended::ALL.len()],
    gaps_total: [Counter; GapReason::ALL.len()],
}

impl ShardCounters {
    /// Counts an end.
    pub(crate) fn ended(&self, reason: Ended) {
        if let Some(counter) = self.ended_total.get(reason as usize) {
            counter.add(1);
        }
    }

    /// How many ended for `reason`.
    pub(crate) fn ended_by(&self, reason: Ended) -> u64 {
        self.ended_total
            .get(reason as usize)
            .map_or(0, Counter::read)
    }

    /// Counts a gap signal.
    pub(crate) fn gap(&self, reason: GapReason) {
        if let Some(counter) = self.gaps_total.get(reason as usize) {
            counter.add(1);
        }
    }

    /// Adds this shard's share to `counts`.
    pub(crate) fn add_to(&self, counts: &mut Counts) {
        let subscribers = self.subscribers.read();
        counts.subscribers += subscribers;
        counts.lagging += subscribers.saturating_sub(self.live.read());
        counts.subscribers_total += self.subscribers_total.read();
        // Every shard sees every record.
        counts.records_total = counts.records_total.max(self.records_total.read());
        counts.deliveries_total += self.deliveries_total.read();
        counts.writes_total += self.writes_total.read();
        counts.written_bytes_total += self.written_bytes_total.read();
        counts.heartbeats_total += self.heartbeats_total.read();
        counts.ended_total.resize(Ended::ALL.len(), ("", 0));
        for ((total, counter), reason) in counts
            .ended_total
            .iter_mut()
            .zip(&self.ended_total)
            .zip(Ended::ALL)
        {
            *total = (reason.as_str(), total.1 + counter.read());
        }
        counts.gaps_total.resize(GapReason::ALL.len(), ("", 0));
        for ((total, counter), reason) in counts
            .gaps_total
            .iter_mut()
            .zip(&self.gaps_total)
            .zip(GapReason::ALL)
        {
            *total = (reason.as_str(), total.1 + counter.read());
        }
    }
}

/// A number that one thread changes and others read, each on its own.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds `amount`.
    pub(crate) fn add(&self, amount: u64) {
        self.0
            .store(self.read().wrapping_add(amount), Ordering::Relaxed);
    }

    /// Takes `amount` away.
    pub(crate) fn sub(&self, amount: u64) {
        self.0
            .store(self.read().wrapping_sub(amount), Ordering::Relaxed);
    }

    /// The number now.
    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
