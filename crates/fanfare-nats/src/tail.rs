//! A reader of the history that waits for more at its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull;
use fanfare_broker::{Cursor, Publication, Record, Resolved, TailItem};
use futures_core::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::codec::Now;
use crate::link::Link;
use crate::log::Entry;
use crate::shared::{Shared, Standing};

/// Follows the history after `after`, or from its beginning; ends when it is closed, with all that
/// was stored before.
pub(crate) fn follow(
    shared: Arc<Shared>,
    runtime: Handle,
    after: Option<Cursor>,
) -> BoxStream<'static, TailItem> {
    let tail = Tail {
        standing: shared.standing(),
        shared,
        runtime,
        ready: VecDeque::new(),
        last: after.map_or(0, |cursor| cursor.offset),
        cursor: after,
        reading: None,
    };
    stream::unfold(tail, |mut tail| async {
        let item = tail.next().await?;
        Some((item, tail))
    })
    .boxed()
}

struct Tail {
    shared: Arc<Shared>,
    standing: watch::Receiver<Standing>,
    runtime: Handle,
    /// Told before anything else is looked for.
    ready: VecDeque<TailItem>,
    /// The last offset that was told, or told to be gone.
    last: u64,
    /// Where that is; `None`: before everything.
    cursor: Option<Cursor>,
    reading: Option<Reading>,
}

impl Tail {
    async fn next(&mut self) -> Option<TailItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let standing = self.standing.borrow_and_update().clone();
            let link = match standing {
                Standing::Up(link) => link,
                Standing::Closed { end, .. } if self.last >= end => return None,
                Standing::Closed { link, .. } => link.filter(|link| link.why_ended().is_none())?,
                Standing::Down { .. } => {
                    self.reading = None;
                    self.standing.changed().await.ok()?;
                    continue;
                }
            };
            let has_same = |it: &Reading| Arc::ptr_eq(&it.link, &link);
            if !self.reading.as_ref().is_some_and(has_same) {
                self.reading = None;
                if !self.attach(&link).await {
                    self.pause().await;
                }
                continue;
            }
            self.read().await;
        }
    }

    /// Looks where it stands in the history, and begins to read on from there; false: it could not.
    async fn attach(&mut self, link: &Arc<Link>) -> bool {
        if let Some(diverged) = self.divergence() {
            self.diverge(diverged);
            return true;
        }
        let Ok(view) = link.log.view().await else {
            return false;
        };
        if self.last > view.last {
            if self.shared.known().trail.newest() > view.last {
                link.suspect("the stream has lost records");
                return false;
            }
            // It came with a cursor beyond all that this node has seen.
            self.diverge(view.last);
            return true;
        }
        if self.last + 1 < view.first {
            self.trimmed(view.first);
            return true;
        }
        let known = self.shared.known().trail.at_or_before(self.last);
        if let Some((_, nonce)) = known.filter(|(place, _)| *place == self.last)
            && let Ok(Some(found)) = link.log.ask_leader(self.last, Now::read()).await
            && !matches!(found, Entry::Record(found, _) if found == nonce)
        {
            link.suspect("the stream has another record where the tail stands");
            return false;
        }
        let name = format!("fanfare-{:032x}", rand::random::<u128>());
        // From here on it is ended, whatever becomes of it.
        let guard = Guard {
            name,
            link: Arc::clone(link),
            runtime: self.runtime.clone(),
        };
        let Ok(messages) = link.log.follow(&guard.name, self.last + 1).await else {
            return false;
        };
        self.reading = Some(Reading {
            link: Arc::clone(link),
            messages: Box::new(messages),
            _guard: guard,
        });
        true
    }

    /// Where the history parted from ours, if it did.
    fn divergence(&self) -> Option<u64> {
        let cursor = self.cursor?;
        let known = self.shared.known();
        // What is trimmed is another matter, and told by its own item.
        match known.lineage.resolve(cursor, 1, u64::MAX - 1) {
            Resolved::Diverged { end } => Some(end),
            Resolved::At(_) | Resolved::Trimmed { .. } => None,
            Resolved::Unknown | _ => Some(0),
        }
    }

    fn diverge(&mut self, end: u64) {
        let (at_end, epoch) = {
            let known = self.shared.known();
            (known.cursor_at(end), known.cursor_at(end + 1))
        };
        let epoch = epoch.map(|cursor| cursor.epoch);
        let newest = self.shared.known().lineage.newest();
        if let Some(epoch) = epoch.or(newest) {
            self.ready.push_back(TailItem::Diverged { end, epoch });
        }
        self.last = end;
        self.cursor = at_end.filter(|_| end > 0);
        self.reading = None;
    }

    fn trimmed(&mut self, next: u64) {
        self.ready.push_back(TailItem::Trimmed { next });
        self.last = next - 1;
        self.cursor = self.shared.known().cursor_at(next - 1);
    }

    /// Takes what has come, or waits for it.
    async fn read(&mut self) {
        let Some(reading) = &mut self.reading else {
            return;
        };
        let first = tokio::select! {
            message = reading.messages.next() => message,
            _ = self.standing.changed() => return,
        };
        let mut messages = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Some(Ok(message)) => messages.push(message),
                Some(Err(error)) => {
                    tracing::debug!(%error, "the reader of the stream ended");
                    self.reading = None;
                    break;
                }
                None => {
                    self.reading = None;
                    break;
                }
            }
            if messages.len() == ITEM_RECORDS_MAX {
                break;
            }
            let reading = self.reading.as_mut();
            next = reading.and_then(|it| it.messages.next().now_or_never());
        }
        self.take(messages).await;
    }

    /// Turns messages into items; each must be the next one (L2).
    async fn take(&mut self, messages: Vec<Message>) {
        let now = Now::read();
        let mut run = Vec::with_capacity(messages.len());
        for message in messages {
            let Ok(offset) = message.info().map(|info| info.stream_sequence) else {
                continue;
            };
            if offset != self.last + 1 {
                self.tell(&mut run);
                return self.skipped(offset).await;
            }
            let Some(link) = self.reading_link() else {
                break;
            };
            let entry = link.log.entry(&message.subject, &message.payload, now);
            let publication = match entry {
                Entry::Record(nonce, publication) => {
                    if !self.shared.known().note(offset, nonce) {
                        link.suspect("the server gave an offset to two records");
                        break;
                    }
                    publication
                }
                Entry::Mark(lineage) => {
                    self.shared.known().adopt(offset, lineage);
                    if let Some(end) = self.divergence() {
                        self.tell(&mut run);
                        return self.diverge(end);
                    }
                    Publication::unaddressed()
                }
                Entry::Foreign => {
                    tracing::error!(offset, "the stream has a record that proves nothing");
                    self.tell(&mut run);
                    self.trimmed(offset + 1);
                    continue;
                }
            };
            let cursor = self.shared.known().cursor_at(offset);
            let Some(cursor) = cursor else {
                self.tell(&mut run);
                self.trimmed(offset + 1);
                continue;
            };
            self.last = offset;
            self.cursor = Some(cursor);
            run.push(Record::new(cursor, publication));
        }
        self.tell(&mut run);
    }

    fn reading_link(&self) -> Option<Arc<Link>> {
        match &*self.standing.borrow() {
            Standing::Up(link) => Some(Arc::clone(link)),
            Standing::Closed { link, .. } => link.clone(),
            Standing::Down { .. } => None,
        }
    }

    fn tell(&mut self, run: &mut Vec<Record>) {
        if !run.is_empty() {
            self.ready.push_back(TailItem::Records(std::mem::take(run)));
        }
    }

    /// The reader came to `offset`, which is not the next one: what lies between is trimmed, or the
    /// reader is wrong and another one begins where this one should be.
    async fn skipped(&mut self, offset: u64) {
        let Some(reading) = self.reading.take() else {
            return;
        };
        if offset <= self.last {
            return reading.link.suspect("the reader of the stream went back");
        }
        let next = reading.link.log.ask_leader(self.last + 1, Now::read());
        if let Ok(None) = next.await {
            self.trimmed(offset);
        }
    }

    /// Waits a moment, or until the connection changes.
    async fn pause(&mut self) {
        _ = tokio::time::timeout(PAUSE, self.standing.changed()).await;
    }
}

/// A reader at the server.
struct Reading {
    link: Arc<Link>,
    messages: Box<pull::Stream>,
    _guard: Guard,
}

/// Ends the server's reader when the tail goes away.
struct Guard {
    name: String,
    link: Arc<Link>,
    runtime: Handle,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.link.why_ended().is_some() {
            return;
        }
        let (name, link) = (std::mem::take(&mut self.name), Arc::clone(&self.link));
        self.runtime
            .spawn(async move { link.log.unfollow(&name).await });
    }
}

/// Records of one item, so that a tail that is far behind is not handed everything at once.
const ITEM_RECORDS_MAX: usize = 1024;

/// Between two attempts to read on.
const PAUSE: Duration = Duration::from_millis(100);
