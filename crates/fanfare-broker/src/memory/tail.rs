//! A reader of the log that waits for more at its end.

use std::sync::{Arc, Mutex};

use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use tokio::sync::watch;

use super::{State, lock};
use crate::broker::{ReadError, TailItem};
use crate::cursor::Cursor;
use crate::record::Record;

/// Follows `state` after `after`, or from its beginning; ends when it is closed, or when
/// the sender of `changed` is gone, with all that was stored before.
pub(super) fn follow(
    state: Arc<Mutex<State>>,
    changed: watch::Receiver<()>,
    after: Option<Cursor>,
) -> BoxStream<'static, TailItem> {
    let (last, diverged) = start(&lock(&state), after);
    let tail = Tail {
        state,
        changed,
        diverged,
        last,
    };
    unfold(tail, |mut tail| async {
        let item = tail.next().await?;
        Some((item, tail))
    })
    .boxed()
}

/// The last offset that both know, and what to say first if `after` knows others.
fn start(state: &State, after: Option<Cursor>) -> (u64, Option<TailItem>) {
    let head = state.log.head();
    let epoch = state.log.epoch();
    let end = match after {
        None => return (0, None),
        Some(cursor) if cursor.epoch != epoch => 0,
        Some(cursor) if cursor.offset > head => head,
        Some(cursor) => return (cursor.offset, None),
    };
    (end, Some(TailItem::Diverged { end, epoch }))
}

struct Tail {
    state: Arc<Mutex<State>>,
    changed: watch::Receiver<()>,
    /// Said before anything else.
    diverged: Option<TailItem>,
    /// The offset of the last record that was told, or told to be gone.
    last: u64,
}

/// What the log has for a tail.
enum Found {
    Records(Vec<Record>),
    Trimmed { next: u64 },
    Head,
    Close,
}

impl Tail {
    async fn next(&mut self) -> Option<TailItem> {
        if let Some(diverged) = self.diverged.take() {
            return Some(diverged);
        }
        loop {
            // Before the look, so that a change after it is not missed.
            self.changed.mark_unchanged();
            match self.look() {
                Found::Records(records) => {
                    self.last = records.last()?.offset();
                    return Some(TailItem::Records(records));
                }
                Found::Trimmed { next } => {
                    self.last = next - 1;
                    return Some(TailItem::Trimmed { next });
                }
                Found::Head => self.changed.changed().await.ok()?,
                Found::Close => return None,
            }
        }
    }

    fn look(&self) -> Found {
        let state = lock(&self.state);
        match state.log.records(self.last + 1, u64::MAX, ITEM_RECORDS_MAX) {
            Ok(records) if !records.is_empty() => Found::Records(records),
            Err(ReadError::Trimmed { first }) => Found::Trimmed { next: first },
            _ if state.closed => Found::Close,
            _ => Found::Head,
        }
    }
}

/// Records of one item, so that a tail that is far behind is not handed everything at once.
const ITEM_RECORDS_MAX: usize = 1024;
