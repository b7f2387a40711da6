//! What the writer tells everybody else: the bounds, the newest records, its condition.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fanfare_broker::{Bounds, Form, Health, Record};
use tokio::sync::watch;

/// Written by the writer after each commit, read by tails, reads and health checks.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Wakes the tails; carries nothing.
    changed: watch::Sender<()>,
    /// Why the writer has stopped for good; see [`Condition::Failed`].
    failure: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct State {
    bounds: Bounds,
    /// The newest records of this run, contiguous, for tails that keep up.
    recent: VecDeque<Record>,
    recent_bytes: usize,
    condition: Condition,
    /// The damage that a read met last.
    damage: Option<String>,
    closed: bool,
}

/// Whether the writer can write (§5.7).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Condition {
    Ready,
    /// No room; comes back by itself.
    Full(String),
    /// Damage was found, at the start or by the writer.
    ReadOnly(String),
    /// A write failed; final for this process.
    Failed(String),
}

impl Condition {
    /// Read-only, for `what` is damaged.
    pub(crate) fn read_only(what: &str) -> Self {
        Self::ReadOnly(format!(
            "the history is damaged, so nothing is stored: {what}; `fanfare history verify` looks \
             at all of it, `export` saves what can be read"
        ))
    }
}

/// What a tail finds.
#[derive(Debug)]
pub(crate) enum Recent {
    /// The next records, at least one.
    Records(Vec<Record>),
    /// They are in the database, up to this offset.
    Before { upto: u64 },
    /// Nothing yet.
    Head,
    /// Nothing, ever.
    Closed,
}

impl Shared {
    pub(crate) fn new(bounds: Bounds, condition: Condition) -> Self {
        let state = State {
            bounds,
            recent: VecDeque::new(),
            recent_bytes: 0,
            condition,
            damage: None,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            failure: watch::Sender::new(None),
        }
    }

    /// What is retained now.
    pub(crate) fn bounds(&self) -> Bounds {
        self.lock().bounds.clone()
    }

    /// What was committed: `records` are the newest now, and `bounds` hold (P5: not before).
    pub(crate) fn committed(&self, records: Vec<Record>, bounds: Bounds) {
        let mut state = self.lock();
        state.bounds = bounds;
        state.recent_bytes += records.iter().map(size).sum::<usize>();
        state.recent.extend(records);
        while state.recent.len() > RECENT_RECORDS_MAX || state.recent_bytes > RECENT_BYTES_MAX {
            let Some(oldest) = state.recent.pop_front() else {
                break;
            };
            state.recent_bytes -= size(&oldest);
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// Up to `count_max` records after `last`.
    pub(crate) fn recent(&self, last: u64, count_max: usize) -> Recent {
        let state = self.lock();
        let head = state.bounds.head_offset();
        if last >= head {
            return match state.closed {
                true => Recent::Closed,
                false => Recent::Head,
            };
        }
        let first = state.recent.front().map_or(head + 1, Record::offset);
        let Some(skip) = (last + 1).checked_sub(first) else {
            return Recent::Before { upto: first - 1 };
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let records = state.recent.range(skip.min(state.recent.len())..);
        Recent::Records(records.take(count_max).cloned().collect())
    }

    pub(crate) fn condition(&self) -> Condition {
        self.lock().condition.clone()
    }

    pub(crate) fn set_condition(&self, condition: Condition) {
        if let Condition::Failed(why) = &condition {
            self.failure.send_replace(Some(why.clone()));
        }
        self.lock().condition = condition;
    }

    /// Notes damage that a read met, for health and the log (F10).
    ///
    /// Every reader meets it again (F13); only what is new is a line in the log.
    pub(crate) fn damaged(&self, what: String) {
        let mut state = self.lock();
        if state.damage.as_ref() != Some(&what) {
            tracing::error!("the history is damaged: {what}");
            state.damage = Some(what);
        }
    }

    pub(crate) fn health(&self) -> Health {
        let state = self.lock();
        if state.closed {
            let why = "closed".to_owned();
            return Health::Failed { why };
        }
        match (&state.condition, &state.damage) {
            (Condition::Ready, None) => Health::Ready,
            (Condition::Ready, Some(what)) => Health::Degraded {
                why: format!("the history is damaged: {what}"),
            },
            (Condition::Full(why) | Condition::ReadOnly(why) | Condition::Failed(why), _) => {
                let why = why.clone();
                Health::Failed { why }
            }
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Ends the tails once they have brought everything.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.send_replace(());
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn failures(&self) -> watch::Receiver<Option<String>> {
        self.failure.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(record: &Record) -> usize {
    record.frame().bytes(Form::Chunked).len()
}

/// What is kept for tails: enough for one that is late by some commits. One that is later reads
/// the database, and never holds up the writer (W9).
const RECENT_RECORDS_MAX: usize = 16_384;
const RECENT_BYTES_MAX: usize = 8 << 20;
