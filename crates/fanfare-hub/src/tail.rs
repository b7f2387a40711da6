//! The one reader of the broker's tail: from there into the ring, and the shards are woken.

use std::sync::Arc;
use std::time::Instant;

use fanfare_broker::{Broker, TailItem};
use futures_core::stream::BoxStream;
use futures_util::StreamExt;

use crate::inbox::Inbox;
use crate::ring::Ring;

/// Moves the `tail` of `broker` into `ring` until it ends, waking the shards behind `inboxes`.
pub(crate) async fn follow(
    broker: Arc<dyn Broker>,
    mut tail: BoxStream<'static, TailItem>,
    ring: Arc<Ring>,
    inboxes: Arc<[Arc<Inbox>]>,
) {
    let wake = || inboxes.iter().for_each(|inbox| inbox.wake());
    let skip_to = async |next| {
        // Should the broker be away by now, the first slice of history tells the epochs.
        let lineage = broker.bounds().await.ok().map(|bounds| bounds.lineage);
        ring.skip_to(next, lineage.as_ref());
    };
    while let Some(item) = tail.next().await {
        match item {
            TailItem::Records(records) => {
                let came = now();
                let expected = ring.next();
                match records.first() {
                    Some(first) if first.offset() != expected => {
                        // L2: a broker that skips in silence is broken. Nobody loses by it: what
                        // lies between is read from history, or told as a gap.
                        let offset = first.offset();
                        tracing::error!(expected, offset, "the broker's tail skipped offsets");
                        skip_to(offset).await;
                    }
                    _ => {}
                }
                ring.arrived(came);
                ring.append(records, wake).await;
            }
            TailItem::Trimmed { next } => {
                tracing::warn!(next, "the broker trimmed past this node's tail");
                skip_to(next).await;
                wake();
            }
            TailItem::Diverged { end, epoch } => {
                tracing::warn!(
                    end,
                    epoch = epoch.number(),
                    "the broker lost records after `end`"
                );
                ring.cut(end);
                wake();
            }
            item => tracing::warn!(?item, "an unknown step of the broker's tail is passed over"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the loop reads the clock where a batch comes"
)]
fn now() -> Instant {
    Instant::now()
}
