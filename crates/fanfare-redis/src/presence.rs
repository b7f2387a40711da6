//! Who is connected to which node (PR1 to PR3), in the server's memory and by its clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{Entry, EntryChange, Estate, NodeId, Presence, PresenceError};
use futures_core::future::BoxFuture;
use redis::{Value, cmd};

use crate::keys::Keys;
use crate::link::{Connection, Fault, SharedConnection};
use crate::script::{ENTER, REAP, RENEW, Script, Words};

/// Leases in two sorted sets, entries in a hash for each node.
///
/// A node whose lease is reaped moves from the first set to the second, with the end of its
/// reaper's time: so it cannot be renewed, and is reaped by one.
#[derive(Debug)]
pub(crate) struct RedisPresence {
    keys: Keys,
    connection: Arc<SharedConnection>,
}

impl RedisPresence {
    pub(crate) fn new(keys: Keys, connection: Arc<SharedConnection>) -> Self {
        Self { keys, connection }
    }

    async fn run(&self, script: &Script, words: &Words) -> Result<Value, PresenceError> {
        let mut connection = self.open().await?;
        let answer = script.run(&mut connection, words).await;
        answer.map_err(|fault| self.unavailable(&fault))
    }

    async fn open(&self) -> Result<Connection, PresenceError> {
        let connection = self.connection.get().await;
        connection.map_err(|fault| self.unavailable(&fault))
    }

    /// What `node` says of who is connected to it.
    ///
    /// In slices: a large node must not hold up the server. An entry that changes meanwhile is
    /// there or not (PR5).
    async fn entries_of(&self, node: NodeId) -> Result<Vec<Entry>, PresenceError> {
        let mut connection = self.open().await?;
        let key = self.keys.subscriptions(node);
        let mut entries = std::collections::BTreeMap::new();
        let mut place = b"0".to_vec();
        loop {
            let scan = cmd("HSCAN")
                .arg(&key)
                .arg(&place)
                .arg("COUNT")
                .arg(SLICE)
                .take();
            let answer = connection.ask(&scan).await;
            let answer = answer.map_err(|fault| self.unavailable(&fault))?;
            let (next, slice) = parse_slice(answer).map_err(|fault| self.unavailable(&fault))?;
            // A scan may bring an entry twice.
            entries.extend(slice);
            if next == b"0" {
                break;
            }
            place = next;
        }
        let entry = |(key, value)| Entry { node, key, value };
        Ok(entries.into_iter().map(entry).collect())
    }

    fn unavailable(&self, fault: &Fault) -> PresenceError {
        self.connection.report(fault);
        PresenceError::Unavailable {
            why: fault.to_string(),
        }
    }
}

impl Presence for RedisPresence {
    fn enter(&self, node: NodeId, ttl: Duration) -> BoxFuture<'_, Result<(), PresenceError>> {
        Box::pin(async move {
            let subscriptions = self.keys.subscriptions(node);
            let mut words = Words::new([&self.keys.nodes, &self.keys.reaped, &subscriptions]);
            words.argument(node.to_string()).number(millis(ttl));
            self.run(&ENTER, &words).await.map(|_| ())
        })
    }

    fn renew(
        &self,
        node: NodeId,
        ttl: Duration,
        changes: Vec<EntryChange>,
    ) -> BoxFuture<'_, Result<(), PresenceError>> {
        Box::pin(async move {
            let subscriptions = self.keys.subscriptions(node);
            let mut words = Words::new([&self.keys.nodes, &subscriptions]);
            words.argument(node.to_string()).number(millis(ttl));
            for change in changes {
                match change {
                    EntryChange::Put { key, value } => {
                        words.argument("1").argument(key).argument(value);
                    }
                    EntryChange::Remove { key } => {
                        words.argument("0").argument(key).argument("");
                    }
                }
            }
            match self.run(&RENEW, &words).await? {
                Value::Int(1) => Ok(()),
                _ => Err(PresenceError::LeaseLost),
            }
        })
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>, PresenceError>> {
        Box::pin(async move {
            let mut entries = Vec::new();
            // In this order: a node that is reaped meanwhile is in the second.
            let mut nodes = std::collections::BTreeSet::new();
            for key in [&self.keys.nodes, &self.keys.reaped] {
                let mut connection = self.open().await?;
                let range = cmd("ZRANGE").arg(key).arg(0).arg(-1).take();
                let answer = connection.ask(&range).await;
                let answer = answer.map_err(|fault| self.unavailable(&fault))?;
                nodes.extend(parse_nodes(&answer));
            }
            for node in nodes {
                entries.extend(self.entries_of(node).await?);
            }
            Ok(entries)
        })
    }

    fn reap(&self, ttl: Duration) -> BoxFuture<'_, Result<Option<Estate>, PresenceError>> {
        Box::pin(async move {
            let mut words = Words::new([&self.keys.nodes, &self.keys.reaped]);
            words.number(millis(ttl));
            let answer = self.run(&REAP, &words).await?;
            let Some(node) = parse_node(&answer) else {
                return Ok(None);
            };
            let entries = self.entries_of(node).await?;
            Ok(Some(Estate { node, entries }))
        })
    }

    fn release(&self, node: NodeId) -> BoxFuture<'_, Result<(), PresenceError>> {
        Box::pin(async move {
            let mut connection = self.open().await?;
            let name = node.to_string();
            let mut commands = redis::pipe();
            // The entries first: as long as the node is listed, somebody comes to remove them.
            commands.cmd("DEL").arg(self.keys.subscriptions(node));
            commands.cmd("ZREM").arg(&self.keys.nodes).arg(&name);
            commands.cmd("ZREM").arg(&self.keys.reaped).arg(&name);
            let answers = connection.ask_all(&commands).await;
            let answers = answers.map_err(|fault| self.unavailable(&fault))?;
            let refusal = answers.into_iter().find_map(Result::err);
            refusal.map_or(Ok(()), |fault| Err(self.unavailable(&fault)))
        })
    }
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

fn parse_nodes(answer: &Value) -> Vec<NodeId> {
    match answer {
        Value::Array(nodes) => nodes.iter().filter_map(parse_node).collect(),
        _ => Vec::new(),
    }
}

fn parse_node(answer: &Value) -> Option<NodeId> {
    let Value::BulkString(text) = answer else {
        return None;
    };
    let number = u128::from_str_radix(str::from_utf8(text).ok()?, 16);
    number.ok().map(NodeId)
}

type Slice = Vec<(String, Bytes)>;

/// Where `HSCAN` goes on, and what it brought.
fn parse_slice(answer: Value) -> Result<(Vec<u8>, Slice), Fault> {
    let Value::Array(parts) = answer else {
        return Err(Fault::odd(&answer));
    };
    let mut parts = parts.into_iter();
    let (Some(Value::BulkString(next)), Some(Value::Array(fields))) = (parts.next(), parts.next())
    else {
        return Err(Fault::Odd("a slice of another form".to_owned()));
    };
    let mut slice = Slice::new();
    let mut fields = fields.into_iter();
    while let (Some(Value::BulkString(key)), Some(Value::BulkString(value))) =
        (fields.next(), fields.next())
    {
        // Nobody but a hub writes here; what is no text is not its.
        if let Ok(key) = String::from_utf8(key) {
            slice.push((key, Bytes::from(value)));
        }
    }
    Ok((next, slice))
}

/// Entries that one look brings.
const SLICE: usize = 1000;
