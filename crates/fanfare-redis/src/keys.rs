//! The names of a hub's keys: one hash tag, hence one slot in a cluster.

use fanfare_broker::{IdempotencyKey, NodeId};
use fanfare_wire::EventId;
use sha2::{Digest, Sha256};

/// The names of one hub's keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
    /// Hash: what the newest record left, and by which server.
    pub(crate) meta: String,
    /// Stream: the records.
    pub(crate) log: String,
    /// List: the lineage, `<epoch> <first offset>`.
    pub(crate) epochs: String,
    /// List: which records have a publisher's id, `<offset> <id key>`.
    pub(crate) named: String,
    /// List: where the history may be cut, `<offset> <total before it> <ms>`.
    pub(crate) marks: String,
    /// Sorted set: the nodes that hold a lease, by its end.
    pub(crate) nodes: String,
    /// Sorted set: the nodes that are being reaped, by when the reaper loses them.
    pub(crate) reaped: String,
}

impl Keys {
    pub(crate) fn new(hub: &str) -> Self {
        let prefix = format!("fanfare:{{{hub}}}:");
        let key = |name| format!("{prefix}{name}");
        Self {
            meta: key("meta"),
            log: key("log"),
            epochs: key("epochs"),
            named: key("named"),
            marks: key("marks"),
            nodes: key("nodes"),
            reaped: key("reaped"),
            prefix,
        }
    }

    /// Where an idempotency key is remembered.
    pub(crate) fn dedupe(&self, key: &IdempotencyKey) -> String {
        format!("{}key:{}", self.prefix, hash(key.as_str().as_bytes()))
    }

    /// List: the offsets at which a publisher's id stands.
    pub(crate) fn id(&self, id: &EventId) -> String {
        format!("{}id:{}", self.prefix, hash(id.as_str().as_bytes()))
    }

    /// Hash: what a node says of who is connected to it.
    pub(crate) fn subscriptions(&self, node: NodeId) -> String {
        format!("{}subs:{node}", self.prefix)
    }
}

/// The first half of a SHA-256, in hexadecimal: its length does not depend on the publisher's.
pub(crate) fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let half = digest.iter().take(16);
    half.map(|byte| format!("{byte:02x}")).collect()
}
