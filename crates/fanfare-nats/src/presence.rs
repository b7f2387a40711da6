//! Who is connected to which node (PR1 to PR4).

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use fanfare_broker::{self as broker, EntryChange, Estate, NodeId, Presence, PresenceError};
use futures_core::future::BoxFuture;
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

use crate::log::LogError;
use crate::roster::{Latest, Roster, Shelf};
use crate::shared::Shared;

/// Presence of the nodes that share a stream.
///
/// A node has a lease, a message that the server lets run out, and stands in the list of nodes,
/// with how long its lease lasts. Once its lease has run out it can be renewed by nobody: who then
/// changes its line in the list, as the first of all that want to, reaps it.
#[derive(Debug)]
pub(crate) struct NatsPresence {
    shared: Arc<Shared>,
}

impl NatsPresence {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn roster(&self) -> Result<Roster, PresenceError> {
        let link = self.shared.link();
        let link = link.ok_or_else(|| PresenceError::Unavailable {
            why: "NATS cannot be reached".to_owned(),
        })?;
        Ok(link.log.presence())
    }

    async fn take(&self, node: NodeId, ttl: Duration) -> Result<(), PresenceError> {
        let (roster, ms) = (self.roster()?, millis(ttl));
        roster.make(ms).await?;
        let held = Shelf::Leases(ms);
        won(roster.put(held, &lease(node), HELD, Some(0)).await?)?;
        let text = ms.to_string().into();
        won(roster
            .put(Shelf::Lasting, &line(node), text, Some(0))
            .await?)
    }

    async fn keep(
        &self,
        node: NodeId,
        ttl: Duration,
        changes: Vec<EntryChange>,
    ) -> Result<(), PresenceError> {
        let (roster, ms) = (self.roster()?, millis(ttl));
        let found = roster.latest(Shelf::Lasting, &line(node)).await?;
        let found = found.ok_or(PresenceError::LeaseLost)?;
        let held = Shelf::Leases(lease_ms(&found.payload).ok_or(PresenceError::LeaseLost)?);
        let current = roster.latest(held, &lease(node)).await?;
        let current = current.filter(|it| it.payload == HELD);
        let current = current.ok_or(PresenceError::LeaseLost)?;
        // The server refuses it if the lease has run out by now, or is another's.
        won(roster
            .put(held, &lease(node), HELD, Some(current.revision))
            .await?)?;
        if held != Shelf::Leases(ms) {
            // It lasts longer or shorter from now on. The old lease covers the change.
            roster.make(ms).await?;
            roster
                .put(Shelf::Leases(ms), &lease(node), HELD, None)
                .await?;
            let (text, after) = (ms.to_string().into(), Some(found.revision));
            won(roster.put(Shelf::Lasting, &line(node), text, after).await?)?;
        }
        // The last change of a key holds, so that they need not wait for each other.
        let latest: HashMap<_, _> = changes
            .into_iter()
            .map(|it| (entry_of(node, &it), it))
            .collect();
        let changed = latest
            .into_iter()
            .map(|(subject, change)| apply(&roster, subject, change));
        let mut changed = stream::iter(changed).buffer_unordered(IN_FLIGHT);
        while let Some(outcome) = changed.next().await {
            outcome?;
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<broker::Entry>, PresenceError> {
        let roster = self.roster()?;
        let nodes = nodes_of(&roster.all(Shelf::Lasting, LINES).await?);
        let found = roster.all(Shelf::Lasting, ENTRIES).await?;
        let mut entries = Vec::new();
        let mut unlisted = HashSet::new();
        for it in found {
            match node_of(&it.key) {
                Some(node) if nodes.contains(&node) => entries.extend(decode(node, &it.payload)),
                Some(node) => _ = unlisted.insert(node),
                None => {}
            }
        }
        for node in unlisted {
            sweep(&roster, node).await?;
        }
        Ok(entries)
    }

    async fn take_over(&self, ttl: Duration) -> Result<Option<Estate>, PresenceError> {
        let (roster, ms) = (self.roster()?, millis(ttl));
        roster.make(ms).await?;
        let mut alive: HashMap<u64, HashSet<NodeId>> = HashMap::new();
        for found in roster.all(Shelf::Lasting, LINES).await? {
            let (Some(node), Some(lasts)) = (node_of(&found.key), lease_ms(&found.payload)) else {
                continue;
            };
            if let Entry::Vacant(unread) = alive.entry(lasts) {
                let leases = roster.all(Shelf::Leases(lasts), LEASES).await?;
                unread.insert(nodes_of(&leases));
            }
            if alive.get(&lasts).is_some_and(|nodes| nodes.contains(&node)) {
                continue;
            }
            // A lease first, so that whoever looks after the change finds one.
            roster
                .put(Shelf::Leases(ms), &lease(node), REAPED, None)
                .await?;
            let (text, after) = (ms.to_string().into(), Some(found.revision));
            let line = roster.put(Shelf::Lasting, &line(node), text, after).await?;
            if line.is_none() {
                continue;
            }
            let entries = roster.all(Shelf::Lasting, &entries_of(node)).await?;
            let entries = entries.iter().filter_map(|it| decode(node, &it.payload));
            let entries = entries.collect();
            return Ok(Some(Estate { node, entries }));
        }
        Ok(None)
    }

    async fn leave(&self, node: NodeId) -> Result<(), PresenceError> {
        let roster = self.roster()?;
        let Some(found) = roster.latest(Shelf::Lasting, &line(node)).await? else {
            return Ok(());
        };
        let entries = format!("{}.>", entries_of(node));
        roster.remove(Shelf::Lasting, &entries).await?;
        // The lease is last: who has none, and stands in the list, is reaped.
        roster.remove(Shelf::Lasting, &line(node)).await?;
        if let Some(ms) = lease_ms(&found.payload) {
            roster.remove(Shelf::Leases(ms), &lease(node)).await?;
        }
        Ok(())
    }
}

impl Presence for NatsPresence {
    fn enter(&self, node: NodeId, ttl: Duration) -> BoxFuture<'_, Result<(), PresenceError>> {
        Box::pin(self.take(node, ttl))
    }

    fn renew(
        &self,
        node: NodeId,
        ttl: Duration,
        changes: Vec<EntryChange>,
    ) -> BoxFuture<'_, Result<(), PresenceError>> {
        Box::pin(self.keep(node, ttl, changes))
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<broker::Entry>, PresenceError>> {
        Box::pin(self.list())
    }

    fn reap(&self, ttl: Duration) -> BoxFuture<'_, Result<Option<Estate>, PresenceError>> {
        Box::pin(self.take_over(ttl))
    }

    fn release(&self, node: NodeId) -> BoxFuture<'_, Result<(), PresenceError>> {
        Box::pin(self.leave(node))
    }
}

async fn apply(roster: &Roster, subject: String, change: EntryChange) -> Result<(), LogError> {
    match change {
        EntryChange::Put { key, value } => {
            let put = roster.put(Shelf::Lasting, &subject, encode(&key, &value), None);
            put.await.map(|_| ())
        }
        EntryChange::Remove { .. } => roster.remove(Shelf::Lasting, &subject).await,
    }
}

/// Removes the entries of `node`, unless it stands in the list.
///
/// A node that was slow may write on after it was released. It stands in the list before it has an
/// entry, and its id never comes again: without a line it has no more to say.
async fn sweep(roster: &Roster, node: NodeId) -> Result<(), LogError> {
    match roster.latest(Shelf::Lasting, &line(node)).await? {
        Some(_) => Ok(()),
        None => {
            let entries = format!("{}.>", entries_of(node));
            roster.remove(Shelf::Lasting, &entries).await
        }
    }
}

impl From<LogError> for PresenceError {
    fn from(LogError(why): LogError) -> Self {
        Self::Unavailable { why }
    }
}

/// What was written; nothing if another was there before.
fn won(revision: Option<u64>) -> Result<(), PresenceError> {
    revision.map(|_| ()).ok_or(PresenceError::LeaseLost)
}

/// The server lets nothing run out in less than 100 ms.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(100)
}

fn lease_ms(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload).ok()?.parse().ok()
}

fn lease(node: NodeId) -> String {
    format!("{LEASES}.{node}")
}

fn line(node: NodeId) -> String {
    format!("{LINES}.{node}")
}

fn entries_of(node: NodeId) -> String {
    format!("{ENTRIES}.{node}")
}

/// An entry's key may be any text, and a subject may not.
fn entry(node: NodeId, key: &str) -> String {
    let digest = Sha256::digest(key);
    let half = digest.first_chunk::<16>().copied().unwrap_or_default();
    format!("{}.{:032x}", entries_of(node), u128::from_be_bytes(half))
}

fn entry_of(node: NodeId, change: &EntryChange) -> String {
    match change {
        EntryChange::Put { key, .. } | EntryChange::Remove { key } => entry(node, key),
    }
}

fn nodes_of(all: &[Latest]) -> HashSet<NodeId> {
    all.iter().filter_map(|it| node_of(&it.key)).collect()
}

/// The node of a key of any kind.
fn node_of(key: &str) -> Option<NodeId> {
    let node = key.split('.').nth(1)?;
    u128::from_str_radix(node, 16).ok().map(NodeId)
}

fn encode(key: &str, value: &Bytes) -> Bytes {
    let mut bytes = Vec::with_capacity(4 + key.len() + value.len());
    bytes.put_u32(u32::try_from(key.len()).unwrap_or(u32::MAX));
    bytes.put_slice(key.as_bytes());
    bytes.put_slice(value);
    bytes.into()
}

fn decode(node: NodeId, payload: &Bytes) -> Option<broker::Entry> {
    let (length, rest) = payload.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (key, value) = rest.split_at_checked(length)?;
    Some(broker::Entry {
        node,
        key: std::str::from_utf8(key).ok()?.to_owned(),
        value: Bytes::copy_from_slice(value),
    })
}

/// Changes that are sent before the first of them is answered.
const IN_FLIGHT: usize = 64;
const LINES: &str = "nodes";
const ENTRIES: &str = "entries";
const LEASES: &str = "leases";
const HELD: Bytes = Bytes::from_static(b"held");
const REAPED: Bytes = Bytes::from_static(b"reaped");
