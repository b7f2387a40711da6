//! Revocations in the history, which all nodes read and which outlives them.
//!
//! Each is a private publication to a topic that only the hub can publish to. A node reads them all
//! before it lets anybody in, then follows them as a subscriber of its own hub, and stores those
//! anew that the history is about to drop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{
    Budget, Cursor, IdempotencyKey, PageEnd, Publication, PublishError, ReadError, Selector,
    Selectors, Topic, TopicFilter, Verdict,
};
use fanfare_hub::{GapSignal, Subscription};
use fanfare_wire::{Decoder, Event, EventId, Item};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until};

use super::{Name, Revoked, Terms, seconds_now};
use crate::server::Server;

/// A revocation as it stands in the history.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    revoked_at: u64,
}

impl Written {
    pub(super) fn of(what: &Revoked, terms: Terms) -> Self {
        let (jti, sub) = match &what.name {
            Name::Token(id) => (Some(id.clone()), None),
            Name::Subject(subject) => (None, Some(subject.clone())),
        };
        Self {
            jti,
            sub,
            iss: what.issuer.clone(),
            exp: terms.forgotten_at,
            revoked_at: terms.revoked_at,
        }
    }

    fn read(data: &str, stored_at: u64) -> Option<(Revoked, Terms)> {
        let written: Self = serde_json::from_str(data).ok()?;
        let name = match (written.jti, written.sub) {
            (Some(id), None) => Name::Token(id),
            (None, Some(subject)) => Name::Subject(subject),
            _ => return None,
        };
        let what = Revoked {
            issuer: written.iss,
            name,
        };
        let terms = Terms {
            revoked_at: written.revoked_at,
            forgotten_at: written.exp,
            stored_at: Some(stored_at),
        };
        Some((what, terms))
    }

    /// The publication that tells all nodes; all that tell of the same loss make the same one.
    fn publication(&self, topic: Topic, lost: Option<u64>) -> Option<Publication> {
        let json = serde_json::to_string(self).ok()?;
        let digest = Sha256::digest(&json);
        let key = format!("{digest:x}:revoked:{}", lost.unwrap_or_default());
        let mut publication = Publication::new(topic, Event::new(json)).private();
        publication.idempotency_key = IdempotencyKey::parse(&key).ok();
        Some(publication)
    }
}

/// The topic that revocations are published to; it is inside the hub's own namespace.
pub(crate) fn topic(hub_path: &str) -> String {
    format!("{hub_path}/revocations")
}

impl Server {
    /// Whether revocations are told by the history: where there are any, or may be of other nodes.
    pub(super) fn revocations_shared(&self) -> bool {
        self.config.admin_token.is_some() || self.hub.capabilities().several_nodes
    }

    fn revocations_topic(&self) -> Option<Topic> {
        Topic::parse(&topic(&self.config.hub_path)).ok()
    }

    /// Stores a revocation for all nodes; one that was `lost` at that offset, anew.
    pub(super) async fn store_revocation(
        &self,
        what: &Revoked,
        terms: Terms,
        lost: Option<u64>,
    ) -> Result<(), PublishError> {
        let topic = self.revocations_topic();
        let written = Written::of(what, terms);
        let publication = topic.and_then(|topic| written.publication(topic, lost));
        let batch = publication.into_iter().collect();
        let outcome = self.hub.publish(batch).await.pop();
        let receipt = outcome.unwrap_or(Err(PublishError::Unknown))?;
        self.revocations.stored(what, receipt.cursor.offset);
        Ok(())
    }

    /// Reads every revocation of the history, and waits for a broker that is away; the place up to
    /// which it was read.
    pub(crate) async fn read_revocations(&self) -> Option<Cursor> {
        if !self.revocations_shared() {
            return None;
        }
        loop {
            match self.read_all_revocations().await {
                Ok(head) => return head,
                Err(error) => {
                    tracing::warn!(%error, "nobody is let in before it is known what is revoked");
                }
            }
            sleep_until(Instant::now() + RETRY_AFTER).await;
        }
    }

    /// Reads them all; the place up to which they were read.
    async fn read_all_revocations(&self) -> Result<Option<Cursor>, ReadError> {
        let Some(topic) = self.revocations_topic() else {
            return Ok(None);
        };
        self.revocations.forget_places();
        let bounds = self.hub.bounds().await?;
        let filter: Arc<dyn TopicFilter> = Arc::new(Of(topic));
        let (mut after, upto) = (bounds.first - 1, bounds.head_offset());
        while after < upto {
            let page = match self.hub.read(after, upto, SLICE, Arc::clone(&filter)).await {
                Err(ReadError::Trimmed { first }) => {
                    after = first - 1;
                    continue;
                }
                page => page?,
            };
            for record in &page.records {
                let data = &record.publication().event.data;
                self.heed(data, record.offset());
            }
            if page.end == PageEnd::Upto {
                break;
            }
            after = page.next - 1;
        }
        Ok(bounds.head)
    }

    /// Follows revocations of all nodes from `head` on, for as long as the future is polled.
    pub(crate) async fn follow_revocations(&self, head: Option<Cursor>) {
        if self.hub.capabilities().several_nodes {
            tokio::join!(self.listen_from(head), self.keep_revocations());
        } else if self.revocations_shared() {
            // What is revoked is revoked here.
            self.keep_revocations().await;
        }
    }

    async fn listen_from(&self, mut head: Option<Cursor>) -> Infallible {
        loop {
            let earliest = || EventId::parse("earliest").ok();
            self.listen_after(head.map(Cursor::id).or_else(earliest))
                .await;
            sleep_until(Instant::now() + RETRY_AFTER).await;
            // From the beginning again: after a gap nobody knows what it held.
            head = self.read_revocations().await;
        }
    }

    /// Listens until the stream ends: by a gap, or with the hub.
    async fn listen_after(&self, after: Option<EventId>) {
        let selector = Selector::exact(&topic(&self.config.hub_path)).ok();
        let selectors = Selectors::new(selector.into_iter().collect());
        let mut subscription = Subscription::new(selectors.clone());
        subscription.grant = selectors;
        subscription.last_event_id = after;
        subscription.gap_signal = GapSignal::Cursor;
        let Ok(admission) = self.hub.subscribe(subscription).await else {
            return;
        };
        let _counted = self.metrics.hold_stream();
        let mut stream = admission.into_stream(bytes::Bytes::new());
        let mut decoder = Decoder::default();
        while let Some(Ok(chunk)) = stream.next().await {
            let mut news = Vec::new();
            let mut items = decoder.feed(&chunk);
            while let Some(item) = items.next() {
                if let Item::Event {
                    data,
                    last_event_id,
                    ..
                } = item
                {
                    news.push((data.to_owned(), last_event_id.to_owned()));
                }
            }
            for (data, id) in news {
                let place = Cursor::parse(&id).map_or(0, |cursor| cursor.offset);
                self.heed(&data, place);
            }
        }
    }

    /// Takes a revocation of some node, and ends the streams that it means.
    fn heed(&self, data: &str, stored_at: u64) {
        let Some((what, terms)) = Written::read(data, stored_at) else {
            tracing::warn!("a revocation of another version cannot be read");
            return;
        };
        match self.revoke(what, terms) {
            Ok(0) => {}
            Ok(closed) => tracing::info!(closed, "tokens revoked by another node"),
            Err(error) => tracing::error!(%error, "a revocation of another node is not held"),
        }
    }

    /// Stores anew, in time, what the history drops or never had.
    async fn keep_revocations(&self) -> Infallible {
        loop {
            sleep_until(Instant::now() + KEEP_EVERY).await;
            let Ok(bounds) = self.hub.bounds().await else {
                continue;
            };
            let (first, head) = (bounds.first, bounds.head_offset());
            // Before anything was dropped, nothing is about to be.
            let soon = if first > 1 {
                head.saturating_sub(first) / 4
            } else {
                0
            };
            for (what, terms) in self.revocations.kept_before(first + soon, seconds_now()) {
                let stored = self.store_revocation(&what, terms, terms.stored_at).await;
                if let Err(error) = stored {
                    tracing::warn!(%error, "a revocation waits for the broker");
                    break;
                }
            }
        }
    }
}

/// What has this topic.
struct Of(Topic);

impl TopicFilter for Of {
    fn verdict(&self, topic: &Topic) -> Verdict {
        let is_it = *topic == self.0;
        Verdict {
            subscribed: is_it,
            granted: is_it,
        }
    }

    fn exact_topics(&self) -> Option<Vec<Topic>> {
        Some(vec![self.0.clone()])
    }
}

const SLICE: Budget = Budget {
    records_max: 4096,
    bytes_max: 256 << 10,
};

const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often it is asked what the history still holds.
const KEEP_EVERY: Duration = Duration::from_secs(5);
