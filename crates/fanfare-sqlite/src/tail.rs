//! A reader of the history that waits for more at its end.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_broker::{
    Bounds, Budget, Cursor, PageEnd, ReadError, Resolved, TailItem, Topic, TopicFilter, Verdict,
};
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use tokio::sync::watch;

use crate::blocks::Blocks;
use crate::page::{self, Source};
use crate::readers::Readers;
use crate::shared::{Recent, Shared};

/// Follows the history after `after`, or from its beginning; ends when it is closed, with all that
/// was stored before.
pub(crate) fn follow(
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    blocks: Arc<Blocks>,
    after: Option<Cursor>,
) -> BoxStream<'static, TailItem> {
    let bounds = shared.bounds();
    let (last, diverged) = start(&bounds, after);
    let tail = Tail {
        changed: shared.changes(),
        shared,
        readers,
        blocks,
        ready: diverged.into_iter().collect(),
        last,
    };
    unfold(tail, |mut tail| async {
        let item = tail.next().await?;
        Some((item, tail))
    })
    .boxed()
}

/// The last offset that both know, and what to say first if `after` knows others.
fn start(bounds: &Bounds, after: Option<Cursor>) -> (u64, Option<TailItem>) {
    let Some(cursor) = after else {
        return (0, None);
    };
    let head = bounds.head_offset();
    let end = match bounds.lineage.resolve(cursor, bounds.first, head) {
        Resolved::At(_) | Resolved::Trimmed { .. } => return (cursor.offset, None),
        Resolved::Diverged { end } => end,
        Resolved::Unknown | _ => 0,
    };
    let epoch = bounds.lineage.cursor_at(end + 1).or(bounds.head);
    let Some(Cursor { epoch, .. }) = epoch else {
        return (0, None);
    };
    (end, Some(TailItem::Diverged { end, epoch }))
}

struct Tail {
    shared: Arc<Shared>,
    changed: watch::Receiver<()>,
    readers: Arc<Readers>,
    blocks: Arc<Blocks>,
    /// Told before anything else is looked for.
    ready: VecDeque<TailItem>,
    /// The offset of the last record that was found, or found to be gone.
    last: u64,
}

impl Tail {
    async fn next(&mut self) -> Option<TailItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            // Before the look, so that a change after it is not missed.
            self.changed.mark_unchanged();
            match self.shared.recent(self.last, ITEM_RECORDS_MAX) {
                Recent::Records(records) => {
                    self.last = records.last()?.offset();
                    return Some(TailItem::Records(records));
                }
                Recent::Before { upto } => self.read(upto).await?,
                Recent::Head => self.changed.changed().await.ok()?,
                Recent::Closed => return None,
            }
        }
    }

    /// Reads on in the database, up to what is at hand; `None` once that is closed.
    async fn read(&mut self, upto: u64) -> Option<()> {
        let source = Source {
            shared: &self.shared,
            readers: &self.readers,
            blocks: &self.blocks,
        };
        let page = page::read(source, self.last, upto, ITEM, Arc::new(Everything)).await;
        match page {
            Ok(page) => {
                let mut records = page.records.into_iter().peekable();
                let mut holes = page.missing.into_iter().peekable();
                let end = match page.end {
                    PageEnd::Upto => upto,
                    PageEnd::Budget => page.next - 1,
                };
                while self.last < end {
                    let hole = holes.peek().map_or(end + 1, |hole| hole.start);
                    let mut run = Vec::new();
                    while let Some(record) = records.next_if(|record| record.offset() < hole) {
                        run.push(record);
                    }
                    if !run.is_empty() {
                        self.ready.push_back(TailItem::Records(run));
                    }
                    self.last = hole - 1;
                    if let Some(hole) = holes.next() {
                        // Whoever reads the history is told why.
                        let next = hole.end;
                        self.ready.push_back(TailItem::Trimmed { next });
                        self.last = next - 1;
                    }
                }
            }
            Err(ReadError::Trimmed { first }) => {
                self.ready.push_back(TailItem::Trimmed { next: first });
                self.last = first - 1;
            }
            Err(_) if self.shared.is_closed() => return None,
            // It said why. The next commit, or the end, is worth another look.
            Err(_) => self.changed.changed().await.ok()?,
        }
        Some(())
    }
}

/// Wants everything and may see it.
#[derive(Debug)]
pub(crate) struct Everything;

impl TopicFilter for Everything {
    fn verdict(&self, _: &Topic) -> Verdict {
        Verdict {
            subscribed: true,
            granted: true,
        }
    }
}

/// Records of one item, so that a tail that is far behind is not handed everything at once.
const ITEM_RECORDS_MAX: usize = 1024;

const ITEM: Budget = Budget {
    records_max: ITEM_RECORDS_MAX,
    bytes_max: 1 << 20,
};
