//! Who is connected to which node: a lease for each node, and under it that node's entries (PR1 to
//! PR3).

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;

/// A place that all nodes share, where each keeps who is connected to it.
///
/// A lease belongs to a node, not to a subscription: a million subscriptions cost one renewal in a
/// few seconds (PR1). What is read is right eventually, within a lease and a reaping (PR5).
pub trait Presence: Send + Sync + 'static {
    /// Takes the lease of `node`, which has no entries yet, for `ttl`.
    fn enter(&self, node: NodeId, ttl: Duration) -> BoxFuture<'_, Result<(), PresenceError>>;

    /// Takes the lease of `node` for another `ttl`, and applies `changes` to its entries in order.
    ///
    /// With [`PresenceError::LeaseLost`] nothing was changed: its entries are somebody else's to
    /// reap, and the node comes back under a new id (PR3). With `Unavailable` the changes may have
    /// been applied; they may be sent again, for each says what an entry is, not how it differs.
    fn renew(
        &self,
        node: NodeId,
        ttl: Duration,
        changes: Vec<EntryChange>,
    ) -> BoxFuture<'_, Result<(), PresenceError>>;

    /// The entries of every node that has not been released, in no order.
    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>, PresenceError>>;

    /// Takes over one node whose lease ran out, for `ttl`; `None`: there is none.
    ///
    /// Of all that ask at once, one gets it (PR2). Who does not [`release`](Presence::release) it
    /// within `ttl` loses it to the next that asks.
    fn reap(&self, ttl: Duration) -> BoxFuture<'_, Result<Option<Estate>, PresenceError>>;

    /// Removes `node` with its lease and its entries: it leaves in order, or was reaped.
    fn release(&self, node: NodeId) -> BoxFuture<'_, Result<(), PresenceError>>;
}

/// A run of a node, or its time between two losses of its lease; never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_structs, reason = "any number is valid")]
pub struct NodeId(pub u128);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A change to the entries of one node.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an entry is there or it is not")]
pub enum EntryChange {
    /// `key` is there, with this value.
    Put {
        /// What the node calls it.
        key: String,
        /// What it says; the broker does not look into it.
        value: Bytes,
    },
    /// `key` is not there.
    Remove {
        /// What the node calls it.
        key: String,
    },
}

/// An entry, and whose it is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "brokers outside this crate make it"
)]
pub struct Entry {
    /// The node that it is connected to.
    pub node: NodeId,
    /// What the node calls it.
    pub key: String,
    /// What it says.
    pub value: Bytes,
}

/// What a node left behind whose lease ran out.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "brokers outside this crate make it"
)]
pub struct Estate {
    /// The node.
    pub node: NodeId,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// Why a lease or its entries could not be read or changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PresenceError {
    /// The node's lease had run out.
    #[error("the lease of this node ran out")]
    LeaseLost,
    /// The broker did not answer, or refused.
    #[error("presence is unavailable: {why}")]
    Unavailable {
        /// What went wrong.
        why: String,
    },
}
