//! Who is connected: kept as a list, and published as they come and go (D0-R, D1-R, PR1 to PR5).

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_broker::{
    IdempotencyKey, PresenceError, Publication, PublishError, Selector, Selectors,
};
use fanfare_hub::{Guest, GuestBook, Hub};
use serde_json::value::to_raw_value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::Grant;
use crate::dialect::{Dialect, Dialects};
use crate::error::Refusal;
use crate::interest::Wanted;
use crate::revocations;
use crate::server::Config;
use crate::web_hook::Occupancy;
use document::Document;
use lease::Lease;
use roster::{Limits, Listed, Payload, Roster, Visitor};

pub(crate) use roster::{Holder, Known};

pub(crate) mod api;
mod document;
mod entry;
mod lease;
mod roster;

/// Who is connected to this server.
#[derive(Debug)]
pub(crate) struct Presence {
    /// The path of all subscriptions.
    root: String,
    dialects: Dialects,
    /// Whether comings and goings are published.
    published: bool,
    /// Counts who listens to what, for the web hook.
    occupancy: Option<Arc<Occupancy>>,
    /// Whether connections are limited by address or by subject.
    limited: bool,
    /// Whether somebody can send holders of tokens away.
    revocable: bool,
    limits: Limits,
    roster: Mutex<Roster>,
    book: GuestBook,
    /// This node's place among those that share its broker; `None`: it is the only one, or nothing
    /// is published.
    lease: Option<Lease>,
    /// What a connection of 0.x, and one of 1.0, is not to see: presence in the other's shape.
    hidden: [Selectors; 2],
}

impl Presence {
    pub(crate) fn new(hub: &Hub, config: &Config, occupancy: Option<Arc<Occupancy>>) -> Self {
        let limits = Limits {
            per_address: config.subscribers_per_address_max,
            per_subject: config.subscribers_per_subject_max,
        };
        let root = format!("{}/subscriptions", config.hub_path);
        let published = config.subscriptions;
        let shared = hub.presence().filter(|_| published);
        // The number of segments tells the shapes apart, for what is in them is encoded.
        let shape = |rest| {
            Selector::parse(&format!("{root}{rest}"))
                .into_iter()
                .collect()
        };
        let (zero, one) = (
            "/{topic}/{subscriber}",
            "/{match_type}/{match}/{subscriber}",
        );
        let revocable = config.admin_token.is_some() || hub.capabilities().several_nodes;
        // Who may see everything has asked for everything of its publishers.
        let own = Selector::exact(&revocations::history::topic(&config.hub_path));
        let own: Vec<_> = own.into_iter().filter(|_| revocable).collect();
        Self {
            hidden: [one, zero].map(|other| {
                let other = Some(other).filter(|_| published);
                let other: Vec<_> = other.map(shape).unwrap_or_default();
                Selectors::new(own.iter().cloned().chain(other).collect())
            }),
            lease: shared.map(|shared| Lease::new(shared, config.node_lease)),
            root,
            dialects: config.dialects,
            published,
            occupancy,
            limited: limits.per_address > 0 || limits.per_subject > 0,
            revocable,
            limits,
            roster: Mutex::default(),
            book: GuestBook::default(),
        }
    }

    /// What a connection of `dialect` does not see: it gets each arrival once, in its own shape
    /// (DX-14).
    pub(crate) fn hidden_from(&self, dialect: Dialect) -> Selectors {
        let [zero, one] = &self.hidden;
        match dialect {
            Dialect::D0 => zero.clone(),
            Dialect::D1 => one.clone(),
        }
    }

    /// Puts a subscriber on the list; `Ok(None)`: nobody needs the list.
    ///
    /// It is taken off when the guest is dropped.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooManyOfOne`] past a limit (D1-S7).
    pub(crate) fn enter(
        &self,
        wanted: Vec<Wanted>,
        grant: Option<&Grant>,
        address: Option<IpAddr>,
    ) -> Result<Option<Guest>, Refusal> {
        let holder = grant.and_then(Holder::of).map(Arc::new);
        let counted = self.limited || self.occupancy.is_some();
        let needed = self.published || counted || self.revocable && holder.is_some();
        if !needed {
            return Ok(None);
        }
        let visitor = Visitor {
            subscriber: Uuid::new_v4(),
            subscriptions: listed(wanted, grant),
            holder,
            address: address.map(Box::new),
        };
        let id = self.roster().enter(visitor, self.limits)?;
        Ok(Some(self.book.guest(id)))
    }

    /// The name of guest `id`, which everybody sees who sees presence.
    pub(crate) fn subscriber(&self, id: u64) -> Option<Uuid> {
        self.roster().subscriber(id)
    }

    /// What an operator is shown of guest `id`.
    pub(crate) fn known(&self, id: u64) -> Option<Known> {
        self.roster().known(id)
    }

    /// Tells of the arrival of guest `id`; the offset of the last event that does.
    pub(crate) async fn tell_arrival(&self, hub: &Hub, id: u64) -> Option<u64> {
        let visitor = self.roster().arrived(id)?;
        self.count(&visitor, Occupancy::enter);
        let outcomes = hub.publish(self.news(&visitor, true)).await;
        let mut last = None;
        for outcome in outcomes {
            match outcome {
                Ok(receipt) => last = Some(receipt.cursor.offset),
                Err(error) => tracing::warn!(%error, "an arrival could not be published"),
            }
        }
        // It was given a new name meanwhile, and nobody else knows of the old one.
        if self
            .subscriber(id)
            .is_some_and(|it| it != visitor.subscriber)
        {
            hub.publish(self.news(&visitor, false)).await;
        }
        last
    }

    /// Those who are present at other nodes, as far as these have told.
    async fn elsewhere(&self) -> Result<Vec<Visitor>, PresenceError> {
        let Some(lease) = &self.lease else {
            return Ok(Vec::new());
        };
        let entries = lease.others().await?;
        Ok(entries.iter().filter_map(entry::read).collect())
    }

    /// Ends the streams of those whose holder `is_meant`; how many.
    pub(crate) fn dismiss(&self, hub: &Hub, is_meant: impl Fn(&Holder) -> bool) -> usize {
        let meant = self.roster().held_by(is_meant);
        let count = meant.len();
        hub.dismiss(meant);
        count
    }

    /// Tells of those who leave, until `stop` is cancelled and everybody is told of who has left by
    /// then.
    pub(crate) async fn tell_departures(&self, hub: &Hub, stop: &CancellationToken) {
        loop {
            let left = tokio::select! {
                biased;
                left = self.book.left() => left,
                () = stop.cancelled() => return,
            };
            for left in left.chunks(BATCH) {
                let leave = |&id| self.roster().leave(id);
                let visitors: Vec<_> = left.iter().filter_map(leave).collect();
                let mut news = Vec::new();
                for visitor in &visitors {
                    self.count(visitor, Occupancy::leave);
                    news.extend(self.news(visitor, false));
                }
                publish_all(hub, news).await;
                let mut roster = self.roster();
                for visitor in visitors {
                    roster.told(visitor.subscriber);
                }
            }
        }
    }

    fn count(&self, visitor: &Visitor, change: fn(&Occupancy, &str)) {
        if let Some(occupancy) = &self.occupancy {
            for listed in visitor.subscriptions.iter() {
                change(occupancy, listed.wanted.selector.as_str());
            }
        }
    }

    /// What is published when `visitor` comes or goes: each subscription in each dialect spoken
    /// that can say it.
    fn news(&self, visitor: &Visitor, active: bool) -> Vec<Publication> {
        let mut news = Vec::new();
        if !self.published {
            return news;
        }
        for listed in visitor.subscriptions.iter() {
            for dialect in [Dialect::D0, Dialect::D1] {
                let spoken = self.dialects.speak(dialect);
                let document = || Document::of(&self.root, dialect, visitor, listed, active);
                let Some(document) = spoken.then(document).flatten() else {
                    continue;
                };
                let mut publication = document.publication();
                if let Some(publication) = &mut publication
                    && self.lease.is_some()
                    && !active
                {
                    publication.idempotency_key = departure_key(document.id());
                }
                news.extend(publication);
            }
        }
        news
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        // No code panics while it holds the lock, and the list is whole between statements.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each subscription once, with what the token wants shown (D0-R7, D1-R5).
#[expect(
    clippy::mutable_key_type,
    reason = "a selector's hash and equality are its text's"
)]
fn listed(wanted: Vec<Wanted>, grant: Option<&Grant>) -> Arc<Vec<Listed>> {
    let mut known = HashSet::new();
    let mut listed: Vec<Listed> = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        if !known.insert(wanted.clone()) {
            continue;
        }
        let payload = grant.and_then(|grant| grant.payload_for(wanted.selector.as_str()));
        let payload = payload.and_then(|payload| to_raw_value(payload).ok());
        let payload = payload.map(|payload| Payload(payload.into()));
        listed.push(Listed { wanted, payload });
    }
    Arc::new(listed)
}

/// Under which a departure is stored once, whoever tells of it: its node, or who cleans up after
/// that (PR2). `subscription` is visible ASCII, for it is a path; a long one is told by its digest.
fn departure_key(subscription: &str) -> Option<IdempotencyKey> {
    let whole = format!("{subscription}:inactive");
    let key = IdempotencyKey::parse(&whole).or_else(|_| {
        let digest = Sha256::digest(subscription);
        IdempotencyKey::parse(&format!("{digest:x}:inactive"))
    });
    key.ok()
}

/// Publishes what has to be told; waits for a broker that is away, for no subscriber waits for us.
async fn publish_all(hub: &Hub, mut news: Vec<Publication>) {
    while !news.is_empty() {
        let mut outcomes = hub.publish(news.clone()).await.into_iter();
        news.retain(|it| match outcomes.next() {
            Some(Err(PublishError::Unavailable { .. } | PublishError::Overloaded { .. })) => true,
            // Stored or not: with its key it is not stored twice.
            Some(Err(PublishError::Unknown)) => it.idempotency_key.is_some(),
            _ => false,
        });
        if !news.is_empty() {
            tracing::warn!(count = news.len(), "comings and goings wait for the broker");
            sleep_until(Instant::now() + RETRY_AFTER).await;
        }
    }
}

/// Departures published at once.
const BATCH: usize = 1000;

const RETRY_AFTER: Duration = Duration::from_secs(1);
